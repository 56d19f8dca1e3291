"""What Temporal knows of a kind of worker: what waits for it, and what it has in hand."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType, WorkerStatus
from temporalio.api.taskqueue.v1 import TaskQueue as NamedQueue
from temporalio.api.worker.v1 import WorkerHeartbeat
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, ListWorkersRequest
from temporalio.client import Client

TIMEOUT = timedelta(seconds=10)
PAGE = 1000
STOPPED = (WorkerStatus.WORKER_STATUS_SHUTTING_DOWN, WorkerStatus.WORKER_STATUS_SHUTDOWN)


@dataclass(frozen=True, kw_only=True)
class Waiting:
    tasks: int  # as the server counts them: some seconds old
    oldest: timedelta


@dataclass(frozen=True, kw_only=True)
class Working:
    used: int  # slots
    free: int
    heard: frozenset[str]  # hosts
    busy: frozenset[str]


async def waiting(client: Client, queues: Sequence[str]) -> Waiting:
    """Activities that nobody has taken, of all the queues. Raises RPCError."""
    found = await asyncio.gather(*(_waiting(client, queue) for queue in queues))
    return Waiting(tasks=sum(each.tasks for each in found), oldest=max(each.oldest for each in found))


async def _waiting(client: Client, queue: str) -> Waiting:
    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=NamedQueue(name=queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
            report_stats=True,
        ),
        timeout=TIMEOUT,
    )
    stats = answer.stats
    return Waiting(tasks=stats.approximate_backlog_count, oldest=stats.approximate_backlog_age.ToTimedelta())


async def working(client: Client, queues: Sequence[str], silent: timedelta) -> Working:
    """Who polls any of the queues, but for those that have been `silent` so long: killed ones stay listed.
    One that is shutting down counts while it has a task. Raises RPCError."""
    found = await asyncio.gather(*(_heartbeats(client, queue) for queue in queues))
    return count([each for some in found for each in some], datetime.now(UTC), silent)


async def _heartbeats(client: Client, queue: str) -> list[WorkerHeartbeat]:
    found: list[WorkerHeartbeat] = []
    token = b""
    while True:
        answer = await client.workflow_service.list_workers(
            ListWorkersRequest(
                namespace=client.namespace,
                page_size=PAGE,
                next_page_token=token,
                query=f"TaskQueue = '{queue}'",
            ),
            timeout=TIMEOUT,
        )
        found += [each.worker_heartbeat for each in answer.workers_info]
        token = answer.next_page_token
        if not token:
            return found


def count(workers: Sequence[WorkerHeartbeat], now: datetime, silent: timedelta) -> Working:
    there = [
        each
        for each in workers
        if now - each.heartbeat_time.ToDatetime(UTC) <= silent
        and (each.status not in STOPPED or each.activity_task_slots_info.current_used_slots)
    ]
    slots = {id(each): each.activity_task_slots_info for each in there}
    return Working(
        used=sum(each.current_used_slots for each in slots.values()),
        free=sum(each.current_available_slots for each in slots.values()),
        heard=frozenset(each.host_info.host_name for each in there),
        busy=frozenset(each.host_info.host_name for each in there if slots[id(each)].current_used_slots),
    )
