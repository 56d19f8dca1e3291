"""Workers and servers fail in the middle of an encode; what viewers get is the same as without."""

import asyncio
import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from sqlalchemy import Row
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.service import RPCError

from clients.objects import sha256
from contracts.activities.video import PUBLISH
from contracts.trim import MADE_OF
from contracts.video import hls_root
from devstack import programs
from devstack.app import App, running
from devstack.producer import delete_body, encode_body
from devstack.stack import Stack
from tests.faults.proxy import Proxy
from tests.integration.test_encode import encoding_began, ffmpegs
from tests.lab import PATIENCE, Lab, eventually, fresh_id, log_lines

TAKEOVER = 40.0  # seconds; 12 where the machine does nothing else, a quarter of an hour without beats


@pytest.fixture(scope="module")
def others(breakable: Stack) -> Iterator[App]:
    """What stands beside the worker, and outlives whatever happens to it and to the servers."""
    with App(breakable, "bridge", "ops") as app:
        yield app


@pytest.fixture(scope="module")
def silent_lecture(small_lecture: Path) -> Path:
    """Three units of its picture alone: the sound would take longer than they do."""
    file = small_lecture.with_name("silent.mp4")
    argv = [programs.ffmpeg(), "-v", "error", "-y", "-i", str(small_lecture), "-an", "-c", "copy"]
    subprocess.run([*argv, "-t", "17", str(file)], check=True)
    return file


def starts(stack: Stack, *workers: str) -> Counter[int]:
    """How often each unit was started, by the workers' own logs."""
    found: Counter[int] = Counter()
    for worker in workers:
        for line in log_lines(stack, worker):
            if match := re.fullmatch(r"unit (\d+) started", line["message"].split(" ({")[0]):
                found[int(match[1])] += 1
    return found


async def contents(lab: Lab, tenant: int, video: int) -> dict[str, str]:
    """Name below the version → hash, of every object of the published version but what names its source."""
    row = await lab.video(tenant, video)
    assert row.status == "READY", row.error_code
    return {
        key.removeprefix(row.hls_prefix): sha256(lab.objects.get(key))
        for key in lab.keys(row.hls_prefix)
        if not key.endswith(MADE_OF)
    }


async def failures(lab: Lab, job: Row[Any]) -> set[str]:
    """For what the attempts of the job's activities were ended that did not get through."""
    history = await lab.temporal.get_workflow_handle(job.workflow_id).fetch_history()
    found = [
        failure
        for event in history.events
        for failure in (
            event.activity_task_started_event_attributes.last_failure,
            event.activity_task_timed_out_event_attributes.failure,
        )
        if failure.ByteSize()
    ]
    return {each.application_failure_info.type or each.WhichOneof("failure_info") for each in found}


@pytest.mark.slow
async def test_redis_is_away_from_start_to_end(own_lab: Lab, silent_lecture: Path) -> None:
    """First it hangs, then it is gone."""
    lab, tenant, video = own_lab, fresh_id(), fresh_id()
    await asyncio.to_thread(lab.stack.suspend, "valkey")
    async with running(lab.stack, "api", "bridge", "ops", "video") as app:
        lab.send_encode(tenant, video, silent_lecture)
        key = await lab.service_key(tenant)
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=app.api_url, headers=headers, timeout=PATIENCE) as api:
            seen: list[Any] = []

            async def ready() -> bool:
                answer = await api.get(f"/api/v1/media/videos/{video}/progress/")
                seen.append(answer.json())
                return seen[-1].get("status") == "READY"

            async def shown() -> bool:
                """What Temporal knows is, meanwhile."""
                await ready()
                return any(each.get("encoding_progress") is not None for each in seen)

            await eventually(shown)
            await asyncio.to_thread(lab.stack.kill, "valkey")
            await eventually(ready)
    assert all(each.get("code") in (None, "not_found") for each in seen)


async def test_kill_9_in_the_middle_of_an_encode_changes_no_byte(
    own_lab: Lab, others: App, small_lecture: Path
) -> None:
    lab, tenant = own_lab, fresh_id()
    calm, killed = fresh_id(), fresh_id()
    async with running(lab.stack, "video", ENCODE_SLOTS="1") as app:
        lab.send_encode(tenant, calm, small_lecture)
        await lab.ended(tenant)
        before = starts(lab.stack, "video")
        lab.send_encode(tenant, killed, small_lecture)
        await encoding_began(lab, tenant, killed)

        async def second_unit_runs() -> list[psutil.Process]:
            begun = sum((starts(lab.stack, "video") - before).values())
            return ffmpegs(lab) if begun >= 2 else []

        for ffmpeg in await eventually(second_unit_runs, every=0.1):
            ffmpeg.suspend()  # from here it cannot end by itself
        os.kill(app.processes["video"].pid, signal.SIGKILL)

        async def no_ffmpeg() -> bool:
            return not ffmpegs(lab)

        await eventually(no_ffmpeg, what="ffmpeg died with its worker")
        await asyncio.to_thread(app.restart, "video")
        await lab.ended(tenant, count=2)
    assert await contents(lab, tenant, calm) == await contents(lab, tenant, killed)
    again = starts(lab.stack, "video") - before
    assert set(again) == {0, 1, 2}
    assert sum(again.values()) <= 3 + 1, "more than one unit was encoded twice"


@pytest.mark.slow
async def test_another_worker_takes_over_from_one_that_is_cut_off(
    own_lab: Lab, others: App, silent_lecture: Path
) -> None:
    lab, tenant, video = own_lab, fresh_id(), fresh_id()
    async with Proxy("127.0.0.1", lab.stack.ports.temporal) as proxy:
        address = f"127.0.0.1:{proxy.port}"
        async with running(lab.stack, "video", TEMPORAL_ADDRESS=address, ENCODE_SLOTS="1"):
            lab.send_encode(tenant, video, silent_lecture)
            await encoding_began(lab, tenant, video)
            proxy.silence()
            async with running(lab.stack, "video-2"):
                await lab.ended(tenant)
            await contents(lab, tenant, video)


@pytest.mark.slow
async def test_a_hanging_ffmpeg_is_replaced(own_lab: Lab, others: App, silent_lecture: Path) -> None:
    lab, tenant, video = own_lab, fresh_id(), fresh_id()
    async with running(lab.stack, "video", ENCODE_SLOTS="1"):
        lab.send_encode(tenant, video, silent_lecture)
        await encoding_began(lab, tenant, video)

        async def encoders() -> list[psutil.Process]:
            return ffmpegs(lab)

        (hanging, *_) = await eventually(encoders)
        hanging.suspend()

        async def gone() -> bool:
            return not hanging.is_running()

        await eventually(gone, what="the hanging ffmpeg was killed")
        (job,) = await lab.ended(tenant)
    assert await failures(lab, job) == {"Stalled"}
    assert await contents(lab, tenant, video)


async def test_a_worker_killed_in_publish_is_replaced_and_the_waiting_delete_goes_on(
    own_lab: Lab, others: App, silent_lecture: Path
) -> None:
    """Postgres hangs, so that publication does, and then its worker is killed."""
    lab, tenant, video = own_lab, fresh_id(), fresh_id()

    async with running(lab.stack, "video", "video-2") as app:
        body = lab.send_encode(tenant, video, silent_lecture)
        await encoding_began(lab, tenant, video)
        encode = await lab.only_job(tenant)
        await asyncio.to_thread(lab.stack.suspend, "postgres")

        async def publishing() -> PendingActivityInfo | None:
            about = await lab.temporal.get_workflow_handle(encode.workflow_id).describe()
            pending = about.raw_description.pending_activities
            started = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
            return next(
                (p for p in pending if (p.activity_type.name, p.state) == (PUBLISH.name, started)), None
            )

        async def taken_over() -> bool:
            again = await publishing()
            return again is not None and again.last_worker_identity != first.last_worker_identity

        first = await eventually(publishing, "publication began")
        assert first
        (worker,) = (p for p in app.processes.values() if first.last_worker_identity.startswith(f"{p.pid}@"))
        os.kill(worker.pid, signal.SIGKILL)
        killed = time.monotonic()
        lab.send("video", delete_body(tenant, video, body["file_key"]))
        await eventually(taken_over, "publication was given to the other worker")
        assert time.monotonic() - killed < TAKEOVER, "10 s without a beat and a second of pause"
        await asyncio.to_thread(lab.stack.resume, "postgres")
        jobs = await lab.ended(tenant, count=2)
    assert {job.job_type: job.state for job in jobs}["video.delete"] == "DONE"
    assert not lab.keys(hls_root(tenant, video))


FULL = """#!/bin/sh
# ffmpeg on a disk that is full for as long as there is a file of that name.
case "$*" in *color=*) exec {ffmpeg} "$@";; *libx264*) ;; *) exec {ffmpeg} "$@";; esac
if [ -e {full} ]; then
    echo "Error submitting a packet to the muxer: No space left on device" >&2
    exit 183
fi
exec {ffmpeg} "$@"
"""


async def test_a_full_disk_delays_a_lecture_and_fails_none(own_lab: Lab, others: App, tmp_path: Path) -> None:
    lab, tenant, video = own_lab, fresh_id(), fresh_id()
    full, program = tmp_path / "full", tmp_path / "ffmpeg"
    program.write_text(FULL.format(ffmpeg=programs.ffmpeg(), full=full))
    program.chmod(0o755)
    full.touch()
    async with running(lab.stack, "video", FFMPEG_BINARY=str(program)):
        lab.send_encode(tenant, video)

        job = await lab.only_job(tenant)
        handle = lab.temporal.get_workflow_handle(job.workflow_id)

        async def tried() -> bool:
            with suppress(RPCError):  # not started yet
                pending = (await handle.describe()).raw_description.pending_activities
                return any(each.attempt > 2 for each in pending)
            return False

        await eventually(tried, "tried more than twice")
        assert (await lab.only_job(tenant)).error_code is None
        full.unlink()
        (job,) = await lab.ended(tenant)
    assert (job.state, job.error_code) == ("DONE", None)
    assert "HostTrouble" in await failures(lab, job)


OTHER_BUILD = """#!/bin/sh
case "$*" in *-version*) echo "another build";; esac
exec {ffmpeg} "$@"
"""


async def test_a_lecture_stays_with_its_encoder_while_that_lives(
    own_lab: Lab, others: App, silent_lecture: Path, tmp_path: Path
) -> None:
    """Two builds beside each other, as in a rolling change, or where hosts differ."""
    lab, tenant, video = own_lab, fresh_id(), fresh_id()
    program = tmp_path / "ffmpeg"
    program.write_text(OTHER_BUILD.format(ffmpeg=programs.ffmpeg()))
    program.chmod(0o755)
    slots = {"ENCODE_SLOTS": "1"}
    async with (
        running(lab.stack, "video", **slots),
        running(lab.stack, "video-2", FFMPEG_BINARY=str(program), **slots),
    ):
        lab.send_encode(tenant, video, silent_lecture)
        (job,) = await lab.ended(tenant)
    assert job.state == "DONE"
    assert (await lab.video(tenant, video)).hls_prefix.endswith("-1/"), "it did not begin again"
    assert "OtherEncoder" in await failures(lab, job), "it was met by the other build"


async def test_a_damaged_copy_of_the_source_fails_no_lecture(own_lab: Lab, others: App) -> None:
    """Cut between two lectures of the same file, and the worker is the same."""
    lab, tenant = own_lab, fresh_id()
    async with running(lab.stack, "video"):
        body = lab.send_encode(tenant, fresh_id())
        await lab.ended(tenant)
        copies = [each for each in (lab.settings.work_dir / "sources").iterdir() if not each.suffix]
        for copy in copies:
            os.truncate(copy, copy.stat().st_size * 2 // 3)
        lab.send("video", encode_body(tenant, fresh_id(), body["file_key"]))
        jobs = await lab.ended(tenant, count=2)
    assert copies and [job.state for job in jobs] == ["DONE", "DONE"]


async def test_every_server_dies_once_during_one_encode(
    own_lab: Lab, others: App, small_lecture: Path
) -> None:
    lab, tenant, video = own_lab, fresh_id(), fresh_id()
    async with running(lab.stack, "video"):
        lab.send_encode(tenant, video, small_lecture)
        await encoding_began(lab, tenant, video)
        for server in ("seaweedfs", "postgres", "temporal", "valkey", "ministack"):
            await asyncio.to_thread(lab.stack.kill, server)
            await asyncio.sleep(1)
            await asyncio.to_thread(lab.stack.restart, server)
        (job,) = await lab.ended(tenant)
    assert (job.state, job.error_code) == ("DONE", None)
    assert await contents(lab, tenant, video)


async def test_sigterm_lets_the_unit_end_and_loses_nothing(
    own_lab: Lab, others: App, silent_lecture: Path
) -> None:
    lab, tenant, video = own_lab, fresh_id(), fresh_id()
    async with running(lab.stack, "video", ENCODE_SLOTS="1", SHUTDOWN_GRACE_SECONDS="1") as app:
        lab.send_encode(tenant, video, silent_lecture)
        await encoding_began(lab, tenant, video)
        worker = app.processes["video"]
        os.kill(worker.pid, signal.SIGTERM)
        assert await asyncio.to_thread(worker.wait, PATIENCE) == 0
        assert not ffmpegs(lab)
        await asyncio.to_thread(app.restart, "video")
        (job,) = await lab.ended(tenant)
    assert job.state == "DONE"
    # The attempt was handed back, and not left to time out.
    assert not await failures(lab, job) & {"timeout_failure_info", "CutOff"}
    assert sum(starts(lab.stack, "video").values()) <= 3 + 1
