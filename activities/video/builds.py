"""Which encoder builds there are. Every worker also polls a task queue that is named after its build: whoever
wants to know asks who polls that."""

import time
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from contracts.names import queue_of_build

GONE_AFTER = timedelta(minutes=3)  # without a poll, which lasts a minute and is followed by the next one
ASK_AGAIN = 15.0  # seconds
PATIENCE = timedelta(seconds=5)


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
