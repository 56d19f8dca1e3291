"""A roster against the students that an academy has: what it would change, and the change itself.

A blank cell changes nothing: a roster says what it says, and nothing about the rest.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from activities.ai.roster.parse import Row
from activities.ai.roster.passwords import hashed
from activities.ai.roster.people import open_student, seal_student
from activities.threads import in_thread
from clients.database import academy
from clients.database.academy import SealedStudent, StudentRow
from clients.keys import Sealer
from contracts.errors import ROSTER_SAME_STUDENT

AT_ONCE = 5_000  # rows: some 50 ms of a thread, and a statement of well under a second
_IDENTIFYING = ("name", "parent_phone")  # the same by definition, but for spaces in a name


class Kind(StrEnum):
    """CONFLICTING: a student of this name and own phone exists with another parent's phone. A person must say
    whether the number has changed; nothing is written."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    CONFLICTING = "conflicting"


@dataclass(frozen=True, repr=False)
class Change:
    """What becomes of one row. `fields` holds (before, after) of those that change: for the uploader alone,
    so nothing prints it."""

    sheet: str
    row: int
    kind: Kind
    fields: dict[str, tuple[str | None, str]] = field(default_factory=dict)
    code: str | None = None


@dataclass(repr=False)
class Diff:
    """Rows by kind, and all changes but those that are none. `enrolled`: how many are new in the lecture."""

    counts: Counter[Kind] = field(default_factory=Counter)
    changes: list[Change] = field(default_factory=list)
    enrolled: int = 0

    def summary(self) -> dict[str, int]:
        """Numbers only: may be kept with the job."""
        return {str(kind): self.counts[kind] for kind in Kind} | {"enrolled": self.enrolled}

    def report(self) -> list[dict[str, Any]]:
        """The changes as JSON, with names and phones: for the result's object and nowhere else."""
        return [dict(vars(change)) for change in self.changes]


class Interfered(Exception):
    """Somebody else added one of these students meanwhile. Try again: then it is no new one."""


@dataclass
class _Chunk:
    """Rows compared: what to write, and the students that stand in them already."""

    new: list[SealedStudent] = field(default_factory=list)
    changed: list[tuple[int, SealedStudent]] = field(default_factory=list)
    known: list[int] = field(default_factory=list)


async def diff(connection: AsyncConnection, sealer: Sealer, tenant_id: int, rows: Sequence[Row]) -> Diff:
    """What `commit` would do now. Each student stands in `rows` once. Raises KeyDestroyed."""
    found = Diff()
    async with aclosing(_sealed(sealer, rows)) as parts:
        async for part, sealed in parts:
            await _compare(connection, sealer, tenant_id, part, sealed, found, lock=False)
    return found


async def commit(
    connection: AsyncConnection,
    sealer: Sealer,
    tenant_id: int,
    job_id: UUID,
    rows: Sequence[Row],
    initial_password: str | None = None,
    lecture_id: int | None = None,
) -> Diff:
    """Add new students and change known ones, all in the caller's transaction or none; enrol them in a
    lecture if one is given. The same again changes nothing. Raises KeyDestroyed, Interfered.

    Students who are new get an account with `initial_password`. All of a file have the same one, so it is
    hashed once: salts of their own would hide nothing and take hours for 50,000.
    """
    found = Diff()
    password_hash: str | None = None
    await academy.lock_roster(connection, tenant_id)
    async with aclosing(_sealed(sealer, rows)) as parts:
        async for part, sealed in parts:
            chunk = await _compare(connection, sealer, tenant_id, part, sealed, found, lock=True)
            ids = chunk.known
            if chunk.new:
                if initial_password and not password_hash:
                    password_hash = await in_thread(hashed, initial_password)
                added = await academy.insert_students(connection, tenant_id, job_id, chunk.new, password_hash)
                if len(added) < len(chunk.new):
                    raise Interfered
                ids = ids + added
            if chunk.changed:
                await academy.update_students(connection, job_id, chunk.changed)
            if lecture_id is not None and ids:
                found.enrolled += await academy.enrol(connection, tenant_id, lecture_id, ids)
    return found


async def _sealed(
    sealer: Sealer, rows: Sequence[Row]
) -> AsyncGenerator[tuple[Sequence[Row], list[SealedStudent]], None]:
    """Rows with their seals, AT_ONCE of them; the next are sealed while the database works on these. Sealing
    and opening is work for a thread: the event loop has heartbeats to send."""

    def seal(start: int) -> tuple[Sequence[Row], list[SealedStudent]]:
        part = rows[start : start + AT_ONCE]
        return part, [seal_student(sealer, row.values) for row in part]

    ahead = asyncio.create_task(in_thread(seal, 0))
    try:
        for start in range(0, len(rows), AT_ONCE):
            ready = await ahead
            ahead = asyncio.create_task(in_thread(seal, start + AT_ONCE))
            yield ready
    finally:
        await asyncio.wait([ahead])


async def _compare(
    connection: AsyncConnection,
    sealer: Sealer,
    tenant_id: int,
    rows: Sequence[Row],
    sealed: Sequence[SealedStudent],
    found: Diff,
    lock: bool,
) -> _Chunk:
    macs = [each.identity_mac for each in sealed]
    existing = {
        each.identity_mac: each for each in await academy.students(connection, tenant_id, macs, lock=lock)
    }
    likenesses = [each.likeness_mac for each in sealed if each.likeness_mac]
    alike = await academy.lookalikes(connection, tenant_id, likenesses)
    return await in_thread(_sort, sealer, rows, sealed, existing, alike, found)


def _sort(
    sealer: Sealer,
    rows: Sequence[Row],
    sealed: Sequence[SealedStudent],
    existing: dict[bytes, StudentRow],
    alike: set[bytes],
    found: Diff,
) -> _Chunk:
    chunk = _Chunk()
    for row, own in zip(rows, sealed, strict=True):
        known = existing.get(own.identity_mac)
        if known is None and own.likeness_mac in alike:
            change = Change(row.sheet, row.row, Kind.CONFLICTING, code=ROSTER_SAME_STUDENT)
        elif known is None:
            chunk.new.append(own)
            change = Change(row.sheet, row.row, Kind.NEW, _changes({}, row.values))
        else:
            chunk.known.append(known.id)
            before = open_student(sealer, known)
            after = before | {name: row.values[name] for name in row.values if name not in _IDENTIFYING}
            fields = {
                name: (before.get(name), after[name]) for name in after if before.get(name) != after[name]
            }
            change = Change(row.sheet, row.row, Kind.CHANGED if fields else Kind.UNCHANGED, fields)
            if fields:
                chunk.changed.append((known.id, seal_student(sealer, after)))
        found.counts[change.kind] += 1
        if change.kind != Kind.UNCHANGED:
            found.changes.append(change)
    return chunk


def _changes(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, tuple[str | None, str]]:
    return {name: (before.get(name), value) for name, value in after.items() if before.get(name) != value}
