"""The reconciler makes the database and Temporal tell the same, whatever happened to either."""

import base64
import json
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, update
from temporalio.client import Client, WorkflowExecutionStatus

from clients.database import jobs
from clients.database.jobs import SealedJob
from clients.database.models import Job, Video
from clients.vault import Vault
from contracts.errors import REASONS, START_REFUSED
from contracts.jobs import JobRequest, payload_sha256
from contracts.queues import encode_subject, parse
from devstack.app import App
from intake import reconcile
from intake.ending import Endings
from intake.reconcile import Reconciler
from tests.integration.test_bodies import for_tenant
from tests.integration.test_encode import encoding_began
from tests.lab import CLIP, Lab, PatientSubmitter, eventually, fresh_id
from tests.unit.bodies import BODIES

NOW = timedelta(0)


@pytest.fixture
def submitter(lab: Lab) -> PatientSubmitter:
    return PatientSubmitter(lab.engine, lab.temporal, Vault(lab.settings.payload_keys.get_secret_value()))


@pytest.fixture
async def reconciler(app: App, lab: Lab, submitter: PatientSubmitter) -> AsyncIterator[Reconciler]:
    """Ours instead of the one that runs every minute; jobs that earlier tests left open are not its."""
    schedule = lab.temporal.get_schedule_handle("reconcile")
    await schedule.pause()
    async with lab.engine.begin() as connection:
        left = update(Job).where(Job.finished_at.is_(None))
        await connection.execute(left.values(state="CANCELLED", finished_at=func.now()))
    yield Reconciler(lab.engine, lab.temporal, submitter, lab.endings())
    await schedule.unpause()


def job_request(lab: Lab, tenant: int, video: int, file: Path) -> JobRequest:
    key = lab.producer.upload(tenant, file)
    payload = {"video_id": video, "file_key": key}
    return JobRequest(
        job_type="video.encode",
        tenant_id=tenant,
        idempotency_key="a",
        subject=encode_subject(video, key),
        payload=payload,
        payload_sha256=payload_sha256(payload, frozenset()),
        source="test",
    )


async def closed(lab: Lab, workflow_id: str) -> None:
    handle = lab.temporal.get_workflow_handle(workflow_id)

    async def look() -> bool:
        return (await handle.describe()).status is not WorkflowExecutionStatus.RUNNING

    await eventually(look)


async def reopen(lab: Lab, job: Any) -> None:
    """As a database restored from a backup of the time when the job was running."""
    await closed(lab, job.workflow_id)
    async with lab.engine.begin() as connection:
        await connection.execute(
            update(Job)
            .where(Job.id == job.id)
            .values(state="RUNNING", finished_at=None, result=None, error_code=None)
        )


async def test_a_job_that_was_accepted_but_not_started_is_started(
    app: App, lab: Lab, submitter: PatientSubmitter, reconciler: Reconciler, tmp_path: Path
) -> None:
    file = tmp_path / "lecture.mp4"
    file.write_text("no video")
    tenant, video = fresh_id(), fresh_id()
    (accepted,) = await submitter.accept([job_request(lab, tenant, video, file)])
    assert (await reconciler.run_once(NOW))["started"] == 1
    (job,) = await lab.ended(tenant)
    assert (job.id, job.error_code) == (accepted.job_id, "NOT_A_VIDEO")  # it had the right payload


async def test_a_namespace_that_is_gone_loses_no_job(
    app: App, lab: Lab, submitter: PatientSubmitter, reconciler: Reconciler
) -> None:
    """Not found is the workflow, or all of them: a Temporal that is set up anew, or a slip in a name."""
    tenant = fresh_id()
    request = job_request(lab, tenant, fresh_id(), CLIP)
    (accepted,) = await submitter.accept([request])
    async with lab.engine.begin() as connection:
        lost = update(Job).where(Job.id == accepted.job_id)
        await connection.execute(lost.values(sealed_payload=None, restored_at=func.now()))
    nowhere = await Client.connect(lab.settings.temporal_address, namespace="nowhere")
    misled = Reconciler(lab.engine, nowhere, submitter, lab.endings())
    assert (await misled.run_once(NOW))[reconcile.NOT_RECONCILED] == 1
    assert (await lab.only_job(tenant)).finished_at is None
    assert (await reconciler.run_once(NOW))["lost"] == 1
    assert (await lab.only_job(tenant)).error_code == "PAYLOAD_LOST"


async def test_a_terminated_workflow_is_a_failed_job_and_the_video_shows_it(
    app: App, lab: Lab, reconciler: Reconciler, small_lecture: Path
) -> None:
    tenant, video = fresh_id(), fresh_id()
    lab.send_encode(tenant, video, small_lecture)
    await encoding_began(lab, tenant, video)
    before = await lab.only_job(tenant)
    assert (await reconciler.run_once(NOW))["running"] >= 1
    running = await lab.only_job(tenant)
    assert (running.state, running.epoch, running.finished_at) == ("RUNNING", before.epoch, None)
    await lab.temporal.get_workflow_handle(running.workflow_id).terminate("operator")
    assert (await reconciler.run_once(NOW))["repaired"] == 1
    (job,) = await lab.jobs(tenant)
    assert (job.state, job.error_code) == ("FAILED", "TERMINATED")
    assert job.sealed_payload, "it can be asked for again"
    shown = await lab.video(tenant, video)
    assert (shown.status, shown.error_code) == ("FAILED", "TERMINATED")
    retiring = lab.temporal.get_workflow_handle(f"video.retire-{job.workflow_id}-1")
    assert (await retiring.describe()).status is WorkflowExecutionStatus.RUNNING  # what it left goes later
    assert "repaired" not in await reconciler.run_once(NOW)


async def test_ends_that_the_database_lost_come_back_from_the_history(
    app: App, lab: Lab, reconciler: Reconciler, tmp_path: Path
) -> None:
    broken = tmp_path / "lecture.mp4"
    broken.write_text("no video")
    tenant, done, failed = (fresh_id() for _ in range(3))
    lab.send_encode(tenant, done)
    lab.send_encode(tenant, failed, broken)
    before = await lab.ended(tenant, 2)
    for job in before:
        await reopen(lab, job)
    async with lab.engine.begin() as connection:
        this = (Video.tenant_id == tenant, Video.id == failed)
        await connection.execute(update(Video).where(*this).values(status="PROCESSING", error_code=None))
    assert (await reconciler.run_once(NOW))["repaired"] == 2
    after = await lab.jobs(tenant)
    told = [(job.id, job.state, job.error_code, job.result) for job in after]
    assert told == [(job.id, job.state, job.error_code, job.result) for job in before]
    assert sorted(job.state for job in after) == ["DONE", "REJECTED_BAD_INPUT"]
    assert (await lab.video(tenant, done)).status == "READY"
    shown = await lab.video(tenant, failed)
    assert (shown.status, shown.error_code) == ("FAILED", "NOT_A_VIDEO")


async def test_a_job_that_cannot_be_opened_does_not_stop_the_others(
    app: App, lab: Lab, submitter: PatientSubmitter, reconciler: Reconciler, tmp_path: Path
) -> None:
    file = tmp_path / "lecture.mp4"
    file.write_text("no video")
    tenant = fresh_id()
    stranger = PatientSubmitter(
        lab.engine, lab.temporal, Vault(f"gone:{base64.b64encode(bytes(32)).decode()}")
    )
    (unopenable,) = await stranger.accept([job_request(lab, tenant, fresh_id(), file)])
    good = job_request(lab, tenant, fresh_id(), file).model_copy(update={"idempotency_key": "b"})
    await submitter.accept([good])
    counts = await reconciler.run_once(NOW)
    assert (counts["not reconciled"], counts["started"]) == (1, 1)
    await submitter.refuse(unopenable)
    await lab.ended(tenant, 2)


async def test_a_cancelled_workflow_is_a_cancelled_job(
    app: App, lab: Lab, reconciler: Reconciler, small_lecture: Path
) -> None:
    tenant, video = fresh_id(), fresh_id()
    lab.send_encode(tenant, video, small_lecture)
    await encoding_began(lab, tenant, video)
    job = await lab.only_job(tenant)
    await lab.temporal.get_workflow_handle(job.workflow_id).cancel()
    (job,) = await lab.ended(tenant)
    await reopen(lab, job)
    assert (await reconciler.run_once(NOW))["repaired"] == 1
    (job,) = await lab.jobs(tenant)
    assert (job.state, job.error_code) == ("CANCELLED", "CANCELLED")


async def test_young_jobs_and_jobs_just_looked_at_are_left_alone(
    lab: Lab, submitter: PatientSubmitter, reconciler: Reconciler
) -> None:
    """The bridge has accepted it and is about to start it."""
    tenant = fresh_id()
    (accepted,) = await submitter.accept([job_request(lab, tenant, fresh_id(), CLIP)])
    assert "started" not in await reconciler.run_once()
    async with lab.engine.begin() as connection:
        old = func.now() - timedelta(minutes=2)
        await connection.execute(update(Job).where(Job.tenant_id == tenant).values(accepted_at=old))
        taken = await jobs.take_unfinished(connection, timedelta(minutes=1), 500)
        assert accepted.job_id in [row.id for row in taken]
    assert "started" not in await reconciler.run_once()
    await submitter.refuse(accepted)
    (job,) = await lab.jobs(tenant)
    assert (job.state, job.error_code) == (REASONS[START_REFUSED].state, START_REFUSED)


async def test_all_are_looked_at_in_one_run_the_oldest_first_and_a_few_at_a_time(
    lab: Lab, reconciler: Reconciler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "PAGE", 5)
    monkeypatch.setattr(reconcile, "PAGE_SECONDS", 0.3)
    monkeypatch.setattr(reconcile, "AT_ONCE", 2)
    order: list[UUID] = []
    under_way: list[int] = [0]

    class Noting(PatientSubmitter):
        async def restart(self, row: SealedJob) -> None:
            order.append(row.id)
            under_way.append(under_way[-1] + 1)
            await super().restart(row)
            under_way.append(under_way[-1] - 1)

    vault = Vault(lab.settings.payload_keys.get_secret_value())
    submitter = Noting(lab.engine, lab.temporal, vault)
    tenant = fresh_id()
    requests = [ocr_request(tenant, number) for number in range(23)]
    accepted = [each.job_id for each in await submitter.accept(requests)]
    async with lab.engine.begin() as connection:
        for age, job_id in enumerate(accepted):
            old = func.now() - timedelta(hours=1, minutes=age)
            await connection.execute(update(Job).where(Job.id == job_id).values(accepted_at=old))
    began = time.monotonic()
    endings = Endings(lab.engine, lab.temporal, lab.objects, vault)
    counts = await Reconciler(lab.engine, lab.temporal, submitter, endings).run_once()
    assert counts == {"started": 23}
    assert time.monotonic() - began >= 4 * 0.3, "no more than a page in its time"
    assert max(under_way) <= 2
    pages = [set(order[start : start + 5]) for start in range(0, 23, 5)]
    assert pages == [set(accepted[::-1][start : start + 5]) for start in range(0, 23, 5)]
    for job in await lab.jobs(tenant):
        await lab.temporal.get_workflow_handle(job.workflow_id).terminate("the test is over")


async def test_a_row_that_is_wrong_does_not_stop_the_others(
    lab: Lab, submitter: PatientSubmitter, reconciler: Reconciler
) -> None:
    tenant = fresh_id()
    wrong, right = await submitter.accept([ocr_request(tenant, number) for number in range(2)])
    async with lab.engine.begin() as connection:
        await connection.execute(update(Job).where(Job.id == wrong.job_id).values(sealed_payload=b"?"))
    assert await reconciler.run_once(NOW) == {"not reconciled": 1, "started": 1}
    await lab.temporal.get_workflow_handle(right.workflow_id).terminate("the test is over")
    await submitter.refuse(wrong)


def ocr_request(tenant: int, number: int) -> JobRequest:
    body = for_tenant(BODIES["ocr"][1] | {"job_id": f"job-{number}"}, tenant)
    return parse("ai-lite", json.dumps(body), "-")
