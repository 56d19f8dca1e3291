"""An import taken back: whom it added goes, and what it changed is as it was, unless somebody has changed it
since. That is left alone and said with its place in the roster."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.ai.tasks.roster.parse import Row
from activities.host.threads import in_thread
from clients.database import register, seats, student_changes, students
from clients.database.student_changes import ChangeRow
from clients.database.students import StudentRow
from clients.keys import Sealer
from clients.people import identity_mac, open_student, seal_students
from clients.student_changes import LEFT_AT, Change, open_change, seal_changes
from contracts.errors import (
    STUDENT_CAME_BACK,
    STUDENT_CHANGED_SINCE,
    STUDENT_GONE_SINCE,
    STUDENT_USED_SINCE,
)

AT_ONCE = 2_000


class Kept(NamedTuple):
    """What an import did and was not taken back, with its place in the roster and why."""

    sheet: str
    row: int
    code: str
    fields: tuple[str, ...] = ()


@dataclass
class Undone:
    """`removed` students whom the import had added, `put_back` whom it had changed, `unenrolled` whom it had
    enrolled."""

    removed: int = 0
    put_back: int = 0
    unenrolled: int = 0
    kept: list[Kept] = field(default_factory=list)

    def summary(self) -> dict[str, int]:
        return {
            "removed_students": self.removed,
            "put_back": self.put_back,
            "unenrolled": self.unenrolled,
            "kept": len(self.kept),
        }

    def report(self) -> bytes:
        listed: list[dict[str, Any]] = [each._asdict() for each in sorted(self.kept)]
        return json.dumps(listed, ensure_ascii=False).encode()


async def undo(
    connection: AsyncConnection,
    sealer: Sealer,
    *,
    tenant_id: int,
    import_id: UUID,
    job_id: UUID,
    added: Iterable[Row],
) -> Undone:
    """`added` are the rows of whom the import `import_id` has added. All in the caller's transaction, or
    none; the same again changes nothing. Raises KeyDestroyed."""
    await students.lock_roster(connection, tenant_id)
    done = Undone(unenrolled=await seats.unenrol(connection, tenant_id, import_id))
    last = 0
    while part := await student_changes.of_job(connection, tenant_id, import_id, last, AT_ONCE):
        last = part[-1].id
        ids = sorted({change.student_id for change in part})
        known = {row.id: row for row in await student_changes.locked(connection, tenant_id, ids)}
        later = await student_changes.since(connection, tenant_id, ids, part[0].id)
        present = await register.hold_present(connection, tenant_id, ids)
        before = await in_thread(_before, sealer, part, known, later, present, done)
        if before:
            sealed = await in_thread(_sealed, sealer, before)
            await student_changes.record(connection, tenant_id, sealed.changes, job_id=job_id)
            await students.update_students(connection, job_id, sealed.students)
            done.put_back += len(before)
    left = iter(added)
    while rows := list(islice(left, AT_ONCE)):
        by_mac = await in_thread(_by_mac, sealer, rows)
        found = await student_changes.locked_by_identity(connection, tenant_id, list(by_mac))
        theirs = [each for each in found if each.job_id == import_id and each.untouched]
        places = {each.id: by_mac[each.identity_mac] for each in theirs}
        done.removed += await _remove(connection, tenant_id, places, done)
        for each in found:
            if each.id not in places:
                done.kept.append(_kept(by_mac.pop(each.identity_mac), STUDENT_CHANGED_SINCE))
            else:
                del by_mac[each.identity_mac]
        done.kept += [_kept(row, STUDENT_GONE_SINCE) for row in by_mac.values()]
    return done


def _kept(row: Row, code: str) -> Kept:
    return Kept(row.sheet, row.row, code)


def _by_mac(sealer: Sealer, rows: Sequence[Row]) -> dict[bytes, Row]:
    return {identity_mac(sealer, row.values): row for row in rows}


async def _remove(
    connection: AsyncConnection, tenant_id: int, places: Mapping[int, Row], done: Undone
) -> int:
    """How many went. Whom something refers to (attendance, a lecture that was watched) stays: halves are
    tried until it is known who that is."""
    if not places:
        return 0
    try:
        async with connection.begin_nested():
            await student_changes.remove(connection, tenant_id, list(places))
        return len(places)
    except IntegrityError:
        ids = list(places)
        if len(ids) == 1:
            done.kept.append(_kept(places[ids[0]], STUDENT_USED_SINCE))
            return 0
        halves = (ids[: len(ids) // 2], ids[len(ids) // 2 :])
        gone = [
            await _remove(connection, tenant_id, {each: places[each] for each in half}, done)
            for half in halves
        ]
        return sum(gone)


class _Before(NamedTuple):
    """A student as it was before the import."""

    id: int
    values: dict[str, str]
    change: Change


class _Sealed(NamedTuple):
    students: list[tuple[int, students.SealedStudent]]
    changes: list[tuple[int, bytes]]


def _stands(name: str, own: ChangeRow, later: Iterable[tuple[int, Change]]) -> bool:
    """Whether the last word about a field is the import's own: the same value may be somebody else's by now.
    What was taken back since counts for nothing."""
    said: list[tuple[int, tuple[str | None, str | None]]] = []
    for change_id, change in later:
        if change_id < own.id or name not in change.fields:
            continue
        before, after = change.fields[name]
        if said and said[-1][1] == (after, before):
            said.pop()
        else:
            said.append((change_id, (before, after)))
    return bool(said) and said[-1][0] == own.id


def _before(
    sealer: Sealer,
    part: Sequence[ChangeRow],
    known: Mapping[int, StudentRow],
    later: Sequence[ChangeRow],
    present: Set[int],
    done: Undone,
) -> list[_Before]:
    """Those of whom nothing that the import wrote was written again since. What is as it was already needs
    nothing. `later` are all changes of these students from the first of the part on. Who had left and came
    back is left to people: leaving again would end what they are in by now."""
    found = []
    told: dict[int, list[tuple[int, Change]]] = defaultdict(list)
    for row in later:
        told[row.student_id].append((row.id, open_change(sealer, row.student_id, row.sealed)))
    for row in part:
        change = open_change(sealer, row.student_id, row.sealed)
        if LEFT_AT in change.fields:
            if row.student_id in present:
                done.kept.append(Kept(change.sheet, change.row, STUDENT_CAME_BACK))
            continue
        values = open_student(sealer, known[row.student_id])
        since = [
            name
            for name, (before, after) in change.fields.items()
            if values.get(name) != before
            and not (values.get(name) == after and _stands(name, row, told[row.student_id]))
        ]
        if since:
            done.kept.append(Kept(change.sheet, change.row, STUDENT_CHANGED_SINCE, tuple(since)))
            continue
        back = {
            name: (after, before)
            for name, (before, after) in change.fields.items()
            if values.get(name) != before
        }
        if back:
            were = values | {name: before for name, (_, before) in back.items() if before is not None}
            for name, (_, before) in back.items():
                if before is None:
                    del were[name]
            found.append(_Before(row.student_id, were, Change(back, change.sheet, change.row)))
    return found


def _sealed(sealer: Sealer, before: Sequence[_Before]) -> _Sealed:
    sealed = seal_students(sealer, [each.values for each in before])
    return _Sealed(
        [(each.id, student) for each, student in zip(before, sealed, strict=True)],
        seal_changes(sealer, [(each.id, each.change) for each in before]),
    )
