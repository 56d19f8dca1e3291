"""`academy letters`: dead letters, as the console shows them: without their bodies."""

import asyncio
import re
from collections.abc import Collection
from typing import Annotated

import typer

from academy.shared import OPERATOR, Json, Limit, Row, group, run, say, show_each
from api.console.dead_letters import Discarding, about
from clients.operators import LEFT, NOBODY, Command, Operator, acting
from clients.queues import Queue
from clients.settings import Settings, load

letters = group("Dead letters: messages that could not become jobs.")
Name = Annotated[str, typer.Argument(metavar="QUEUE", help="As `academy queue list` calls it.")]
Letters = Annotated[
    list[str] | None, typer.Argument(metavar="[LETTER]...", help="As `academy letters list` calls them.")
]


def _queue(settings: Settings, name: str) -> Queue:
    names = settings.queue_names()
    if name not in names:
        raise typer.BadParameter(f"one of {', '.join(names)}", param_hint="QUEUE")
    return Queue(settings, names[name])


@letters.command("list")
def list_letters(name: Name, limit: Limit = 100, as_json: Json = False) -> None:
    """List the dead letters of a queue, the oldest first: why they lie there, and nothing of persons."""
    settings = load()
    found = run(asyncio.to_thread(lambda: _queue(settings, name).dead_letters(limit)))
    rows: list[Row] = [
        {
            "letter": each.letter.dead_id,
            "since": each.letter.sent_at,
            "reason": each.letter.reason,
            "detail": each.letter.detail,
            "tenant": each.tenant,
            "what": each.what,
            "bytes": each.size,
        }
        for each in map(about, found)
    ]
    show_each(rows, as_json)


async def send_back(settings: Settings, operator: Operator, name: str, ids: Collection[str] | None) -> int:
    """How many letters went back to their queue: all, or those with these ids."""
    queue = await asyncio.to_thread(_queue, settings, name)
    which = {"letters": len(ids) if ids is not None else "all", "queue": name}
    async with acting(settings, operator, Command.SEND_BACK, None, **which) as act:
        moved = await asyncio.to_thread(queue.redrive, ids)
        act.about["moved"] = moved
        if ids is not None and moved < len(ids):
            act.status = LEFT
        return moved


@letters.command("send-back")
def send_letters_back(
    name: Name,
    letter: Letters = None,
    everything: Annotated[bool, typer.Option("--all", help="All letters of the queue.")] = False,
    as_json: Json = False,
) -> None:
    """Send dead letters to their queue again, as they came. It ends with 1 where one was not there."""
    if bool(letter) == everything:
        raise typer.BadParameter("name letters, or --all", param_hint="LETTER")
    ids = set(letter) if letter else None
    moved = run(send_back(load(), OPERATOR.get(), name, ids))
    say(f"sent back: {moved}", as_json, sent_back=moved)
    raise typer.Exit(1 if ids is not None and moved < len(ids) else 0)


async def discard(settings: Settings, operator: Operator, name: str, letter: str, reason: Discarding) -> bool:
    """Whether there was such a letter; it and its body are gone for ever."""
    queue = await asyncio.to_thread(_queue, settings, name)
    which = {"letter": letter, "queue": name, "reason": reason.value}
    async with acting(settings, operator, Command.DISCARD, None, **which) as act:
        gone = await asyncio.to_thread(queue.sift_dead, lambda each: each.dead_id == letter, erase=True)
        act.status = act.status if gone else NOBODY
        return bool(gone)


@letters.command("discard")
def discard_letter(
    name: Name,
    letter: Annotated[str, typer.Argument(metavar="LETTER", help="As `academy letters list` calls it.")],
    reason: Annotated[Discarding, typer.Option(help="Why, for the audit.")],
    as_json: Json = False,
) -> None:
    """Throw a dead letter away, with its body, for ever."""
    if not re.fullmatch(r"[\w-]{1,100}", letter, re.ASCII):
        raise typer.BadParameter("the id of a letter", param_hint="LETTER")
    if not run(discard(load(), OPERATOR.get(), name, letter, reason)):
        raise SystemExit(f"there is no letter {letter}")
    say(f"discarded: {letter}", as_json, discarded=letter)
