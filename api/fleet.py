"""Who works, and what waits: as the console's page and an operator's command show it."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType, WorkerStatus
from temporalio.api.taskqueue import v1 as taskqueue
from temporalio.api.worker.v1 import WorkerHeartbeat, WorkerSlotsInfo
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, ListWorkersRequest
from temporalio.client import Client

from contracts.names import TaskQueue
from intake.submit import RPC_TIMEOUT

KINDS = {
    "workflow": TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    "activity": TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
}


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A task queue of one kind: tasks that nobody has taken, the age of the oldest, and who asks for more."""

    queue: str
    kind: str
    backlog: int
    age: timedelta
    added: float
    taken: float
    pollers: int


@dataclass(frozen=True, kw_only=True)
class Worker:
    """A worker by its own last heartbeat; slots are (used, in all), the second 0 where it tells none:
    those of workers that rest without room."""

    identity: str
    host: str
    queue: str
    status: str
    seen: datetime
    workflows: tuple[int, int]
    activities: tuple[int, int]
    done: int
    failed: int


async def waiting(client: Client, queue: str, kind: str) -> Waiting:
    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=taskqueue.TaskQueue(name=queue),
            task_queue_type=KINDS[kind],
            report_stats=True,
        ),
        timeout=RPC_TIMEOUT,
    )
    stats = answer.stats
    return Waiting(
        queue=queue,
        kind=kind,
        backlog=stats.approximate_backlog_count,
        age=stats.approximate_backlog_age.ToTimedelta(),
        added=stats.tasks_add_rate,
        taken=stats.tasks_dispatch_rate,
        pollers=len(answer.pollers),
    )


async def all_waiting(client: Client) -> list[Waiting]:
    """Of every task queue that is named (those of single builds are not), by its name."""
    asked = (waiting(client, queue, kind) for queue in sorted(TaskQueue) for kind in KINDS)
    return list(await asyncio.gather(*asked))


async def workers(client: Client) -> list[Worker]:
    """Those that beat within the time that Temporal keeps them for, by queue."""
    answer = await client.workflow_service.list_workers(
        ListWorkersRequest(namespace=client.namespace, page_size=200), timeout=RPC_TIMEOUT
    )
    beats = (each.worker_heartbeat for each in answer.workers_info)
    return sorted((_worker(beat) for beat in beats), key=lambda each: (each.queue, each.host, each.identity))


def _worker(beat: WorkerHeartbeat) -> Worker:
    return Worker(
        identity=beat.worker_identity,
        host=beat.host_info.host_name,
        queue=beat.task_queue,
        status=WorkerStatus.Name(beat.status).removeprefix("WORKER_STATUS_").lower(),
        seen=beat.heartbeat_time.ToDatetime(UTC),
        workflows=_slots(beat.workflow_task_slots_info),
        activities=_slots(beat.activity_task_slots_info),
        done=beat.activity_task_slots_info.total_processed_tasks,
        failed=beat.activity_task_slots_info.total_failed_tasks,
    )


def _slots(info: WorkerSlotsInfo) -> tuple[int, int]:
    used = info.current_used_slots
    return used, used + info.current_available_slots if info.slot_supplier_kind == "Fixed" else 0
