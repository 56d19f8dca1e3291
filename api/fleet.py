"""Who works, and what waits: as the console's page and an operator's command show it."""

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from temporalio.api.enums.v1 import TaskQueueType, WorkerStatus
from temporalio.api.taskqueue import v1 as taskqueue
from temporalio.api.worker.v1 import WorkerHeartbeat, WorkerSlotsInfo
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    ListWorkersRequest,
    UpdateTaskQueueConfigRequest,
)
from temporalio.client import Client, ScheduleDescription, ScheduleInfo, ScheduleListDescription
from temporalio.service import RPCError

from contracts.names import TaskQueue
from intake.submit import RPC_TIMEOUT

KINDS = {
    "workflow": TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    "activity": TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
}
# All but that of final states and of the reconciler, without which nothing heals.
PAUSABLE = frozenset(TaskQueue) - {TaskQueue.OPS}
IDENTITY = "operator"  # who it was stands in the audit

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A task queue of one kind: tasks that nobody has taken, the age of the oldest, and who asks for more.
    `paused`: none is handed out."""

    queue: str
    kind: str
    backlog: int
    age: timedelta
    added: float
    taken: float
    pollers: int
    paused: bool


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
            report_config=True,
        ),
        timeout=RPC_TIMEOUT,
    )
    stats, limit = answer.stats, answer.config.queue_rate_limit
    return Waiting(
        queue=queue,
        kind=kind,
        backlog=stats.approximate_backlog_count,
        age=stats.approximate_backlog_age.ToTimedelta(),
        added=stats.tasks_add_rate,
        taken=stats.tasks_dispatch_rate,
        pollers=len(answer.pollers),
        paused=limit.HasField("rate_limit") and limit.rate_limit.requests_per_second == 0,
    )


async def all_waiting(client: Client) -> list[Waiting]:
    """Of every task queue that is named (those of single builds are not), by its name."""
    asked = (waiting(client, queue, kind) for queue in sorted(TaskQueue) for kind in KINDS)
    return list(await asyncio.gather(*asked))


async def pause(client: Client, queue: TaskQueue, *, paused: bool) -> None:
    """Hand out no activity of a queue, or all as before. What is in hand goes on, and workflows do. Lectures
    that have begun go on, on the queue of their encoder's build. Raises RPCError, ValueError for `ops`."""
    if queue not in PAUSABLE:
        raise ValueError(f"{queue} is not paused")
    update = UpdateTaskQueueConfigRequest.RateLimitUpdate(reason="paused" if paused else "resumed")
    if paused:
        update.rate_limit.CopyFrom(taskqueue.RateLimit(requests_per_second=0))
    asked = UpdateTaskQueueConfigRequest(
        namespace=client.namespace,
        identity=IDENTITY,
        task_queue=queue,
        task_queue_type=KINDS["activity"],
        update_queue_rate_limit=update,
    )
    await client.workflow_service.update_task_queue_config(asked, timeout=RPC_TIMEOUT)


@dataclass(frozen=True, kw_only=True)
class Scheduled:
    """What runs by itself. `every`: None where it is not a plain interval."""

    name: str
    every: timedelta | None
    last: datetime | None
    next: datetime | None
    running: bool
    paused: bool


class ScheduleAct(StrEnum):
    """What is done with a schedule."""

    PAUSE = "pause"
    RESUME = "resume"
    RUN = "run"


async def schedules(client: Client) -> list[Scheduled]:
    """By name. One that does not answer is as the list has it, which may be late. Raises RPCError."""
    listed = [each async for each in await client.list_schedules(rpc_timeout=RPC_TIMEOUT)]
    listed.sort(key=lambda each: each.id)
    return list(await asyncio.gather(*(_scheduled(client, each) for each in listed)))


async def _scheduled(client: Client, listed: ScheduleListDescription) -> Scheduled:
    found: ScheduleDescription | ScheduleListDescription = listed
    try:
        found = await client.get_schedule_handle(listed.id).describe(rpc_timeout=RPC_TIMEOUT)
    except RPCError as error:
        log.warning("schedule %s does not answer: %s", listed.id, error.status.name)
    schedule, info = found.schedule, found.info
    intervals = schedule.spec.intervals if schedule else []
    return Scheduled(
        name=listed.id,
        every=intervals[0].every if intervals else None,
        last=max((each.started_at for each in info.recent_actions), default=None) if info else None,
        next=min(info.next_action_times, default=None) if info else None,
        running=isinstance(info, ScheduleInfo) and bool(info.running_actions),
        paused=schedule is not None and schedule.state.paused,
    )


async def act_on_schedule(client: Client, name: str, act: ScheduleAct) -> None:
    """Pause one, let it go on, or run it now. Raises RPCError: NOT_FOUND for one that is not there."""
    handle = client.get_schedule_handle(name)
    match act:
        case ScheduleAct.PAUSE:
            await handle.pause(rpc_timeout=RPC_TIMEOUT)
        case ScheduleAct.RESUME:
            await handle.unpause(rpc_timeout=RPC_TIMEOUT)
        case ScheduleAct.RUN:
            await handle.trigger(rpc_timeout=RPC_TIMEOUT)


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
