"""The fleet: what waits on which queue, who works, what runs by itself, and how much was done. For operators,
who pause and resume queues and schedules here."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

from botocore.exceptions import BotoCoreError, ClientError
from fastapi import APIRouter, Form, HTTPException, Request
from starlette.responses import RedirectResponse, Response
from temporalio.service import RPCError, RPCStatusCode

from api import fleet as servers
from api.auth import audit
from api.console.dead_letters import queues
from api.console.pages import Operator, ServerAway, page, signed_in
from api.fleet import ScheduleAct
from api.routing import first
from api.services import UseServices
from api.standing import standing
from clients.database import listings
from contracts.names import TaskQueue
from rules.quiet_hours import KST

router = APIRouter(route_class=first(signed_in))
STEPS, STEP = 48, timedelta(minutes=30)
WIDTH, HEIGHT, BASE = 960, 180, 150


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
        waiting, workers, schedules, now = await asyncio.gather(
            servers.all_waiting(services.temporal),
            servers.workers(services.temporal),
            servers.schedules(services.temporal),
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
        schedules=schedules,
        pausable=servers.PAUSABLE,
        sources=dict(zip(opened, depths, strict=True)),
        bars=bars(done, until),
        most=max((all_ for all_, _ in done.values()), default=0),
        total=sum(all_ for all_, _ in done.values()),
        failed=sum(some for _, some in done.values()),
    )


@router.post("/fleet/queues")
async def pause_queue(
    request: Request,
    services: UseServices,
    _staff: Operator,
    queue: Annotated[TaskQueue, Form()],
    paused: Annotated[bool, Form()],
) -> Response:
    """Hand out no task of a queue, or all of them again."""
    if queue not in servers.PAUSABLE:
        raise HTTPException(404)
    audit.about(request, queue=queue, act="pause" if paused else "resume")
    try:
        await servers.pause(services.temporal, queue, paused=paused)
    except (RPCError, RuntimeError):
        raise ServerAway("temporal") from None
    return RedirectResponse("/console/fleet#queues", 303)


@router.post("/fleet/schedules")
async def act_on_schedule(
    request: Request,
    services: UseServices,
    _staff: Operator,
    schedule: Annotated[str, Form(pattern="^[a-z-]{1,40}$")],
    act: Annotated[ScheduleAct, Form()],
) -> Response:
    """Pause one of what runs by itself, let it go on, or run it now."""
    audit.about(request, schedule=schedule, act=act)
    try:
        await servers.act_on_schedule(services.temporal, schedule, act)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise HTTPException(404) from None
        raise ServerAway("temporal") from None
    except RuntimeError:
        raise ServerAway("temporal") from None
    return RedirectResponse("/console/fleet#schedules", 303)


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
