"""The order of every story, how each one ends, and that cancelling it comes out even."""

from typing import Any

import pytest
from temporalio.testing import WorkflowEnvironment

from contracts.errors import REASONS
from contracts.jobs import JobOutcome, JobState
from contracts.progress import Progress
from contracts.video import Begun, EncodeInput, EraseInput, hls_root, version_prefix
from tests.workflows.world import (
    CANCELLED,
    DONE,
    Gate,
    World,
    begun,
    encode_input,
    ended,
    heard,
    plan,
    refuse,
    retired,
    start,
    written,
)
from workflows.video.encode import APART

pytestmark = pytest.mark.asyncio(loop_scope="package")
ROOT = hls_root(7, 42)
REFUSED = JobOutcome(state=JobState.REJECTED_BAD_INPUT, error_code="NOT_A_VIDEO")


def prefix(job: EncodeInput, epoch: int = 1) -> str:
    return version_prefix(7, 42, job.job_id, epoch)


async def test_a_recording_of_sound_has_no_batches(env: WorkflowEnvironment, world: World) -> None:
    job = encode_input()
    world.answers["video.probe"] = lambda what: plan(what.prefix, 4).model_copy(update={"rungs": []})
    handle = await start(env, "video.encode", job)
    assert (await ended(handle)).state == JobState.DONE
    assert world.asked("video.probe")[0].sound_alone
    (publish,) = world.asked("video.publish")
    assert (publish.batches, publish.audio.key, publish.pictures.key) == ([], "audio", "pictures")
    assert world.names().count("video.encode_audio") == 1 and "video.encode_batch" not in world.names()


async def test_encode_in_order(env: WorkflowEnvironment, world: World) -> None:
    world.units, world.replaced, job = 33, f"{ROOT}old-1/", encode_input()
    handle = await start(env, "video.encode", job)
    outcome = await ended(handle)
    await begun(world, "video.erase")
    path = f"{ROOT}master.m3u8"
    result = {"hls_path": path, "duration": 33 * 8.0, "renditions": ["360p"], "pictures": True}
    assert outcome == JobOutcome(state=JobState.DONE, result=result)
    tracks = ["video.encode_batch"] * 17 + ["video.encode_audio", "video.make_pictures"]
    names = world.names()
    assert names[:2] == ["video.begin", "video.probe"]
    assert sorted(names[2:21], reverse=True) == sorted(tracks, reverse=True)
    assert names[21:24] == ["video.publish", "video.erase", "jobs.finish"]
    assert world.asked("video.probe")[0].prefix == prefix(job)
    (publish,) = world.asked("video.publish")
    # Every unit once and in order, whichever worker was the first to be ready.
    units = [(first, min(first + 1, 32)) for first in range(0, 33, 2)]
    assert [batch.key for batch in publish.batches] == [f"{first}-{last}" for first, last in units]
    assert (publish.epoch, publish.audio.key, publish.pictures.key) == (1, "audio", "pictures")
    assert written(world) == [outcome]
    shown = await handle.query("progress", result_type=Progress)
    assert (shown.step, shown.percent) == ("publish", 95)
    # The version before stays for the viewers who watch it, then goes.
    await retired(env, handle)
    assert world.asked("video.erase") == [
        EraseInput(prefix=prefix(job) + "work/"),
        EraseInput(prefix=f"{ROOT}old-1/", after=6 * 3600),
    ]


@pytest.mark.parametrize("code", ["DECODE_FAILED", "FfmpegKilled"])
async def test_a_lecture_does_without_pictures(env: WorkflowEnvironment, world: World, code: str) -> None:
    """Tried at most three times, when another try could help; the result says that they are missing."""
    world.answers["video.make_pictures"] = refuse(code, final=code == "DECODE_FAILED")
    outcome = await ended(await start(env, "video.encode", encode_input()))
    assert isinstance(outcome, JobOutcome) and outcome.state is JobState.DONE
    assert outcome.result["pictures"] is False
    assert world.names().count("video.make_pictures") == (1 if code == "DECODE_FAILED" else 3)
    (publish,) = world.asked("video.publish")
    assert publish.pictures is None


async def test_the_sound_comes_first_and_a_batch_of_long_units_is_one(
    env: WorkflowEnvironment, world: World
) -> None:
    """What one slot alone can do is not what all wait for in the end; no slot is one tenant's for long."""
    world.answers["video.probe"] = lambda what: plan(what.prefix, 0).model_copy(
        update={"unit_segments": 15, "total_frames": 33 * 1500, "host": "who has it"}
    )
    handle = await start(env, "video.encode", encode_input())
    await ended(handle)
    assert len(world.asked("video.encode_batch")) == 33
    history = await handle.fetch_history()
    asked = [
        event.activity_task_scheduled_event_attributes.activity_type.name
        for event in history.events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]
    assert asked[2:4] == ["video.encode_audio", "video.encode_batch"]
    waits = [
        event.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta() / APART
        for event in history.events
        if event.HasField("timer_started_event_attributes")
    ]
    assert waits == [*range(1, 33)]  # one behind the other, so that it can be watched from the start
    assert [name for name in world.names() if name in ("video.encode_audio", "video.make_pictures")] == [
        "video.encode_audio",
        "video.make_pictures",
    ]


async def test_a_cancel_waits_for_the_pictures(env: WorkflowEnvironment, world: World) -> None:
    world.answers["video.make_pictures"] = world.until_cancelled
    handle = await start(env, "video.encode", encode_input())
    await begun(world, "video.make_pictures")
    await handle.cancel()
    assert await ended(handle) == "Cancelled"
    names = world.names()
    assert names.index("video.make_pictures stopped") < names.index("video.erase")
    assert written(world) == [CANCELLED]


@pytest.mark.parametrize("code", ["NOT_A_VIDEO", "ENCODE_FAILED", "SOURCE_CHANGED"])
async def test_a_failing_batch_stops_the_others(env: WorkflowEnvironment, world: World, code: str) -> None:
    async def batch(what: Any) -> None:
        if what.first == 2:
            await begun(world, "video.encode_audio")
            refuse(code)(what)
        await world.until_cancelled()

    world.answers |= {"video.encode_batch": batch, "video.encode_audio": world.until_cancelled}
    job = encode_input()
    handle = await start(env, "video.encode", job)
    assert await ended(handle) == code
    names = world.names()
    assert names[-2:] == ["video.erase", "jobs.finish"]
    began = [name for name in names if name in ("video.encode_batch", "video.encode_audio")]
    stopped = [name for name in names if name.endswith("stopped")]
    assert len(stopped) == len(began) - 1 > 0 and names[-len(stopped) - 2 : -2] == stopped
    assert world.asked("video.erase") == [EraseInput(prefix=prefix(job))]
    assert written(world) == [JobOutcome(state=REASONS[code].state, error_code=code)]


async def test_cancel_while_encoding_waits_for_the_encoders(env: WorkflowEnvironment, world: World) -> None:
    world.answers |= dict.fromkeys(["video.encode_batch", "video.encode_audio"], world.until_cancelled)
    job = encode_input()
    handle = await start(env, "video.encode", job)
    await begun(world, "video.encode_audio")
    await handle.cancel()
    assert await ended(handle) == "Cancelled"
    names = world.names()
    began = [name for name in names if name in ("video.encode_batch", "video.encode_audio")]
    assert len([name for name in names if name.endswith("stopped")]) == len(began) > 0
    assert names[-2:] == ["video.erase", "jobs.finish"]
    assert world.asked("video.erase") == [EraseInput(prefix=prefix(job))]
    assert written(world) == [CANCELLED]


@pytest.mark.parametrize("late", ["video.publish", "video.erase", "jobs.finish"])
async def test_a_cancel_after_publishing_began_is_too_late(
    env: WorkflowEnvironment, world: World, late: str
) -> None:
    """Above all it must not erase the version that viewers see."""
    gate = Gate(world.usual)
    world.answers[late] = gate
    world.replaced, job = f"{ROOT}old-1/", encode_input()
    handle = await start(env, "video.encode", job)
    await begun(world, late)
    await handle.cancel()
    await heard(handle)
    gate.open.set()
    outcome = await ended(handle)
    assert isinstance(outcome, JobOutcome) and outcome.state is JobState.DONE
    assert written(world) == [outcome]
    await retired(env, handle)
    erased = [each.prefix for each in world.asked("video.erase")]
    assert erased == [prefix(job) + "work/", f"{ROOT}old-1/"]


@pytest.mark.parametrize("busy", ["video.erase", "jobs.finish"])
async def test_a_cancel_while_cleaning_up_changes_nothing(
    env: WorkflowEnvironment, world: World, busy: str
) -> None:
    gate = Gate(world.usual)
    world.answers |= {"video.probe": refuse("NOT_A_VIDEO"), busy: gate}
    handle = await start(env, "video.encode", encode_input())
    await begun(world, busy)
    await handle.cancel()
    await heard(handle)
    gate.open.set()
    assert await ended(handle) == "NOT_A_VIDEO"
    assert world.names()[-2:] == ["video.erase", "jobs.finish"]
    assert written(world) == [REFUSED]


async def test_a_changed_encoder_starts_again(env: WorkflowEnvironment, world: World) -> None:
    def batch(what: Any) -> Any:
        if world.names().count("video.begin") == 1:
            refuse("EncoderChanged")(what)
        return world.usual(what)

    world.answers["video.encode_batch"] = batch
    job = encode_input()
    handle = await start(env, "video.encode", job)
    outcome = await ended(handle)
    assert isinstance(outcome, JobOutcome) and outcome.state is JobState.DONE
    assert [each.prefix for each in world.asked("video.erase")] == [prefix(job), prefix(job, 2) + "work/"]
    (publish,) = world.asked("video.publish")
    assert (publish.epoch, publish.plan.prefix) == (2, prefix(job, 2))


async def test_an_encoder_that_keeps_changing_fails_no_lecture(
    env: WorkflowEnvironment, world: World
) -> None:
    """A fleet takes its time to change, and may change again."""

    def batch(what: Any) -> Any:
        if world.names().count("video.begin") < 6:
            refuse("EncoderChanged")(what)
        return world.usual(what)

    world.answers["video.encode_batch"] = batch
    job = encode_input()
    outcome = await ended(await start(env, "video.encode", job))
    assert isinstance(outcome, JobOutcome) and outcome.state is JobState.DONE
    erased = [each.prefix for each in world.asked("video.erase")]
    assert erased == [*(prefix(job, n) for n in range(1, 6)), prefix(job, 6) + "work/"]


async def test_nothing_is_probed_for_a_video_that_is_gone(env: WorkflowEnvironment, world: World) -> None:
    gone = JobOutcome(state=JobState.CANCELLED, error_code="VIDEO_DELETED")
    world.answers["video.begin"] = lambda _what: Begun(epoch=1, ended=gone)
    assert await ended(await start(env, "video.encode", encode_input())) == "VIDEO_DELETED"
    assert world.names() == ["video.begin", "jobs.finish"]


@pytest.mark.parametrize(
    ("standing", "end"), [(DONE, DONE), (REFUSED, "NOT_A_VIDEO"), (CANCELLED, "CANCELLED")], ids=str
)
async def test_the_workflow_ends_as_the_database_says(
    env: WorkflowEnvironment, world: World, standing: JobOutcome, end: JobOutcome | str
) -> None:
    """The first final state wins, also against this workflow, whose version viewers may be watching."""
    world.answers["jobs.finish"] = lambda _what: standing
    job = encode_input()
    assert await ended(await start(env, "video.encode", job)) == end
    assert world.names().count("jobs.finish") == 1
    assert [each.prefix for each in world.asked("video.erase")] == [prefix(job) + "work/"]
