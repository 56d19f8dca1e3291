"""From the producer's message to what a player reads, and every way it can end."""

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import httpx
import m3u8
import psutil
import pytest
import pytest_asyncio
from temporalio.client import WorkflowExecutionStatus

from clients.progress import connect, job_key, video_key
from contracts.errors import REASONS
from contracts.trim import MadeOf
from contracts.video import PLAN, hls_root
from devstack.app import App
from devstack.producer import delete_body, encode_body
from devstack.stack import Stack
from intake.submit import JOB_TYPE, TENANT_ID
from intake.versions import made_of, stored_version
from tests.lab import SAMPLE, Lab, cpu_seconds, eventually, fresh_id
from tests.pages import OF_THE_SDK, page
from tests.unit.media import ffmpeg
from workflows.steps import STAGE


def url(lab: Lab, key: str) -> str:
    return f"{lab.settings.r2_endpoint_url}/{lab.settings.r2_bucket}/{key}"


def ffprobe(lab: Lab, key: str) -> dict[str, Any]:
    argv = [lab.settings.ffprobe_binary, "-v", "error", "-count_packets", "-show_streams", "-of", "json"]
    answer = subprocess.run([*argv, url(lab, key)], capture_output=True, check=True)
    return json.loads(answer.stdout)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def encoded(app: App, stack: Stack) -> tuple[int, int]:
    """A tenant and its one video, the sample encoded."""
    lab, tenant, video = await Lab.open(stack), fresh_id(), fresh_id()
    lab.send_encode(tenant, video, SAMPLE)
    await lab.ended(tenant)
    await lab.close()
    return tenant, video


async def test_a_message_becomes_a_playable_lecture(lab: Lab, encoded: tuple[int, int]) -> None:
    tenant, video = encoded
    (job,) = await lab.jobs(tenant)
    assert (job.state, job.error_code) == ("DONE", None)
    row = await lab.video(tenant, video)
    assert row.status == "READY"
    assert row.hls_path == f"{hls_root(tenant, video)}master.m3u8"

    master = m3u8.load(url(lab, row.hls_path))
    sizes = {playlist.stream_info.resolution for playlist in master.playlists}
    assert sizes == {(640, 360), (1280, 720)}
    for playlist in master.playlists:
        media = m3u8.load(playlist.absolute_uri)
        assert sum(segment.duration for segment in media.segments) == pytest.approx(row.duration, abs=0.001)
        assert media.is_independent_segments and media.is_endlist and media.playlist_type == "vod"
        (stream,) = ffprobe(lab, playlist.absolute_uri.removeprefix(url(lab, "")))["streams"]
        assert (stream["width"], stream["height"]) == playlist.stream_info.resolution
        assert int(stream["nb_read_packets"]) == round(row.duration * 25)
        peak = max(
            8 * int(httpx.head(segment.absolute_uri).headers["content-length"]) / segment.duration
            for segment in media.segments
        )
        assert playlist.stream_info.bandwidth >= peak
        assert playlist.stream_info.codecs.startswith("avc1.") and "mp4a.40.2" in playlist.stream_info.codecs
    (audio,) = master.media
    assert ffprobe(lab, audio.absolute_uri.removeprefix(url(lab, "")))["streams"][0]["codec_name"] == "aac"
    assert [each.name for each in await lab.renditions(tenant, video)] == ["360p", "720p"]
    assert job.result["hls_path"] == row.hls_path
    # The manifests are gone, and nothing lies outside the published version but the pointer.
    strangers = [key for key in lab.keys(hls_root(tenant, video)) if not key.startswith(row.hls_prefix)]
    assert strangers == [row.hls_path]
    assert not lab.keys(row.hls_prefix + "work/")
    source = lab.objects.head(row.file_key)
    assert made_of(lab.objects, row.hls_prefix) == MadeOf(key=row.file_key, etag=source.etag)


@pytest.mark.slow
async def test_a_recording_of_sound_is_published_encoded_again_and_deleted(
    app: App, lab: Lab, tmp_path: Path
) -> None:
    source = tmp_path / "lecture.mp3"
    ffmpeg("-f lavfi -i sine=d=6:r=48000 -c:a libmp3lame -q:a 6 -write_xing 0", str(source))
    tenant, video = fresh_id(), fresh_id()
    lab.send_encode(tenant, video, source)
    (job,) = await lab.ended(tenant)
    assert (job.state, job.error_code) == ("DONE", None)
    assert (job.result["renditions"], job.result["pictures"]) == (["audio", "audio64"], True)
    row = await lab.video(tenant, video)
    assert (row.status, row.has_pictures) == ("READY", True)
    assert row.duration == pytest.approx(6, abs=0.15)
    master = m3u8.load(url(lab, row.hls_path))
    for playlist in master.playlists:
        media = m3u8.load(playlist.absolute_uri)
        assert sum(segment.duration for segment in media.segments) == pytest.approx(row.duration, abs=0.065)
        (stream,) = ffprobe(lab, playlist.absolute_uri.removeprefix(url(lab, "")))["streams"]
        assert stream["codec_name"] == "aac"
        assert playlist.stream_info.codecs == "mp4a.40.2" and playlist.stream_info.resolution is None
    renditions = await lab.renditions(tenant, video)
    assert sorted((each.name, each.height) for each in renditions) == [("audio", 0), ("audio64", 0)]
    pictures = {"poster.jpg", "storyboard-00.jpg", "storyboard.vtt"}
    assert {key.removeprefix(row.hls_prefix) for key in lab.keys(row.hls_prefix)} >= pictures
    # A database that has lost it is told the same by the store alone.
    stored = await asyncio.to_thread(stored_version, lab.objects, tenant, video, job.id)
    assert stored and stored.version.hls_prefix == row.hls_prefix
    assert stored.version.duration == pytest.approx(row.duration, abs=0.065)
    told = [(each["name"], each["height"], each["size"]) for each in stored.version.renditions]
    assert sorted(told) == sorted((each.name, each.height, each.size) for each in renditions)

    body = lab.send_encode(tenant, video)  # the film this time
    _, again = await lab.ended(tenant, count=2)
    assert again.state == "DONE"
    assert all(each.height for each in await lab.renditions(tenant, video))
    lab.send("video", delete_body(tenant, video, body["file_key"]))
    *_, deleted = await lab.ended(tenant, count=3)
    assert deleted.state == "DONE"
    assert not lab.keys(hls_root(tenant, video))


async def test_what_operators_see(lab: Lab, encoded: tuple[int, int]) -> None:
    tenant, video = encoded
    (job,) = await lab.jobs(tenant)
    handle = lab.temporal.get_workflow_handle(job.workflow_id)

    async def closed() -> Any:
        described = await handle.describe()
        return described if described.status != WorkflowExecutionStatus.RUNNING else None

    described = await eventually(closed)
    assert job.workflow_id.startswith(f"video.encode-t{tenant}-v{video}-")
    assert await described.static_summary() == f"Encode video {video} · tenant {tenant}"
    attributes = described.typed_search_attributes
    assert [attributes[key] for key in (TENANT_ID, JOB_TYPE, STAGE)] == [str(tenant), "video.encode", "DONE"]


async def test_what_each_process_tells_of_it(lab: Lab, app: App, encoded: tuple[int, int]) -> None:
    bridge, video, ops, api = [await page(app, name) for name in ("bridge", "video", "ops", "api")]
    assert bridge.of("bridge_received_total", queue="video") >= 1
    assert bridge.of("bridge_settled_total", queue="video", acceptance="NEW") >= 1
    assert {"bridge_refused_total", "bridge_breaker_open", "bridge_outages_total"} <= bridge.names()
    assert video.of("activity_attempts_total", activity="video.encode_batch", outcome="done") >= 1
    media = video.of("ffmpeg_media_seconds_total", activity="video.encode_batch")
    # ffmpeg's last word may come before x264 has given what it held back: half of what is so short.
    assert media > (await lab.video(*encoded)).duration / 4 > 0
    assert video.of("ffmpeg_run_seconds_total", activity="video.encode_batch") > 0
    assert video.of("worker_disk_free_bytes") > 0
    assert ops.of("jobs_ended_total", job_type="video.encode", state="DONE") >= 1
    assert ops.of("job_seconds_count", job_type="video.encode") >= 1
    assert ops.of("lecture_playable_seconds_count") >= 1
    assert ops.of("lecture_playable_seconds_per_minute_sum") > 0
    assert api.of("task_queue_pollers", task_queue="video-encode", kind="activity") >= 1
    assert {"task_queue_backlog", "task_queue_backlog_age_seconds", "tenants_low_on_credit"} <= api.names()
    assert not {"worker_ready", "worker_disk_free_bytes"} & api.told(), "who is no worker tells no 0 of it"
    for worker in (video, ops):
        assert worker.names() >= OF_THE_SDK
        assert worker.of("temporal_worker_task_slots_available", worker_type="ActivityWorker") > 0
    for each in (bridge, video, ops, api):
        assert each.of("academy_process") == 1 and each.of("temporal_request_total") > 0
        assert f'"{encoded[0]}"' not in each.text, "no label is a tenant"
    assert bridge.of("worker_ready") == video.of("worker_ready") == ops.of("worker_ready") == 1


async def test_progress_is_written_under_both_key_forms(lab: Lab, encoded: tuple[int, int]) -> None:
    tenant, video = encoded
    (job,) = await lab.jobs(tenant)
    redis = connect(lab.settings)
    old, new, by_job_old, by_job_new = await redis.mget(
        f"job:video:{video}:progress",
        video_key(tenant, video),
        f"job:{job.id}:progress",
        job_key(tenant, job.id),
    )
    await redis.aclose()
    assert old == new == by_job_old == by_job_new
    shown = json.loads(old)
    assert shown["percent"] == 100
    assert set(shown) == {
        "step", "percent", "remaining_seconds", "step_index", "step_total", "step_name",
        "step_name_display", "step_percent",
    }  # fmt: skip


async def test_the_same_message_five_times_is_one_encode(app: App, lab: Lab) -> None:
    tenant, video = fresh_id(), fresh_id()
    body = lab.send_encode(tenant, video)
    await asyncio.gather(*(asyncio.to_thread(lab.send, "video", body) for _ in range(4)))
    (job,) = await lab.ended(tenant)
    await lab.drained("video")
    assert job.epoch == 1
    lab.send("video", body)  # and once more after the end
    await lab.drained("video")
    assert len(await lab.jobs(tenant)) == 1
    row = await lab.video(tenant, video)
    prefixes = {key.split("/")[5] for key in lab.keys(hls_root(tenant, video))}
    assert prefixes == {"master.m3u8", row.hls_prefix.split("/")[5]}

    async def one_workflow() -> bool:
        return [each.id for each in await lab.workflows(tenant)] == [job.workflow_id]

    await eventually(one_workflow)


async def test_a_second_wish_for_a_running_encode_joins_it_and_one_for_another_file_is_refused(
    app: App, lab: Lab
) -> None:
    tenant, video = fresh_id(), fresh_id()
    body = lab.send_encode(tenant, video)
    await lab.only_job(tenant)
    lab.dead_letters("video")
    lab.send("video", body | {"created_at": "2026-05-05T05:05:05Z"})
    lab.send("video", body | {"file_key": f"tenants/{tenant}/video/raw/1/other.mp4"})

    async def buried() -> Any:
        return await asyncio.to_thread(lab.dead_letters, "video")

    (letter,) = await eventually(buried, what="dead letter")
    assert letter["Reason"] == "IDEMPOTENCY_MISMATCH"
    await lab.ended(tenant)
    await lab.drained("video")
    assert len(await lab.jobs(tenant)) == 1
    assert (await lab.video(tenant, video)).status == "READY"


async def test_a_failed_encode_leaves_the_published_version_and_a_new_upload_replaces_it(
    app: App, lab: Lab, tmp_path: Path
) -> None:
    tenant, video = fresh_id(), fresh_id()
    lab.send_encode(tenant, video)
    await lab.ended(tenant)
    before = await lab.video(tenant, video)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(SAMPLE.read_bytes()[:20_000])
    lab.send_encode(tenant, video, broken)
    _, job = await lab.ended(tenant, count=2)
    assert job.state == "REJECTED_BAD_INPUT"
    after = await lab.video(tenant, video)
    assert (after.status, after.hls_prefix) == ("READY", before.hls_prefix)
    assert after.error_code == job.error_code
    assert m3u8.load(url(lab, after.hls_path)).playlists
    assert {key.split("/")[5] for key in lab.keys(hls_root(tenant, video))} == {
        "master.m3u8",
        before.hls_prefix.split("/")[5],
    }

    lab.send_encode(tenant, video)
    await lab.ended(tenant, count=3)
    after = await lab.video(tenant, video)
    assert after.hls_path == before.hls_path
    assert after.hls_prefix != before.hls_prefix

    async def retired() -> bool:
        return not await asyncio.to_thread(lab.keys, before.hls_prefix)

    await eventually(retired)
    for playlist in m3u8.load(url(lab, after.hls_path)).playlists:
        assert after.hls_prefix in playlist.absolute_uri
        assert m3u8.load(playlist.absolute_uri).segments


BAD = {
    "text": (b"this is no video\n" * 100, "NOT_A_VIDEO"),
    "empty": (b"", "NOT_A_VIDEO"),
    "a playlist to a local file": (
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        "NOT_A_VIDEO",
    ),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_file_that_is_no_video_fails_with_a_reason(
    app: App, lab: Lab, name: str, tmp_path: Path
) -> None:
    content, code = BAD[name]
    file = tmp_path / "lecture.mp4"
    file.write_bytes(content)
    tenant, video = fresh_id(), fresh_id()
    lab.send_encode(tenant, video, file)
    (job,) = await lab.ended(tenant)
    assert (job.state, job.error_code) == ("REJECTED_BAD_INPUT", code)
    row = await lab.video(tenant, video)
    assert (row.status, row.error_code) == ("FAILED", code)
    assert not lab.keys(hls_root(tenant, video))
    assert REASONS[code].ko


async def test_a_missing_source_fails_with_a_reason(app: App, lab: Lab) -> None:
    tenant, video = fresh_id(), fresh_id()
    lab.send("video", encode_body(tenant, video, f"tenants/{tenant}/video/raw/1/never-uploaded.mp4"))
    (job,) = await lab.ended(tenant)
    assert (job.state, job.error_code) == ("FAILED", "SOURCE_MISSING")


async def test_delete_leaves_nothing(app: App, lab: Lab) -> None:
    tenant, video = fresh_id(), fresh_id()
    body = lab.send_encode(tenant, video)
    await lab.ended(tenant)
    neighbour = f"{hls_root(tenant, video * 10)}keep.m4s"
    lab.objects.put(neighbour, b"x", "video/mp4")
    lab.send("video", delete_body(tenant, video, body["file_key"]))
    _, job = await lab.ended(tenant, count=2)
    assert job.state == "DONE"
    assert lab.keys(f"tenants/{tenant}/") == [neighbour]
    row = await lab.video(tenant, video)
    assert (row.status, row.hls_path) == ("DELETED", None)
    # An encode that arrives late changes nothing.
    lab.send("video", body | {"attempt": 2})
    *_, late = await lab.ended(tenant, count=3)
    assert (late.state, late.error_code) == ("CANCELLED", "VIDEO_DELETED")
    assert not lab.keys(hls_root(tenant, video))


async def test_delete_stops_a_running_encode(app: App, lab: Lab, small_lecture: Path) -> None:
    tenant, video = fresh_id(), fresh_id()
    body = lab.send_encode(tenant, video, small_lecture)
    await encoding_began(lab, tenant, video)
    lab.send("video", delete_body(tenant, video, body["file_key"]))
    encode, delete = await lab.ended(tenant, count=2)
    assert (encode.state, delete.state) == ("CANCELLED", "DONE")
    assert not lab.keys(f"tenants/{tenant}/")


async def test_cancel_kills_ffmpeg_within_five_seconds_and_leaves_nothing(
    app: App, lab: Lab, lecture: Path
) -> None:
    tenant, video = fresh_id(), fresh_id()
    lab.send_encode(tenant, video, lecture)
    await encoding_began(lab, tenant, video)
    job = await lab.only_job(tenant)

    async def encoding() -> bool:
        return bool(ffmpegs(lab))

    await eventually(encoding, "a unit is encoded", every=0.02)
    worker = app.processes["video"].pid
    before = cpu_seconds(worker)
    await lab.temporal.get_workflow_handle(job.workflow_id).cancel()

    async def no_ffmpeg() -> bool:
        return not ffmpegs(lab)

    await eventually(no_ffmpeg)
    spent = cpu_seconds(worker) - before
    assert spent < 5, f"{spent:.1f} s of processor time after the cancel"
    (ended,) = await lab.ended(tenant)
    assert (ended.state, ended.error_code) == ("CANCELLED", "CANCELLED")
    assert not lab.keys(hls_root(tenant, video))
    assert (await lab.video(tenant, video)).status == "FAILED"


async def encoding_began(lab: Lab, tenant: int, video: int) -> None:
    async def look() -> bool:
        keys = await asyncio.to_thread(lab.keys, hls_root(tenant, video))
        return any(not key.endswith(PLAN) for key in keys)

    await eventually(look, what="first unit stored")


def ffmpegs(lab: Lab) -> list[psutil.Process]:
    """The encoders that work in this stack's folder."""
    scratch = str(lab.settings.work_dir)
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if any(scratch in word for word in words) and "ffmpeg" in words[0]:
            found.append(process)
    return found
