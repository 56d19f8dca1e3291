"""The fleet: what waits on which queue, who works, and how much was done. For operators."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError
from fastapi import APIRouter, Request
from starlette.responses import Response
from temporalio.api.enums.v1 import TaskQueueType, WorkerStatus
from temporalio.api.taskqueue import v1 as taskqueue
from temporalio.api.worker.v1 import WorkerHeartbeat, WorkerSlotsInfo
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, ListWorkersRequest
from temporalio.client import Client
from temporalio.service import RPCError

from api.console.dead_letters import queues
from api.console.pages import Operator, ServerAway, page, signed_in
from api.routing import first
from api.services import UseServices
from api.standing import standing
from clients.database import listings
from contracts.names import TaskQueue
from intake.submit import RPC_TIMEOUT
from rules.quiet_hours import KST

router = APIRouter(route_class=first(signed_in))
STEPS, STEP = 48, timedelta(minutes=30)
WIDTH, HEIGHT, BASE = 960, 180, 150
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


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A step of the plot, in its coordinates."""

    x: float
    y: float
    height: float
    failed_height: float
    title: str
    label: str | None


@router.get("/fleet")
async def fleet(request: Request, services: UseServices, _staff: Operator) -> Response:
    try:
        waiting, workers, now = await asyncio.gather(
            asyncio.gather(
                *(_waiting(services.temporal, queue, kind) for queue in sorted(TaskQueue) for kind in KINDS)
            ),
            _workers(services.temporal),
            standing(services.engine, services.temporal),
        )
    except (RPCError, RuntimeError):
        raise ServerAway("temporal") from None
    try:
        opened = await asyncio.to_thread(queues, services.settings)
        depths = await asyncio.gather(*(asyncio.to_thread(queue.depth) for queue in opened.values()))
    except (BotoCoreError, ClientError):
        raise ServerAway("queues") from None
    until = _next_step()
    async with services.engine.connect() as connection:
        done = await listings.throughput(connection, until - STEPS * STEP, STEP)
    return page(
        request,
        "fleet.html",
        standing=now,
        waiting=[each for each in waiting if each.backlog or each.pollers or each.kind == "activity"],
        workers=workers,
        sources=dict(zip(opened, depths, strict=True)),
        bars=bars(done, until),
        most=max((all_ for all_, _ in done.values()), default=0),
        total=sum(all_ for all_, _ in done.values()),
        failed=sum(some for _, some in done.values()),
    )


async def _waiting(client: Client, queue: str, kind: str) -> Waiting:
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


async def _workers(client: Client) -> list[Worker]:
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


def bars(done: dict[datetime, tuple[int, int]], until: datetime) -> list[Bar]:
    """The plot's bars, oldest first; the tallest fills its height."""
    most = max((all_ for all_, _ in done.values()), default=1)
    made = []
    for index in range(STEPS):
        start = until - (STEPS - index) * STEP
        all_, failed = done.get(start, (0, 0))
        here = start.astimezone(KST)
        height = all_ / most * (BASE - 10)
        made.append(
            Bar(
                x=round(index * WIDTH / STEPS + 2, 1),
                y=round(BASE - height, 1),
                height=round(height, 1),
                failed_height=round(failed / most * (BASE - 10), 1),
                title=f"{here:%H:%M} · {all_} ({failed})",
                label=f"{here:%H:%M}" if here.minute == 0 and here.hour % 3 == 0 else None,
            )
        )
    return made


def _next_step() -> datetime:
    seconds = STEP.total_seconds()
    return datetime.fromtimestamp((time.time() // seconds + 1) * seconds, UTC)
