"""Temporal workers that end with the process."""

import asyncio
import logging
from collections.abc import Sequence

from temporalio.worker import Worker

READY = "ready"  # supervisors wait for this line
log = logging.getLogger(__name__)


async def run_workers(workers: Sequence[Worker], stop: asyncio.Event) -> None:
    """Poll until `stop`, then take no new task and give running activities the workers' grace period."""
    running = [asyncio.create_task(worker.run()) for worker in workers]
    log.info(READY)
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({*running, stopped}, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.gather(*(worker.shutdown() for worker in workers))
    await asyncio.gather(*running)
