"""What pages show of classes and their sessions. The caller holds the transaction."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database.academy_models import AcademyClass, Attendance
from clients.database.classes import ClassRow
from clients.database.models import Video
from clients.database.rows import columns, many
from clients.database.viewing_models import LectureSession, SessionEnrolment


@dataclass(frozen=True, slots=True)
class Days:
    """Of a class: its last session before a day, its next one from that day on, and how many lectures all of
    its sessions have."""

    last: date | None
    next: date | None
    lectures: int


@dataclass(frozen=True, slots=True)
class LectureOfSession:
    id: int
    title: str | None
    status: str
    session_id: int | None


@dataclass(frozen=True, slots=True)
class Lesson:
    """A session as lists show it. `statuses`: how many were there in which way; `unnoted`: how many of the
    enrolled nothing was noted of."""

    id: int
    class_id: int
    class_title: str | None
    day: date
    enrolled: int
    unnoted: int
    statuses: Mapping[str, int]
    lectures: Sequence[LectureOfSession]


_LECTURES = select(*columns(Video, LectureOfSession)).where(Video.deleted_at.is_(None))


async def days(
    connection: AsyncConnection, tenant_id: int, classes: Sequence[ClassRow], today: date
) -> dict[int, Days]:
    """By class, of those that have a session."""
    ids = [each.id for each in classes]
    of_these = (LectureSession.tenant_id == tenant_id, LectureSession.lecture_id.in_(ids))
    played = (
        select(LectureSession.lecture_id, func.count())
        .join(Video, and_(Video.tenant_id == tenant_id, Video.session_id == LectureSession.id))
        .where(*of_these, Video.deleted_at.is_(None))
        .group_by(LectureSession.lecture_id)
    )
    lectures = {class_id: int(count) for class_id, count in await connection.execute(played)}
    day = LectureSession.day
    ends = (
        select(
            LectureSession.lecture_id, func.max(day).filter(day < today), func.min(day).filter(day >= today)
        )
        .where(*of_these)
        .group_by(LectureSession.lecture_id)
    )
    return {
        class_id: Days(last, following, lectures.get(class_id, 0))
        for class_id, last, following in await connection.execute(ends)
    }


async def of_class(
    connection: AsyncConnection, tenant_id: int, class_id: int, before: int | None, limit: int
) -> list[Lesson]:
    """The latest day first; of one page those behind the session `before`."""
    order = tuple_(LectureSession.day, LectureSession.id)
    query = _sessions(tenant_id, LectureSession.lecture_id == class_id)
    if before is not None:
        last = select(LectureSession.day, LectureSession.id).where(
            LectureSession.tenant_id == tenant_id, LectureSession.id == before
        )
        query = query.where(order < last.scalar_subquery())
    query = query.order_by(LectureSession.day.desc(), LectureSession.id.desc()).limit(limit)
    return await _lessons(connection, tenant_id, query)


async def on_day(connection: AsyncConnection, tenant_id: int, day: date) -> list[Lesson]:
    """All of an academy's, in the order that they were made."""
    query = _sessions(tenant_id, LectureSession.day == day)
    return await _lessons(connection, tenant_id, query.order_by(LectureSession.id))


async def lectures(
    connection: AsyncConnection, tenant_id: int, session_ids: Collection[int]
) -> list[LectureOfSession]:
    """Of these sessions, the oldest first."""
    query = _LECTURES.where(Video.tenant_id == tenant_id, Video.session_id.in_(session_ids))
    return await many(connection, query.order_by(Video.id), LectureOfSession)


async def lectures_of_none(connection: AsyncConnection, tenant_id: int, limit: int) -> list[LectureOfSession]:
    """Lectures without a session, the newest first."""
    query = _LECTURES.where(Video.tenant_id == tenant_id, Video.session_id.is_(None))
    return await many(connection, query.order_by(Video.id.desc()).limit(limit), LectureOfSession)


def _sessions(tenant_id: int, which: ColumnElement[bool]) -> Select[Any]:
    of = and_(AcademyClass.tenant_id == tenant_id, AcademyClass.id == LectureSession.lecture_id)
    seats = and_(
        SessionEnrolment.tenant_id == LectureSession.tenant_id,
        SessionEnrolment.session_id == LectureSession.id,
    )
    noted = select(Attendance.student_id).where(
        Attendance.tenant_id == LectureSession.tenant_id,
        Attendance.lecture_id == LectureSession.lecture_id,
        Attendance.day == LectureSession.day,
        Attendance.student_id == SessionEnrolment.student_id,
    )
    enrolled = select(func.count()).where(seats).correlate(LectureSession)
    unnoted = enrolled.where(~noted.correlate(LectureSession, SessionEnrolment).exists())
    return (
        select(
            LectureSession.id,
            LectureSession.lecture_id,
            AcademyClass.title,
            LectureSession.day,
            enrolled.scalar_subquery(),
            unnoted.scalar_subquery(),
        )
        .outerjoin(AcademyClass, of)
        .where(LectureSession.tenant_id == tenant_id, which)
    )


async def _lessons(connection: AsyncConnection, tenant_id: int, query: Select[Any]) -> list[Lesson]:
    sessions = (await connection.execute(query)).all()
    if not sessions:
        return []
    days = {(class_id, day) for _, class_id, _, day, _, _ in sessions}
    counted = (
        select(Attendance.lecture_id, Attendance.day, Attendance.status, func.count())
        .where(Attendance.tenant_id == tenant_id, tuple_(Attendance.lecture_id, Attendance.day).in_(days))
        .group_by(Attendance.lecture_id, Attendance.day, Attendance.status)
    )
    statuses: dict[tuple[int, date], dict[str, int]] = {}
    for class_id, day, status, count in await connection.execute(counted):
        statuses.setdefault((class_id, day), {})[status] = count
    shown = await lectures(connection, tenant_id, [session.id for session in sessions])

    def lesson(id: int, class_id: int, title: str | None, day: date, enrolled: int, unnoted: int) -> Lesson:
        own = [each for each in shown if each.session_id == id]
        return Lesson(id, class_id, title, day, enrolled, unnoted, statuses.get((class_id, day), {}), own)

    return [lesson(*session) for session in sessions]
