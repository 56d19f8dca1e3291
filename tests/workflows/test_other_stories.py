"""Delete, retire and the generic job: order, ends, and what waits for what."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner

from contracts.jobs import JobOutcome, JobRef, JobState
from contracts.video import DeleteInput, EraseInput, OpenEncodes, hls_root
from tests.lab import PATIENCE, eventually
from tests.workflows.world import (
    DONE,
    World,
    begun,
    encode_input,
    ended,
    refuse,
    retired,
    start,
    worker,
    written,
)
from workflows import generic

pytestmark = pytest.mark.asyncio(loop_scope="package")


def message(job_type: str = "messaging.send") -> JobRef:
    return JobRef(job_id=uuid4(), job_type=job_type, tenant_id=7)


def outcome(code: str) -> JobOutcome:
    state = JobState.CANCELLED if code == "CANCELLED" else JobState.FAILED
    return JobOutcome(state=state, error_code=code)


async def test_a_replaced_version_stays_for_its_time(env: WorkflowEnvironment, world: World) -> None:
    what = EraseInput(prefix="tenants/7/video/hls/42/old-1/", after=6 * 3600)
    handle = await start(env, "video.retire", what)
    await asyncio.wait_for(handle.result(), PATIENCE)
    assert world.calls == [("video.erase", what)]
    events = (await handle.fetch_history()).events
    (erase,) = [each for each in events if each.HasField("activity_task_scheduled_event_attributes")]
    waited = erase.event_time.ToDatetime() - events[0].event_time.ToDatetime()
    assert timedelta(hours=6) <= waited < timedelta(hours=6, minutes=1)


async def test_delete_stops_every_encode_before_it_erases(env: WorkflowEnvironment, world: World) -> None:
    world.answers |= dict.fromkeys(["video.encode_batch", "video.encode_audio"], world.until_cancelled)
    encode = await start(env, "video.encode", encode_input())
    await begun(world, "video.encode_audio")

    def still_open(_what: Any) -> OpenEncodes:
        # One is accepted, but its workflow is not there yet; it ends by itself after a while.
        looks = world.names().count("video.mark_deleted")
        return OpenEncodes(workflow_ids=[encode.id, "video.encode-not-started"] if looks < 3 else [])

    world.answers["video.mark_deleted"] = still_open
    job = DeleteInput(job_id=uuid4(), tenant_id=7, video_id=42, file_key="tenants/7/video/raw/1/a.mp4")
    delete = await start(env, "video.delete", job)
    assert await ended(delete) == DONE
    assert await ended(encode) == "Cancelled"
    assert world.names().count("video.mark_deleted") == 3
    everything = EraseInput(prefix=hls_root(7, 42), file_key=job.file_key)
    last_look = max(i for i, name in enumerate(world.names()) if name == "video.mark_deleted")
    assert everything in [what for _, what in world.calls[last_look:]]
    assert everything not in [what for _, what in world.calls[:last_look]]
    # What an encoder that was cut off from Temporal wrote meanwhile is found later.
    await retired(env, delete)
    assert world.calls[-1] == ("video.erase", everything.model_copy(update={"after": 900}))
    cancels = [
        each
        for each in (await delete.fetch_history()).events
        if each.event_type == EventType.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED
    ]
    assert len(cancels) == 2  # each of them once


async def test_delete_without_a_source_erases_only_the_prefix(env: WorkflowEnvironment, world: World) -> None:
    job = DeleteInput(job_id=uuid4(), tenant_id=7, video_id=42, file_key="")
    delete = await start(env, "video.delete", job)
    assert await ended(delete) == DONE
    await retired(env, delete)
    assert world.asked("video.erase")[0] == EraseInput(prefix=hls_root(7, 42))


async def test_a_generic_job_is_one_activity(env: WorkflowEnvironment, world: World) -> None:
    result = JobOutcome(state=JobState.REVIEW_REQUIRED, result={"pages": 3})
    world.answers["messaging.send"] = lambda _what: result
    job = message()
    handle = await start(env, "job.run", job, "ops")
    assert await ended(handle) == result
    assert world.calls[0] == ("messaging.send", job)
    assert (world.names(), written(world)) == (["messaging.send", "jobs.finish"], [result])
    (asked, _) = [
        each.activity_task_scheduled_event_attributes
        for each in (await handle.fetch_history()).events
        if each.HasField("activity_task_scheduled_event_attributes")
    ]
    assert asked.task_queue.name == "messaging"
    assert asked.schedule_to_start_timeout.ToTimedelta() == timedelta(days=14)
    assert asked.schedule_to_close_timeout.ToTimedelta() == timedelta(days=15)


@pytest.mark.parametrize(("raised", "code"), [("SOURCE_MISSING", "SOURCE_MISSING"), ("KeyError", "INTERNAL")])
async def test_a_generic_job_fails_with_a_code_of_ours(
    env: WorkflowEnvironment, world: World, raised: str, code: str
) -> None:
    world.answers["messaging.send"] = refuse(raised)
    assert await ended(await start(env, "job.run", message(), "ops")) == code
    assert written(world) == [outcome(code)]


@pytest.mark.parametrize(("job_type", "queue"), [("ai.ocr", "ai"), ("external.exam_review", "external")])
async def test_a_generic_job_that_waits_can_be_cancelled(
    env: WorkflowEnvironment, world: World, job_type: str, queue: str
) -> None:
    handle = await start(env, "job.run", message(job_type), "ops")  # nobody polls these queues

    async def asked_for() -> bool:
        return bool((await handle.describe()).raw_description.pending_activities)

    await eventually(asked_for)
    assert not world.calls
    [asked] = [
        each.activity_task_scheduled_event_attributes
        for each in (await handle.fetch_history()).events
        if each.HasField("activity_task_scheduled_event_attributes")
    ]
    assert (asked.activity_type.name, asked.task_queue.name) == (job_type, queue)
    await handle.cancel()
    assert await ended(handle) == "Cancelled"
    assert written(world) == [outcome("CANCELLED")]


@pytest.mark.parametrize(
    ("limit", "queue", "code"),
    [("WAIT_FOR_WORKER", "ai.ocr", "NO_WORKER"), ("END_WITHIN", "messaging.send", "TIMED_OUT")],
)
async def test_a_generic_job_ends_when_nobody_works_on_it(
    env: WorkflowEnvironment,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    queue: str,
    code: str,
) -> None:
    """The server skips no time while an activity waits: the real limit is a constant, checked above."""
    monkeypatch.setattr(generic, limit, timedelta(seconds=1))
    world.answers["messaging.send"] = world.until_cancelled
    async with worker(env.client, "impatient", world, workflow_runner=UnsandboxedWorkflowRunner()):
        handle = await start(env, "job.run", message(queue), "impatient")
        assert await ended(handle) == code
    assert written(world) == [outcome(code)]
