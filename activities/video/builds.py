"""Which encoder builds there are, and whose work a lecture is. Every worker also polls a task queue that is
named after its build: whoever wants to know asks who polls that."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

from temporalio import activity
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from contracts.errors import ErrorType
from contracts.names import queue_of_build

GONE_AFTER = timedelta(minutes=3)  # without a poll, which lasts a minute and is followed by the next one
ASK_AGAIN = 15.0  # seconds
PATIENCE = timedelta(seconds=5)
PASS_ON = timedelta(seconds=1)
ELSEWHERE = timedelta(seconds=5)
ASKED_OF_OTHERS = 24  # two minutes find the host that has the source, or it has gone, or has much to do


class Builds:
    def __init__(self, client: Client) -> None:
        self._client = client
        self._asked: dict[str, tuple[float, bool]] = {}

    async def lives(self, encoder: str) -> bool:
        """Whether a worker of this build has polled lately. Raises RPCError."""
        at, answer = self._asked.get(encoder, (-ASK_AGAIN, False))
        if time.monotonic() - at < ASK_AGAIN:
            return answer
        about = await self._client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=self._client.namespace,
                task_queue=TaskQueue(name=queue_of_build(encoder)),
                task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
            ),
            timeout=PATIENCE,
        )
        since = datetime.now(UTC) - GONE_AFTER
        answer = any(poller.last_access_time.ToDatetime(UTC) > since for poller in about.pollers)
        self._asked[encoder] = time.monotonic(), answer
        return answer

    async def require(self, encoder: str, own: str) -> None:
        """Segments of two builds do not belong in one rendition. While workers of the other build live, the
        work is theirs; when they have gone, the lecture is encoded anew."""
        if encoder == own:
            return
        lives = await self.lives(encoder)
        if lives:
            # Keeps the slot for a moment, so that an idle host does not pass a queue's work round and round.
            await asyncio.sleep(PASS_ON.total_seconds())
        raise ApplicationError(
            f"the lecture was begun with encoder {encoder}, this worker has {own}",
            type=ErrorType.OTHER_ENCODER if lives else ErrorType.ENCODER_CHANGED,
            non_retryable=not lives,
            next_retry_delay=PASS_ON,
        )


async def leave_to_its_host(host: str, own: str, tries: int = ASKED_OF_OTHERS) -> None:
    """What needs all of a source is better done where that lies: so many tries are left to that host."""
    if host in ("", own) or activity.info().attempt > tries:
        return
    raise ApplicationError(
        "the source lies on another host",
        type=ErrorType.SOURCE_ELSEWHERE,
        category=ApplicationErrorCategory.BENIGN,
        next_retry_delay=ELSEWHERE,
    )
