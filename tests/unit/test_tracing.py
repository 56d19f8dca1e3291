"""One trace from a message to the last request that it causes; nothing of a person in it; nothing at all
where nobody asked for it."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import uuid4

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from clients import tracing
from clients.settings import Settings
from clients.solapi import Refused, Solapi
from clients.temporal import connect
from tests.lab import Lab
from tests.unit.traced import Traced

PARENT = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"
SECRET = "김하늘 010-1234-5678"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    monkeypatch.setattr(tracing, "_tracer", None)  # and as it was before, afterwards
    exporter = InMemorySpanExporter()
    tracing.begin_with("test", exporter)
    yield exporter


def seen(exporter: InMemorySpanExporter) -> Sequence[ReadableSpan]:
    assert tracing._tracer is not None
    tracing._tracer.span_processor.force_flush()  # type: ignore[attr-defined]
    return exporter.get_finished_spans()


def solapi(status: int, body: Any) -> Solapi:
    async def turn() -> None: ...

    given = {name: field.default for name, field in Settings.model_fields.items()}
    settings = Settings.model_construct(**given | {"solapi_api_key": "k", "solapi_api_secret": _Secret()})
    made = Solapi(settings, turn)
    made._http = httpx.AsyncClient(
        base_url="http://solapi.test",
        transport=httpx.MockTransport(lambda _: httpx.Response(status, json=body)),
    )
    return made


class _Secret:
    def get_secret_value(self) -> str:
        return "secret"


@activity.defn(name="tests.traced_send")
async def send() -> None:
    await solapi(200, {}).send("G1")
    raise ApplicationError(f"not to {SECRET}", non_retryable=True)


async def test_one_trace_from_a_message_to_the_provider(spans: InMemorySpanExporter, lab: Lab) -> None:
    client = await connect(lab.settings, lab.engine)
    queue = uuid4().hex
    async with Worker(client, task_queue=queue, workflows=[Traced], activities=[send]):
        with tracing.span("message messaging", PARENT, job_type="messages.send"):
            handle = await client.start_workflow("tests.traced", id=queue, task_queue=queue)
        with pytest.raises(Exception, match="Workflow execution failed"):
            await handle.result()
    found = {each.name: each for each in seen(spans)}
    below = {
        "StartWorkflow:tests.traced": "message messaging",
        "RunWorkflow:tests.traced": "StartWorkflow:tests.traced",
        "StartActivity:tests.traced_send": "StartWorkflow:tests.traced",
        "RunActivity:tests.traced_send": "StartActivity:tests.traced_send",
        "solapi send": "RunActivity:tests.traced_send",
    }
    ids = {name: span.context.span_id for name, span in found.items() if span.context}
    ids["theirs"] = int(PARENT.split("-")[2], 16)
    for name, above in {"message messaging": "theirs", **below}.items():
        span = found[name]
        assert span.context and f"{span.context.trace_id:032x}" == PARENT.split("-")[1], name
        assert span.parent and span.parent.span_id == ids[above], f"{name} is below {above}"
    assert dict(found["solapi send"].attributes or {}) == {"outcome": "done", "status": 200}
    told = "".join(each.to_json() for each in found.values())
    assert "ApplicationError" in told and "010-1234" not in told and "김하늘" not in told


async def test_of_an_error_goes_out_its_kind(spans: InMemorySpanExporter) -> None:
    with pytest.raises(Refused):
        await solapi(400, {"errorCode": "Odd", "errorMessage": SECRET}).send("G1")
    with pytest.raises(KeyError), tracing.span("work"):
        raise KeyError(SECRET)
    first, second = seen(spans)
    assert dict(first.attributes or {}) == {"outcome": "refused", "status": 400}
    assert second.status.description is None and not second.status.is_ok
    assert dict(second.events[0].attributes or {}) == {"exception.type": "KeyError"}
    assert SECRET not in first.to_json() + second.to_json()


def test_nothing_is_imported_where_nobody_traces() -> None:
    asked = (
        "import sys, asyncio; from clients import tracing; tracing.begin('test', None)\n"
        "with tracing.span('x', a=1) as span: span.add(b=2)\n"
        "assert tracing.interceptors() == () and not any(m.startswith('opentelemetry') for m in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_no_process_waits_for_a_collector_that_hangs() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        asked = (
            "from clients import otel, tracing; otel.PATIENCE = 0.1\n"
            f"tracing.begin('test', 'http://127.0.0.1:{silent.getsockname()[1]}')\n"
            "with tracing.span('x'): pass"
        )
        slow = {**os.environ, "OTEL_EXPORTER_OTLP_TIMEOUT": "60"}  # else the exporter gives up before
        done = subprocess.run([sys.executable, "-c", asked], capture_output=True, env=slow, timeout=25)
    assert done.returncode == 0
