"""`academy retention`, `academy after-restore`, `academy usage`."""

from collections import Counter
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer

from academy.shared import OPERATOR, Json, OfTenant, Row, connected, run, show, show_each
from clients.database import costs, usage
from clients.database.engine import opened
from clients.objects import Objects
from clients.operators import LEFT, Command, Operator, acting
from clients.settings import Settings, load
from intake.retention import Over, Retention
from rules.months import after, before, month_of
from rules.quiet_hours import KST

Month = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m"], metavar="YYYY-MM", help="In Korea; this one, where none is named."),
]


async def retain(settings: Settings, operator: Operator, *, enforce: bool) -> list[Over]:
    command = Command.ENFORCE_RETENTION if enforce else Command.LOOK_AT_RETENTION
    async with acting(settings, operator, command, None) as act:
        found = await Retention(settings, act.engine, Objects(settings)).run(enforce=enforce)
        act.about["removed"] = sum(each.removed for each in found)
        return found


def retention(
    enforce: Annotated[bool, typer.Option("--enforce", help="Remove it, as it is done once a day.")] = False,
    as_json: Json = False,
) -> None:
    """Count what is kept longer than its period."""
    show_each([asdict(each) for each in run(retain(load(), OPERATOR.get(), enforce=enforce))], as_json)


async def compare(
    settings: Settings, operator: Operator, *, repair: bool, days: int, as_json: bool
) -> Counter[str]:
    """Show each difference as it is found; returns how many there are of each kind that nobody has
    repaired."""
    from workers.after_restore import AfterRestore  # and much with it that no other command needs

    left: Counter[str] = Counter()
    command = Command.REPAIR if repair else Command.AFTER_RESTORE
    async with acting(settings, operator, command, None, days=days) as act:
        client = await connected(settings, act.engine)
        async for each in AfterRestore(settings, act.engine, client, repair).run(days):
            show_each([asdict(each)], as_json)
            left[each.kind] += not each.repaired
        act.about["left"] = left.total()
        if repair and left.total():
            act.status = LEFT
    return +left


def after_restore(
    repair: Annotated[bool, typer.Option("--repair", help="Write again what can be.")] = False,
    days: Annotated[
        int, typer.Option(min=0, max=31, help="Of messages to compare with the provider's list.")
    ] = 7,
    as_json: Json = False,
) -> None:
    """Tell what Temporal, the store and the provider know, and a restored database does not.

    It ends with 1 where something is left to do.
    """
    left = run(compare(load(), OPERATOR.get(), repair=repair, days=days, as_json=as_json))
    show({"left": left, "repair": repair}, as_json)
    raise typer.Exit(1 if left else 0)


def used(
    tenant: OfTenant = None,
    month: Month = None,
    months: Annotated[int, typer.Option(min=1, max=36, help="That one, and so many before it.")] = 1,
    messages: Annotated[
        bool, typer.Option("--messages", help="Messages alone, by kind and who sent them; of a year at most.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Tell what academies used in a month: minutes of lectures, pages, messages, won."""

    async def look(settings: Settings) -> list[Row]:
        rows: list[Row] = []
        begin = month_of((month or datetime.now(KST)).replace(tzinfo=KST))
        async with opened(settings, "operator") as engine, engine.connect() as connection:
            for _ in range(months):
                name, until = {"month": f"{begin:%Y-%m}"}, after(begin)
                if messages:
                    found = await costs.between(connection, tenant, begin, until)
                    rows += [asdict(each) | name for each in found]
                else:
                    used = await usage.between(connection, tenant, begin, until)
                    rows += [name | asdict(each) for each in used]
                begin = before(begin, 1)
        return rows

    show_each(run(look(load())), as_json)
