"""What there is of one student beside the register: classes, lectures, messages, who changed what. The caller
holds the transaction."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, literal_column, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database.academy_models import AcademyClass, Attendance, Enrolment
from clients.database.audit import AuditRecord, RecordRow
from clients.database.messaging_models import MessageRecipient, OptOut
from clients.database.models import Job, Video
from clients.database.rows import columns, many
from clients.database.viewing_models import LectureSession, SessionEnrolment, VideoAccess, VideoProgress
from contracts.queues.messaging import DIGEST

# In these words: `ix_audit_records_student` has them.
_ABOUT_STUDENT: Any = literal_column("(audit_records.about ->> 'student_id')")


@dataclass(frozen=True, slots=True)
class ClassOfStudent:
    id: int
    title: str | None


@dataclass(frozen=True, slots=True)
class LectureOfStudent:
    """A lecture whose session the student is in, or that was watched. Times in seconds of the lecture;
    `progress` is the part of it, 0 to 1."""

    video_id: int
    title: str | None
    status: str
    duration: float | None
    session_id: int | None
    day: date | None
    attendance: str | None
    access_mode: str | None
    blocked: bool
    enrolled: bool
    progress: float
    furthest: float
    watched_at: datetime | None
    proctored_completed_at: datetime | None


@dataclass(frozen=True, slots=True)
class SentToPhone:
    """A message to one of a student's phones. `sent_as` is the channel that it went by."""

    job_id: UUID
    position: int
    phone_mac: bytes
    masked_phone: str
    channel: str
    sent_as: str | None
    state: str
    code: str | None
    accepted_at: datetime
    final_at: datetime | None


async def classes(connection: AsyncConnection, tenant_id: int, student_id: int) -> list[ClassOfStudent]:
    titled = and_(AcademyClass.tenant_id == tenant_id, AcademyClass.id == Enrolment.lecture_id)
    query = (
        select(Enrolment.lecture_id, AcademyClass.title)
        .outerjoin(AcademyClass, titled)
        .where(Enrolment.tenant_id == tenant_id, Enrolment.student_id == student_id)
        .order_by(Enrolment.lecture_id.desc())
    )
    return [ClassOfStudent(*row) for row in await connection.execute(query)]


async def lectures(
    connection: AsyncConnection, tenant_id: int, student_id: int, limit: int
) -> list[LectureOfStudent]:
    """The newest first."""
    session = and_(LectureSession.tenant_id == tenant_id, LectureSession.id == Video.session_id)
    seat = and_(
        SessionEnrolment.tenant_id == tenant_id,
        SessionEnrolment.session_id == Video.session_id,
        SessionEnrolment.student_id == student_id,
    )
    there = and_(
        Attendance.tenant_id == tenant_id,
        Attendance.lecture_id == LectureSession.lecture_id,
        Attendance.day == LectureSession.day,
        Attendance.student_id == student_id,
    )
    query = select(
        Video.id,
        Video.title,
        Video.status,
        Video.duration,
        Video.session_id,
        LectureSession.day,
        Attendance.status,
        VideoAccess.access_mode,
        VideoAccess.blocked,
        SessionEnrolment.student_id,
        VideoProgress.progress,
        VideoProgress.furthest,
        VideoProgress.beat_at,
        VideoProgress.proctored_completed_at,
    ).select_from(Video)
    query = query.outerjoin(LectureSession, session).outerjoin(SessionEnrolment, seat)
    query = query.outerjoin(Attendance, there)
    for table in (VideoAccess, VideoProgress):
        own = and_(table.tenant_id == tenant_id, table.video_id == Video.id, table.student_id == student_id)
        query = query.outerjoin(table, own)
    query = query.where(
        Video.tenant_id == tenant_id,
        Video.deleted_at.is_(None),
        or_(SessionEnrolment.student_id.is_not(None), VideoProgress.student_id.is_not(None)),
    )
    rows = await connection.execute(query.order_by(Video.id.desc()).limit(limit))
    return [
        LectureOfStudent(
            *row[:8], bool(row[8]), row[9] is not None, row[10] or 0.0, row[11] or 0.0, row[12], row[13]
        )
        for row in rows
    ]


async def messages(
    connection: AsyncConnection, tenant_id: int, phone_macs: Collection[bytes], limit: int
) -> list[SentToPhone]:
    """The newest first. Of notices in one text each is one, and the text is none of its own."""
    query = (
        select(
            MessageRecipient.job_id,
            MessageRecipient.position,
            MessageRecipient.phone_mac,
            MessageRecipient.masked_phone,
            MessageRecipient.channel,
            MessageRecipient.sent_as,
            MessageRecipient.state,
            MessageRecipient.code,
            Job.accepted_at,
            MessageRecipient.final_at,
        )
        .join(Job, Job.id == MessageRecipient.job_id)
        .where(
            MessageRecipient.tenant_id == tenant_id,
            MessageRecipient.phone_mac.in_(phone_macs),
            Job.job_type != DIGEST,
        )
        .order_by(Job.seq.desc(), MessageRecipient.position)
        .limit(limit)
    )
    return await many(connection, query, SentToPhone)


async def opted_out(
    connection: AsyncConnection, tenant_id: int, phone_macs: Collection[bytes]
) -> dict[bytes, datetime]:
    """Phones that take no advertising, and since when."""
    query = select(OptOut.phone_mac, OptOut.at).where(
        OptOut.tenant_id == tenant_id, OptOut.phone_mac.in_(phone_macs)
    )
    return {row.phone_mac: row.at for row in await connection.execute(query)}


async def changes(
    connection: AsyncConnection, tenant_id: int, student_id: int, operations: Collection[str], limit: int
) -> list[RecordRow]:
    """Which of the operations were done on the student, and by whom; the newest first."""
    query = (
        select(*columns(AuditRecord, RecordRow))
        .where(
            AuditRecord.tenant_id == tenant_id,
            str(student_id) == _ABOUT_STUDENT,
            AuditRecord.operation.in_(operations),
            AuditRecord.status < 400,
        )
        .order_by(AuditRecord.id.desc())
        .limit(limit)
    )
    return await many(connection, query, RecordRow)
