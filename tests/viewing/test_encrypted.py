"""The same lecture clear and encrypted, from the worker to a player that knows the real API alone."""

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import m3u8
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import CBC
from sqlalchemy import update

from activities.video.encryption import encrypt
from clients.database.models import Video
from clients.vault import Vault
from contracts.video import hls_root
from devstack.app import App
from devstack.stack import Stack
from intake.captions import Captioning, NewCaptions
from rules.captions.cues import Cue
from tests.lab import PATIENCE, fresh_id, log_lines
from tests.unit.test_dash import told
from tests.viewing.classroom import SESSION, Classroom, Player

pytestmark = pytest.mark.asyncio(loop_scope="package")


@dataclass
class Lecture:
    room: Classroom
    video: int
    row: Any
    job: Any

    async def play(self) -> Player:
        return await self.room.start(await self.room.student(), self.video)


async def encoded(room: Classroom, file: Path) -> Lecture:
    video, before = fresh_id(), len(await room.lab.jobs(room.tenant))
    room.lab.send_encode(room.tenant, video, file)
    *_, job = await room.lab.ended(room.tenant, before + 1)
    assert job.state == "DONE", job.error_code
    async with room.lab.engine.begin() as connection:
        mine = (Video.tenant_id == room.tenant, Video.id == video)
        await connection.execute(update(Video).where(*mine).values(session_id=SESSION))
    return Lecture(room, video, await room.lab.video(room.tenant, video), job)


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def lectures(
    app: App, stack: Stack, room: Classroom, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Lecture, Lecture]]:
    """Nine seconds, encoded by the shared worker, and by a worker with encryption switched on."""
    file = tmp_path_factory.mktemp("viewing") / "lecture.mp4"
    picture, sound = "testsrc2=s=640x360:r=10:d=9", "sine=f=440:d=9:r=48000"
    source = f"-v error -f lavfi -i {picture} -f lavfi -i {sound} -preset ultrafast -g 50 -c:a aac"
    subprocess.run([room.lab.settings.ffmpeg_binary, *source.split(), file], check=True)
    clear = await encoded(room, file)
    async with encrypting(app, stack):
        encrypted = await encoded(room, file)
    yield clear, encrypted


@asynccontextmanager
async def encrypting(app: App, stack: Stack, **settings: str) -> AsyncIterator[None]:
    """The one video worker has encryption switched on."""
    await asyncio.to_thread(app.processes["video"].stop, 30)
    try:
        with App(stack, "video-2", HLS_ENCRYPTION="true", **settings):
            yield
    finally:
        await asyncio.to_thread(app.restart, "video")


def decoded(player: Player) -> list[str]:
    """MD5 of every frame of picture and of sound, as ffmpeg plays them from the API."""
    room = player.room
    url = f"{room.http.base_url}{player.link}/master.m3u8"
    argv = [room.lab.settings.ffmpeg_binary, "-v", "error", "-i", url, "-f", "framemd5", "-"]
    answer = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE)
    assert answer.returncode == 0, answer.stderr
    return [line for line in answer.stdout.splitlines() if not line.startswith("#")]


async def test_it_plays_as_the_clear_one_does(lectures: tuple[Lecture, Lecture]) -> None:
    clear, encrypted = [await each.play() for each in lectures]
    expected, found = await asyncio.gather(
        asyncio.to_thread(decoded, clear), asyncio.to_thread(decoded, encrypted)
    )
    frames = [line for line in found if line.startswith("0,")]
    assert len(frames) == round(lectures[0].row.duration * 10) == 90
    assert len(found) > len(frames)
    assert found == expected


async def test_playlists_name_the_key_after_the_map(lectures: tuple[Lecture, Lecture]) -> None:
    clear, encrypted = [await each.play() for each in lectures]
    for rendition in ("360p", "audio"):
        lines = (await encrypted.get(f"{rendition}/media.m3u8")).text.splitlines()
        tags = [line for line in lines if line.startswith(("#EXT-X-MAP", "#EXT-X-KEY", "#EXTINF"))]
        assert tags[0] == '#EXT-X-MAP:URI="init.mp4"'
        assert tags[1].startswith('#EXT-X-KEY:METHOD=AES-128,URI="../key-')
        assert "IV=" not in tags[1]
        assert "EXT-X-KEY" not in (await clear.get(f"{rendition}/media.m3u8")).text
    # A range of what is encrypted as a whole is none that a player may decrypt.
    assert "I-FRAME" not in (await encrypted.get("master.m3u8")).text
    assert (await encrypted.get("360p/iframes.m3u8")).status_code == 404
    listed = m3u8.loads((await clear.get("master.m3u8")).text).iframe_playlists
    assert "360p/iframes.m3u8" in [each.uri for each in listed]
    for each in listed:
        assert "#EXT-X-I-FRAMES-ONLY" in (await clear.get(each.uri)).text


async def fetch(player: Player, path: str) -> bytes:
    answer = await player.room.http.get(f"{player.link}/{path}", follow_redirects=True)
    assert answer.status_code == 200, answer.text
    return answer.content


async def test_segments_are_the_clear_ones_under_the_delivered_key(
    lectures: tuple[Lecture, Lecture],
) -> None:
    clear, encrypted = [await each.play() for each in lectures]
    playlist = m3u8.loads((await encrypted.get("360p/media.m3u8")).text)
    (uri,) = {each.uri for each in playlist.keys if each}
    answer = await encrypted.get(uri.removeprefix("../"))
    assert (answer.headers["cache-control"], answer.headers["content-type"]) == (
        "no-store",
        "application/octet-stream",
    )
    key = answer.content
    assert len(key) == 16
    for rendition in ("360p", "audio"):
        assert await fetch(encrypted, f"{rendition}/init.mp4") == await fetch(clear, f"{rendition}/init.mp4")
        for number in (0, 2):
            path = f"{rendition}/s{number:05d}.m4s"
            sealed, plain = await fetch(encrypted, path), await fetch(clear, path)
            assert sealed == encrypt(plain, key, number)
            cipher = Cipher(AES128(key), CBC(number.to_bytes(16, "big"))).decryptor()
            padded = cipher.update(sealed) + cipher.finalize()
            assert padded[: -padded[-1]] == plain
            assert b"moof" not in sealed


async def test_the_key_is_the_versions_and_the_sessions(lectures: tuple[Lecture, Lecture]) -> None:
    clear, encrypted = [await each.play() for each in lectures]
    room = lectures[0].room
    name = f"key-{Vault(room.lab.settings.payload_keys.get_secret_value()).key_id}"
    own = (await encrypted.get(name)).content
    other = (await clear.get(name)).content
    assert own != other  # a session of another version has another key
    assert (await encrypted.get("key-unknown")).status_code == 404
    # A version whose prefix differs in the attempt alone has another as well.
    vault = Vault(room.lab.settings.payload_keys.get_secret_value())
    prefix = lectures[1].row.hls_prefix
    assert vault.hls_key(vault.key_id, prefix) == own
    assert vault.hls_key(vault.key_id, prefix.replace("-1/", "-2/")) != own
    await encrypted.ask("end")
    assert (await encrypted.get(name)).status_code == 401
    assert (await room.http.get(f"/api/v1/play/x/{name}")).status_code == 401


async def test_the_key_is_nowhere_else(lectures: tuple[Lecture, Lecture], stack: Stack) -> None:
    _, encrypted = lectures
    room = encrypted.room
    vault = Vault(room.lab.settings.payload_keys.get_secret_value())
    key = vault.hls_key(vault.key_id, encrypted.row.hls_prefix)
    history = await room.lab.temporal.get_workflow_handle(encrypted.job.workflow_id).fetch_history()
    stored = [room.lab.objects.get(each) for each in room.lab.keys(encrypted.row.hls_prefix)]
    logs = [str(log_lines(stack, name)).encode() for name in ("api", "video", "video-2", "ops")]
    for text in (history.to_json().encode(), *stored, *logs):
        assert key not in text and key.hex().encode() not in text


async def test_dash_plays_the_clear_one_and_says_why_not_the_other(lectures: tuple[Lecture, Lecture]) -> None:
    room = lectures[0].room
    cue = NewCaptions("ko", "한국어", [Cue(500, 1500, "안녕하세요")])
    captioning = Captioning(room.lab.engine, room.lab.objects, room.lab.temporal, grace=0)
    video = await captioning.shown(room.tenant, lectures[0].video)
    await captioning.add(video, lectures[0].job.id, [cue])
    for attendance, captions in (("ONLINE", "/s$Number%05d$.vtt"), ("PRESENT", "/captions.vtt")):
        player = await room.start(await room.student(attendance), lectures[0].video)
        assert player.started["urls"]["dash"] == f"{player.link}/manifest.mpd"
        answer = await player.get("manifest.mpd")
        assert (answer.headers["content-type"], answer.headers["cache-control"]) == (
            "application/dash+xml",
            "no-store",
        )
        *pictures, sound = told(answer.text)
        for each in pictures:
            assert each.segments[-1].start + each.segments[-1].duration == 9 * each.timescale
        for each in (*pictures, sound):
            assert b"moov" in await fetch(player, each.init)
            assert all([b"moof" in await fetch(player, segment.address) for segment in each.segments])
        (named,) = re.findall(r"captions/[0-9a-f]{32}(?=" + re.escape(captions) + ")", answer.text)
        assert "안녕하세요" in (await player.get(f"{named}{captions.replace('$Number%05d$', '00000')}")).text
        await player.ask("end")
        assert (await player.get("manifest.mpd")).status_code == 401
    encrypted = await lectures[1].play()
    refused = await encrypted.get("manifest.mpd")
    assert (refused.status_code, refused.json()["code"]) == (404, "dash_encrypted")


async def test_every_lecture_has_pictures(lectures: tuple[Lecture, Lecture]) -> None:
    for lecture in lectures:
        assert lecture.job.result["pictures"] is True
        player = await lecture.play()
        urls = player.started["urls"]
        poster = await lecture.room.http.get(urls["poster"])
        assert poster.content.startswith(b"\xff\xd8") and poster.headers["content-type"] == "image/jpeg"
        track = await lecture.room.http.get(urls["storyboard"])
        assert track.text.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:02.000\nstoryboard-00.jpg#xywh=0,0,")
        assert (await player.get("storyboard-00.jpg")).content.startswith(b"\xff\xd8")
        # All of it lies below the version, where deletes and retirements find it; the manifests are gone.
        root = hls_root(lecture.room.tenant, lecture.video)
        keys = lecture.room.lab.keys(root)
        outside = [key for key in keys if not key.startswith((lecture.row.hls_prefix, f"{root}captions/"))]
        assert outside == [f"{root}master.m3u8"]
        assert not [key for key in keys if "/work/" in key]
        names = {key.removeprefix(lecture.row.hls_prefix) for key in keys}
        assert {"poster.jpg", "storyboard-00.jpg", "storyboard.vtt"} <= names


async def test_a_presigned_segment_is_the_one_object(lectures: tuple[Lecture, Lecture]) -> None:
    player = await lectures[0].play()
    where = httpx.URL((await player.get("360p/s00000.m4s")).headers["location"])
    other = where.copy_with(raw_path=where.raw_path.replace(b"s00000", b"s00001"))
    async with httpx.AsyncClient() as browser:
        assert (await browser.get(where)).status_code == 200
        assert (await browser.get(other)).status_code == 403


@pytest.mark.slow
async def test_a_recording_of_sound_is_encrypted_and_plays(
    app: App, stack: Stack, room: Classroom, tmp_path: Path
) -> None:
    source = tmp_path / "lecture.mp3"
    made = "-v error -f lavfi -i sine=d=6:r=48000 -q:a 6"
    subprocess.run([room.lab.settings.ffmpeg_binary, *made.split(), source], check=True)
    async with encrypting(app, stack):
        lecture = await encoded(room, source)
    player = await lecture.play()
    for rendition in ("audio", "audio64"):
        assert '#EXT-X-KEY:METHOD=AES-128,URI="../key-' in (await player.get(f"{rendition}/media.m3u8")).text
        assert b"moof" not in await fetch(player, f"{rendition}/s00000.m4s")
    samples = sum(int(line.split(",")[3]) for line in await asyncio.to_thread(decoded, player))
    assert samples / 48_000 == pytest.approx(lecture.row.duration, abs=0.1)


@pytest.mark.slow
async def test_keys_change_and_it_plays_as_the_clear_one_does(
    app: App, stack: Stack, room: Classroom, lectures: tuple[Lecture, Lecture], tmp_path: Path
) -> None:
    source = tmp_path / "lecture.mp4"
    source.write_bytes(room.lab.objects.get(lectures[0].row.file_key))
    async with encrypting(app, stack, HLS_KEY_SEGMENTS="1"):
        lecture = await encoded(room, source)
    clear, rotating = await lectures[0].play(), await lecture.play()
    expected, found = await asyncio.gather(
        asyncio.to_thread(decoded, clear), asyncio.to_thread(decoded, rotating)
    )
    assert found == expected
    for rendition in ("360p", "audio"):
        playlist = m3u8.loads((await rotating.get(f"{rendition}/media.m3u8")).text)
        keys = [await fetch(rotating, each.uri.removeprefix("../")) for each in playlist.keys if each]
        assert len(set(keys)) == len(keys) == len(playlist.segments) > 1
        for number, key in enumerate(keys):
            path = f"{rendition}/s{number:05d}.m4s"
            assert await fetch(rotating, path) == encrypt(await fetch(clear, path), key, number)
