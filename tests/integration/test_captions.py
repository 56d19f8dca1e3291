"""Captions end to end: from an uploaded file to what players get, and away again."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import Row, delete, func, insert, update

from clients.database.models import Job, JobEvent, Video
from contracts.jobs import JobOutcome
from devstack.app import App, running
from devstack.stack import Stack
from tests.lab import PATIENCE, Lab, eventually
from tests.unit.test_captions import MASTER, SMI, SRT
from tests.viewing.classroom import Classroom

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Studio:
    """A lecture of 100 s that is shown, and somebody who puts captions to it."""

    room: Classroom

    @property
    def lab(self) -> Lab:
        return self.room.lab

    @property
    def root(self) -> str:
        return self.room.prefix.removesuffix("v-1/")

    async def asked(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.room.key}"}
        return await self.room.http.request(method, f"/api/v1/{path}", json=body, headers=headers)

    async def upload(self, name: str, text: bytes) -> str:
        wanted = {"filename": name, "size": len(text), "content_type": "text/plain", "purpose": "captions"}
        begun = (await self.asked("POST", "uploads", wanted)).json()
        headers = {"Content-Type": "text/plain"}
        put = await asyncio.to_thread(httpx.put, begun["upload_url"], content=text, headers=headers)
        assert put.status_code == 200, put.text
        done = await self.asked("POST", f"uploads/{begun['upload_id']}/complete")
        assert done.status_code == 200, done.text
        key: str = begun["file_key"]
        return key

    async def caption(self, file: str, text: bytes, **more: Any) -> Row[Any]:
        payload = {"video_id": self.room.video, "file_key": await self.upload(file, text), **more}
        taken = await self.asked("POST", "jobs", {"job_type": "ai.captions", "payload": payload})
        assert taken.status_code == 202, taken.text

        async def ended() -> Row[Any] | None:
            jobs = await self.lab.jobs(self.room.tenant)
            found = [job for job in jobs if job.external_id == taken.json()["job_id"]]
            return found[0] if found and found[0].finished_at else None

        job = await eventually(ended)
        assert job is not None
        return job

    async def listed(self) -> list[dict[str, Any]]:
        answer = await self.asked("GET", f"videos/{self.room.video}/captions")
        items: list[dict[str, Any]] = answer.json()["items"]
        return items


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def studio(stack: Stack, app: App) -> AsyncIterator[Studio]:
    lab = await Lab.open(stack)
    async with (
        running(stack, "ai", RETIRE_GRACE_SECONDS="0"),
        httpx.AsyncClient(base_url=app.api_url, timeout=PATIENCE) as http,
    ):
        room = await Classroom.open(lab, http)
        root = room.prefix.removesuffix("v-1/")
        lab.objects.put(f"{room.prefix}master.m3u8", MASTER.encode(), "x/y")
        lab.objects.put(f"{root}master.m3u8", b"as it was published", "x/y")
        yield Studio(room)
    await lab.close()


async def test_captions_are_shown_replaced_and_taken_away(studio: Studio) -> None:
    room, objects = studio.room, studio.lab.objects
    early = await room.start(await room.student())
    sami = await studio.caption("강의.smi", SMI.encode("cp949"))
    assert [each["corrected"] for each in sami.result["captions"]] == [{"without_end": 1}, {}]
    assert sami.state == "DONE"

    # A database that went back before its job's last step has no captions: the workflow does not end it.
    await studio.lab.reopen(sami)
    assert not await studio.lab.stays_open(sami)
    async with studio.lab.engine.begin() as connection:
        await connection.execute(delete(JobEvent).where(JobEvent.job_id == sami.id))
    assert await studio.lab.stays_open(sami)
    await studio.lab.endings().write(sami.id, JobOutcome(state=sami.state, result=sami.result))

    # Both masters name both languages, all that is named is there, and a session that began before has it.
    korean, english = (each["id"].replace("-", "") for each in await studio.listed())
    for master, base in (
        ((await early.get("master.m3u8")).text, ""),
        (objects.get(f"{studio.root}master.m3u8").decode(), "v-1/"),
    ):
        assert (
            f'LANGUAGE="ko",DEFAULT=NO,AUTOSELECT=YES,FORCED=NO,URI="captions/{korean}/media.m3u8"' in master
        )
        assert (
            f'LANGUAGE="en",DEFAULT=NO,AUTOSELECT=YES,FORCED=NO,URI="captions/{english}/media.m3u8"' in master
        )
        assert f'AUDIO="audio",SUBTITLES="captions"\n{base}360p/media.m3u8' in master
    playlist = await early.get(f"captions/{korean}/media.m3u8")
    assert playlist.headers["content-type"] == "application/vnd.apple.mpegurl"
    assert playlist.text.count("#EXTINF") == 4
    segment = await early.get(f"captions/{korean}/s00000.vtt")
    assert "안녕\n하세요" in segment.text and segment.headers["content-type"] == "text/vtt; charset=utf-8"

    # Leave as for segments: who is watched by the clock gets no text of what comes later.
    assert (await early.get(f"captions/{korean}/s00002.vtt")).status_code == 200
    assert (await early.get(f"captions/{korean}/s00003.vtt")).json()["code"] == "beyond_the_clock"
    assert (await early.get(f"captions/{korean}/captions.vtt")).status_code == 404
    assert (await early.get("captions/../v-1/master.m3u8")).status_code == 404

    # The same language and name again, and what it says after the end is not shown and told.
    late = SRT + "\n3\n00:02:00,000 --> 00:02:01,000\n늦었다\n"
    again = await studio.caption("a.srt", late.encode(), language="ko", name="한국어", default=True)
    assert again.state == "REVIEW_REQUIRED"
    assert again.result["captions"][0]["corrected"] == {"left_out_after": 1}
    (replaced,) = [each for each in await studio.listed() if each["language"] == "ko"]
    assert replaced["default"] and replaced["id"].replace("-", "") != korean
    whole = await asyncio.to_thread(httpx.get, replaced["link"])
    assert "둘째 줄" in whole.text

    async def gone(folder: str) -> bool:
        return not studio.lab.keys(f"{studio.root}captions/{folder}/")

    await eventually(lambda: gone(korean))  # the existing path of what is replaced
    for each in await studio.listed():
        path = f"videos/{room.video}/captions/{each['id']}"
        assert (await studio.asked("DELETE", path)).status_code == 204
        assert (await studio.asked("DELETE", path)).status_code == 404
    assert (await early.get("master.m3u8")).text == MASTER
    assert "SUBTITLES" not in objects.get(f"{studio.root}master.m3u8").decode()
    await eventually(lambda: gone(english))


async def test_what_cannot_be_captions_of_the_lecture_says_why(studio: Studio) -> None:
    refused = {
        "CAPTIONS_FORMAT_UNKNOWN": (b"hello", {}),
        "CAPTIONS_LANGUAGE_UNKNOWN": (SRT.encode(), {}),
        "CAPTIONS_OUTSIDE": (SRT.replace("00:00", "01:00").encode(), {"language": "ko"}),
        "VIDEO_NOT_READY": (SRT.encode(), {"language": "ko", "video_id": studio.room.video + 1}),
    }
    before = {each["id"] for each in await studio.listed()}
    for code, (text, more) in refused.items():
        job = await studio.caption("a.srt", text, **more)
        assert (job.state, job.error_code) == ("REJECTED_BAD_INPUT", code)
    assert {each["id"] for each in await studio.listed()} == before
    stored = {key.split("/captions/")[1].split("/")[0] for key in studio.lab.keys(f"{studio.root}captions/")}
    assert len(stored) == len(before)


async def test_what_was_meant_for_a_lecture_before_it_was_trimmed_is_refused(studio: Studio) -> None:
    """A trim is published before its job has ended: nobody knows which of the two a file was made for."""
    room, engine, trim = studio.room, studio.lab.engine, uuid4()
    this = update(Video).where(Video.tenant_id == room.tenant, Video.id == room.video)
    named = {"workflow_id": trim.hex, "idempotency_key": trim.hex, "payload_sha256": "x", "external_id": "x"}
    row = {"id": trim, "tenant_id": room.tenant, "job_type": "video.trim", "source": "api", **named}
    async with engine.begin() as connection:
        await connection.execute(insert(Job).values(row | {"state": "RUNNING"}))
        await connection.execute(this.values(published_job=trim))
    text = {"language": "ko", "name": "trimmed"}
    job = await studio.caption("a.srt", SRT.encode(), **text)
    assert job.error_code == "VERSION_CHANGED"
    assert "trimmed" not in {each["name"] for each in await studio.listed()}
    async with engine.begin() as connection:
        ended = {"state": "DONE", "finished_at": func.now()}
        await connection.execute(update(Job).where(Job.id == trim).values(ended))
    assert (await studio.caption("a.srt", SRT.encode(), **text)).state == "DONE"

    # Who says for which one it is, is believed.
    name = f"{trim.hex[:12]}-1"
    async with engine.begin() as connection:
        open_again = {"state": "RUNNING", "finished_at": None}
        await connection.execute(update(Job).where(Job.id == trim).values(open_again))
        await connection.execute(this.values(hls_prefix=f"{studio.root}{name}/"))
    master = studio.lab.objects.get(f"{room.prefix}master.m3u8")
    studio.lab.objects.put(f"{studio.root}{name}/master.m3u8", master, "x/y")
    assert (await studio.caption("a.srt", SRT.encode(), version=name, **text)).state == "DONE"
    other = f"{uuid4().hex[:12]}-1"
    job = await studio.caption("a.srt", SRT.encode(), version=other, **text)
    assert job.error_code == "VERSION_CHANGED"
    path, chapters = f"videos/{room.video}/chapters", [{"start": 1.0, "title": "a"}]
    answer = await studio.asked("PUT", path, {"chapters": chapters, "version": other})
    assert answer.status_code == 409
    assert answer.json()["code"] == "version_changed"
    assert (await studio.asked("GET", path)).json() == {"chapters": []}
    assert (await studio.asked("PUT", path, {"chapters": [], "version": name})).status_code == 204
    async with engine.begin() as connection:
        await connection.execute(this.values(published_job=None, hls_prefix=room.prefix))
        await connection.execute(delete(Job).where(Job.id == trim))


async def test_chapters_are_set_shown_and_taken_away(studio: Studio) -> None:
    room = studio.room
    path = f"videos/{room.video}/chapters"
    near = [{"start": 40.499, "title": "a"}, {"start": 40.5, "title": "b"}]  # as a source may have them
    assert (await studio.asked("PUT", path, {"chapters": near})).status_code == 204
    assert (await studio.asked("GET", path)).json() == {"chapters": near}
    chapters = [{"start": 0.0, "title": "들어가며"}, {"start": 40.5, "title": "a < b"}]
    assert (await studio.asked("PUT", path, {"chapters": chapters})).status_code == 204
    assert (await studio.asked("GET", path)).json() == {"chapters": chapters}
    player = await room.start(await room.student())
    assert player.started["urls"]["chapters"] == f"{player.link}/chapters.json"
    shown = (await player.get("chapters.json")).json()
    assert shown[1] == {"start": 40.5, "end": 100.0, "title": "a < b"}
    assert "00:00:00.000 --> 00:00:40.500\n들어가며" in (await player.get("chapters.vtt")).text
    for wrong in (
        [{"start": 100.0, "title": "after the end"}],
        [{"start": 5, "title": "a"}, {"start": 5, "title": "b"}],
        [{"start": -1, "title": "a"}],
        [{"start": 1, "title": " "}],
    ):
        assert (await studio.asked("PUT", path, {"chapters": wrong})).status_code == 422
    assert (await studio.asked("PUT", path, {"chapters": []})).status_code == 204
    assert (await room.start(await room.student())).started["urls"]["chapters"] is None
