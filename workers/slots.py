"""A worker without room takes no work, and says so."""

import asyncio
import logging
from collections.abc import Callable

from temporalio.worker import (
    CustomSlotSupplier,
    FixedSizeSlotSupplier,
    SlotMarkUsedContext,
    SlotPermit,
    SlotReleaseContext,
    SlotReserveContext,
    WorkerTuner,
)

from activities.host.threads import in_thread
from activities.host.trouble import HostTrouble
from workers.health import HEALTH

LOOK_AGAIN = 2.0  # seconds
OTHER_SLOTS = 100  # of tasks that need no disk; the SDK's own number

log = logging.getLogger(__name__)


def slots_with_room(count: int, require_room: Callable[[], None]) -> WorkerTuner:
    """`count` slots for activities, which ask for tasks only while `require_room` raises no HostTrouble."""
    other = FixedSizeSlotSupplier(OTHER_SLOTS)
    return WorkerTuner.create_composite(
        workflow_supplier=other,
        activity_supplier=_Slots(count, require_room),
        local_activity_supplier=other,
        nexus_supplier=other,
    )


class _Slots(CustomSlotSupplier):
    def __init__(self, count: int, require_room: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._free = asyncio.Semaphore(count)
        self._require_room = require_room
        self._resting = False

    async def reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit:
        await self._free.acquire()
        try:
            while not await self._has_room(ctx.task_queue):  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(LOOK_AGAIN)
        except BaseException:
            self._free.release()
            raise
        return SlotPermit()

    def try_reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit | None:
        return None  # for tasks that need no poll: nobody has looked at the disk

    def mark_slot_used(self, ctx: SlotMarkUsedContext) -> None: ...

    def release_slot(self, ctx: SlotReleaseContext) -> None:
        self._loop.call_soon_threadsafe(self._free.release)

    async def _has_room(self, queue: str) -> bool:
        try:
            await in_thread(self._require_room)
        except HostTrouble as trouble:
            if not self._resting:
                log.error("no task of %s is taken: %s", queue, trouble)
            HEALTH.hindered(queue, f"no task is taken: {trouble}")
            self._resting = True
            return False
        HEALTH.free(queue)
        if self._resting:
            log.info("tasks of %s are taken again", queue)
        self._resting = False
        return True
