"""Is the server fair? With fairness off it takes weights and ignores them, without a word."""

import asyncio
import logging
from datetime import timedelta
from uuid import uuid4

from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import PollActivityTaskQueueRequest
from temporalio.client import Client
from temporalio.common import Priority
from temporalio.service import RPCError

log = logging.getLogger(__name__)

EACH = 24
WEIGHT = 3.0
ENOUGH = 0.6  # of the first turns for the heavy key, which came later; fair are 0.75
SECONDS = 30  # for one try; a busy server gets another, and twice the time
EXPIRE = timedelta(minutes=10)  # tasks of tries that were given up
AGAIN = 1.0
TRIES = 3  # a server that was busy may have read the backlog before the heavy key came


class FairnessOff(Exception):
    """Says what to set on the server."""


async def require_fairness(client: Client, seconds: float = SECONDS) -> None:
    """Raises FairnessOff unless the tasks of a heavy key overtake a backlog of a light one, as they should.

    There is no question that the server answers about this, so it is tried, on a queue of nobody else, until
    it can be told: a server that is slow or away is neither fair nor unfair.
    """
    unfair = 0
    while True:
        try:
            async with asyncio.timeout(seconds):
                return await _try(client)
        except FairnessOff:
            unfair += 1
            if unfair == TRIES:
                raise
        except (TimeoutError, RPCError) as error:
            seconds *= 2
            log.warning(
                "whether Temporal is fair cannot be told yet, trying again: %s", error or "it is slow"
            )
            await asyncio.sleep(AGAIN)


async def _try(client: Client) -> None:
    queue = f"fairness-probe-{uuid4()}"

    async def add(n: int, key: str, weight: float) -> None:
        await client.start_activity(
            key,
            id=f"{queue}-{key}-{n}",
            task_queue=queue,
            schedule_to_close_timeout=EXPIRE,
            priority=Priority(fairness_key=key, fairness_weight=weight),
        )

    for key, weight in (("light", 1.0), ("heavy", WEIGHT)):
        await asyncio.gather(*(add(n, key, weight) for n in range(EACH)))
    first = [await _next(client, queue) for _ in range(EACH)]
    if first.count("heavy") < ENOUGH * EACH:
        raise FairnessOff(
            "Temporal ignores fairness: set matching.enableFairness: true, and one read and one write "
            "partition for the task queues ai and ai-gpu, in the server's dynamic configuration"
        )


async def _next(client: Client, queue: str) -> str:
    request = PollActivityTaskQueueRequest(
        namespace=client.namespace, task_queue=TaskQueue(name=queue), identity="fairness-probe"
    )
    while not (answer := await client.workflow_service.poll_activity_task_queue(request)).task_token:
        continue  # a long poll's empty answer
    return str(answer.activity_type.name)
