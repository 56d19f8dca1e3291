"""Queries on who is watching: sessions, progress, violations. The caller holds the transaction."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, null, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database.academy_models import Student
from clients.database.viewing import SessionRow, View
from clients.database.viewing_models import PlaybackSession, PlaybackViolation, VideoProgress
from rules.viewing import VIOLATION_WINDOW, Violation, Watched


async def lock_student(connection: AsyncConnection, tenant_id: int, student_id: int) -> bool:
    """One start or heartbeat of a student at a time; False if the tenant has no such student."""
    this = select(Student.id).where(Student.id == student_id, Student.tenant_id == tenant_id)
    return (await connection.execute(this.with_for_update(key_share=True))).one_or_none() is not None


async def open_session(
    connection: AsyncConnection,
    session_id: UUID,
    tenant_id: int,
    video_id: int,
    viewer: View,
    expires_at: datetime,
) -> None:
    """Begin watching. A student's other session, of whatever video, ends: the newest wins. The student
    must be locked."""
    if viewer.student_id is not None:
        await connection.execute(
            update(PlaybackSession)
            .where(
                PlaybackSession.tenant_id == tenant_id,
                PlaybackSession.student_id == viewer.student_id,
                PlaybackSession.ended_at.is_(None),
            )
            .values(ended_at=func.now(), end_reason="REPLACED")
        )
        # What passed since the last time was not watching.
        begun = insert(VideoProgress).values(
            tenant_id=tenant_id, video_id=video_id, student_id=viewer.student_id
        )
        key = [VideoProgress.tenant_id, VideoProgress.video_id, VideoProgress.student_id]
        await connection.execute(
            begun.on_conflict_do_update(index_elements=key, set_={"beat_at": func.now()})
        )
    await connection.execute(
        insert(PlaybackSession).values(
            id=session_id,
            tenant_id=tenant_id,
            video_id=video_id,
            student_id=viewer.student_id,
            hls_prefix=viewer.hls_prefix,
            policy_version=viewer.decision.version,
            expires_at=expires_at,
        )
    )


async def extend_session(
    connection: AsyncConnection, session_id: UUID, version: str, expires_at: datetime
) -> None:
    await connection.execute(
        update(PlaybackSession)
        .where(PlaybackSession.id == session_id, PlaybackSession.ended_at.is_(None))
        .values(policy_version=version, expires_at=expires_at)
    )


async def end_session(connection: AsyncConnection, session_id: UUID, reason: str) -> None:
    await connection.execute(
        update(PlaybackSession)
        .where(PlaybackSession.id == session_id, PlaybackSession.ended_at.is_(None))
        .values(ended_at=func.now(), end_reason=reason)
    )


async def save_progress(
    connection: AsyncConnection, session: SessionRow, watched: Watched, progress: float, proctored_done: bool
) -> None:
    """How far the session's student is now."""
    now_done = func.now() if proctored_done else null()
    await connection.execute(
        update(VideoProgress)
        .where(
            VideoProgress.tenant_id == session.tenant_id,
            VideoProgress.video_id == session.video_id,
            VideoProgress.student_id == session.student_id,
        )
        .values(
            furthest=watched.furthest,
            slack=watched.slack,
            beat_at=func.now(),
            progress=func.greatest(VideoProgress.progress, progress),
            proctored_completed_at=func.coalesce(VideoProgress.proctored_completed_at, now_done),
        )
    )


async def add_violations(
    connection: AsyncConnection, session: SessionRow, found: list[tuple[Violation, float]]
) -> None:
    """Kind and position of each."""
    if found:
        whose = {
            "tenant_id": session.tenant_id,
            "video_id": session.video_id,
            "student_id": session.student_id,
            "session_id": session.id,
        }
        rows = [whose | {"kind": kind, "position": position} for kind, position in found]
        await connection.execute(insert(PlaybackViolation), rows)


async def recent_violations(
    connection: AsyncConnection, tenant_id: int, video_id: int, student_id: int
) -> int:
    counted = select(func.count()).where(
        PlaybackViolation.tenant_id == tenant_id,
        PlaybackViolation.student_id == student_id,
        PlaybackViolation.video_id == video_id,
        PlaybackViolation.at > func.now() - func.make_interval(0, 0, 0, 0, 0, 0, VIOLATION_WINDOW),
    )
    return (await connection.execute(counted)).scalar_one()
