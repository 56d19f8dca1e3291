"""`academy queue`, `academy worker`, `academy schedule`: what waits, who works, what runs by itself."""

import asyncio
from dataclasses import asdict
from typing import Annotated

import typer
from temporalio.service import RPCError, RPCStatusCode

from academy.shared import OPERATOR, Json, Row, checked, connected, group, run, say, show_each
from api import fleet
from clients.database.engine import opened
from clients.depths import Depths
from clients.operators import NOBODY, Command, Operator, acting
from clients.settings import Settings, load
from contracts.names import TaskQueue

queue = group("Queues: of producers' messages, and of tasks.")
worker = group("Workers, by their last heartbeats.")
schedule = group("What runs by itself.")


def _pausable(name: str) -> TaskQueue:
    if name not in fleet.PAUSABLE:
        raise ValueError(f"one of {', '.join(sorted(fleet.PAUSABLE))}")
    return TaskQueue(name)


Queue = Annotated[
    TaskQueue, typer.Argument(parser=checked(_pausable), metavar="QUEUE", help="As in `academy queue tasks`.")
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="As in `academy schedule list`.")]


def depths(settings: Settings) -> list[Row]:
    """Of each queue of messages and its dead letters, approximately."""
    asked = Depths(settings)
    return [
        {"queue": name, "messages": asked.waiting([name]), "dead_letters": asked.dead([name])}
        for name in settings.queue_names()
    ]


@queue.command("list")
def list_queues(as_json: Json = False) -> None:
    """List the queues of messages: how many lie there, taken or not, and how many dead letters."""
    show_each(run(asyncio.to_thread(depths, load())), as_json)


@queue.command("tasks")
def list_task_queues(as_json: Json = False) -> None:
    """List the queues of tasks: what nobody has taken, for how long, and how many ask for more."""

    async def look(settings: Settings) -> list[fleet.Waiting]:
        async with opened(settings, "operator") as engine:
            client = await connected(settings, engine)
            asked = (fleet.waiting(client, name, kind) for name in sorted(TaskQueue) for kind in fleet.KINDS)
            return list(await asyncio.gather(*asked))

    rows = [
        {
            "queue": each.queue,
            "kind": each.kind,
            "backlog": each.backlog,
            "oldest_seconds": round(each.age.total_seconds()),
            "pollers": each.pollers,
            "paused": each.paused,
        }
        for each in run(look(load()))
    ]
    show_each(rows, as_json)


async def set_paused(settings: Settings, operator: Operator, name: TaskQueue, *, paused: bool) -> None:
    command = Command.PAUSE_QUEUE if paused else Command.RESUME_QUEUE
    async with acting(settings, operator, command, None, queue=name) as act:
        await fleet.pause(await connected(settings, act.engine), name, paused=paused)


@queue.command("pause")
def pause_queue(name: Queue, as_json: Json = False) -> None:
    """Hand out no task of a queue, until it is resumed. What is in hand comes to its end."""
    run(set_paused(load(), OPERATOR.get(), name, paused=True))
    say(f"paused: {name}", as_json, paused=name)


@queue.command("resume")
def resume_queue(name: Queue, as_json: Json = False) -> None:
    """Hand out the tasks of a queue again."""
    run(set_paused(load(), OPERATOR.get(), name, paused=False))
    say(f"resumed: {name}", as_json, resumed=name)


@schedule.command("list")
def list_schedules(as_json: Json = False) -> None:
    """List schedules: how often each runs, when it last did and will, and whether it is paused."""

    async def look(settings: Settings) -> list[fleet.Scheduled]:
        async with opened(settings, "operator") as engine:
            return await fleet.schedules(await connected(settings, engine))

    found = run(look(load()))
    seconds = [each.every and round(each.every.total_seconds()) for each in found]
    show_each([asdict(each) | {"every": every} for each, every in zip(found, seconds, strict=True)], as_json)


COMMANDS = {
    fleet.ScheduleAct.PAUSE: Command.PAUSE_SCHEDULE,
    fleet.ScheduleAct.RESUME: Command.RESUME_SCHEDULE,
    fleet.ScheduleAct.RUN: Command.RUN_SCHEDULE,
}


async def change(settings: Settings, operator: Operator, name: str, what: fleet.ScheduleAct) -> None:
    """SystemExit where there is no such schedule."""
    async with acting(settings, operator, COMMANDS[what], None, schedule=name[:40]) as act:
        client = await connected(settings, act.engine)
        try:
            await fleet.act_on_schedule(client, name, what)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            act.status = NOBODY
            raise SystemExit(f"there is no schedule {name}") from None


@schedule.command("pause")
def pause_schedule(name: Name, as_json: Json = False) -> None:
    """Let a schedule begin nothing until it is resumed. A paused reconciler heals nothing."""
    run(change(load(), OPERATOR.get(), name, fleet.ScheduleAct.PAUSE))
    say(f"paused: {name}", as_json, paused=name)


@schedule.command("resume")
def resume_schedule(name: Name, as_json: Json = False) -> None:
    """Let a schedule go on."""
    run(change(load(), OPERATOR.get(), name, fleet.ScheduleAct.RESUME))
    say(f"resumed: {name}", as_json, resumed=name)


@schedule.command("run")
def run_schedule(name: Name, as_json: Json = False) -> None:
    """Run what a schedule begins now, beside its turns."""
    run(change(load(), OPERATOR.get(), name, fleet.ScheduleAct.RUN))
    say(f"begun: {name}", as_json, begun=name)


@worker.command("list")
def list_workers(as_json: Json = False) -> None:
    """List workers: their queue and host, slots in use and in all, tasks done and failed."""

    async def look(settings: Settings) -> list[fleet.Worker]:
        async with opened(settings, "operator") as engine:
            return await fleet.workers(await connected(settings, engine))

    show_each([asdict(each) for each in run(look(load()))], as_json)
