"""What is made of a version that is shown: a part of it, and a file, from the request to what viewers get."""

import asyncio
from typing import Any

import httpx
import m3u8
import pytest
from sqlalchemy import Row, insert, select, update

from clients.database import captions
from clients.database.models import Video
from clients.database.viewing_models import VideoProgress
from contracts.trim import version_name
from contracts.video import hls_root
from devstack.app import App
from devstack.producer import delete_body
from intake.captions import Captioning, NewCaptions
from rules.captions.cues import Cue
from rules.captions.writing import WHOLE
from tests.integration.test_encode import ffprobe, url
from tests.lab import PATIENCE, Lab, eventually
from tests.viewing.classroom import Classroom


async def trimmed(lab: Lab, room: Classroom, **wanted: Any) -> Row[Any]:
    return await done(lab, room, "video.trim", **wanted)


async def done(lab: Lab, room: Classroom, job_type: str, **wanted: Any) -> Row[Any]:
    """The job, once it has ended."""
    payload = {"video_id": room.video, **wanted}
    headers = {"Authorization": f"Bearer {room.key}"}
    body = {"job_type": job_type, "payload": payload}
    taken = await room.http.post("/api/v1/jobs", json=body, headers=headers)
    assert taken.status_code == 202, taken.text

    async def ended() -> Row[Any] | None:
        found = [job for job in await lab.jobs(room.tenant) if job.external_id == taken.json()["job_id"]]
        return found[0] if found and found[0].finished_at else None

    job = await eventually(ended)
    assert job is not None
    return job


@pytest.mark.slow
async def test_a_lecture_is_trimmed_with_all_that_belongs_to_it(app: App, lab: Lab) -> None:
    async with httpx.AsyncClient(base_url=app.api_url, timeout=PATIENCE) as http:
        room = Classroom(lab, http)
        room.key = await lab.service_key(room.tenant)
        body = lab.send_encode(room.tenant, room.video)
        (encode,) = await lab.ended(room.tenant)
        whole = await lab.video(room.tenant, room.video)
        assert encode.state == "DONE" and whole.duration == pytest.approx(5.28)
        root = hls_root(room.tenant, room.video)

        captioning = Captioning(lab.engine, lab.objects, lab.temporal, grace=0)
        cues = [Cue(0, 900, "before"), Cue(2000, 3000, "within")]
        video = await captioning.shown(room.tenant, room.video)
        (said,) = await captioning.add(video, encode.id, [NewCaptions("ko", "한국어", cues)])
        half, done = (await room.student(enrolled=False), await room.student(enrolled=False))
        async with lab.engine.begin() as connection:
            whose = {"tenant_id": room.tenant, "video_id": room.video}
            for student, seconds in ((half, 2.5), (done, 4.9)):
                row = whose | {"student_id": student, "furthest": seconds, "progress": seconds / 5.28}
                await connection.execute(insert(VideoProgress).values(row))
            chapters = [
                {"start": 0.0, "title": "a"},
                {"start": 1.0, "title": "b"},
                {"start": 4.9, "title": "c"},
            ]
            document = {"chapters": chapters, "embedded": False}
            this = update(Video).where(Video.tenant_id == room.tenant, Video.id == room.video)
            await connection.execute(this.values(chapters=document))

        name = version_name(whole.hls_prefix)
        job = await trimmed(lab, room, version=name, start=1.52, end=4.8)
        assert (job.state, job.error_code) == ("DONE", None)
        assert job.result["part"] == {"start": 1.52, "end": 4.8, "of": name}
        assert job.result["pictures"] is True and "warnings" not in job.result
        row = await lab.video(room.tenant, room.video)
        assert (row.status, row.duration, row.error_code) == ("READY", pytest.approx(3.28), None)
        assert row.file_key == whole.file_key and row.policy_version == whole.policy_version + 1

        master = m3u8.load(url(lab, row.hls_path))
        assert [each.type for each in master.media] == ["SUBTITLES", "AUDIO"] or len(master.media) == 2
        for playlist in master.playlists:
            key = playlist.absolute_uri.removeprefix(url(lab, ""))
            (stream,) = (await asyncio.to_thread(ffprobe, lab, key))["streams"]
            assert int(stream["nb_read_packets"]) == 82
            assert float(stream["start_time"]) == 0
        async with lab.engine.connect() as connection:
            (shown,) = await captions.listed(connection, room.tenant, room.video)
            moved = await captions.chapters(connection, room.tenant, room.video)
            progress = select(VideoProgress.student_id, VideoProgress.furthest, VideoProgress.progress)
            rows = await connection.execute(progress.where(VideoProgress.video_id == room.video))
            watched = {student: (furthest, part) for student, furthest, part in rows}
        assert shown.id != said.id and shown.name == "한국어"
        text = lab.objects.get(shown.prefix + WHOLE).decode()
        assert "00:00:00.480 --> 00:00:01.480\nwithin" in text and "before" not in text
        assert [(each["start"], each["title"]) for each in moved] == [(0.0, "b")]
        assert watched[half] == (pytest.approx(0.98), pytest.approx(0.98 / 3.28))
        assert watched[done] == (pytest.approx(3.28), 1.0)

        # The same again is of a version that is not shown any more; what is left of it is retired.
        again = await room.http.post(
            "/api/v1/jobs",
            json={
                "job_type": "video.trim",
                "payload": {"video_id": room.video, "version": name, "start": 1.52, "end": 4.8},
            },
            headers={"Authorization": f"Bearer {room.key}"},
        )
        assert (again.status_code, again.json()["code"]) == (409, "version_changed")

        # Its source is gone, and what is left is one segment: a trim that fails leaves what is shown.
        await asyncio.to_thread(lab.objects.delete, body["file_key"])
        job = await trimmed(lab, room, version=version_name(row.hls_prefix), start=1.0)
        assert (job.state, job.error_code) == ("REJECTED_BAD_INPUT", "TRIM_OUTSIDE")
        still = await lab.video(room.tenant, room.video)
        assert (still.status, still.hls_prefix) == ("READY", row.hls_prefix)
        versions = {key.removeprefix(root).partition("/")[0] for key in lab.keys(root)}
        assert not any(job.id.hex[:12] in each for each in versions)
        lab.send("video", delete_body(room.tenant, room.video, body["file_key"]))

        async def deleted() -> bool:
            return any(
                each.job_type == "video.delete" and each.finished_at for each in await lab.jobs(room.tenant)
            )

        await eventually(deleted)
        assert not lab.keys(root)


@pytest.mark.slow
async def test_a_file_is_made_once_given_to_who_may_watch_and_goes_with_its_lecture(
    app: App, lab: Lab
) -> None:
    async with httpx.AsyncClient(base_url=app.api_url, timeout=PATIENCE) as http:
        room = Classroom(lab, http)
        room.key = await lab.service_key(room.tenant)
        headers = {"Authorization": f"Bearer {room.key}"}
        body = lab.send_encode(room.tenant, room.video)
        await lab.ended(room.tenant)
        wanted = {"job_type": "video.download", "payload": {"video_id": room.video}}
        off = await http.post("/api/v1/jobs", json=wanted, headers=headers)
        assert (off.status_code, off.json()["code"]) == (409, "download_off")

        async def allow(**change: Any) -> dict[str, Any]:
            answer = await http.patch(f"/api/v1/videos/{room.video}", json=change, headers=headers)
            assert answer.status_code == 200, answer.text
            found: dict[str, Any] = answer.json()
            return found

        await allow(download_lines=720)
        first = await done(lab, room, "video.download")
        assert first.state == "DONE", first.error_code
        key = first.result["files"]["lecture.mp4"]
        written = {each: at for each, _, at in lab.objects.written(key)}
        again = await done(lab, room, "video.download")
        assert (again.state, again.result) == ("DONE", first.result)
        assert {each: at for each, _, at in lab.objects.written(key)} == written

        # Who reviews gets it by a link of the session, who is proctored does not.
        await room.publish(room.video, **await shown(lab, room))
        reviewing, proctored = await room.student("ABSENT"), await room.student("ONLINE")
        path = f"/api/v1/media/videos/{room.video}/playback/start/"
        started = await http.post(path, json={"student_id": proctored}, headers=headers)
        assert started.json()["urls"]["download"] is None
        secret = started.json()["urls"]["master"].replace("master.m3u8", "lecture.mp4")
        assert (await http.get(secret)).status_code == 404
        started = await http.post(path, json={"student_id": reviewing}, headers=headers)
        link = started.json()["urls"]["download"]
        answer = await http.get(link)
        assert answer.status_code == 307
        file = await asyncio.to_thread(httpx.get, answer.headers["location"])
        assert "attachment" in file.headers["content-disposition"] and b"moov" in file.content[:100_000]

        assert (await allow(download_lines=None))["downloadable"] is False
        assert (await http.get(link)).status_code == 404
        lab.send("video", delete_body(room.tenant, room.video, body["file_key"]))

        async def gone() -> bool:
            return any(
                each.job_type == "video.delete" and each.finished_at for each in await lab.jobs(room.tenant)
            )

        await eventually(gone)
        assert not lab.keys(hls_root(room.tenant, room.video))


async def shown(lab: Lab, room: Classroom) -> dict[str, Any]:
    row = await lab.video(room.tenant, room.video)
    return {
        "hls_prefix": row.hls_prefix,
        "hls_path": row.hls_path,
        "duration": row.duration,
    }
