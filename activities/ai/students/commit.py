"""A roster against the students that an academy has: what it would change, and the change itself.

A blank cell changes nothing: a roster says what it says, and nothing about the rest.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Any
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.ai.tasks.roster.parse import Row
from activities.host.threads import beside, in_thread
from clients.database import seats, student_changes, students
from clients.database.students import SealedStudent, StudentRow
from clients.keys import Sealer
from clients.people import open_student, seal_students
from clients.student_changes import LEFT_AT, Change, seal_changes
from contracts.errors import ROSTER_SAME_STUDENT

LEAVES = 0.012  # seconds until a statement is with Postgres; a thread would make each of its pieces wait
FIRST = 1_000  # rows: the database has nothing to do before
AT_ONCE = 5_000  # rows: some 50 ms of a thread, and a statement of well under a second
_IDENTIFYING = ("name", "parent_phone")  # the same by definition, but for spaces in a name


class Kind(StrEnum):
    """CONFLICTING: a student of this name and own phone exists with another parent's phone. A person must say
    whether the number has changed; nothing is written."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    CONFLICTING = "conflicting"


@dataclass(repr=False)
class Diff:
    """Rows by kind, and all changes but those that are none. `enrolled`: how many are new in the lecture."""

    counts: Counter[Kind] = field(default_factory=Counter)
    enrolled: int = 0
    _told: list[bytes] = field(default_factory=list)

    def summary(self) -> dict[str, int]:
        """Numbers only: may be kept with the job."""
        return {str(kind): self.counts[kind] for kind in Kind} | {"enrolled": self.enrolled}

    def report(self) -> bytes:
        """What becomes of each row, a JSON array of `sheet`, `row`, `kind`, `code`, and (before, after) of
        the `fields` that change of a known student; what a row says stands in the rows. It holds what
        people said of themselves: for the result's object and nowhere else."""
        return b"[" + b",".join(self._told) + b"]"

    def add(self, changes: Sequence["_Change"]) -> None:
        self.counts.update(change[1] for change in changes)
        # Written at once: tuples that stay would have the garbage collector look at them again and again.
        told = [to_json(_as_json(*change)) for change in changes if change[1] != Kind.UNCHANGED]
        if told:
            self._told.append(b",".join(told))


def _as_json(row: Row, kind: Kind, fields: "_Fields") -> dict[str, Any]:
    code = ROSTER_SAME_STUDENT if kind == Kind.CONFLICTING else None
    return {"sheet": row.sheet, "row": row.row, "kind": kind.value, "fields": fields, "code": code}


class Interfered(Exception):
    """Somebody else added one of these students meanwhile. Try again: then it is no new one."""


_Fields = dict[str, tuple[str | None, str]]
_Change = tuple[Row, Kind, _Fields]


@dataclass
class _Chunk:
    """Rows compared: what to write, the students that stand in them already, and what to tell."""

    new: list[SealedStudent] = field(default_factory=list)
    changed: list[tuple[int, SealedStudent]] = field(default_factory=list)
    history: list[tuple[int, bytes]] = field(default_factory=list)
    known: dict[int, Row] = field(default_factory=dict)
    changes: list[_Change] = field(default_factory=list)


Keep = Callable[[Diff], None]


async def diff(
    connection: AsyncConnection, sealer: Sealer, *, tenant_id: int, rows: Iterable[Row], keep: Keep
) -> Diff:
    """What `commit` would do now. Each student stands in `rows` once. Raises KeyDestroyed."""
    parts = _Parts(sealer, rows, keep)
    part = await in_thread(parts.first)
    while part:
        chunk = await _compare(connection, sealer, tenant_id, part, lock=False)
        part = await in_thread(parts.next, chunk.changes)
    return parts.found


async def commit(
    connection: AsyncConnection,
    sealer: Sealer,
    *,
    tenant_id: int,
    job_id: UUID,
    rows: Iterable[Row],
    keep: Keep,
    held: Callable[[], Awaitable[None]],
    password_hash: asyncio.Task[str] | None = None,
    lecture_id: int | None = None,
) -> Diff:
    """Add new students and change known ones, all in the caller's transaction or none; enrol them in a
    lecture if one is given. The same again changes nothing. Raises KeyDestroyed, Interfered.

    Students who are new get an account with `password_hash`, which is awaited before the first of them is
    written. All of a file have the same: salts of their own would hide nothing and take hours for 50,000.
    `held` is awaited when no other roster of the tenant is being written. `keep` gets the diff, in a thread,
    when all rows are compared; the last of them may not be written then.
    """
    parts = _Parts(sealer, rows, keep)
    part = await in_thread(parts.first)
    await students.lock_roster(connection, tenant_id)  # not before: the rows may still be read
    await held()

    async def go_on(changes: list[_Change]) -> _Part:
        await asyncio.sleep(LEAVES)
        return await in_thread(parts.next, changes)

    while part:
        chunk = await _compare(connection, sealer, tenant_id, part, lock=True)
        # Beside the longest statement only: a thread that computes makes each step of the shorter ones wait.
        async with beside(go_on(chunk.changes)) as following:
            if chunk.new:
                password = await password_hash if password_hash else None
                added = await students.insert_students(
                    connection, tenant_id, job_id, chunk.new, password, lecture_id
                )
                if added < len(chunk.new):
                    raise Interfered
                parts.found.enrolled += added if lecture_id is not None else 0
            if chunk.changed:
                await student_changes.record(connection, tenant_id, chunk.history, job_id=job_id)
                await students.update_students(connection, job_id, chunk.changed)
            if chunk.known and (back := await students.come_back(connection, list(chunk.known))):
                told = [(each, _came_back(chunk.known[each], at)) for each, at in back.items()]
                sealed = await in_thread(seal_changes, sealer, told)
                await student_changes.record(connection, tenant_id, sealed, job_id=job_id)
            if lecture_id is not None and chunk.known:
                parts.found.enrolled += await students.enrol(
                    connection, tenant_id, lecture_id, list(chunk.known), job_id
                )
        part = await following
    if lecture_id is not None:
        await seats.seat_enrolled(connection, tenant_id, lecture_id, job_id)
    return parts.found


def _came_back(row: Row, left_at: datetime) -> Change:
    return Change({LEFT_AT: (left_at.isoformat(), None)}, row.sheet, row.row)


_Part = list[tuple[Row, SealedStudent]]


class _Parts:
    """Rows with their seals, and what became of them. Work for a thread: the event loop has heartbeats to
    send."""

    def __init__(self, sealer: Sealer, rows: Iterable[Row], keep: Keep) -> None:
        self.found = Diff()
        self._sealer = sealer
        self._left = iter(rows)
        self._keep = keep

    def first(self) -> _Part:
        return self._seal(FIRST)

    def next(self, changes: Sequence[_Change]) -> _Part:
        """Tell what became of one part, and seal the next; none at the end."""
        self.found.add(changes)
        return self._seal(AT_ONCE)

    def _seal(self, count: int) -> _Part:
        rows = list(islice(self._left, count))
        if not rows:
            self._keep(self.found)
        return list(zip(rows, seal_students(self._sealer, [row.values for row in rows]), strict=True))


async def _compare(
    connection: AsyncConnection, sealer: Sealer, tenant_id: int, part: _Part, lock: bool
) -> _Chunk:
    macs = [sealed.identity_mac for _, sealed in part]
    existing = {
        each.identity_mac: each for each in await students.known(connection, tenant_id, macs, lock=lock)
    }
    soft_matches = [sealed.likeness_mac for _, sealed in part if sealed.likeness_mac]
    alike = await students.lookalikes(connection, tenant_id, soft_matches)
    if not existing and not alike:  # an academy's first roster
        return _Chunk(new=[sealed for _, sealed in part], changes=[(row, Kind.NEW, {}) for row, _ in part])
    return await in_thread(_sort, sealer, part, existing, alike)


def _sort(sealer: Sealer, part: _Part, existing: dict[bytes, StudentRow], alike: set[bytes]) -> _Chunk:
    chunk = _Chunk()
    ids: list[int] = []
    changed: list[dict[str, str]] = []
    history: list[Change] = []
    for row, own in part:
        known = existing.get(own.identity_mac)
        kind, fields = Kind.UNCHANGED, _Fields()
        if known is None and own.likeness_mac in alike:
            kind = Kind.CONFLICTING
        elif known is None:
            kind = Kind.NEW
            chunk.new.append(own)
        else:
            chunk.known[known.id] = row
            before = open_student(sealer, known)
            after = before | {name: row.values[name] for name in row.values if name not in _IDENTIFYING}
            fields = {
                name: (before.get(name), after[name]) for name in after if before.get(name) != after[name]
            }
            if fields:
                kind = Kind.CHANGED
                ids.append(known.id)
                changed.append(after)
                history.append(Change(fields, row.sheet, row.row))
        chunk.changes.append((row, kind, fields))
    chunk.changed = list(zip(ids, seal_students(sealer, changed), strict=True))
    chunk.history = seal_changes(sealer, list(zip(ids, history, strict=True)))
    return chunk
