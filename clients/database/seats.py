"""Whom a roster enrols in a class, in the sessions of that class. The caller holds the transaction."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database.academy_models import Enrolment
from clients.database.viewing_models import LectureSession, SessionEnrolment
from rules.quiet_hours import KST

_OF_CLASS = and_(
    LectureSession.tenant_id == Enrolment.tenant_id, LectureSession.lecture_id == Enrolment.lecture_id
)


def _by_roster(tenant_id: int, job_id: UUID) -> tuple[ColumnElement[bool], ...]:
    return Enrolment.tenant_id == tenant_id, Enrolment.job_id == job_id


def today() -> date:
    """The day that it is in Korea."""
    return datetime.now(KST).date()


async def seat_enrolled(connection: AsyncConnection, tenant_id: int, class_id: int, job_id: UUID) -> None:
    """Whom a roster has enrolled in a class, into its sessions from today on."""
    seats = (
        select(Enrolment.tenant_id, LectureSession.id, Enrolment.student_id)
        .join(LectureSession, _OF_CLASS)
        .where(
            *_by_roster(tenant_id, job_id), Enrolment.lecture_id == class_id, LectureSession.day >= today()
        )
    )
    new = insert(SessionEnrolment).from_select(["tenant_id", "session_id", "student_id"], seats)
    await connection.execute(new.on_conflict_do_nothing())


async def unenrol(connection: AsyncConnection, tenant_id: int, job_id: UUID) -> int:
    """Whom a roster has enrolled, out of the class and of its sessions from today on; how many."""
    seats = (
        select(literal(1))
        .select_from(Enrolment)
        .join(LectureSession, _OF_CLASS)
        .where(
            *_by_roster(tenant_id, job_id),
            LectureSession.day >= today(),
            LectureSession.id == SessionEnrolment.session_id,
            Enrolment.student_id == SessionEnrolment.student_id,
        )
    )
    await connection.execute(
        delete(SessionEnrolment).where(SessionEnrolment.tenant_id == tenant_id, seats.exists())
    )
    return (await connection.execute(delete(Enrolment).where(*_by_roster(tenant_id, job_id)))).rowcount
