"""Queries of a trim: what a version was made of, and all that moves with it. The caller holds the
transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Float, case, cast, delete, exists, func, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from clients.database import captions, jobs, videos
from clients.database.captions import NewCaption
from clients.database.captions_models import Caption
from clients.database.models import Job, Video
from clients.database.videos import Version
from clients.database.viewing_models import VideoProgress
from contracts.captions import Origin
from rules.captions.writing import Chapter, chapters_within
from rules.viewing import COMPLETED


@dataclass(frozen=True)
class Part:
    """What is kept of the version below `base`, and what moves with it. `captions_of`: those that `captions`
    were made of. `subtitles`: the key of the file of an older transcription, made of `subtitles_of`."""

    base: str
    start: float
    end: float
    captions: Sequence[NewCaption]
    captions_of: set[UUID]
    subtitles: str | None
    subtitles_of: str | None = None


class CaptionsChanged(Exception):
    """Others are shown than those that were moved."""


async def publish(
    connection: AsyncConnection,
    *,
    tenant_id: int,
    video_id: int,
    file_key: str,
    job_id: UUID,
    epoch: int,
    version: Version,
    part: Part,
) -> tuple[str | None, list[str]]:
    """Show a part of a version in its place, with all that belongs to it; returns the prefix that it
    replaced, and those of captions. Calling it again after success changes nothing, and says the same. Raises
    NotCurrent, CaptionsChanged."""
    done = await _shown_prefix(connection, tenant_id, video_id) == version.hls_prefix
    replaced = await videos.publish(
        connection,
        tenant_id=tenant_id,
        video_id=video_id,
        file_key=file_key,
        job_id=job_id,
        epoch=epoch,
        version=version,
        replacing=part.base,
    )
    if done:
        told = await jobs.stored(connection, job_id) or {}
        return replaced, told.get("retired", [])
    if await subtitles_key(connection, tenant_id, video_id) != part.subtitles_of:
        raise CaptionsChanged
    retired = await _move_captions(connection, tenant_id, video_id, part)
    await _move_chapters(connection, tenant_id, video_id, part)
    await _move_progress(connection, tenant_id, video_id, part)
    this = update(Video).where(Video.tenant_id == tenant_id, Video.id == video_id)
    # Everybody's tokens die: no heartbeat of the old clock may follow.
    moved = {"subtitles_key": part.subtitles, "policy_version": Video.policy_version + 1}
    await connection.execute(this.values(moved))
    await jobs.add_event(connection, job_id, jobs.STORED, {"retired": retired})
    return replaced, retired


@dataclass(frozen=True)
class Maker:
    """The job that made a version. `open`: it has not ended yet, and `result` is empty."""

    subject: str | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    open: bool = False


async def maker(connection: AsyncConnection, job_id: UUID | None) -> Maker:
    found = await connection.execute(
        select(Job.subject, Job.result, Job.finished_at.is_(None)).where(Job.id == job_id)
    )
    row = found.one_or_none()
    return Maker(row[0], row[1] or {}, row[2]) if row else Maker()


async def is_trimmed_since(connection: AsyncConnection, maker: UUID | None, job_id: UUID) -> bool:
    """Whether the job `maker`, which made what is shown, is a trim that had not ended when `job_id` was
    accepted."""
    accepted = select(Job.accepted_at).where(Job.id == job_id).scalar_subquery()
    trimmed = exists().where(
        Job.id == maker,
        Job.job_type == "video.trim",
        or_(Job.finished_at.is_(None), Job.finished_at > accepted),
    )
    return bool((await connection.execute(select(trimmed))).scalar_one())


async def has_open_before(connection: AsyncConnection, job_id: UUID) -> bool:
    """Whether another job of its lecture that publishes was accepted before this one, and has not ended."""
    this, other = aliased(Job), aliased(Job)
    found = exists().where(
        this.id == job_id,
        other.tenant_id == this.tenant_id,
        other.video_id == this.video_id,
        other.job_type.in_(("video.encode", "video.trim")),
        other.finished_at.is_(None),
        other.accepted_at < this.accepted_at,
    )
    return bool((await connection.execute(select(found))).scalar_one())


async def _shown_prefix(connection: AsyncConnection, tenant_id: int, video_id: int) -> str | None:
    """Which version is shown; nobody changes it until the transaction ends."""
    this = select(Video.hls_prefix).where(Video.tenant_id == tenant_id, Video.id == video_id)
    return (await connection.execute(this.with_for_update())).scalar_one_or_none()


async def _move_captions(connection: AsyncConnection, tenant_id: int, video_id: int, part: Part) -> list[str]:
    """People's and machines' captions at their new places; the prefixes of what nothing shows any more."""
    rows = await captions.listed(connection, tenant_id, video_id)
    beside = {row.id: row.prefix for row in rows if row.origin != Origin.EMBEDDED}
    if beside.keys() != part.captions_of:
        raise CaptionsChanged
    these = (Caption.tenant_id == tenant_id, Caption.video_id == video_id, Caption.id.in_(beside))
    await connection.execute(delete(Caption).where(*these))
    await captions.insert_new(connection, tenant_id, video_id, part.captions)
    return list(beside.values())


async def _move_chapters(connection: AsyncConnection, tenant_id: int, video_id: int, part: Part) -> None:
    this = select(Video.chapters).where(Video.tenant_id == tenant_id, Video.id == video_id)
    document: dict[str, Any] | None = await connection.scalar(this)
    if document:
        listed = [Chapter(each["start"], each["title"]) for each in document["chapters"]]
        kept = [each._asdict() for each in chapters_within(listed, part.start, part.end)]
        embedded = bool(document.get("embedded"))
        await captions.set_chapters(connection, tenant_id, video_id, kept or None, embedded=embedded)


async def _move_progress(connection: AsyncConnection, tenant_id: int, video_id: int, part: Part) -> None:
    """What students have watched, on the new clock, as a share of what there is now. Who had completed the
    lecture has."""
    seen = func.greatest(0.0, func.least(VideoProgress.furthest, part.end) - part.start)
    share = func.least(1.0, seen / cast(literal(part.end - part.start), Float))
    done = VideoProgress.progress >= COMPLETED
    await connection.execute(
        update(VideoProgress)
        .where(VideoProgress.tenant_id == tenant_id, VideoProgress.video_id == video_id)
        .values(
            furthest=seen,
            progress=case((done, func.greatest(VideoProgress.progress, share)), else_=share),
        )
    )


async def subtitles_key(connection: AsyncConnection, tenant_id: int, video_id: int) -> str | None:
    this = select(Video.subtitles_key).where(Video.tenant_id == tenant_id, Video.id == video_id)
    return (await connection.execute(this)).scalar_one_or_none()
