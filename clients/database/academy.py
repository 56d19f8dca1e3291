"""Queries on attendance and staff hours. The caller holds the transaction.

An academy that keeps lectures and working hours elsewhere points `lecture_students`, `attendance` and
`staff_hours` at its own tables (docs/decisions/0022-academy-tables.md).
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database.academy_models import Attendance, Enrolment, Staff, StaffHours, Student
from clients.database.students import StudentRow


class HoursRow(NamedTuple):
    """One stretch of work of a member of the staff, whose name is sealed."""

    id: int
    sealed: bytes
    began_at: datetime
    ended_at: datetime
    break_minutes: int


class AttendanceRow(NamedTuple):
    student_id: int
    day: date
    status: str


async def lecture_students(
    connection: AsyncConnection, tenant_id: int, lecture_id: int
) -> Sequence[StudentRow]:
    """Those who are enrolled in a lecture, or have attended it."""
    attended = select(Attendance.student_id).where(
        Attendance.tenant_id == tenant_id, Attendance.lecture_id == lecture_id
    )
    enrolled = select(Enrolment.student_id).where(
        Enrolment.tenant_id == tenant_id, Enrolment.lecture_id == lecture_id
    )
    rows = await connection.execute(
        select(Student.id, Student.identity_mac, Student.sealed).where(
            Student.tenant_id == tenant_id, Student.id.in_(attended.union(enrolled))
        )
    )
    return [StudentRow(*row) for row in rows]


async def attendance(connection: AsyncConnection, tenant_id: int, lecture_id: int) -> Sequence[AttendanceRow]:
    """Who was there on which day of a lecture."""
    rows = await connection.execute(
        select(Attendance.student_id, Attendance.day, Attendance.status).where(
            Attendance.tenant_id == tenant_id, Attendance.lecture_id == lecture_id
        )
    )
    return [AttendanceRow(*row) for row in rows]


async def staff_hours(
    connection: AsyncConnection, tenant_id: int, start: datetime, end: datetime
) -> Sequence[HoursRow]:
    """What began in a span."""
    rows = await connection.execute(
        select(Staff.id, Staff.sealed, StaffHours.began_at, StaffHours.ended_at, StaffHours.break_minutes)
        .join(StaffHours, (StaffHours.tenant_id == Staff.tenant_id) & (StaffHours.staff_id == Staff.id))
        .where(Staff.tenant_id == tenant_id, StaffHours.began_at >= start, StaffHours.began_at < end)
        .order_by(StaffHours.began_at)
    )
    return [HoursRow(*row) for row in rows]
