"""What runs on a schedule is there again when Temporal has lost it."""

import asyncio
from dataclasses import replace

from temporalio.client import ScheduleSpec
from temporalio.service import RPCError, RPCStatusCode

from tests.lab import Lab, eventually
from workers import messaging, ops
from workers.schedules import keep_schedules, make_schedules

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
