"""What is kept no longer than it is needed: rows by `clients.database.retention`, objects by the rules
here."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from clients import stored_bodies
from clients.database import retention
from clients.database.retention import RULES, Rule
from clients.objects import ERASED, Objects
from clients.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Prefix:
    """`pattern`: keys below it, `{t}` stands for a tenant's number. `kept` since an object was written;
    None stays. `elsewhere`: what enforces it instead of this."""

    pattern: str
    why: str
    kept: timedelta | None = None
    elsewhere: str = ""

    def matches(self, key: str) -> bool:
        return re.match(re.escape(self.pattern).replace(r"\{t\}", r"\d+"), key) is not None


PREFIXES = (
    Prefix(
        pattern="tenants/{t}/ai/uploads/",
        kept=retention.YEAR,
        why="documents, sheets and rosters that were uploaded",
    ),
    Prefix(
        pattern="tenants/{t}/ai/sources/",
        kept=retention.YEAR,
        why="the same, fetched from links of older messages",
    ),
    Prefix(pattern="tenants/{t}/ai/results/", kept=retention.YEAR, why="what was read, exports"),
    Prefix(
        pattern="tenants/{t}/ai/work/",
        kept=retention.QUARTER,
        why="finished pages, by which a job goes on where it was",
    ),
    Prefix(
        pattern="tenants/{t}/messages/",
        kept=retention.YEAR,
        why="lists of recipients; a sending may be planned months ahead",
    ),
    Prefix(pattern="tenants/{t}/video/raw/", why="a lecture's source, until it is deleted or replaced"),
    Prefix(pattern="tenants/{t}/video/hls/", why="what viewers watch, until its lecture is deleted"),
    Prefix(pattern=ERASED, why="that a tenant was erased, should a backup have forgotten it; only numbers"),
    Prefix(
        pattern="dead-letters/",
        kept=stored_bodies.KEPT,
        elsewhere="ops.sweep",
        why="sealed bodies of dead letters; SQS keeps those for two weeks",
    ),
)


@dataclass(frozen=True)
class Over:
    """`over`: rows or objects whose time is over; of them `removed`."""

    what: str
    kept_days: int
    over: int
    removed: int


class Retention:
    """Enforces the rules, or only counts. Can be stopped and begun again anywhere."""

    def __init__(self, settings: Settings, engine: AsyncEngine, objects: Objects) -> None:
        self._engine = engine
        self._objects = objects
        self._rules = rules(settings)

    async def run(self, *, enforce: bool, now: datetime | None = None) -> list[Over]:
        """What is over, of each rule. `enforce`: and it goes. Raises the errors of the servers."""
        at = now or datetime.now(UTC)
        found = [await self._rows(rule, at, enforce) for rule in self._rules if rule.old and rule.kept]
        return found + await asyncio.to_thread(self._stored, at, enforce)

    async def _rows(self, rule: Rule, at: datetime, enforce: bool) -> Over:
        assert rule.kept is not None
        before, removed = at - rule.kept, 0
        async with self._engine.connect() as connection:
            over = await retention.count(connection, rule, before)
        while enforce and removed < over:
            async with self._engine.begin() as connection:
                some = await retention.enforce_some(connection, rule, before)
            if not some:
                break
            removed += some
        return Over(f"{'blanked' if rule.blank else 'rows of'} {rule.table}", rule.kept.days, over, removed)

    def _stored(self, at: datetime, enforce: bool) -> list[Over]:
        """One listing for all prefixes. An object that no rule names stays, and is told."""
        over: dict[Prefix, list[str]] = {each: [] for each in PREFIXES}
        unnamed = 0
        for key, _, written in self._objects.written("tenants/"):
            rule = prefix_of(key)
            if rule is None:
                unnamed += 1
            elif rule.kept and not rule.elsewhere and written < at - rule.kept:
                over[rule].append(key)
        for keys in over.values() if enforce else ():
            for key in keys:
                self._objects.delete(key)
        counts = [
            Over(f"objects {rule.pattern}", rule.kept.days, len(keys), len(keys) if enforce else 0)
            for rule, keys in over.items()
            if rule.kept and not rule.elsewhere
        ]
        return [*counts, Over("objects that no rule names", 0, unnamed, 0)]


def rules(settings: Settings) -> tuple[Rule, ...]:
    """Those of the tables, with the audit's period as it is set."""
    audit = timedelta(days=settings.audit_days)
    return tuple(replace(each, kept=audit) if each.table == "audit_records" else each for each in RULES)


def prefix_of(key: str) -> Prefix | None:
    return next((each for each in PREFIXES if each.matches(key)), None)


def as_markdown() -> str:
    """The table of `docs/retention.md`."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield "| what | kept | then | why |"
    yield "|---|---|---|---|"
    for rule in sorted(RULES, key=lambda each: each.table):
        fate = "emptied: " + ", ".join(f"`{name}`" for name in rule.blank) if rule.blank else "removed"
        yield _line(f"`{rule.table}`", rule.kept, rule.since, rule.elsewhere, fate, rule.why)
    for each in PREFIXES:
        shown = each.pattern.replace("{t}", "7")
        yield _line(f"`{shown}…`", each.kept, "it was written", each.elsewhere, "removed", each.why)


def _line(what: str, kept: timedelta | None, since: str, elsewhere: str, fate: str, why: str) -> str:
    if kept is None:
        return f"| {what} | stays | – | {why} |"
    days = "a day" if kept.days == 1 else f"{kept.days} days"
    by = f" (`{elsewhere}`)" if elsewhere else ""
    return f"| {what} | {days} since {since} | {fate}{by} | {why} |"
