"""The order of an AI job, seen by the activities that it asks for."""

from uuid import uuid4

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from contracts.ai import AiInput, AiPlan
from contracts.errors import FILE_DAMAGED
from contracts.jobs import JobOutcome, JobRef, JobState
from tests.workflows.world import World, refuse, start

pytestmark = pytest.mark.asyncio(loop_scope="package")


def job() -> AiInput:
    """Premium: of the two queues the world works on that one."""
    return AiInput(job=JobRef(job_id=uuid4(), job_type="ai.ocr", tenant_id=7), tier="premium")


async def test_units_in_batches_then_assembled_then_told(env: WorkflowEnvironment, world: World) -> None:
    await (await start(env, "ai.job", job(), "ops")).result()
    ranges = sorted((each.first, each.last) for each in world.asked("ai.run_units"))
    assert ranges == [(0, 19), (20, 29)]
    assert world.names()[-3:] == ["ai.assemble", "jobs.finish", "ai.deliver"]


async def test_more_than_five_hundred_units_go_on_as_new(env: WorkflowEnvironment, world: World) -> None:
    world.answers["ai.plan"] = lambda _: AiPlan(units=510, prefix="tenants/7/ai/work/x/")
    handle = await start(env, "ai.job", job(), "ops")
    await handle.result()
    units = [n for each in world.asked("ai.run_units") for n in range(each.first, each.last + 1)]
    assert sorted(units) == list(range(510))
    assert world.names().count("ai.plan") == 1, "what was planned stands"


async def test_a_refused_file_ends_with_its_reason_and_is_told(
    env: WorkflowEnvironment, world: World
) -> None:
    refusal = JobOutcome(state=JobState.REJECTED_BAD_INPUT, error_code=FILE_DAMAGED)
    world.answers["ai.plan"] = lambda _: AiPlan(refusal=refusal)
    with pytest.raises(WorkflowFailureError) as failure:
        await (await start(env, "ai.job", job(), "ops")).result()
    assert isinstance(failure.value.cause, ApplicationError)
    assert failure.value.cause.type == FILE_DAMAGED
    assert world.names() == ["ai.plan", "jobs.finish", "ai.deliver"]


async def test_who_cannot_be_told_changes_nothing(env: WorkflowEnvironment, world: World) -> None:
    def unreachable(_what: object) -> None:
        raise ApplicationError("nobody takes it", type="Gone", non_retryable=True)

    world.answers["ai.deliver"] = unreachable
    await (await start(env, "ai.job", job(), "ops")).result()
    (finished,) = world.asked("jobs.finish")
    assert finished.outcome.state == JobState.DONE


async def test_a_job_waits_for_its_model_server_and_what_holds_people_is_erased(
    env: WorkflowEnvironment, world: World
) -> None:
    world.answers["ai.plan"] = lambda _: AiPlan(units=1, prefix="x", lacks_model=True, erase=True)
    await (await start(env, "ai.job", job(), "ops")).result()
    steps = ["ai.plan", "ai.run_units", "ai.require_model", "ai.assemble"]
    assert world.names() == [*steps, "jobs.finish", *world.names()[-2:]]
    assert {"ai.erase", "ai.deliver"} == set(world.names()[-2:])


async def test_what_holds_people_is_erased_after_a_failure_too(
    env: WorkflowEnvironment, world: World
) -> None:
    world.answers["ai.plan"] = lambda _: AiPlan(units=1, prefix="x", erase=True)
    world.answers["ai.run_units"] = refuse("INTERNAL")
    with pytest.raises(WorkflowFailureError):
        await (await start(env, "ai.job", job(), "ops")).result()
    assert {"ai.erase", "ai.deliver"} == set(world.names()[-2:])
