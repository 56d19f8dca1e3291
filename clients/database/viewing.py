"""Queries on who may watch and who is watching. The caller holds the transaction.

An academy that keeps sessions, enrolments and permissions elsewhere puts views of these names in their
place (docs/decisions/0022-academy-tables.md).
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, Select, SQLColumnExpression, and_, func, literal, null, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database.academy_models import Attendance
from clients.database.models import Job, Video
from clients.database.rows import columns, made
from clients.database.viewing_models import (
    LectureSession,
    PlaybackSession,
    SessionEnrolment,
    VideoAccess,
    VideoProgress,
)
from contracts.video import version_prefix
from rules.viewing import (
    AccessMode,
    Decision,
    Facts,
    Watched,
    decide,
    is_completed,
    preview,
)


@dataclass(frozen=True, slots=True)
class SessionRow:
    """Somebody who is watching."""

    id: UUID
    tenant_id: int
    video_id: int
    student_id: int | None
    hls_prefix: str
    policy_version: str


@dataclass(frozen=True, slots=True)
class _FactsRow:
    """What `_facts` reads. All but the video's own is None where there is no such row."""

    owner: int
    video: int
    status: str
    published_prefix: str | None
    encoded_by: UUID | None
    epoch: int | None
    duration: float | None
    has_pictures: bool
    subtitles_key: str | None
    has_chapters: bool
    download_key: str | None
    video_policy: int
    enrolled: int | None
    attendance: str | None
    access_mode: str | None
    blocked: bool | None
    access_version: int | None
    furthest: float | None
    slack: float | None
    progress: float | None
    proctored_completed_at: datetime | None
    elapsed: Decimal | None


_SESSIONS = select(*columns(PlaybackSession, SessionRow))


@dataclass(frozen=True)
class View:
    """A video as one student sees it, or staff where there is no student. Times in seconds.

    `elapsed` is the time since the student's last heartbeat. `growing`: nothing was ever published, and this
    is the version that is being encoded, of which there may be nothing to see yet; its `duration` is 0.
    `download_key`: none in a proctored class.
    """

    decision: Decision
    student_id: int | None
    hls_prefix: str | None
    growing: bool
    duration: float
    has_pictures: bool
    subtitles_key: str | None
    has_chapters: bool
    download_key: str | None
    watched: Watched
    elapsed: float
    progress: float


async def view(
    connection: AsyncConnection, tenant_id: int, video_id: int, student_id: int | None
) -> View | None:
    """None if there is no such video."""
    this = select().select_from(Video).where(Video.tenant_id == tenant_id, Video.id == video_id)
    student = null() if student_id is None else literal(student_id)
    query = _facts(this, literal(tenant_id), literal(video_id), student)
    found = (await connection.execute(query)).mappings().one_or_none()
    return _view(found, student_id) if found else None


async def session_view(
    connection: AsyncConnection, session_id: UUID
) -> tuple[SessionRow, View] | tuple[None, None]:
    """A session that is still open, and what its viewer sees now: one query, for it is asked at every
    segment."""
    playing = PlaybackSession
    on = and_(Video.tenant_id == playing.tenant_id, Video.id == playing.video_id)
    query = _facts(_SESSIONS.join(Video, on), playing.tenant_id, playing.video_id, playing.student_id).where(
        playing.id == session_id, playing.ended_at.is_(None), playing.expires_at > func.now()
    )
    found = (await connection.execute(query)).mappings().one_or_none()
    if found is None:
        return None, None
    session = made(SessionRow, found)
    return session, _view(found, session.student_id)


def _facts(
    videos: Select[Any],
    tenant: SQLColumnExpression[Any],
    video: SQLColumnExpression[Any],
    student: SQLColumnExpression[Any],
) -> Select[Any]:
    """Everything about a video and a student beside it.

    Each table is looked up by its whole primary key, named by one row or in a subquery of its own: in a
    plain join Postgres may look up a part, and compare with every student of the lecture.
    """
    enrolled = select(SessionEnrolment.student_id).where(
        SessionEnrolment.tenant_id == Video.tenant_id,
        SessionEnrolment.session_id == Video.session_id,
        SessionEnrolment.student_id == student,
    )
    attendance = select(Attendance.status).where(
        Attendance.tenant_id == Video.tenant_id,
        Attendance.lecture_id == LectureSession.lecture_id,
        Attendance.day == LectureSession.day,
        Attendance.student_id == student,
    )
    query = videos.add_columns(
        Video.tenant_id.label("owner"),
        Video.id.label("video"),
        Video.status,
        Video.hls_prefix.label("published_prefix"),
        Job.id.label("encoded_by"),
        Job.epoch,
        Video.duration,
        Video.has_pictures,
        Video.subtitles_key,
        Video.chapters.is_not(None).label("has_chapters"),
        Video.download_key,
        Video.policy_version.label("video_policy"),
        enrolled.scalar_subquery().label("enrolled"),
        attendance.scalar_subquery().label("attendance"),
        VideoAccess.access_mode,
        VideoAccess.blocked,
        VideoAccess.version.label("access_version"),
        VideoProgress.furthest,
        VideoProgress.slack,
        VideoProgress.progress,
        VideoProgress.proctored_completed_at,
        func.extract("epoch", func.now() - VideoProgress.beat_at).label("elapsed"),
    )
    of = and_(LectureSession.tenant_id == Video.tenant_id, LectureSession.id == Video.session_id)
    query = query.outerjoin(LectureSession, of)
    # While a new version of a lecture is made its viewers keep the one they have.
    encoding = and_(Job.id == Video.current_job, Video.status == "PROCESSING", Video.hls_prefix.is_(None))
    query = query.outerjoin(Job, and_(encoding, Job.finished_at.is_(None)))
    for table in (VideoAccess, VideoProgress):
        this = and_(table.tenant_id == tenant, table.video_id == video, table.student_id == student)
        query = query.outerjoin(table, this)
    return query.where(Video.deleted_at.is_(None))


def _view(found: RowMapping, student_id: int | None) -> View:
    row = made(_FactsRow, found)
    ready, prefix = row.status == "READY" and row.published_prefix is not None, row.published_prefix
    growing = False
    if row.encoded_by and row.epoch:
        prefix, growing = version_prefix(row.owner, row.video, row.encoded_by, row.epoch), True
    if student_id is None:
        decision = preview(ready or growing, str(row.video_policy))
    else:
        facts = Facts(
            ready=ready or growing,
            enrolled=row.enrolled is not None,
            permission=AccessMode(row.access_mode) if row.access_mode else None,
            blocked=bool(row.blocked),
            online=row.attendance == "ONLINE",
            completed=is_completed(row.progress or 0.0, row.proctored_completed_at is not None),
            revision=f"{row.video_policy}.{row.access_version or 0}",
        )
        decision = decide(facts)
    watched = Watched() if row.furthest is None or row.slack is None else Watched(row.furthest, row.slack)
    return View(
        decision=decision,
        student_id=student_id,
        hls_prefix=prefix,
        growing=growing,
        duration=row.duration or 0.0,
        has_pictures=row.has_pictures,
        subtitles_key=row.subtitles_key,
        has_chapters=row.has_chapters,
        download_key=None if decision.proctored else row.download_key,
        watched=watched,
        elapsed=float(row.elapsed or 0.0),
        progress=row.progress or 0.0,
    )


async def set_access(
    connection: AsyncConnection,
    tenant_id: int,
    video_id: int,
    student_id: int,
    permission: AccessMode | None = None,
    blocked: bool = False,
) -> None:
    """Decide for one student; tokens that he or she has die."""
    values = {"access_mode": permission, "blocked": blocked}
    await connection.execute(
        insert(VideoAccess)
        .values(tenant_id=tenant_id, video_id=video_id, student_id=student_id, **values)
        .on_conflict_do_update(
            index_elements=[VideoAccess.tenant_id, VideoAccess.video_id, VideoAccess.student_id],
            set_=values | {"version": VideoAccess.version + 1},
        )
    )


async def revoke(connection: AsyncConnection, tenant_id: int, video_id: int) -> None:
    """Every token of a video dies."""
    await connection.execute(
        update(Video)
        .where(Video.tenant_id == tenant_id, Video.id == video_id)
        .values(policy_version=Video.policy_version + 1)
    )
