"""A cancel is kept, whatever the activity that should have heard of it answers."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from temporalio.testing import WorkflowEnvironment

from contracts.ai import AiInput, AiPlan
from contracts.jobs import JobOutcome, JobRef, JobState
from tests.references import REFERENCES
from tests.workflows.world import (
    ANSWERS,
    CANCELLED,
    Gate,
    World,
    begun,
    encode_input,
    ended,
    heard,
    refuse,
    start,
    trim_input,
    worker,
    written,
)

pytestmark = pytest.mark.asyncio(loop_scope="package")
STEPS = ["ai.plan", "ai.require_model", "ai.run_units", "video.encode_batch", "video.make_pictures"]
STEPS += ["video.encode_audio", "video.probe", "video.cut"]
LAST = {"ai.assemble", "ai.call", "ai.import_roster", "video.download"}  # what they have done stands


def of(step: str) -> tuple[str, Any, str]:
    """The workflow that asks for it."""
    if step == "video.cut":
        return "video.trim", trim_input(), "video-light"
    if step == "video.download":
        return "job.run", JobRef(job_id=uuid4(), job_type=step, tenant_id=7), "ops"
    if step.startswith("video."):
        return "video.encode", encode_input(), "video-light"
    job_type = "ai.excel_parsing" if step == "ai.import_roster" else "ai.ocr"
    job = JobRef(job_id=uuid4(), job_type=job_type, tenant_id=7)
    return "ai.job", AiInput(job=job, tier="premium"), "ops"


def usual(world: World, step: str) -> Callable[[Any], Any]:
    if step == "ai.plan":
        return lambda _what: AiPlan(units=1, prefix="tenants/7/ai/work/x/", lacks_model=True)
    return lambda what: ANSWERS[step] if step in ANSWERS else world.usual(what)


async def cancelled_in(
    env: WorkflowEnvironment, world: World, step: str, answer: Callable[[Any], Any]
) -> JobOutcome | str:
    """The end of a workflow that is cancelled in a step which does not hear of it, and answers afterwards."""
    world.answers[step] = gate = Gate(answer)
    handle = await start(env, *of(step))
    await begun(world, step)
    await handle.cancel()
    await heard(handle)
    gate.open.set()
    return await ended(handle)


async def test_all_that_a_cancel_waits_for_are_here() -> None:
    assert {each.name for each in REFERENCES if each.awaits_cancel} == {*STEPS, *LAST, "ai.erase"}


@pytest.mark.parametrize(
    ("step", "how"),
    [*((step, how) for step in STEPS for how in ("answers", "fails")), ("video.probe", "refuses")],
)
async def test_a_step_that_did_not_hear_of_it(
    env: WorkflowEnvironment, world: World, step: str, how: str
) -> None:
    """It is done before its next heartbeat, its worker goes down, or it finds a fault of the file."""
    end = {
        "answers": usual(world, step),
        "fails": refuse("Down", final=False),
        "refuses": refuse("NOT_A_VIDEO"),
    }
    world.answers["ai.plan"] = usual(world, "ai.plan")
    assert await cancelled_in(env, world, step, end[how]) == "Cancelled"
    assert written(world) == [CANCELLED]


@pytest.mark.parametrize("step", sorted(LAST))
async def test_what_was_done_to_its_end_stands(env: WorkflowEnvironment, world: World, step: str) -> None:
    """Students that were stored are not called "cancelled"."""
    done = JobOutcome(state=JobState.DONE, result={"new": 3})
    world.answers["ai.plan"] = lambda _what: AiPlan(units=step == "ai.assemble", prefix="x")
    async with worker(env.client, "ai", world):  # rosters are for no GPU
        assert await cancelled_in(env, world, step, lambda _what: done) == done
    assert written(world) == [done]
