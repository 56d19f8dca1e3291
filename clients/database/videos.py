"""Queries on videos: begin an encode, publish with compare-and-set, fail, delete."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict, Unpack
from uuid import UUID

from sqlalchemy import case, delete, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database import captions
from clients.database.jobs import JobMissing, JobRow
from clients.database.models import Job, Rendition, Tenant, Video
from clients.database.rows import columns, one, one_or_none
from contracts.errors import SUPERSEDED, VERSION_CHANGED, VIDEO_DELETED, ErrorType


@dataclass(frozen=True, slots=True)
class VideoRow:
    tenant_id: int
    id: int
    title: str | None
    file_key: str
    status: str
    error_code: str | None
    hls_path: str | None
    hls_prefix: str | None
    replaced_prefix: str | None
    duration: float | None
    published_seq: int
    current_job: UUID | None
    published_job: UUID | None
    has_pictures: bool
    session_id: int | None
    download_lines: int | None
    download_key: str | None
    deleted_at: datetime | None
    updated_at: datetime


WORKS_ON = ("video.encode", "video.trim", "video.download")
_VIDEOS = select(*columns(Video, VideoRow))


@dataclass(frozen=True)
class Version:
    """A version ready to be shown to viewers."""

    hls_path: str
    hls_prefix: str
    duration: float
    renditions: list[dict[str, Any]]
    has_pictures: bool = False


async def begin_encode(
    connection: AsyncConnection, tenant_id: int, video_id: int, file_key: str, job_id: UUID
) -> bool:
    """Note that `job_id` encodes this video. False if the video was deleted.

    A published video stays READY, so that viewers keep the version they have.
    """
    statement = insert(Video).values(
        tenant_id=tenant_id, id=video_id, file_key=file_key, status="PROCESSING", current_job=job_id
    )
    written = await connection.execute(
        statement.on_conflict_do_update(
            index_elements=[Video.tenant_id, Video.id],
            set_={
                "file_key": file_key,
                "current_job": job_id,
                "error_code": None,
                "status": case((Video.hls_path.is_(None), "PROCESSING"), else_=Video.status),
                "updated_at": func.now(),
            },
            where=Video.deleted_at.is_(None),
        ).returning(Video.id)
    )
    return written.one_or_none() is not None


async def begin_trim(connection: AsyncConnection, tenant_id: int, video_id: int, job_id: UUID) -> None:
    """Note that `job_id` works on this video. What viewers see stays, and so does its file."""
    await connection.execute(
        update(Video)
        .where(Video.tenant_id == tenant_id, Video.id == video_id, Video.deleted_at.is_(None))
        .values(current_job=job_id, error_code=None, updated_at=func.now())
    )


async def is_encoded_now(connection: AsyncConnection, tenant_id: int, video_id: int) -> bool:
    encodes = exists().where(
        Job.tenant_id == tenant_id,
        Job.video_id == video_id,
        Job.job_type == "video.encode",
        Job.finished_at.is_(None),
    )
    return bool((await connection.execute(select(encodes))).scalar_one())


async def publish(
    connection: AsyncConnection,
    *,
    tenant_id: int,
    video_id: int,
    file_key: str,
    job_id: UUID,
    epoch: int,
    version: Version,
    replacing: str | None = None,
) -> str | None:
    """Make `version` the one viewers see; returns the prefix it replaced, if any. A database that is from
    before the encode began, or before the video, learns of it here: only a tombstone is a deletion.
    `replacing`: the prefix that it was made of, which must be shown now.

    Raises `NotCurrent` when the video is deleted, a later accepted job has published, or this execution
    is no longer the job's newest (a zombie): the caller's objects must go. Calling it again after success
    changes nothing.
    """
    this = _VIDEOS.where(Video.tenant_id == tenant_id, Video.id == video_id).with_for_update()
    video = await one_or_none(connection, this, VideoRow)
    known = select(Job.seq, Job.epoch, Job.finished_at, Job.accepted_at).where(Job.id == job_id)
    job = (await connection.execute(known.with_for_update())).one_or_none()
    if job is None:
        raise JobMissing(job_id)
    seq, newest_epoch, finished_at, accepted_at = job
    if video is None:
        await begin_encode(connection, tenant_id, video_id, file_key, job_id)
        video = await one(connection, this, VideoRow)
    if video.deleted_at:
        raise NotCurrent(VIDEO_DELETED)
    if video.hls_prefix == version.hls_prefix:
        return video.replaced_prefix
    if newest_epoch > epoch or finished_at:
        raise NotCurrent(ErrorType.STALE_EPOCH)
    if await _published_later(connection, video, accepted_at, seq):
        raise NotCurrent(SUPERSEDED)
    if replacing is not None and video.hls_prefix != replacing:
        raise NotCurrent(VERSION_CHANGED)
    await connection.execute(update(Job).where(Job.id == job_id).values(epoch=epoch))
    await connection.execute(
        update(Video)
        .where(Video.tenant_id == tenant_id, Video.id == video_id)
        .values(
            status="READY",
            error_code=None,
            hls_path=version.hls_path,
            hls_prefix=version.hls_prefix,
            replaced_prefix=video.hls_prefix,
            duration=version.duration,
            has_pictures=version.has_pictures,
            download_key=None,  # of the version before
            published_seq=seq,
            published_job=job_id,
        )
    )
    await connection.execute(
        delete(Rendition).where(Rendition.tenant_id == tenant_id, Rendition.video_id == video_id)
    )
    await connection.execute(
        insert(Rendition).values(
            [{"tenant_id": tenant_id, "video_id": video_id, **row} for row in version.renditions]
        )
    )
    return video.hls_prefix


async def is_to_be_deleted(connection: AsyncConnection, job: JobRow) -> bool:
    """Whether the deletion of its video was asked for after this job: its tombstone may be missing still."""
    later = exists().where(
        Job.tenant_id == job.tenant_id,
        Job.video_id == job.video_id,
        Job.job_type == "video.delete",
        Job.accepted_at >= job.accepted_at,
    )
    return bool((await connection.execute(select(later))).scalar_one())


async def has_or_had(connection: AsyncConnection, video: VideoRow, job: JobRow) -> bool:
    """Whether nothing of an encode that is done is left to be shown: viewers see its version, or one that was
    asked for later, or the video is deleted."""
    if video.deleted_at or await _published_later(connection, video, job.accepted_at, job.seq):
        return True
    return video.hls_prefix is not None and job.id.hex[:12] in video.hls_prefix


async def _published_later(
    connection: AsyncConnection, video: VideoRow, accepted_at: datetime, seq: int
) -> bool:
    """Whether what viewers see was asked for after us. By time: a job that was restored has a new `seq`."""
    shown = select(Job.accepted_at, Job.seq).join(Video, Video.published_job == Job.id)
    row = await connection.execute(shown.where(Video.tenant_id == video.tenant_id, Video.id == video.id))
    published = row.one_or_none()
    return published is not None and tuple(published) > (accepted_at, seq)


class NotCurrent(Exception):
    """This execution may not publish; the argument is the reason."""


async def fail_encode(connection: AsyncConnection, job_id: UUID, error_code: str) -> None:
    """Show the reason on the video whose newest job this is; FAILED only where nothing is published."""
    await connection.execute(
        update(Video)
        .where(Video.current_job == job_id)
        .values(
            error_code=error_code,
            status=case((Video.hls_path.is_(None), "FAILED"), else_=Video.status),
        )
    )


async def mark_deleted(connection: AsyncConnection, tenant_id: int, video_id: int) -> None:
    """Leave a tombstone: nothing may be published for this video any more, whenever it arrives."""
    await connection.execute(insert(Tenant).values(id=tenant_id).on_conflict_do_nothing())
    gone = {"status": "DELETED", "deleted_at": func.now(), "hls_path": None, "hls_prefix": None}
    gone |= {"subtitles_key": None, "download_key": None}
    await connection.execute(
        insert(Video)
        .values(tenant_id=tenant_id, id=video_id, file_key="", **gone)
        .on_conflict_do_update(index_elements=[Video.tenant_id, Video.id], set_=gone)
    )
    await connection.execute(
        delete(Rendition).where(Rendition.tenant_id == tenant_id, Rendition.video_id == video_id)
    )
    await captions.forget(connection, tenant_id, video_id)


class Changes(TypedDict, total=False):
    """What people change of a video. `session_id`: None for one of no session. `download_lines`: None for one
    that is not downloaded; a file that was made before is not given any more."""

    title: str
    session_id: int | None
    download_lines: int | None


async def change(
    connection: AsyncConnection, tenant_id: int, video_id: int, **changes: Unpack[Changes]
) -> bool:
    """False if the video is not there."""
    values: dict[str, Any] = {**changes}
    if "download_lines" in changes:
        values["download_key"] = None
    written = await connection.execute(
        update(Video)
        .where(Video.tenant_id == tenant_id, Video.id == video_id, Video.deleted_at.is_(None))
        .values(values)
        .returning(Video.id)
    )
    return written.one_or_none() is not None


async def attach_download(
    connection: AsyncConnection, tenant_id: int, video_id: int, prefix: str, lines: int, key: str
) -> bool:
    """Let the file of a version be downloaded. False if another is shown, or it may not be any more."""
    written = await connection.execute(
        update(Video)
        .where(
            Video.tenant_id == tenant_id,
            Video.id == video_id,
            Video.deleted_at.is_(None),
            Video.hls_prefix == prefix,
            Video.download_lines == lines,
        )
        .values(download_key=key)
        .returning(Video.id)
    )
    return written.one_or_none() is not None


async def attach_subtitles(
    connection: AsyncConnection, tenant_id: int, video_id: int, key: str, *, of: str | None
) -> bool:
    """Show a WebVTT object of the tenant's as the video's subtitles. False if the video is not there, or
    shows another version than the one below the prefix `of`. Raises ValueError for an object of somebody
    else."""
    if not key.startswith(f"tenants/{tenant_id}/") or ".." in key:
        raise ValueError("subtitles must lie below the tenant's prefix")
    written = await connection.execute(
        update(Video)
        .where(Video.tenant_id == tenant_id, Video.id == video_id, Video.deleted_at.is_(None))
        .where(Video.hls_prefix.is_not_distinct_from(of))
        .values(subtitles_key=key)
        .returning(Video.id)
    )
    return written.one_or_none() is not None


async def open_encodes(connection: AsyncConnection, tenant_id: int, video_id: int) -> Sequence[str]:
    """Workflow IDs of what writes below this video's prefix and has not ended."""
    rows = await connection.execute(
        select(Job.workflow_id).where(
            Job.tenant_id == tenant_id,
            or_(*(Job.subject.like(f"{kind}:{video_id}:%") for kind in WORKS_ON)),
            Job.finished_at.is_(None),
        )
    )
    return rows.scalars().all()


async def find(connection: AsyncConnection, tenant_id: int, video_id: int) -> VideoRow | None:
    this = _VIDEOS.where(Video.tenant_id == tenant_id, Video.id == video_id)
    return await one_or_none(connection, this, VideoRow)


async def published_result(connection: AsyncConnection, video: VideoRow) -> dict[str, Any]:
    """What the job that made the published version ended with; empty until it has ended."""
    result = await connection.scalar(select(Job.result).where(Job.id == video.published_job))
    return result or {}


async def published_prefix(connection: AsyncConnection, tenant_id: int, video_id: int) -> str | None:
    video = await find(connection, tenant_id, video_id)
    return video.hls_prefix if video else None
