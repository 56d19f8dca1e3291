"""Trim: what goes when, and that a trim which does not come to its end leaves nothing but what was shown."""

import asyncio
from uuid import uuid4

import pytest
from temporalio.testing import WorkflowEnvironment

from contracts.jobs import JobOutcome, JobState
from contracts.trim import CutPublished, PublishCutInput, TrimBegun, TrimInput
from contracts.video import Damage, DamageKind, hls_root, version_prefix
from tests.lab import PATIENCE
from tests.workflows.world import World, begun, ended, refuse, retired, start, trim_input, written

pytestmark = pytest.mark.asyncio(loop_scope="package")
ROOT = hls_root(7, 42)


def prefix(job: TrimInput) -> str:
    return version_prefix(7, 42, job.job_id, 1)


async def test_a_part_is_published_and_what_it_replaced_is_retired(
    env: WorkflowEnvironment, world: World
) -> None:
    job, captions = trim_input(), uuid4().hex
    told = [f"{ROOT}captions/{captions}/"]
    world.answers["video.publish_cut"] = lambda what: world.shown(what).model_copy(update={"retired": told})
    handle = await start(env, "video.trim", job)
    outcome = await ended(handle)
    assert isinstance(outcome, JobOutcome) and outcome.state is JobState.DONE
    assert written(world) == [outcome]
    assert outcome.result["part"] == {"start": 1.0, "end": 9.0, "of": "old-1"}
    names = ["video.begin_trim", "video.cut", "video.publish_cut", "video.erase", "jobs.finish"]
    assert world.names()[:5] == names
    assert world.asked("video.erase")[0].prefix == prefix(job) + "work/"
    await retired(env, handle)
    later = env.client.get_workflow_handle(f"video.retire-captions-{captions}")
    await asyncio.wait_for(later.result(), PATIENCE)
    gone = [(each.prefix, each.after) for each in world.asked("video.erase")[1:]]
    assert sorted(gone) == sorted([(f"{ROOT}old-1/", 6 * 3600), (told[0], 6 * 3600)])


@pytest.mark.parametrize("step", ["video.cut", "video.publish_cut"])
async def test_a_trim_that_fails_leaves_what_is_shown(
    env: WorkflowEnvironment, world: World, step: str
) -> None:
    world.answers[step] = refuse("VERSION_CHANGED")
    job = trim_input()
    assert await ended(await start(env, "video.trim", job)) == "VERSION_CHANGED"
    assert [each.prefix for each in world.asked("video.erase")] == [prefix(job)]


async def test_a_trim_that_may_not_begin_erases_nothing(env: WorkflowEnvironment, world: World) -> None:
    busy = JobOutcome(state=JobState.REJECTED_BAD_INPUT, error_code="LECTURE_BUSY")
    world.answers["video.begin_trim"] = lambda _: TrimBegun(epoch=1, ended=busy)
    assert await ended(await start(env, "video.trim", trim_input())) == "LECTURE_BUSY"
    assert world.names() == ["video.begin_trim", "jobs.finish"]


async def test_a_cancelled_trim_stops_before_it_cleans_up(env: WorkflowEnvironment, world: World) -> None:
    world.answers["video.cut"] = world.until_cancelled
    job = trim_input()
    handle = await start(env, "video.trim", job)
    await begun(world, "video.cut")
    await handle.cancel()
    assert await ended(handle) == "Cancelled"
    assert world.names()[1:4] == ["video.cut", "video.cut stopped", "video.erase"]
    assert [each.prefix for each in world.asked("video.erase")] == [prefix(job)]


async def test_what_is_not_as_it_was_asked_for_is_for_a_person(
    env: WorkflowEnvironment, world: World
) -> None:
    def wider(what: object) -> object:
        return world.usual(what).model_copy(update={"inexact": "source_gone"})

    def damaged(what: PublishCutInput) -> CutPublished:
        shown = world.shown(what)
        damage = Damage(what=DamageKind.SOUND_MISSING, start=1.0, end=3.0)
        published = shown.published.model_copy(update={"damage": [damage]})
        return shown.model_copy(update={"published": published})

    world.answers |= {"video.cut": wider, "video.publish_cut": damaged}
    handle = await start(env, "video.trim", trim_input())
    outcome = await ended(handle)
    await retired(env, handle)
    assert isinstance(outcome, JobOutcome) and outcome.state is JobState.REVIEW_REQUIRED
    assert outcome.result["warnings"] == ["cut_at_segments"]
    assert outcome.result["review"] == [
        "part: 1.000 to 9.000 s, as its source is not there any more",
        "sound missing: 1.0 to 3.0 s",
    ]
    assert ROOT in outcome.result["hls_path"]
