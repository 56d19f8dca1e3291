"""What lists of the console read: of one academy, or of all where no tenant is named."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database.job_lists import as_number, is_superseded, of_tenant, waits_for_approval, was_retried
from clients.database.jobs import EventRow, JobRow
from clients.database.messaging_models import MessageJob
from clients.database.models import Job, JobEvent, Rendition, Video
from clients.database.rows import columns, made, many, one_or_none
from clients.database.videos import VideoRow
from contracts.jobs import RETRYABLE_STATES, JobState
from contracts.messaging import ApprovalState

LECTURE_STATES: Mapping[str, ColumnElement[bool]] = {
    "ready": Video.status == "READY",
    "working": and_(Job.finished_at.is_(None), Job.id.is_not(None)),
    "failed": Video.error_code.is_not(None),
    "new": Video.status.in_(("PENDING", "UPLOADED")),
}
SENDINGS = ("all", "approval", "scheduled", "cancelled")


@dataclass(frozen=True, slots=True)
class RenditionRow:
    name: str
    width: int
    height: int
    codecs: str
    bandwidth: int
    average_bandwidth: int
    segments: int
    size: int


@dataclass(frozen=True, slots=True)
class SendingRow:
    """What a messages job has beside its row in `jobs`, once it is prepared: before, nothing is of it."""

    recipients: int | None
    send_at: datetime | None
    cancel_requested_at: datetime | None
    approval: ApprovalState | None
    by_mail: bool


@dataclass(frozen=True, slots=True)
class LecturesWanted:
    """Which lectures a list has. `before`: the id of the last one of the page before. Changed from `since`
    and before `until`. `text` is part of the title, or the id. `state` is one of LECTURE_STATES."""

    before: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None
    state: str | None = None


_JOB = columns(Job, JobRow)
_EVENTS = select(*columns(JobEvent, EventRow))
_RENDITIONS = select(*columns(Rendition, RenditionRow))
_SENDINGS = select(*_JOB, *columns(MessageJob, SendingRow))
# Both have an id, a tenant, an error.
_LECTURES = select(*columns(Video, VideoRow), *(column.label(f"job_{column.key}") for column in _JOB))


async def count_open(connection: AsyncConnection, tenant: int | None) -> int:
    still = select(func.count()).where(of_tenant(tenant), Job.finished_at.is_(None))
    return (await connection.execute(still)).scalar_one()


async def job(connection: AsyncConnection, tenant: int | None, job_id: UUID) -> JobRow | None:
    return await one_or_none(connection, select(*_JOB).where(of_tenant(tenant), Job.id == job_id), JobRow)


async def retryable(connection: AsyncConnection, job_ids: Collection[UUID]) -> set[UUID]:
    """Those that the API would run again: what they were asked for is kept, nobody has run them again, and
    no newer job works on the same lecture, which is still there."""
    has_lecture = exists().where(
        Video.tenant_id == Job.tenant_id, Video.id == Job.video_id, Video.deleted_at.is_(None)
    )
    query = select(Job.id).where(
        Job.id.in_(job_ids),
        Job.state.in_(RETRYABLE_STATES),
        Job.sealed_payload.is_not(None),
        ~was_retried(),
        or_(Job.job_type != "video.encode", and_(has_lecture, ~is_superseded())),
    )
    return set((await connection.execute(query)).scalars())


async def newest_events(connection: AsyncConnection, job_id: UUID, limit: int) -> list[EventRow]:
    """The end of a job's log, oldest first."""
    newest = _EVENTS.where(JobEvent.job_id == job_id).order_by(JobEvent.id.desc()).limit(limit)
    return (await many(connection, newest, EventRow))[::-1]


async def lectures(
    connection: AsyncConnection, tenant: int, wanted: LecturesWanted, limit: int
) -> list[tuple[VideoRow, JobRow | None]]:
    """The newest first, each with the job that encodes or encoded it last."""
    query = _LECTURES.where(Video.tenant_id == tenant, *_of_lectures(wanted))
    return await _lectures(connection, query.order_by(Video.id.desc()).limit(limit))


def _of_lectures(wanted: LecturesWanted) -> Iterator[ColumnElement[bool]]:
    if wanted.before is not None:
        yield Video.id < wanted.before
    if wanted.since is not None:
        yield Video.updated_at >= wanted.since
    if wanted.until is not None:
        yield Video.updated_at < wanted.until
    if wanted.state:
        yield LECTURE_STATES[wanted.state]
    if wanted.text:
        number = as_number(wanted.text)
        titled = Video.title.icontains(wanted.text, autoescape=True)
        yield or_(titled, Video.id == number) if number else titled


async def lecture(
    connection: AsyncConnection, tenant: int, video_id: int
) -> tuple[VideoRow, JobRow | None] | None:
    query = _LECTURES.where(Video.tenant_id == tenant, Video.id == video_id)
    return next(iter(await _lectures(connection, query)), None)


async def _lectures(connection: AsyncConnection, query: Select[Any]) -> list[tuple[VideoRow, JobRow | None]]:
    there = query.outerjoin(Job, Job.id == Video.current_job).where(Video.deleted_at.is_(None))
    return [
        (made(VideoRow, found), made(JobRow, found, "job_") if found["job_id"] else None)
        for found in (await connection.execute(there)).mappings()
    ]


async def renditions(connection: AsyncConnection, tenant: int, video_id: int) -> list[RenditionRow]:
    """The largest first. Those of a lecture of sound have no size, and are in the order of their rates."""
    query = _RENDITIONS.where(Rendition.tenant_id == tenant, Rendition.video_id == video_id)
    order = (Rendition.height.desc(), Rendition.average_bandwidth.desc())
    return await many(connection, query.order_by(*order), RenditionRow)


async def sendings(
    connection: AsyncConnection, tenant: int, show: str, types: Sequence[str], limit: int
) -> list[tuple[JobRow, SendingRow]]:
    """The newest jobs of messages: `all`, `approval` (nobody has decided on them), `scheduled` (open, not to
    be sent yet) or `cancelled`."""
    query = (
        _SENDINGS.outerjoin(MessageJob, MessageJob.job_id == Job.id)
        .where(Job.tenant_id == tenant, Job.job_type.in_(types))
        .order_by(Job.seq.desc())
        .limit(limit)
    )
    if show == "approval":
        query = query.where(waits_for_approval())
    if show == "scheduled":
        query = query.where(Job.finished_at.is_(None), MessageJob.send_at > func.now())
    if show == "cancelled":
        query = query.where(or_(Job.state == JobState.CANCELLED, MessageJob.cancel_requested_at.is_not(None)))
    found = (await connection.execute(query)).mappings()
    return [(made(JobRow, each), made(SendingRow, each)) for each in found]


async def throughput(
    connection: AsyncConnection, since: datetime, step: timedelta
) -> dict[datetime, tuple[int, int]]:
    """Jobs that ended since then: the start of each step in which any did → (in all, failed)."""
    slot = func.date_bin(step, Job.finished_at, since)
    failed = func.count(case((Job.state == JobState.FAILED, 1)))
    rows = await connection.execute(
        select(slot, func.count(), failed).where(Job.finished_at >= since).group_by(slot)
    )
    return {began: (count, some) for began, count, some in rows}
