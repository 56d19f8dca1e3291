"""Who may watch a lecture that is still encoded, what of it, and until when."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, insert, update

from clients.database.models import Job, Video
from contracts.video import PLAN, opening_key, unit_key, version_prefix
from tests.lab import fresh_id
from tests.unit.test_growing import manifest, track
from tests.viewing.classroom import DURATION, Classroom
from tests.workflows.world import plan

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def encoding(room: Classroom, job: UUID, **values: Any) -> int:
    """A video that a job encodes, of which nothing is stored yet."""
    video = fresh_id()
    lab, row = room.lab, {"status": "PROCESSING", "hls_path": None, "hls_prefix": None, "duration": None}
    async with lab.engine.begin() as connection:
        await connection.execute(
            insert(Job).values(
                id=job,
                tenant_id=room.tenant,
                job_type="video.encode",
                idempotency_key=job.hex,
                external_id=job.hex,
                workflow_id=job.hex,
                payload_sha256="x",
                source="test",
                epoch=1,
            )
        )
    await room.publish(video, **row | {"has_pictures": False, "current_job": job} | values)
    return video


def written(room: Classroom, video: int, job: UUID) -> str:
    """A unit and some sound of it; the prefix."""
    prefix = version_prefix(room.tenant, video, job, 1)
    put = room.lab.objects.put
    put(opening_key(prefix, 60), manifest(track("work/audio", 2)), "x/y")
    put(unit_key(prefix, 0), manifest(track("360p", 2)), "x/y")
    put(prefix + PLAN, plan(prefix, 100).model_dump_json().encode(), "x/y")
    return prefix


async def ended(room: Classroom, job: UUID, video: int, **values: Any) -> None:
    async with room.lab.engine.begin() as connection:
        mine = (Video.tenant_id == room.tenant, Video.id == video)
        await connection.execute(update(Video).where(*mine).values(values))
        await connection.execute(update(Job).where(Job.id == job).values(finished_at=func.now()))


async def watchable(room: Classroom, video: int) -> bool:
    headers = {"Authorization": f"Bearer {room.key}"}
    answer = await room.http.get(f"/api/v1/videos/{video}", headers=headers)
    return answer.json()["watchable"] is True


async def test_what_grows_is_watched_by_who_may_and_goes_on_when_it_is_published(room: Classroom) -> None:
    job = uuid4()
    video = await encoding(room, job)
    student = await room.student()
    assert await room.refused(student, video) == "not_ready"
    assert not await watchable(room, video)
    prefix = written(room, video, job)
    assert await watchable(room, video)
    assert await room.refused(await room.student(enrolled=False), video) == "not_enrolled"
    player = await room.start(student, video)
    assert player.started["growing"] is True
    for path, names in (("master.m3u8", "360p/media.m3u8"), ("360p/media.m3u8", "s00001.m4s")):
        answer = await player.get(path)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        assert names in answer.text and "ENDLIST" not in answer.text
    assert player.started["urls"]["dash"] is None
    assert (await player.get("manifest.mpd")).json()["code"] == "dash_growing"
    assert "../work/audio/s00001.m4s" in (await player.get("audio/media.m3u8")).text
    for path, status in (
        ("360p/s00001.m4s", 307),
        ("work/audio/s00001.m4s", 307),
        ("work/audio/init.mp4", 307),
        ("360p/s00099.m4s", 403),  # beyond the clock of this student
        ("work/plan.json", 404),
        ("work/unit-00000.json", 404),
        ("360p/iframes.m3u8", 404),
        ("1080p/media.m3u8", 404),
    ):
        assert (await player.get(path)).status_code == status, path
    beat = await player.beat(2.0)
    assert (beat["furthest"], beat["progress"], beat["violation"]) == (2.0, 0.0, None)

    for name in ("master.m3u8", "360p/media.m3u8"):
        room.lab.objects.put(prefix + name, b"#EXTM3U\n#EXT-X-ENDLIST\n", "x/y")
    shown = {"hls_path": "x", "hls_prefix": prefix, "duration": DURATION}
    await ended(room, job, video, status="READY", **shown)
    assert "ENDLIST" in (await player.get("360p/media.m3u8")).text
    assert (await player.beat(2.0))["policy"]["version"] == player.started["policy"]["version"]
    assert (await room.start(student, video)).started["growing"] is False


@pytest.mark.parametrize("status", ["FAILED", "PROCESSING"])
async def test_what_failed_is_watched_no_more(room: Classroom, status: str) -> None:
    """Whatever the lecture's row says: what its job leaves goes."""
    job = uuid4()
    video = await encoding(room, job)
    written(room, video, job)
    player = await room.start(await room.student(), video)
    await ended(room, job, video, status=status)
    assert await player.dead() == "policy_changed"
    assert await room.refused(await room.student(), video) == "not_ready"


async def test_a_new_version_is_not_watched_before_it_is_whole(room: Classroom) -> None:
    job, prefix = uuid4(), room.prefix.replace(f"/{room.video}/", "/1/")
    video = await encoding(room, job, status="READY", hls_path="x", hls_prefix=prefix, duration=DURATION)
    written(room, video, job)
    room.lab.objects.put(f"{prefix}360p/media.m3u8", b"#EXTM3U\n#EXT-X-ENDLIST\n", "x/y")
    player = await room.start(await room.student(), video)
    assert player.started["growing"] is False
    assert "ENDLIST" in (await player.get("360p/media.m3u8")).text
