"""A lecture is watched while it is encoded, whatever becomes of the encode."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import httpx
import m3u8
import psutil
import pytest
from sqlalchemy import update

from clients.database.models import Video
from clients.objects import sha256
from contracts.video import hls_root
from devstack.app import App, running
from devstack.demo import repeat
from tests.integration.test_encode import ffmpegs
from tests.lab import CLIP, PATIENCE, Lab, eventually, fresh_id
from tests.viewing.classroom import SESSION, Classroom, Player

pytestmark = pytest.mark.slow
ALL = ("api", "bridge", "ops", "video")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight units: it is not over before a test has seen it begin."""
    file = tmp_path_factory.mktemp("film") / "film.mp4"
    repeat(CLIP, 12, file)
    return file


async def listed(player: Player, folder: str) -> m3u8.M3U8:
    answer = await player.get(f"{folder}/media.m3u8")
    assert answer.status_code == 200, answer.text
    return m3u8.loads(answer.text)


async def fetched(player: Player, folder: str) -> dict[str, str]:
    """Name → hash of every segment that the playlist lists now."""
    found = {}
    for segment in (await listed(player, folder)).segments:
        answer = await player.get(f"{folder}/{segment.uri}")
        media = await asyncio.to_thread(httpx.get, answer.headers["location"])
        assert media.status_code == 200
        found[f"{folder}/{segment.uri}"] = sha256(media.content)
    return found


async def begins(room: Classroom, video: int) -> Player:
    """A student watches, as soon as there is something."""
    lab, student = room.lab, await room.student()

    async def look() -> dict[str, Any] | None:
        async with lab.engine.begin() as connection:
            mine = (Video.tenant_id == room.tenant, Video.id == video)
            await connection.execute(update(Video).where(*mine).values(session_id=SESSION))
        answer = await room.ask("start", room.key, {"student_id": student}, video)
        return answer.json() if answer.status_code == 200 else None

    return Player(room, student, await eventually(look, "there is something to see"), video)


async def held(lab: Lab) -> list[psutil.Process]:
    """An encoder that has begun and cannot end."""

    async def look() -> list[psutil.Process]:
        return ffmpegs(lab)

    found = await eventually(look, "a unit is encoded", every=0.02)
    for each in found:
        each.suspend()
    return found


async def test_it_grows_through_a_kill_and_is_whole_in_the_end(own_lab: Lab, film: Path) -> None:
    """Encrypted, so that what is shown early is no less protected."""
    lab, video = own_lab, fresh_id()
    async with (
        running(lab.stack, *ALL, ENCODE_SLOTS="1", HLS_ENCRYPTION="true") as app,
        httpx.AsyncClient(base_url=app.api_url, timeout=PATIENCE) as http,
    ):
        room = await Classroom.open(lab, http)
        lab.send_encode(room.tenant, video, film)
        player = await begins(room, video)
        await held(lab)
        assert (await lab.video(room.tenant, video)).status == "PROCESSING"
        assert player.started["growing"] is True
        early = await listed(player, "360p")
        assert (early.playlist_type, early.is_endlist) == ("event", False)
        assert 2 <= len(early.segments) < 16
        master = m3u8.loads((await player.get("master.m3u8")).text)
        assert [each.uri for each in master.playlists] == ["360p/media.m3u8", "240p/media.m3u8"]
        seen = {}
        for folder in ("240p", "360p", "audio"):
            seen |= await fetched(player, folder)
        (key,) = {each.key.uri.removeprefix("../") for each in early.segments}
        assert len((await player.get(key)).content) == 16
        policy = player.started["policy"]["version"]
        assert (await player.beat(3.0))["policy"]["version"] == policy

        os.kill(app.processes["video"].pid, signal.SIGKILL)
        await asyncio.to_thread(app.restart, "video")

        async def grown() -> bool:
            return len((await listed(player, "360p")).segments) > len(early.segments)

        await eventually(grown, "it grows again")
        await lab.ended(room.tenant)

        # The same session, the same links: now it is the whole lecture.
        whole = await listed(player, "360p")
        assert (whole.playlist_type, whole.is_endlist) == ("vod", True)
        assert [s.uri for s in whole.segments[: len(early.segments)]] == [s.uri for s in early.segments]
        row = await lab.video(room.tenant, video)
        assert {name: sha256(lab.objects.get(row.hls_prefix + name)) for name in seen} == seen
        assert (await player.beat(4.0))["policy"]["version"] == policy
        assert not lab.keys(f"{row.hls_prefix}work/")


async def test_what_is_cancelled_is_not_seen_and_a_new_version_not_before_it_is_whole(
    own_lab: Lab, film: Path
) -> None:
    lab, video = own_lab, fresh_id()
    async with (
        running(lab.stack, *ALL, ENCODE_SLOTS="1") as app,
        httpx.AsyncClient(base_url=app.api_url, timeout=PATIENCE) as http,
    ):
        room = await Classroom.open(lab, http)
        await cancelled(app, room, video, film)
        lab.send_encode(room.tenant, video, film)
        await lab.ended(room.tenant, count=2)

        # A third encode, of which a unit is there: viewers have the version that is whole.
        lab.send_encode(room.tenant, video)
        root = hls_root(room.tenant, video)
        old = (await lab.video(room.tenant, video)).hls_prefix

        async def begun() -> bool:
            keys = await asyncio.to_thread(lab.keys, root)
            return any("work/unit-" in key and not key.startswith(old) for key in keys)

        await eventually(begun, "a unit of the new version", every=0.05)
        player = await room.start(await room.student(), video)
        assert player.started["growing"] is False
        assert (await listed(player, "360p")).is_endlist
        job = (await lab.jobs(room.tenant))[-1]
        await lab.temporal.get_workflow_handle(job.workflow_id).cancel()
        await lab.ended(room.tenant, count=3)
        assert (await listed(player, "360p")).is_endlist


async def cancelled(app: App, room: Classroom, video: int, file: Path) -> None:
    """While somebody watches it: nothing of it can be watched, by nobody, and nothing is left."""
    lab = room.lab
    lab.send_encode(room.tenant, video, file)
    player = await begins(room, video)
    await held(lab)
    assert (await player.get("360p/media.m3u8")).status_code == 200
    (job,) = await lab.jobs(room.tenant)
    await lab.temporal.get_workflow_handle(job.workflow_id).cancel()
    (ended,) = await lab.ended(room.tenant)
    assert ended.state == "CANCELLED"
    assert await player.dead() == "policy_changed"
    assert await room.refused(await room.student(), video) == "not_ready"
    assert not lab.keys(hls_root(room.tenant, video))
