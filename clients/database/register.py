"""Queries on an academy's students one by one, and on the list of all. The caller holds the transaction."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database.academy_models import Enrolment, Student
from clients.database.rows import columns, many, one_or_none
from clients.database.students import SealedStudent
from clients.database.viewing_models import SessionEnrolment


@dataclass(frozen=True, slots=True)
class RegisterRow:
    """A student. `job_id`: the roster that wrote it last, if one did."""

    id: int
    identity_mac: bytes
    sealed: bytes
    job_id: UUID | None
    left_at: datetime | None
    created_at: datetime
    updated_at: datetime


_ROWS = select(*columns(Student, RegisterRow))


def _of(tenant_id: int) -> ColumnElement[bool]:
    """The expression of `ix_students_list`: see there why it is none of the column itself."""
    return Student.tenant_id + literal_column("0") == tenant_id


async def everybody(
    connection: AsyncConnection, tenant_id: int, class_id: int | None = None
) -> list[RegisterRow]:
    """All students of a tenant, or of a class; those who left, too. Names are sealed: who wants some of them,
    or an order of people's, opens them."""
    query = _ROWS.where(_of(tenant_id))
    if class_id is not None:
        mine = (Enrolment.tenant_id == tenant_id, Enrolment.lecture_id == class_id)
        ids = select(Enrolment.student_id).where(*mine)
        query = _ROWS.where(Student.tenant_id == tenant_id, Student.id.in_(ids))
    return await many(connection, query, RegisterRow)


async def some(connection: AsyncConnection, tenant_id: int, ids: Collection[int]) -> list[RegisterRow]:
    """Those of the ids that are students of the tenant."""
    query = _ROWS.where(Student.id.in_(ids), Student.tenant_id == tenant_id)
    return await many(connection, query, RegisterRow)


async def one(
    connection: AsyncConnection, tenant_id: int, student_id: int, *, lock: bool = False
) -> RegisterRow | None:
    """None if the tenant has no such student. Locked, nobody else changes or enrols it until the transaction
    ends."""
    query = _ROWS.where(Student.id == student_id, Student.tenant_id == tenant_id)
    return await one_or_none(connection, query.with_for_update() if lock else query, RegisterRow)


async def id_of(connection: AsyncConnection, tenant_id: int, identity_mac: bytes) -> int | None:
    query = select(Student.id).where(Student.identity_mac == identity_mac, Student.tenant_id == tenant_id)
    return (await connection.execute(query)).scalar_one_or_none()


async def alike(connection: AsyncConnection, tenant_id: int, likeness_mac: bytes | None) -> int | None:
    """A student of this name and own phone."""
    if likeness_mac is None:
        return None
    query = select(Student.id).where(Student.likeness_mac == likeness_mac, Student.tenant_id == tenant_id)
    return (await connection.execute(query.order_by(Student.id).limit(1))).scalar_one_or_none()


async def add(connection: AsyncConnection, tenant_id: int, student: SealedStudent) -> int:
    """The id of a new student, who must be nobody known: look under `students.lock_roster`."""
    made = insert(Student).values(
        tenant_id=tenant_id,
        identity_mac=student.identity_mac,
        likeness_mac=student.likeness_mac,
        sealed=student.sealed,
    )
    return (await connection.execute(made.returning(Student.id))).scalar_one()


async def change(
    connection: AsyncConnection, tenant_id: int, student_id: int, student: SealedStudent
) -> None:
    """Write a student that is locked, under `students.lock_roster` where its identity changes."""
    values = {
        "identity_mac": student.identity_mac,
        "likeness_mac": student.likeness_mac,
        "sealed": student.sealed,
    }
    await connection.execute(
        update(Student)
        .where(Student.id == student_id, Student.tenant_id == tenant_id)
        .values(values | {"updated_at": func.now()})
    )


async def leave(connection: AsyncConnection, tenant_id: int, student_id: int) -> None:
    """A locked student leaves the academy and all its classes and sessions; who left before, did then."""
    await connection.execute(
        update(Student)
        .where(Student.id == student_id, Student.tenant_id == tenant_id, Student.left_at.is_(None))
        .values(left_at=func.now(), updated_at=func.now())
    )
    for table in (Enrolment, SessionEnrolment):
        mine = (table.tenant_id == tenant_id, table.student_id == student_id)
        await connection.execute(delete(table).where(*mine))


async def come_back(connection: AsyncConnection, tenant_id: int, student_id: int) -> None:
    """A locked student is there again, and in no class yet."""
    await connection.execute(
        update(Student)
        .where(Student.id == student_id, Student.tenant_id == tenant_id, Student.left_at.is_not(None))
        .values(left_at=None, updated_at=func.now())
    )


async def hold_present(connection: AsyncConnection, tenant_id: int, ids: Collection[int]) -> set[int]:
    """Those of the ids that are students of the tenant and have not left. None of them leaves until the
    transaction ends."""
    query = (
        select(Student.id)
        .where(Student.id.in_(ids), Student.tenant_id == tenant_id, Student.left_at.is_(None))
        .order_by(Student.id)
        .with_for_update(read=True, key_share=True)
    )
    return set((await connection.execute(query)).scalars())
