"""Queries of a trim: what a version was made of, and all that moves with it. The caller holds the
transaction."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Float, case, cast, delete, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database import captions
from clients.database.captions import NewCaption
from clients.database.captions_models import Caption
from clients.database.models import Job, Video
from clients.database.viewing_models import VideoProgress
from contracts.captions import Origin
from rules.captions.writing import Chapter, chapters_within
from rules.viewing import COMPLETED


async def maker(connection: AsyncConnection, job_id: UUID | None) -> tuple[str | None, dict[str, Any]]:
    """Subject and result of the job that made a version."""
    found = await connection.execute(select(Job.subject, Job.result).where(Job.id == job_id))
    row = found.one_or_none()
    return (row[0], row[1] or {}) if row else (None, {})


async def shown_prefix(connection: AsyncConnection, tenant_id: int, video_id: int) -> str | None:
    """Which version is shown; nobody changes it until the transaction ends."""
    this = select(Video.hls_prefix).where(Video.tenant_id == tenant_id, Video.id == video_id)
    return (await connection.execute(this.with_for_update())).scalar_one_or_none()


async def move_captions(
    connection: AsyncConnection, tenant_id: int, video_id: int, new: Sequence[NewCaption], old: set[UUID]
) -> list[str] | None:
    """Show people's and machines' captions at their new places, instead of those of `old`; the prefixes of
    what nothing shows any more. None if others are shown by now."""
    rows = await captions.listed(connection, tenant_id, video_id)
    beside = {row.id: row.prefix for row in rows if row.origin != Origin.EMBEDDED}
    if beside.keys() != old:
        return None
    await connection.execute(
        delete(Caption).where(
            Caption.tenant_id == tenant_id, Caption.video_id == video_id, Caption.id.in_(beside)
        )
    )
    await captions.insert_new(connection, tenant_id, video_id, new)
    return list(beside.values())


async def move_chapters(
    connection: AsyncConnection, tenant_id: int, video_id: int, start: float, end: float
) -> None:
    this = select(Video.chapters).where(Video.tenant_id == tenant_id, Video.id == video_id)
    document: dict[str, Any] | None = await connection.scalar(this)
    if document:
        listed = [Chapter(each["start"], each["title"]) for each in document["chapters"]]
        kept = [each._asdict() for each in chapters_within(listed, start, end)]
        embedded = bool(document.get("embedded"))
        await captions.set_chapters(connection, tenant_id, video_id, kept or None, embedded=embedded)


async def move_progress(
    connection: AsyncConnection, tenant_id: int, video_id: int, start: float, end: float
) -> None:
    """What students have watched, on the new clock, as a share of what there is now. Who had completed the
    lecture has. Everybody's tokens die: no heartbeat of the old clock may follow."""
    seen = func.greatest(0.0, func.least(VideoProgress.furthest, end) - start)
    share = func.least(1.0, seen / cast(literal(end - start), Float))
    await connection.execute(
        update(VideoProgress)
        .where(VideoProgress.tenant_id == tenant_id, VideoProgress.video_id == video_id)
        .values(
            furthest=seen,
            progress=case(
                (VideoProgress.progress >= COMPLETED, func.greatest(VideoProgress.progress, share)),
                else_=share,
            ),
        )
    )
    await connection.execute(
        update(Video)
        .where(Video.tenant_id == tenant_id, Video.id == video_id)
        .values(policy_version=Video.policy_version + 1)
    )


async def subtitles_key(connection: AsyncConnection, tenant_id: int, video_id: int) -> str | None:
    this = select(Video.subtitles_key).where(Video.tenant_id == tenant_id, Video.id == video_id)
    return (await connection.execute(this)).scalar_one_or_none()


async def set_subtitles(connection: AsyncConnection, tenant_id: int, video_id: int, key: str | None) -> None:
    await connection.execute(
        update(Video).where(Video.tenant_id == tenant_id, Video.id == video_id).values(subtitles_key=key)
    )
