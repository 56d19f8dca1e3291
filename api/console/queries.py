"""What the pages show: rows of Postgres, with live progress beside them. Read only."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from clients.database import listings, messaging
from clients.database.jobs import JobRow
from clients.database.videos import VideoRow
from clients.progress import ProgressBoard, job_key
from contracts.catalog import CATALOG, Domain
from contracts.jobs import FINAL_STATES, RETRYABLE_STATES, JobState
from contracts.progress import Progress

PAGE = 50
LOG_LINES = 200
MESSAGE_TYPES = tuple(name for name, row in CATALOG.items() if row.domain is Domain.MESSAGING)


@dataclass(frozen=True)
class Shown(JobRow):
    """A job as a line of the list."""

    progress: Progress | None
    retryable: bool = False  # the API would run it again
    title: str | None = None  # of its lecture

    @property
    def shown_state(self) -> str:
        """What its badge says: one whose bar moves does not wait, whatever its row says yet."""
        return JobState.RUNNING if self.state == JobState.PENDING and self.progress else self.state

    @property
    def final(self) -> bool:
        return self.state in FINAL_STATES

    @property
    def short(self) -> str:
        return self.id.hex[:8]


async def page_of_jobs(
    engine: AsyncEngine,
    board: ProgressBoard,
    tenant: int | None,
    show: str,
    before: int | None = None,
    types: Sequence[str] = (),
) -> tuple[list[Shown], int]:
    """Up to `PAGE` jobs, newest first, with the progress of those that run; and how many are open."""
    async with engine.connect() as connection:
        rows = await listings.jobs(connection, tenant, show, before=before, types=types, limit=PAGE)
        count = await listings.count_open(connection, tenant)
        beside = await _beside(connection, rows)
    return list(await asyncio.gather(*(with_progress(board, each, beside) for each in rows))), count


async def one_job(engine: AsyncEngine, board: ProgressBoard, tenant: int | None, job: UUID) -> Shown | None:
    async with engine.connect() as connection:
        row = await listings.job(connection, tenant, job)
        beside = await _beside(connection, [row] if row else [])
    return await with_progress(board, row, beside) if row else None


@dataclass(frozen=True)
class _Beside:
    """What pages say of jobs that is not in their rows."""

    retryable: Collection[UUID] = ()
    titles: Mapping[UUID, str] = field(default_factory=dict)


async def _beside(connection: AsyncConnection, rows: Sequence[JobRow]) -> _Beside:
    ended = [row.id for row in rows if row.state in RETRYABLE_STATES]
    retryable = await listings.retryable(connection, ended) if ended else set()
    return _Beside(retryable, await listings.titles(connection, rows))


async def with_progress(board: ProgressBoard, job: JobRow, beside: _Beside | None = None) -> Shown:
    beside = beside or _Beside()
    live = None if job.state in FINAL_STATES else await board.read(job_key(job.tenant_id or 0, job.id))
    return Shown(
        **_fields(job), progress=live, retryable=job.id in beside.retryable, title=beside.titles.get(job.id)
    )


@dataclass(frozen=True)
class Lecture(VideoRow):
    """A lecture with the job that works on it, if one does."""

    job: Shown | None

    @property
    def damaged(self) -> bool:
        """Whether the version that is shown lacks something, as far as its own job is the newest."""
        return bool(self.job and self.job.id == self.published_job and (self.job.result or {}).get("damage"))


async def lectures(
    engine: AsyncEngine, board: ProgressBoard, tenant: int, before: int | None
) -> list[Lecture]:
    """Up to `PAGE` lectures, the newest first."""
    async with engine.connect() as connection:
        rows = await listings.lectures(connection, tenant, before, PAGE)
    return list(await asyncio.gather(*(_lecture(board, *row) for row in rows)))


async def lecture(engine: AsyncEngine, board: ProgressBoard, tenant: int, video: int) -> Lecture | None:
    async with engine.connect() as connection:
        row = await listings.lecture(connection, tenant, video)
    return await _lecture(board, *row) if row else None


async def _lecture(board: ProgressBoard, video: VideoRow, job: JobRow | None) -> Lecture:
    return Lecture(**_fields(video), job=await with_progress(board, job) if job else None)


@dataclass(frozen=True)
class Sending:
    """A job that sends messages, with its recipients by state."""

    job: Shown
    recipients: int
    send_at: datetime | None
    cancel_requested_at: datetime | None
    states: dict[str, int]

    @property
    def is_scheduled(self) -> bool:
        return is_scheduled(self.job, self.send_at)


def is_scheduled(job: Shown, send_at: datetime | None) -> bool:
    """Whether it waits for its time, and for nothing else."""
    return not job.final and send_at is not None and send_at > datetime.now(UTC)


async def sendings(engine: AsyncEngine, board: ProgressBoard, tenant: int, show: str) -> list[Sending]:
    """The newest `PAGE` jobs of messages, of those that `show` names in `listings.SENDINGS`."""
    async with engine.connect() as connection:
        rows = await listings.sendings(connection, tenant, show, MESSAGE_TYPES, PAGE)
        states = await messaging.states(connection, [job.id for job, _ in rows])
    return [
        Sending(
            await with_progress(board, job),
            row.recipients or 0,
            row.send_at,
            row.cancel_requested_at,
            states.get(job.id, {}),
        )
        for job, row in rows
    ]


def _fields(row: JobRow | VideoRow) -> dict[str, Any]:
    return {each.name: getattr(row, each.name) for each in fields(row)}
