"""What runs on a schedule, kept there by who works on it."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress

from temporalio.client import Client, Schedule, ScheduleAlreadyRunningError
from temporalio.service import RPCError

LOOK_EVERY = 60.0  # seconds

log = logging.getLogger(__name__)


async def make_schedules(client: Client, schedules: Mapping[str, Schedule]) -> None:
    """Make those that are not there. One that operators have paused or changed stays as it is."""
    for name, schedule in schedules.items():
        try:
            await client.create_schedule(name, schedule)
        except ScheduleAlreadyRunningError:
            continue
        log.info("schedule %s was made", name)


async def keep_schedules(
    client: Client, schedules: Mapping[str, Schedule], stop: asyncio.Event, every: float = LOOK_EVERY
) -> None:
    """Look after them until `stop`: a Temporal whose database was lost or restored has none, and without the
    reconciler nothing else of it heals."""
    while not stop.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(every):
                await stop.wait()
        try:
            await make_schedules(client, schedules)
        except RPCError as error:
            log.warning("schedules cannot be looked after: %s", error.status.name)
