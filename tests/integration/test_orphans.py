"""Objects that nobody owns: named, and removed by the next sweep where it is proven that nobody does."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import delete, insert, select, update

from activities.orphans import (
    DELETED,
    GONE_WITH_ITS_JOB,
    MISSING,
    REPLACED,
    UNKNOWN_CAPTIONS,
    UNKNOWN_JOB,
    UNKNOWN_SOURCE,
    UNKNOWN_VIDEO,
    OrphanActivities,
)
from clients.database.captions_models import Caption
from clients.database.models import Job, Orphan, Video
from contracts.video import hls_root, version_prefix
from devstack.app import App
from intake.captions import Captioning, machines_id
from tests.lab import Lab, eventually, fresh_id


def sweeping(lab: Lab, ahead: timedelta = timedelta(days=30)) -> OrphanActivities:
    """As `ahead` from now."""
    return OrphanActivities(
        engine=lab.engine,
        temporal=lab.temporal,
        objects=lab.objects,
        grace=timedelta(hours=48),
        replaced=timedelta(hours=54),
        now=lambda: datetime.now(UTC) + ahead,
    )


async def found(lab: Lab, tenant: int) -> dict[str, str]:
    async with lab.engine.connect() as connection:
        mine = Orphan.prefix.startswith(f"tenants/{tenant}/")
        rows = await connection.execute(
            select(Orphan.prefix, Orphan.why).where(mine, Orphan.removed_at.is_(None))
        )
        return {row.prefix: row.why for row in rows}


def put(lab: Lab, prefix: str) -> str:
    lab.objects.put(f"{prefix}720p/s00000.m4s", b"segment", "video/mp4")
    return prefix


@pytest.fixture(autouse=True)
async def nothing_noted(lab: Lab) -> None:
    async with lab.engine.begin() as connection:
        await connection.execute(delete(Orphan))


async def test_what_is_nobodys_is_named_then_removed(app: App, lab: Lab) -> None:
    tenant, video, stranger = fresh_id(), fresh_id(), fresh_id()
    body = lab.send_encode(tenant, video)
    (job,) = await lab.ended(tenant)
    root, kept = hls_root(tenant, video), lab.keys(f"tenants/{tenant}/")
    lost = put(lab, f"{root}{job.id.hex[:12]}-7/")  # an epoch whose worker and workflow were lost
    unknown = put(lab, f"{root}{uuid4().hex[:12]}-1/")
    foreign = put(lab, f"{hls_root(tenant, stranger)}{uuid4().hex[:12]}-1/")
    source = lab.producer.upload(tenant, Path(__file__))
    sweep = sweeping(lab)
    await sweep.sweep()
    named = {lost: GONE_WITH_ITS_JOB, unknown: UNKNOWN_JOB, foreign: UNKNOWN_VIDEO, source: UNKNOWN_SOURCE}
    assert await found(lab, tenant) == named
    assert lab.keys(lost), "the first sweep only tells"
    await sweep.sweep()
    del named[lost]
    assert await found(lab, tenant) == named
    left = {*kept, source, *lab.keys(unknown), *lab.keys(foreign)}
    assert set(lab.keys(f"tenants/{tenant}/")) == left
    assert body["file_key"] in left
    async with httpx.AsyncClient(base_url=app.api_url, trust_env=False) as http:
        shown = (await http.get("/metrics")).text
    counts = {line.split()[0]: float(line.split()[1]) for line in shown.splitlines() if line[0] != "#"}
    assert counts["orphan_objects"] >= 3
    assert counts["orphan_objects_removed"] >= 1
    lab.objects.erase(unknown)
    await sweep.sweep()
    assert unknown not in await found(lab, tenant)


async def test_what_a_lost_timer_was_to_remove_goes(app: App, lab: Lab) -> None:
    """The second look after a deletion, and the version before, were timers of a Temporal that is gone."""
    tenant, deleted, replaced = (fresh_id() for _ in range(3))
    row = {"tenant_id": await _tenant(lab, tenant), "id": deleted, "status": "DELETED"}
    row["file_key"] = lab.producer.upload(tenant, Path(__file__))
    row["deleted_at"] = datetime.now(UTC) - timedelta(days=3)
    async with lab.engine.begin() as connection:
        await connection.execute(insert(Video).values(row))
    gone = put(lab, f"{hls_root(tenant, deleted)}{uuid4().hex[:12]}-1/")
    lab.send_encode(tenant, replaced)
    (job,) = await lab.ended(tenant)
    before = put(lab, f"{hls_root(tenant, replaced)}{job.id.hex[:12]}-9/")
    async with lab.engine.begin() as connection:
        this = update(Video).where(Video.tenant_id == tenant, Video.id == replaced)
        await connection.execute(this.values(replaced_prefix=before))
    await sweeping(lab, timedelta(0)).sweep()
    assert before not in await found(lab, tenant)
    sweep = sweeping(lab)
    await sweep.sweep()
    assert set((await found(lab, tenant)).values()) == {DELETED, GONE_WITH_ITS_JOB}
    await sweep.sweep()
    assert not lab.keys(gone) and not lab.keys(before)
    assert not lab.keys(hls_root(tenant, deleted))
    published = await lab.video(tenant, replaced)
    assert lab.keys(published.hls_prefix)
    async with lab.engine.begin() as connection:
        await connection.execute(update(Video).where(Video.id == replaced).values(hls_prefix=f"{before}x/"))
    await sweep.sweep()
    assert (await found(lab, tenant))[f"{before}x/"] == MISSING


async def test_captions_that_nothing_shows_go_and_those_of_somebody_stay(app: App, lab: Lab) -> None:
    """Whoever replaced them died before it had them removed."""
    tenant, video = await _tenant(lab, fresh_id()), fresh_id()
    replaced, waiting, shown, unknown = (uuid4() for _ in range(4))
    job = uuid4()
    told = {"captions": [{"id": str(each)} for each in (replaced, waiting, shown)]}
    root = f"{hls_root(tenant, video)}captions/"
    folders = {each: f"{root}{each.hex}/" for each in (replaced, waiting, shown, machines_id(job), unknown)}
    for folder in folders.values():
        lab.objects.put(f"{folder}media.m3u8", b"x", "text/plain")
    row = {"tenant_id": tenant, "id": video, "status": "READY", "file_key": ""}
    of = {"video_id": video, "language": "ko", "name": "x", "origin": "UPLOADED", "cues": 1}
    ended = {"state": "DONE", "finished_at": datetime.now(UTC), "tenant_id": tenant, "source": "api"}
    async with lab.engine.begin() as connection:
        await connection.execute(insert(Video).values(row))
        own = of | {"tenant_id": tenant, "id": shown, "prefix": folders[shown]}
        await connection.execute(insert(Caption).values(own))
        for number, kind, result in ((uuid4(), "ai.captions", told), (job, "ai.transcription", {})):
            names = {
                "workflow_id": number.hex,
                "idempotency_key": number.hex,
                "payload_sha256": "x",
                "external_id": "x",
            }
            this = ended | names | {"id": number, "job_type": kind, "result": result}
            await connection.execute(insert(Job).values(this))
    captioning = Captioning(lab.engine, lab.objects, lab.temporal, grace=3600)
    await captioning._retire(tenant, folders[waiting])
    await eventually(lambda: lab.workflows(tenant), "its timer is seen")
    sweep = sweeping(lab)
    await sweep.sweep()
    named = {
        folders[replaced]: REPLACED,
        folders[machines_id(job)]: REPLACED,
        folders[unknown]: UNKNOWN_CAPTIONS,
    }
    assert await found(lab, tenant) == named
    await sweep.sweep()
    left = {key.removesuffix("media.m3u8") for key in lab.keys(root)}
    assert left == {folders[each] for each in (waiting, shown, unknown)}


async def test_what_is_being_written_is_left_alone(app: App, lab: Lab) -> None:
    """Even where the database has lost the job: its workflow runs."""
    tenant, video = fresh_id(), fresh_id()
    await asyncio.to_thread(app.suspend, "video")  # or it may have ended before we have looked
    try:
        lab.send_encode(tenant, video)
        job = await lab.only_job(tenant)
        await eventually(lambda: lab.workflows(tenant), "its workflow is seen")
        put(lab, version_prefix(tenant, video, job.id, 1))
        sweep = sweeping(lab)
        await sweep.sweep()
        assert hls_root(tenant, video) not in "".join(await found(lab, tenant))
        async with lab.engine.begin() as connection:
            await connection.execute(delete(Video).where(Video.tenant_id == tenant))
            ended = update(Job).where(Job.tenant_id == tenant).values(finished_at=datetime.now(UTC))
            await connection.execute(ended)
        await sweep.sweep()
        assert not await found(lab, tenant) or set((await found(lab, tenant)).values()) == {UNKNOWN_SOURCE}
    finally:
        app.resume("video")


async def _tenant(lab: Lab, tenant: int) -> int:
    await lab.service_key(tenant)
    return tenant
