"""Postgres comes back from a backup, or fails over with loss: what Temporal, the store and the provider know
is written again, and nothing is done twice."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import delete, insert, select, update
from temporalio.common import SearchAttributePair, TypedSearchAttributes

from clients.database.captions_models import Caption
from clients.database.models import Job, JobEvent, Rendition, Video
from clients.database.viewing_models import VideoProgress
from clients.vault import Vault
from contracts.ai import AiInput
from contracts.errors import RESULT_LOST
from contracts.jobs import JobRef
from contracts.names import TaskQueue, WorkflowType
from contracts.trim import version_name
from devstack.app import App
from devstack.producer import delete_body
from intake.captions import Captioning, NewCaptions
from intake.reconcile import Reconciler
from intake.restore import Restorer
from intake.submit import JOB_TYPE, TENANT_ID
from rules.captions.cues import Cue
from tests.integration.test_encode import encoding_began
from tests.integration.test_reconcile import closed
from tests.integration.test_trim import trimmed
from tests.lab import PATIENCE, Lab, PatientSubmitter, eventually, fresh_id
from tests.viewing.classroom import Classroom

NOW = timedelta(0)


async def lose(lab: Lab, tenant: int) -> None:
    """As a database from before the tenant's first job."""
    async with lab.engine.begin() as connection:
        mine = [job.id for job in await lab.jobs(tenant)]
        await connection.execute(delete(Rendition).where(Rendition.tenant_id == tenant))
        await connection.execute(delete(Video).where(Video.tenant_id == tenant))
        await connection.execute(delete(JobEvent).where(JobEvent.job_id.in_(mine)))
        await connection.execute(delete(Job).where(Job.tenant_id == tenant))


async def went_back(lab: Lab, tenant: int) -> None:
    """As a database from the time when the tenant's jobs had just begun."""
    async with lab.engine.begin() as connection:
        await connection.execute(delete(Rendition).where(Rendition.tenant_id == tenant))
        unseen = {"status": "PROCESSING", "error_code": None, "hls_path": None, "hls_prefix": None}
        unseen |= {"duration": None, "published_seq": 0, "published_job": None, "deleted_at": None}
        await connection.execute(
            update(Video).where(Video.tenant_id == tenant).values(unseen | {"has_pictures": False})
        )
        began = {"state": "RUNNING", "finished_at": None, "result": None, "error_code": None, "epoch": 1}
        await connection.execute(update(Job).where(Job.tenant_id == tenant).values(began))


@pytest.fixture
def reconciler(lab: Lab) -> Reconciler:
    submitter = PatientSubmitter(
        lab.engine, lab.temporal, Vault(lab.settings.payload_keys.get_secret_value())
    )
    return Reconciler(lab.engine, lab.temporal, submitter, lab.endings())


async def shown(lab: Lab, tenant: int, video: int) -> tuple[dict[str, Any], list[Any]]:
    """The video and its renditions, but for what a second writing may change."""
    row = (await lab.video(tenant, video))._asdict()
    return {key: row[key] for key in row.keys() - {"updated_at", "published_seq"}}, await lab.renditions(
        tenant, video
    )


async def test_a_running_encode_that_the_database_lost_is_published(
    app: App, lab: Lab, small_lecture: Path
) -> None:
    tenant, video = fresh_id(), fresh_id()
    lab.send_encode(tenant, video, small_lecture)
    await encoding_began(lab, tenant, video)
    before = await lab.only_job(tenant)
    await lose(lab, tenant)
    (job,) = await lab.ended(tenant)
    for each in ("id", "external_id", "idempotency_key", "subject", "video_id", "payload_sha256", "source"):
        assert getattr(job, each) == getattr(before, each)
    assert (job.state, job.restored_at is not None) == ("DONE", True)
    published = await lab.video(tenant, video)
    assert (published.status, published.published_job) == ("READY", job.id)
    assert lab.keys(published.hls_prefix)


@pytest.mark.slow
async def test_an_encode_that_ended_before_its_message_came_again_is_not_done_twice(
    app: App, lab: Lab, reconciler: Reconciler, small_lecture: Path
) -> None:
    tenant, video = fresh_id(), fresh_id()
    body = lab.send_encode(tenant, video, small_lecture)
    await lab.ended(tenant)
    before, keys = await shown(lab, tenant, video), lab.keys(f"tenants/{tenant}/")
    (job,) = await lab.jobs(tenant)
    await closed(lab, job.workflow_id)
    await lose(lab, tenant)
    lab.send("video", body)
    await eventually(lambda: lab.jobs(tenant), "accepted again")

    async def ended() -> bool:
        await reconciler.run_once(NOW)
        (job,) = await lab.jobs(tenant)
        return job.finished_at is not None

    await eventually(ended)
    (again,) = await lab.jobs(tenant)
    assert (again.id, again.state, again.result) == (job.id, "DONE", job.result)
    assert await shown(lab, tenant, video) == before
    assert lab.keys(f"tenants/{tenant}/") == keys
    assert len(await lab.workflows(tenant)) == 1


async def test_what_the_activities_wrote_is_written_again(
    app: App, lab: Lab, reconciler: Reconciler, small_lecture: Path
) -> None:
    """The whole database is from before the end, not the job's row alone."""
    tenant, video = fresh_id(), fresh_id()
    lab.send_encode(tenant, video, small_lecture)
    (job,) = await lab.ended(tenant)
    await closed(lab, job.workflow_id)
    before = await shown(lab, tenant, video)
    await went_back(lab, tenant)
    await reconciler.run_once(NOW)
    (again,) = await lab.jobs(tenant)
    assert (again.state, again.result) == ("DONE", job.result)
    assert await shown(lab, tenant, video) == before


async def test_what_a_trim_has_moved_is_moved_again(app: App, lab: Lab, reconciler: Reconciler) -> None:
    """A backup from before the trim, when its workflow has ended: captions, chapters and progress too."""
    async with httpx.AsyncClient(base_url=app.api_url, timeout=PATIENCE) as http:
        room = Classroom(lab, http)
        tenant, video = room.tenant, room.video
        room.key = await lab.service_key(tenant)
        lab.send_encode(tenant, video)
        (encode,) = await lab.ended(tenant)
        captioning = Captioning(lab.engine, lab.objects, lab.temporal, grace=3600)
        cues = [Cue(0, 900, "before"), Cue(2000, 3000, "within")]
        lecture = await captioning.shown(tenant, video)
        await captioning.add(lecture, encode.id, [NewCaptions("ko", "한국어", cues)])
        student = await room.student(enrolled=False)
        seen = {"tenant_id": tenant, "video_id": video, "student_id": student}
        async with lab.engine.begin() as connection:
            await connection.execute(insert(VideoProgress).values(seen | {"furthest": 2.5, "progress": 0.47}))
            chapters = {"chapters": [{"start": 2.0, "title": "b"}], "embedded": False}
            this = update(Video).where(Video.tenant_id == tenant, Video.id == video)
            await connection.execute(this.values(chapters=chapters))
        backup = await rows(lab, tenant)
        version = version_name((await lab.video(tenant, video)).hls_prefix)
        trim = await trimmed(lab, room, version=version, start=1.52, end=4.8)
        assert trim.state == "DONE"
        await closed(lab, trim.workflow_id)
        after = await rows(lab, tenant)
        went_back = {"state": "RUNNING", "finished_at": None, "result": None}
        async with lab.engine.begin() as connection:
            await connection.execute(update(Job).where(Job.id == trim.id).values(went_back))
            for table in reversed(backup):
                await connection.execute(delete(table).where(table.tenant_id == tenant))
            for table, before in backup.items():
                if before:
                    await connection.execute(insert(table).values(before))
        await reconciler.run_once(NOW)
        (again,) = [job for job in await lab.jobs(tenant) if job.id == trim.id]
        assert (again.state, again.result) == ("DONE", trim.result)
        now = await rows(lab, tenant)
    for table in (Caption, VideoProgress, Rendition, Video):
        assert [known(row) for row in now[table]] == [known(row) for row in after[table]], table.__name__


Table = type[Video] | type[Rendition] | type[Caption] | type[VideoProgress]


async def rows(lab: Lab, tenant: int) -> dict[Table, list[dict[str, Any]]]:
    async with lab.engine.connect() as connection:
        return {
            table: [
                dict(row)
                for row in (
                    await connection.execute(select(table.__table__).where(table.tenant_id == tenant))
                ).mappings()
            ]
            for table in (Video, Rendition, Caption, VideoProgress)
        }


def known(row: dict[str, Any]) -> dict[str, Any]:
    """But for what a second writing may change."""
    changed = ("updated_at", "created_at", "published_seq", "current_job")
    return {key: value for key, value in row.items() if key not in changed}


@pytest.mark.slow
async def test_a_lecture_was_done_though_its_deletion_is_not_known_again_yet(
    app: App, lab: Lab, reconciler: Reconciler, small_lecture: Path
) -> None:
    tenant, video = fresh_id(), fresh_id()
    body = lab.send_encode(tenant, video, small_lecture)
    (job,) = await lab.ended(tenant)
    lab.send("video", delete_body(tenant, video, body["file_key"]))
    for each in await lab.ended(tenant, 2):
        await closed(lab, each.workflow_id)
    await lose(lab, tenant)
    restorer = Restorer(lab.engine, Vault(lab.settings.payload_keys.get_secret_value()))
    assert await restorer.restore(lab.temporal, job.workflow_id, job.id)
    await reconciler.run_once(NOW)
    (again,) = await lab.jobs(tenant)
    assert (again.id, again.state, again.error_code) == (job.id, "DONE", None)


async def test_a_result_that_is_nowhere_is_told(app: App, lab: Lab, reconciler: Reconciler) -> None:
    tenant, video = fresh_id(), fresh_id()
    lab.send_encode(tenant, video)
    (job,) = await lab.ended(tenant)
    await closed(lab, job.workflow_id)
    await went_back(lab, tenant)
    (segment, *_) = [key for key in lab.keys(f"tenants/{tenant}/video/hls/") if key.endswith(".m4s")]
    lab.objects.delete(segment)
    await reconciler.run_once(NOW)
    (again,) = await lab.jobs(tenant)
    assert (again.state, again.error_code) == ("FAILED", RESULT_LOST)
    assert (await lab.video(tenant, video)).status == "FAILED"


async def test_a_workflow_that_carries_nothing_ends_with_a_reason(app: App, lab: Lab) -> None:
    """One of a release before, whose payload was not read yet: nobody works on its queue."""
    tenant = fresh_id()
    ref = JobRef(job_id=uuid4(), job_type="ai.embedding", tenant_id=tenant)
    handle = await lab.temporal.start_workflow(
        WorkflowType.AI,
        AiInput(job=ref),
        id=f"ai.embedding-t{tenant}-{ref.job_id.hex[:12]}",
        task_queue=TaskQueue.OPS,
        search_attributes=TypedSearchAttributes(
            [SearchAttributePair(TENANT_ID, str(tenant)), SearchAttributePair(JOB_TYPE, ref.job_type)]
        ),
    )
    await handle.cancel()
    (job,) = await lab.ended(tenant)
    assert (job.id, job.job_type, job.state, job.error_code) == (
        ref.job_id,
        "ai.embedding",
        "CANCELLED",
        "CANCELLED",
    )
    assert job.restored_at
