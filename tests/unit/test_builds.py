"""Whether workers of an encoder build live: who polls the queue of that name, and how lately."""

from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import pytest
from temporalio.api.taskqueue.v1 import PollerInfo
from temporalio.api.workflowservice.v1 import DescribeTaskQueueResponse

from activities.video.builds import Builds


def polled(*ages: float) -> Any:
    """A Temporal client that says how many seconds ago each of some pollers asked."""
    answer = DescribeTaskQueueResponse()
    for age in ages:
        poller = PollerInfo()
        poller.last_access_time.FromDatetime(datetime.now(UTC) - timedelta(seconds=age))
        answer.pollers.append(poller)
    client = MagicMock(namespace="default")
    client.workflow_service.describe_task_queue = AsyncMock(return_value=answer)
    return client


@pytest.mark.parametrize(("ages", "lives"), [((), False), ((240.0,), False), ((240.0, 70.0), True)])
async def test_who_has_polled_lately_lives(ages: tuple[float, ...], lives: bool) -> None:
    client = polled(*ages)
    builds = Builds(client)
    assert await builds.lives("build") is lives
    assert await builds.lives("build") is lives
    assert client.workflow_service.describe_task_queue.await_count == 1, "many batches ask at once"
