"""Temporal workers that end with the process."""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from datetime import timedelta
from typing import Any, NoReturn

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import Worker

from intake.errors import ErrorKind, classify
from workers.health import HEALTH

READY = "ready"  # supervisors wait for this line
ASK_EVERY, REFUSALS = 5.0, 2  # seconds; refusals in a row that end the process
log = logging.getLogger(__name__)


class Refused(Exception):
    """Temporal takes no worker of ours: the namespace is gone, or the credentials are."""


async def run_workers(
    workers: Sequence[Worker], stop: asyncio.Event, *beside: Coroutine[Any, Any, None]
) -> None:
    """Poll until `stop`, then take no new task and give running activities the workers' grace period. What
    runs `beside` them ends with them; an error of it ends them too, so that no half of a process lives on.

    Raises Refused, and what a worker or `beside` raises.
    """
    running = [asyncio.create_task(worker.run()) for worker in workers]
    refused = asyncio.create_task(_until_refused(workers[0].client))
    watching = [refused, *map(asyncio.create_task, beside)]
    HEALTH.started()
    log.info(READY)
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({*running, *watching, stopped}, return_when=asyncio.FIRST_COMPLETED)
    if refused.done():  # no shutdown: it waits a minute and more for polls that are refused too
        await refused
    await asyncio.gather(*(worker.shutdown() for worker in workers))
    for each in (*watching, stopped):
        each.cancel()
    for result in await asyncio.gather(*running, *watching, return_exceptions=True):
        if isinstance(result, Exception):
            raise result


async def _until_refused(client: Client) -> NoReturn:
    """The SDK repeats a poll that is refused for as long as the process lives, and says nothing: a worker
    would look well and never work again. One that ends is started anew, and says what it lacks."""
    refusals = 0
    while True:
        await asyncio.sleep(ASK_EVERY)
        try:
            await client.workflow_service.describe_namespace(
                DescribeNamespaceRequest(namespace=client.namespace), timeout=timedelta(seconds=ASK_EVERY)
            )
        except RPCError as error:
            refusals = refusals + 1 if classify(error) is ErrorKind.FATAL else 0
            HEALTH.hindered("temporal", f"namespace {client.namespace}: {error.status.name}")
            log.warning("asking for namespace %s: %s", client.namespace, error.status.name)
            if refusals == REFUSALS:
                raise Refused(f"namespace {client.namespace}: {error.status.name}") from None
        else:
            HEALTH.free("temporal")
            refusals = 0
