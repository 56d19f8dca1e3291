"""What the links of a session give, and everything they must not."""

import asyncio
from http.client import HTTPConnection
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import select

from api.auth import playback_tokens
from clients.database import videos
from clients.database.viewing_models import PlaybackSession
from clients.vault import Vault
from contracts.video import hls_root
from tests.lab import PATIENCE, eventually, fresh_id
from tests.viewing.classroom import Classroom, Player

pytestmark = pytest.mark.asyncio(loop_scope="package")

FILES = {
    "master.m3u8": b"#EXTM3U\n360p/media.m3u8\n",
    "360p/media.m3u8": b"#EXTM3U\ns00000.m4s\n",
    "360p/init.mp4": b"init",
    "360p/s00000.m4s": b"segment",
    "poster.jpg": b"poster",
    "storyboard.vtt": b"WEBVTT\n",
    "storyboard-00.jpg": b"sheet",
    "work/unit-00000.json": b"secret",
    "360p/secret.mp4": b"secret",
}


@pytest.fixture(scope="module")
def stored(room: Classroom) -> None:
    for name, content in FILES.items():
        room.lab.objects.put(room.prefix + name, content, "x/y")
    sibling = room.prefix.replace("v-1/", "v-2/")
    for key in (f"{sibling}master.m3u8", f"tenants/{room.tenant}/video/raw/1/master.m3u8"):
        room.lab.objects.put(key, b"secret", "x/y")


async def test_a_version_is_served_as_it_was_published(room: Classroom, stored: None) -> None:
    player = await room.start(await room.student())
    types = {"m3u8": "application/vnd.apple.mpegurl", "jpg": "image/jpeg", "vtt": "text/vtt; charset=utf-8"}
    for name in ("master.m3u8", "360p/media.m3u8", "poster.jpg", "storyboard.vtt", "storyboard-00.jpg"):
        answer = await player.get(name)
        assert (answer.status_code, answer.content) == (200, FILES[name])
        assert answer.headers["content-type"] == types[name.rpartition(".")[2]]
        assert answer.headers["access-control-allow-origin"] == "*"
        if name.endswith("m3u8"):
            assert answer.headers["cache-control"] == "no-store"
    head = await room.http.head(f"{player.link}/master.m3u8")
    assert (head.status_code, head.content) == (200, b"")
    for name in ("360p/init.mp4", "360p/s00000.m4s"):
        answer = await player.get(name)
        assert (answer.status_code, answer.headers["cache-control"]) == (307, "no-store")
        where = httpx.URL(answer.headers["location"])
        assert where.path.endswith(f"/{room.prefix}{name}")
        assert 0 < int(where.params["X-Amz-Expires"]) <= 60
        media = await asyncio.to_thread(httpx.get, where, headers={"Range": "bytes=1-3"})
        assert (media.status_code, media.content) == (206, FILES[name][1:4])
    assert (await player.get("360p/s00009.m4s")).status_code == 307  # the bucket says that it is not there
    assert (await player.get("720p/media.m3u8")).status_code == 404


OUTSIDE = (
    "",
    "work/unit-00000.json",
    "360p/secret.mp4",
    "../v-2/master.m3u8",
    "..%2Fv-2%2Fmaster.m3u8",
    "%2e%2e/v-2/master.m3u8",
    "360p/../../v-2/master.m3u8",
    "../../../raw/1/master.m3u8",
    "//master.m3u8",
    "360p//media.m3u8",
    "./master.m3u8",
    "360p/s00000.m4s/",
    "360p/s00000.m4s%00",
    "360p/s%D9%A0%D9%A0%D9%A0%D9%A0%D9%A0.m4s",
    "360P/s00000.m4s",
    "key-",
    "key-nobody",
    "subtitles.vtt",
)


def ask_exactly(server: httpx.URL, path: str) -> int:
    """A GET of the path as it is: other clients resolve the dots themselves."""
    connection = HTTPConnection(server.host, server.port, timeout=PATIENCE)
    connection.request("GET", path)
    with connection.getresponse() as answer:
        return answer.status


@pytest.mark.parametrize("path", OUTSIDE)
async def test_nothing_outside_the_version(room: Classroom, stored: None, path: str) -> None:
    player = await room.start(await room.student())
    status = await asyncio.to_thread(ask_exactly, room.http.base_url, f"{player.link}/{path}")
    assert status == 404


async def test_a_link_is_of_one_session(room: Classroom, stored: None) -> None:
    player = await room.start(await room.student())
    link = player.link.rpartition("/")[2]
    keys = Vault(room.lab.settings.payload_keys.get_secret_value())
    wrong = [
        "x",
        "",
        link[:-1],
        link[:-1] + ("A" if link[-1] != "A" else "Q"),
        link[::-1],
        player.started["session_id"],
        player.token,
        playback_tokens.link_of(keys, uuid4()),
        playback_tokens.link_of(Vault("test:" + "A" * 43 + "="), playback_tokens.session_of(keys, link)),
    ]
    for each in wrong:
        answer = await room.http.get(f"/api/v1/play/{each}/master.m3u8")
        assert answer.status_code in (401, 404), each
    assert (await player.get("master.m3u8")).status_code == 200


async def test_a_key_that_rotated_out_takes_its_links_along(room: Classroom) -> None:
    old, new = "old:" + "A" * 43 + "=", "new:" + "B" * 43 + "="
    session = uuid4()
    link = playback_tokens.link_of(Vault(old), session)
    assert playback_tokens.session_of(Vault(f"{new},{old}"), link) == session
    with pytest.raises(Exception, match="no link"):
        playback_tokens.session_of(Vault(new), link)


async def test_who_watches_keeps_the_version(room: Classroom, stored: None) -> None:
    video = fresh_id()
    await room.publish(video)
    player = await room.start(await room.student(), video)
    async with room.lab.engine.connect() as connection:
        mine = select(PlaybackSession.hls_prefix).where(PlaybackSession.student_id == player.student)
        prefix = (await connection.execute(mine)).scalar_one()
    await room.publish(video, hls_prefix=prefix.replace("v-1/", "v-2/"))
    answer = await player.get("360p/s00000.m4s")
    assert prefix in answer.headers["location"]
    newer = await room.start(await room.student(), video)
    assert prefix.replace("v-1/", "v-2/") in (await newer.get("360p/s00000.m4s")).headers["location"]


async def test_subtitles_once_they_are_attached(room: Classroom) -> None:
    video = fresh_id()
    await room.publish(video)
    key, prefix = f"tenants/{room.tenant}/ai/results/1.vtt", f"{hls_root(room.tenant, video)}v-1/"
    room.lab.objects.put(key, b"WEBVTT\n\n", "text/vtt")
    async with room.lab.engine.begin() as connection:
        for stranger in ("tenants/1/x.vtt", f"tenants/{room.tenant}/../1/x.vtt"):
            with pytest.raises(ValueError, match="tenant"):
                await videos.attach_subtitles(connection, room.tenant, video, stranger, of=prefix)
        assert not await videos.attach_subtitles(connection, room.tenant, fresh_id(), key, of=prefix)
        assert await videos.attach_subtitles(connection, room.tenant, video, key, of=prefix)
    player: Player = await room.start(await room.student(), video)
    answer = await room.http.get(player.started["urls"]["subtitles"])
    assert (answer.content, answer.headers["content-type"]) == (b"WEBVTT\n\n", "text/vtt; charset=utf-8")


async def test_an_academys_page_may_fetch_links(room: Classroom, stored: None) -> None:
    """Also the reason for a refusal, and the redirect's target."""
    player = await room.start(await room.student())
    origin = {"Origin": "https://academy.example"}
    segment = await room.http.get(f"{player.link}/360p/s00000.m4s", headers=origin)
    media = await asyncio.to_thread(httpx.get, segment.headers["location"], headers=origin)
    await player.ask("end")
    refused = await room.http.get(f"{player.link}/master.m3u8", headers=origin)
    for answer in (segment, media, refused):
        assert answer.headers["access-control-allow-origin"] in ("*", "https://academy.example")


async def test_the_log_has_no_links(room: Classroom, stored: None) -> None:
    player = await room.start(await room.student())
    await player.get("master.m3u8")
    await room.http.get("/healthz", headers={"X-Request-Id": player.link.rpartition("/")[2][:8] + "-after"})
    log = room.lab.stack.data_dir / "logs" / "api.log"

    async def written() -> bool:
        return "-after" in log.read_text()

    await eventually(written)
    text = log.read_text()
    assert "/api/v1/play/{link}/{path:path}" in text
    assert player.link.rpartition("/")[2] not in text and player.token not in text
