"""What the pages show: rows of Postgres, with live progress beside them. Read only."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from api import file_names
from api.services import Services
from clients.database import job_lists, listings, messaging
from clients.database.job_lists import AboutJob, JobsWanted
from clients.database.jobs import JobRow
from clients.database.listings import LecturesWanted
from clients.database.videos import VideoRow
from clients.progress import ProgressBoard, job_key
from contracts.catalog import CATALOG, Domain
from contracts.jobs import FINAL_STATES, RETRYABLE_STATES, JobState
from contracts.messaging import ApprovalState
from contracts.progress import Progress

PAGE = 50
LOG_LINES = 200
NAMES_LOOKED_AT = 2_000  # sealed names of files that a search opens
SCHEDULED = "SCHEDULED"  # a state for people: it waits for its time, and for nothing else
FOR_APPROVAL = "FOR_APPROVAL"  # likewise: for a second person
MESSAGE_TYPES = tuple(name for name, row in CATALOG.items() if row.domain is Domain.MESSAGING)


@dataclass(frozen=True)
class Shown(JobRow):
    """A job as a line of the list."""

    progress: Progress | None  # None of what waits for its time
    retryable: bool = False  # the API would run it again
    title: str | None = None  # of its lecture, or what its file was called
    content_type: str | None = None  # of its file
    recipients: int | None = None
    send_at: datetime | None = None
    approval: ApprovalState | None = None

    @property
    def shown_state(self) -> str:
        """What its badge says: one whose bar moves does not wait, whatever its row says yet; and one whose
        time has not come does not run."""
        if self.waits_for_approval:
            return FOR_APPROVAL
        if self.is_scheduled:
            return SCHEDULED
        return JobState.RUNNING if self.state == JobState.PENDING and self.progress else self.state

    @property
    def is_scheduled(self) -> bool:
        return not self.final and self.send_at is not None and self.send_at > datetime.now(UTC)

    @property
    def waits_for_approval(self) -> bool:
        return not self.final and self.approval is ApprovalState.WAITING

    @property
    def final(self) -> bool:
        return self.state in FINAL_STATES

    @property
    def short(self) -> str:
        return self.id.hex[:8]


async def page_of_jobs(
    services: Services, tenant: int | None, wanted: JobsWanted, names_of: int | None
) -> tuple[list[Shown], int]:
    """Up to `PAGE` jobs, newest first, with the progress of those that run; and how many are open.
    `names_of`: the academy whose files' names are shown."""
    if wanted.text and names_of is not None:
        wanted = replace(wanted, uploads=await _uploads_named(services, names_of, wanted.text))
    async with services.engine.connect() as connection:
        rows = await job_lists.jobs(connection, tenant, wanted, PAGE)
        count = await listings.count_open(connection, tenant)
    return await _shown(services, rows, names_of), count


async def one_job(services: Services, tenant: int | None, job: UUID, names_of: int | None) -> Shown | None:
    async with services.engine.connect() as connection:
        row = await listings.job(connection, tenant, job)
    return next(iter(await _shown(services, [row], names_of))) if row else None


async def _shown(services: Services, rows: Sequence[JobRow], names_of: int | None) -> list[Shown]:
    async with services.engine.connect() as connection:
        ended = [row.id for row in rows if row.state in RETRYABLE_STATES]
        retryable = await listings.retryable(connection, ended) if ended else set()
        known = {each.id: each for each in await job_lists.about(connection, [row.id for row in rows])}
    sealed = {
        each.upload_id: each.sealed_name
        for each in known.values()
        if each.upload_id and each.sealed_name and each.tenant_id == names_of
    }
    names = await file_names.opened(services.keys, names_of, sealed) if names_of is not None else {}

    def beside(row: JobRow) -> _Beside:
        about = known.get(row.id)
        if about is None:
            return _Beside(row.id in retryable)
        name = names.get(about.upload_id) if about.upload_id else None
        return _Beside(row.id in retryable, about.title or name, about)

    return list(await asyncio.gather(*(with_progress(services.board, row, beside(row)) for row in rows)))


async def _uploads_named(services: Services, tenant: int, text: str) -> list[UUID]:
    """Those whose file's name has a text. They are sealed, so they are opened; of the newest."""
    async with services.engine.connect() as connection:
        sealed = await job_lists.newest_names(connection, tenant, NAMES_LOOKED_AT)
    names = await file_names.opened(services.keys, tenant, sealed)
    return [upload_id for upload_id, name in names.items() if text.casefold() in name.casefold()]


@dataclass(frozen=True)
class _Beside:
    """What pages say of a job that is not in its row."""

    retryable: bool = False
    title: str | None = None
    about: AboutJob | None = None


async def with_progress(board: ProgressBoard, job: JobRow, beside: _Beside | None = None) -> Shown:
    beside = beside or _Beside()
    about = beside.about
    shown = Shown(
        **_fields(job),
        progress=None,
        retryable=beside.retryable,
        title=beside.title,
        content_type=about.content_type if about else None,
        recipients=about.recipients if about else None,
        send_at=about.send_at if about else None,
        approval=about.approval if about else None,
    )
    if shown.final or shown.waits_for_approval or shown.is_scheduled:
        return shown
    return replace(shown, progress=await board.read(job_key(job.tenant_id or 0, job.id)))


@dataclass(frozen=True)
class Lecture(VideoRow):
    """A lecture with the job that works on it, if one does."""

    job: Shown | None

    @property
    def damaged(self) -> bool:
        """Whether the version that is shown lacks something, as far as its own job is the newest."""
        return bool(self.job and self.job.id == self.published_job and (self.job.result or {}).get("damage"))


async def lectures(
    engine: AsyncEngine, board: ProgressBoard, tenant: int, wanted: LecturesWanted
) -> list[Lecture]:
    """Up to `PAGE` lectures, the newest first."""
    async with engine.connect() as connection:
        rows = await listings.lectures(connection, tenant, wanted, PAGE)
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
    approval: ApprovalState | None
    states: dict[str, int]
    by_mail: bool

    @property
    def shown_state(self) -> str:
        if not self.job.final and self.approval is ApprovalState.WAITING:
            return FOR_APPROVAL
        return SCHEDULED if is_scheduled(self.job, self.send_at) else self.job.shown_state


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
            row.approval,
            states.get(job.id, {}),
            bool(row.by_mail),
        )
        for job, row in rows
    ]


def _fields(row: JobRow | VideoRow) -> dict[str, Any]:
    return {each.name: getattr(row, each.name) for each in fields(row)}
