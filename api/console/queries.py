"""What the pages show of Postgres, with live progress beside it. Read only."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, case, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from clients.database import messaging
from clients.database.messaging_models import MessageJob
from clients.database.models import Job, JobEvent, Rendition, Video
from clients.progress import ProgressBoard, job_key
from contracts.jobs import FINAL_STATES, JobState
from contracts.progress import Progress

PAGE = 50
MESSAGE_TYPES = ("messages.send", "messaging.send")
_VIDEO = re.compile(r"-v(\d+)-")
_TO_LOOK_AT = (JobState.FAILED, JobState.REJECTED_BAD_INPUT, JobState.REVIEW_REQUIRED)
_OVER = (JobState.DONE, JobState.CANCELLED)
SHOWS: dict[str, ColumnElement[bool]] = {
    "open": Job.finished_at.is_(None),
    "failed": Job.state.in_(_TO_LOOK_AT),
    "finished": Job.state.in_(_OVER),
    "all": true(),
}


@dataclass(frozen=True)
class Shown:
    """A job as a line of the list."""

    id: UUID
    seq: int
    tenant_id: int | None
    external_id: str
    job_type: str
    workflow_id: str
    source: str
    state: str
    epoch: int
    error_code: str | None
    result: dict[str, Any] | None
    accepted_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    progress: Progress | None = None

    @property
    def final(self) -> bool:
        return self.state in FINAL_STATES

    @property
    def short(self) -> str:
        return self.id.hex[:8]

    @property
    def video_id(self) -> int | None:
        found = _VIDEO.search(self.workflow_id)
        return int(found[1]) if found else None


_COLUMNS = [getattr(Job, name) for name in Shown.__dataclass_fields__ if name != "progress"]


def _of(tenant: int | None) -> ColumnElement[bool]:
    """The academy's jobs; without one those of all, for operators."""
    return true() if tenant is None else Job.tenant_id == tenant


async def page_of_jobs(
    engine: AsyncEngine,
    board: ProgressBoard,
    tenant: int | None,
    show: str,
    before: int | None = None,
    types: Sequence[str] = (),
) -> tuple[list[Shown], int]:
    """Up to `PAGE` jobs, newest first, with the progress of those that run; and how many are open."""
    query = select(*_COLUMNS).where(_of(tenant), SHOWS[show]).order_by(Job.seq.desc()).limit(PAGE)
    if before is not None:
        query = query.where(Job.seq < before)
    if types:
        query = query.where(Job.job_type.in_(types))
    async with engine.connect() as connection:
        rows = [Shown(**row._mapping) for row in await connection.execute(query)]
        still = select(func.count()).where(_of(tenant), Job.finished_at.is_(None))
        count: int = (await connection.execute(still)).scalar_one()
    return list(await asyncio.gather(*(with_progress(board, each) for each in rows))), count


async def one_job(engine: AsyncEngine, board: ProgressBoard, tenant: int | None, job: UUID) -> Shown | None:
    async with engine.connect() as connection:
        rows = await connection.execute(select(*_COLUMNS).where(_of(tenant), Job.id == job))
        row = rows.one_or_none()
    return await with_progress(board, Shown(**row._mapping)) if row else None


async def with_progress(board: ProgressBoard, job: Shown) -> Shown:
    if job.final:
        return job
    shown = await board.read(job_key(job.tenant_id or 0, job.id))
    return Shown(**job.__dict__ | {"progress": shown})


async def events(connection: AsyncConnection, job: UUID) -> Sequence[Row[Any]]:
    """The newest 200 entries of a job's log, oldest first."""
    newest = select(JobEvent).where(JobEvent.job_id == job).order_by(JobEvent.id.desc()).limit(200)
    return list(reversed((await connection.execute(newest)).all()))


@dataclass(frozen=True)
class Lecture:
    """A lecture with the job that works on it, if one does; `order` is the place in the list."""

    id: int
    title: str | None
    status: str
    error_code: str | None
    duration: float | None
    hls_prefix: str | None
    has_pictures: bool
    updated_at: datetime
    order: int
    job: Shown | None


async def lectures(
    engine: AsyncEngine, board: ProgressBoard, tenant: int, before: int | None
) -> list[Lecture]:
    """Up to `PAGE` lectures, the newest first."""
    where = () if before is None else (Video.id < before,)
    return await _lectures(engine, board, Video.tenant_id == tenant, *where)


async def lecture(engine: AsyncEngine, board: ProgressBoard, tenant: int, video: int) -> Lecture | None:
    found = await _lectures(engine, board, Video.tenant_id == tenant, Video.id == video)
    return found[0] if found else None


async def _lectures(engine: AsyncEngine, board: ProgressBoard, *where: ColumnElement[bool]) -> list[Lecture]:
    query = (
        select(Video, *_COLUMNS)
        .outerjoin(Job, Job.id == Video.current_job)
        .where(*where, Video.deleted_at.is_(None))
        .order_by(Video.id.desc())
        .limit(PAGE)
    )
    async with AsyncSession(engine) as session:
        rows = (await session.execute(query)).all()
    return list(await asyncio.gather(*(_lecture(board, *row) for row in rows)))


async def _lecture(board: ProgressBoard, video: Video, *columns: Any) -> Lecture:
    job = Shown(*columns) if columns[0] else None
    return Lecture(
        id=video.id,
        title=video.title,
        status=video.status,
        error_code=video.error_code,
        duration=video.duration,
        hls_prefix=video.hls_prefix,
        has_pictures=video.has_pictures,
        updated_at=video.updated_at,
        order=video.id,
        job=await with_progress(board, job) if job else None,
    )


async def renditions(connection: AsyncConnection, tenant: int, video: int) -> Sequence[Row[Any]]:
    rows = await connection.execute(
        select(Rendition)
        .where(Rendition.tenant_id == tenant, Rendition.video_id == video, Rendition.height > 0)
        .order_by(Rendition.height.desc())
    )
    return rows.all()


@dataclass(frozen=True)
class Sending:
    """A job that sends messages, with its recipients by state."""

    job: Shown
    recipients: int
    send_at: datetime | None
    cancel_requested_at: datetime | None
    states: dict[str, int]


async def sendings(engine: AsyncEngine, board: ProgressBoard, tenant: int, show: str) -> list[Sending]:
    """The newest `PAGE` jobs of messages: `all`, `scheduled` (open, not to be sent yet) or `cancelled`."""
    query = (
        select(*_COLUMNS, MessageJob.recipients, MessageJob.send_at, MessageJob.cancel_requested_at)
        .outerjoin(MessageJob, MessageJob.job_id == Job.id)
        .where(Job.tenant_id == tenant, Job.job_type.in_(MESSAGE_TYPES))
        .order_by(Job.seq.desc())
        .limit(PAGE)
    )
    if show == "scheduled":
        query = query.where(Job.finished_at.is_(None), MessageJob.send_at > func.now())
    if show == "cancelled":
        query = query.where(or_(Job.state == JobState.CANCELLED, MessageJob.cancel_requested_at.is_not(None)))
    async with engine.connect() as connection:
        rows = (await connection.execute(query)).all()
        states = await messaging.states(connection, [row.id for row in rows])
    return [
        Sending(
            await with_progress(board, Shown(*row[: len(_COLUMNS)])),
            row.recipients or 0,
            row.send_at,
            row.cancel_requested_at,
            states.get(row.id, {}),
        )
        for row in rows
    ]


async def throughput(
    connection: AsyncConnection, since: datetime, step: timedelta
) -> dict[datetime, tuple[int, int]]:
    """Jobs that ended since then: the start of each step in which any did → (in all, failed)."""
    slot = func.date_bin(step, Job.finished_at, since)
    failed = func.count(case((Job.state == JobState.FAILED, 1)))
    rows = await connection.execute(
        select(slot, func.count(), failed).where(Job.finished_at >= since).group_by(slot)
    )
    return {row[0]: (row[1], row[2]) for row in rows}
