"""What runs on a schedule is there again when Temporal has lost it."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from temporalio import workflow
from temporalio.client import Schedule, ScheduleActionStartWorkflow, ScheduleIntervalSpec, ScheduleSpec
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from tests.lab import Lab, eventually
from workers import messaging, ops
from workers.schedules import KEPT, forget_ended, keep_schedules, make_schedules

OURS = {f"test-{name}": each for name, each in (ops.SCHEDULES | messaging.SCHEDULES).items()}


async def test_a_lost_schedule_is_made_again_and_a_paused_one_stays_paused(lab: Lab) -> None:
    never = {
        name: replace(each, spec=ScheduleSpec()) for name, each in OURS.items()
    }  # they only have to be there
    lost, *_, paused = map(lab.temporal.get_schedule_handle, never)
    await make_schedules(lab.temporal, never)
    await paused.pause()
    stop = asyncio.Event()
    keeping = asyncio.create_task(keep_schedules(lab.temporal, never, stop, every=0.2))
    await lost.delete()

    async def back() -> bool:
        try:
            await lost.describe()
        except RPCError as error:
            assert error.status is RPCStatusCode.NOT_FOUND
            return False
        return True

    await eventually(back)
    assert (await paused.describe()).schedule.state.paused
    stop.set()
    await keeping
    for name in never:
        await lab.temporal.get_schedule_handle(name).delete()


@workflow.defn(name="test.often")
class Often:
    @workflow.run
    async def run(self, well: bool) -> None:
        if not well:
            raise ApplicationError("no")


@pytest.mark.slow
async def test_runs_that_ended_well_do_not_fill_the_list_of_jobs(lab: Lab) -> None:
    """The newest stay, since they say when it last ran; so does what ended badly, and what runs seldom."""
    queue = f"often-{uuid4()}"
    action = ScheduleActionStartWorkflow("test.often", id="often", task_queue=queue)

    def every(interval: timedelta) -> Schedule:
        return Schedule(action=action, spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=interval)]))

    async def there() -> Counter[str]:
        found = lab.temporal.list_workflows("WorkflowType = 'test.often'")
        return Counter([each.status.name if each.status else "" async for each in found])

    begun: list[str] = []
    runner = UnsandboxedWorkflowRunner()
    async with Worker(lab.temporal, task_queue=queue, workflows=[Often], workflow_runner=runner):
        for number, well in enumerate((False, True, True, True, True, True)):
            name = f"{queue}-{number}"
            run = await lab.temporal.start_workflow(Often.run, well, id=name, task_queue=queue)
            await asyncio.wait([asyncio.ensure_future(run.result())])
            begun.append(name)
    ran = {"COMPLETED": 5, "FAILED": 1}
    await eventually(lambda: _is(there, ran))
    await forget_ended(lab.temporal, every(timedelta(hours=1)))
    assert await there() == ran
    await forget_ended(lab.temporal, every(timedelta(minutes=1)))
    await eventually(lambda: _is(there, {"COMPLETED": KEPT, "FAILED": 1}))
    left = {each.id async for each in lab.temporal.list_workflows("WorkflowType = 'test.often'")}
    assert left == {begun[0], *begun[-KEPT:]}
    await forget_ended(lab.temporal, every(timedelta(minutes=1)))  # another process was first


async def _is(there: Callable[[], Awaitable[Counter[str]]], wanted: dict[str, int]) -> bool:
    return await there() == wanted
