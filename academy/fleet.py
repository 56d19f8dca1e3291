"""`academy queue` and `academy worker`: what waits, and who works."""

import asyncio
from dataclasses import asdict

from academy.shared import Json, Row, connected, group, run, show_each
from api import fleet
from clients.database.engine import opened
from clients.depths import Depths
from clients.settings import Settings, load
from contracts.names import TaskQueue

queue = group("Queues: of producers' messages, and of tasks.")
worker = group("Workers, by their last heartbeats.")


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
        }
        for each in run(look(load()))
    ]
    show_each(rows, as_json)


@worker.command("list")
def list_workers(as_json: Json = False) -> None:
    """List workers: their queue and host, slots in use and in all, tasks done and failed."""

    async def look(settings: Settings) -> list[fleet.Worker]:
        async with opened(settings, "operator") as engine:
            return await fleet.workers(await connected(settings, engine))

    show_each([asdict(each) for each in run(look(load()))], as_json)
