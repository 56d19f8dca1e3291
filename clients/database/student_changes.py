"""Queries on what was changed of students. The caller holds the transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database.academy_models import Student
from clients.database.roster_models import StudentChange
from clients.database.rows import columns, many, one_or_none
from clients.database.students import StudentRow


@dataclass(frozen=True, slots=True)
class ChangeRow:
    id: int
    student_id: int
    at: datetime
    job_id: UUID | None
    before_job_id: UUID | None
    who: str | None
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Origin:
    """When a student came to the register; `job_id` is the roster that wrote it last."""

    id: int
    job_id: UUID | None
    created_at: datetime


class Found(NamedTuple):
    """A student by the blind index: who wrote it last, and whether nobody has changed it since it came."""

    identity_mac: bytes
    id: int
    job_id: UUID | None
    untouched: bool


_CHANGES = select(*columns(StudentChange, ChangeRow))
_ORIGIN = select(*columns(Student, Origin))

_RECORD = """
    INSERT INTO student_changes (tenant_id, student_id, job_id, before_job_id, who, sealed)
    SELECT %(tenant)s, s.id, %(job)s, s.job_id, %(who)s, n.sealed
    FROM unnest(%(ids)b::bigint[], %(sealed)b::bytea[]) AS n (id, sealed) JOIN students s ON s.id = n.id"""

_LOCK = """
    SELECT s.identity_mac, s.id, s.job_id, s.updated_at = s.created_at
    FROM unnest(%(macs)b::bytea[]) AS wanted (mac) CROSS JOIN LATERAL (
        SELECT * FROM students WHERE identity_mac = wanted.mac AND tenant_id = %(tenant)s
        LIMIT 1 FOR UPDATE) AS s"""


async def record(
    connection: AsyncConnection,
    tenant_id: int,
    changes: Sequence[tuple[int, bytes]],
    *,
    job_id: UUID | None = None,
    who: str | None = None,
) -> None:
    """Before locked students are written: their ids, with what changes of each, sealed."""
    values = {
        "tenant": tenant_id,
        "job": job_id,
        "who": who,
        "ids": [student_id for student_id, _ in changes],
        "sealed": [sealed for _, sealed in changes],
    }
    await connection.exec_driver_sql(_RECORD, values)


async def of_student(
    connection: AsyncConnection, tenant_id: int, student_id: int, before: int | None, limit: int
) -> list[ChangeRow]:
    """The newest first; `before`: older than this id."""
    query = _CHANGES.where(StudentChange.student_id == student_id, StudentChange.tenant_id == tenant_id)
    if before is not None:
        query = query.where(StudentChange.id < before)
    return await many(connection, query.order_by(StudentChange.id.desc()).limit(limit), ChangeRow)


async def origin(connection: AsyncConnection, tenant_id: int, student_id: int) -> Origin | None:
    """None if the tenant has no such student."""
    query = _ORIGIN.where(Student.id == student_id, Student.tenant_id == tenant_id)
    return await one_or_none(connection, query, Origin)


async def first_roster(connection: AsyncConnection, student_id: int) -> UUID | None:
    """The roster that had written a student before the oldest change that is known."""
    oldest = select(StudentChange.before_job_id).where(StudentChange.student_id == student_id)
    return (await connection.execute(oldest.order_by(StudentChange.id).limit(1))).scalar_one_or_none()


async def of_job(
    connection: AsyncConnection, tenant_id: int, job_id: UUID, after: int, limit: int
) -> list[ChangeRow]:
    """What a roster has changed, the oldest first; `after`: newer than this id."""
    mine = (StudentChange.job_id == job_id, StudentChange.tenant_id == tenant_id, StudentChange.id > after)
    return await many(connection, _CHANGES.where(*mine).order_by(StudentChange.id).limit(limit), ChangeRow)


async def since(
    connection: AsyncConnection, tenant_id: int, ids: Sequence[int], first: int
) -> list[ChangeRow]:
    """What was changed of students from this change's id on, the oldest first."""
    theirs = (StudentChange.student_id.in_(ids), StudentChange.tenant_id == tenant_id)
    query = _CHANGES.where(*theirs, StudentChange.id >= first).order_by(StudentChange.id)
    return await many(connection, query, ChangeRow)


async def locked(connection: AsyncConnection, tenant_id: int, ids: Sequence[int]) -> list[StudentRow]:
    query = (
        select(Student.id, Student.identity_mac, Student.sealed)
        .where(Student.id.in_(ids), Student.tenant_id == tenant_id)
        .order_by(Student.id)
        .with_for_update()
    )
    return [StudentRow(*row) for row in await connection.execute(query)]


async def locked_by_identity(
    connection: AsyncConnection, tenant_id: int, identity_macs: Sequence[bytes]
) -> list[Found]:
    values = {"tenant": tenant_id, "macs": sorted(identity_macs)}  # in order: no deadlocks
    return [Found._make(row) for row in await connection.exec_driver_sql(_LOCK, values)]


async def remove(connection: AsyncConnection, tenant_id: int, ids: Sequence[int]) -> None:
    """Raises IntegrityError while something refers to one of them."""
    mine = (Student.tenant_id == tenant_id, Student.id.in_(ids))
    await connection.execute(delete(Student).where(*mine))
