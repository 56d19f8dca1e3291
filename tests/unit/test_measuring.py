"""How attempts are counted, what their log lines say, and what the SDK's changes add up to."""

import asyncio
import json
import logging
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities.video.errors import final
from clients import metrics
from clients.sdk_metrics import SdkMetrics
from contracts.errors import SUPERSEDED, ErrorType
from contracts.jobs import JobRef, JobRequest
from tests.pages import Page
from workers.log import JsonLines, about
from workers.measuring import MeasuringInterceptor

JOB = JobRequest(
    job_type="ai.ocr", tenant_id=7, idempotency_key="k", payload={}, payload_sha256="", source="test"
)
LOG = logging.getLogger("tests.measuring")


class Body(ActivityInboundInterceptor):
    """In place of the activity."""

    def __init__(self, raises: BaseException | None = None) -> None:
        self._raises = raises

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        await asyncio.to_thread(LOG.warning, "said")
        if self._raises:
            raise self._raises


async def attempt(raises: BaseException | None = None, *args: Any) -> None:
    environment = ActivityEnvironment()
    environment.info = replace(
        environment.info, activity_type="tests.measured", workflow_id="ai.ocr-t7-0123456789ab", attempt=3
    )
    inbound = MeasuringInterceptor().intercept_activity(Body(raises))
    await environment.run(
        inbound.execute_activity, ExecuteActivityInput(fn=lambda: None, args=args, executor=None, headers={})
    )


@pytest.mark.parametrize(
    ("raises", "outcome", "code"),
    [
        (None, "done", ""),
        (asyncio.CancelledError(), "cancelled", ""),
        (final(SUPERSEDED), "failed", SUPERSEDED),
        (ApplicationError("x", type=ErrorType.DISK_FULL), "failed", "DiskFull"),
        (ApplicationError("x", type="what 010-1234-5678 sent"), "failed", "ApplicationError"),
        (KeyError("김하늘"), "failed", "KeyError"),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, BaseException) else str(each),
)
async def test_an_attempt_is_counted_by_how_it_ended(
    raises: BaseException | None, outcome: str, code: str
) -> None:
    counted = metrics.ACTIVITIES.labels("tests.measured", outcome, code)
    before = counted._value.get()
    try:
        await attempt(raises)
    except BaseException as error:  # noqa: BLE001 - the same one, and no other
        assert error is raises
    assert counted._value.get() == before + 1


async def test_lines_of_an_attempt_say_what_they_are_of() -> None:
    said: list[str] = []
    handler = logging.Handler()
    handler.setFormatter(JsonLines())
    handler.emit = lambda record: said.append(handler.format(record))  # type: ignore[method-assign]
    LOG.addHandler(handler)
    try:
        await attempt(None, JobRef(job_id=JOB.job_id, job_type=JOB.job_type, tenant_id=7))
        await attempt(None, SimpleNamespace(job=SimpleNamespace(job_id=JOB.job_id)))
        with about(job=JOB.job_id, tenant=7):
            LOG.warning("said")
        LOG.warning("said", extra={"temporal_workflow": {"workflow_id": "w", "attempt": 1, "run_id": "r"}})
        LOG.warning(
            "said", extra={"temporal_activity": {"activity_type": "a", "workflow_id": "w", "attempt": 2}}
        )
        LOG.warning("said")
    finally:
        LOG.removeHandler(handler)
    fields = [
        {k: v for k, v in json.loads(line).items() if k not in ("at", "level", "logger", "message")}
        for line in said
    ]
    work = {
        "activity": "tests.measured",
        "workflow": "ai.ocr-t7-0123456789ab",
        "attempt": 3,
        "tenant": 7,
        "job": str(JOB.job_id),
    }
    failed = {"activity": "a", "workflow": "w", "attempt": 2}
    assert fields == [
        work,
        work,
        {"job": str(JOB.job_id), "tenant": 7},
        {"workflow": "w", "attempt": 1},
        failed,
        {},
    ]


def test_changes_of_the_sdk_add_up() -> None:
    def change(name: str, kind: int, value: float, unit: str | None = None, **labels: Any) -> Any:
        metric = SimpleNamespace(name=name, kind=kind, unit=unit, description=f"of {name}")
        return SimpleNamespace(metric=metric, value=value, attributes=labels)

    told = [
        *(change("temporal_request", 0, 1, operation="Poll") for _ in range(3)),
        change("temporal_request", 0, 1, operation="Start", eager=True),
        *(change("temporal_slots", 1, value, worker="a") for value in (5, 4)),
        *(change("temporal_latency", 2, value, "s", task_queue="ai") for value in (0.01, 0.011, 9000.0)),
    ]
    sdk = SdkMetrics()
    sdk.buffer = SimpleNamespace(retrieve_updates=lambda: told)  # type: ignore[assignment]
    registry = CollectorRegistry()
    registry.register(sdk)
    assert Page(generate_latest(registry).decode()).names() == set(), "before a runtime has begun"
    sdk.runs = True
    page = Page(generate_latest(registry).decode())
    assert page.of("temporal_request_total", operation="Poll") == 3
    assert page.of("temporal_request_total", eager="True") == 1
    assert page.of("temporal_slots", worker="a") == 4
    for bound, count in (("0.01", 1), ("0.05", 2), ("7200", 2), ("+Inf", 3)):
        assert page.of("temporal_latency_seconds_bucket", task_queue="ai", le=bound) == count
    assert page.of("temporal_latency_seconds_count") == 3
    assert page.of("temporal_latency_seconds_sum") == pytest.approx(9000.021)
    told[:] = [change("temporal_request", 0, 1, operation="Poll")]
    assert Page(generate_latest(registry).decode()).of("temporal_request_total", operation="Poll") == 4


def test_a_folder_that_is_gone_hides_no_other_metric(tmp_path: Path) -> None:
    metrics.show_disk("gone", tmp_path / "gone")
    try:
        page = generate_latest().decode()
    finally:
        metrics.DISK_FREE.remove("gone")
    assert 'worker_disk_free_bytes{kind="gone"} NaN' in page and "activity_attempts" in page
