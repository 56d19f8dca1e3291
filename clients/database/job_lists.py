"""Which jobs a list has, and what tells them from others of their type."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, String, cast, exists, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from clients.database.jobs import JobRow
from clients.database.messaging_models import MessageJob
from clients.database.models import Job, Video
from clients.database.rows import columns, many
from clients.database.uploads import Upload
from contracts.jobs import JobState
from contracts.messaging import ApprovalState

_TO_LOOK_AT = (JobState.FAILED, JobState.REJECTED_BAD_INPUT, JobState.REVIEW_REQUIRED)
_OVER = (JobState.DONE, JobState.CANCELLED)
SHOWS: Mapping[str, ColumnElement[bool]] = {
    "open": Job.finished_at.is_(None),
    "failed": Job.state.in_(_TO_LOOK_AT),
    "finished": Job.state.in_(_OVER),
    "all": true(),
}
SHORTEST_ID = 6  # hex digits of a job's id that are looked for
LONGEST_NUMBER = 18  # digits


@dataclass(frozen=True, slots=True)
class JobsWanted:
    """Which jobs a list has. `show` is one of SHOWS, `before` the `seq` of the last one of the page before;
    accepted from `since` and before `until`. `text` is part of a lecture's title, or a number or a code as it
    is; `uploads` are those whose files' names have it. `unsettled`: nobody has asked for the same again, or
    for something newer of the same lecture."""

    show: str = "all"
    before: int | None = None
    types: Sequence[str] = ()
    states: Sequence[JobState] = ()
    since: datetime | None = None
    until: datetime | None = None
    code: str | None = None
    text: str | None = None
    uploads: Collection[UUID] = ()
    unsettled: bool = False


@dataclass(frozen=True, slots=True)
class AboutJob:
    """What tells a job from others of its type. `title` is its lecture's; `sealed_name` of the file that it
    works on, and of which type that is."""

    id: UUID
    tenant_id: int | None
    title: str | None
    upload_id: UUID | None
    sealed_name: bytes | None
    content_type: str | None
    recipients: int | None
    send_at: datetime | None
    approval: ApprovalState | None


_JOBS = select(*columns(Job, JobRow))


def of_tenant(tenant: int | None) -> ColumnElement[bool]:
    """Of one academy, or of all."""
    return true() if tenant is None else Job.tenant_id == tenant


async def jobs(
    connection: AsyncConnection, tenant: int | None, wanted: JobsWanted, limit: int
) -> list[JobRow]:
    """Newest first."""
    query = _JOBS.where(of_tenant(tenant), *_conditions(wanted)).order_by(Job.seq.desc()).limit(limit)
    return await many(connection, query, JobRow)


def _conditions(wanted: JobsWanted) -> Iterator[ColumnElement[bool]]:
    yield SHOWS[wanted.show]
    if wanted.before is not None:
        yield Job.seq < wanted.before
    if wanted.types:
        yield Job.job_type.in_(wanted.types)
    if wanted.states:
        yield Job.state.in_(wanted.states)
    if wanted.since is not None:
        yield Job.accepted_at >= wanted.since
    if wanted.until is not None:
        yield Job.accepted_at < wanted.until
    if wanted.code:
        yield Job.error_code == wanted.code
    if wanted.unsettled:
        yield ~was_retried()
        yield ~is_superseded()
    if wanted.text:
        yield or_(*_with_text(wanted.text), Job.upload_id.in_(wanted.uploads))


def was_retried() -> ColumnElement[bool]:
    again = aliased(Job)
    return exists().where(
        again.tenant_id == Job.tenant_id,
        again.job_type == Job.job_type,
        again.idempotency_key == func.concat("retry:", cast(Job.id, String)),
    )


def is_superseded() -> ColumnElement[bool]:
    """A newer job works on the same lecture."""
    newer = aliased(Job)
    return exists().where(
        newer.tenant_id == Job.tenant_id, newer.video_id == Job.video_id, newer.seq > Job.seq
    )


def waits_for_approval() -> ColumnElement[bool]:
    """Of a job of messages, joined with its row: nobody has decided on it, and nobody cancelled it."""
    waits = MessageJob.approval == ApprovalState.WAITING
    return waits & Job.finished_at.is_(None) & MessageJob.cancel_requested_at.is_(None)


def _with_text(text: str) -> Iterator[ColumnElement[bool]]:
    yield exists().where(
        Video.tenant_id == Job.tenant_id,
        Video.id == Job.video_id,
        Video.title.icontains(text, autoescape=True),
    )
    yield Job.external_id == text
    yield Job.workflow_id == text
    yield Job.error_code == text.upper()
    if number := as_number(text):
        yield Job.video_id == number
    if len(text) >= SHORTEST_ID:
        yield cast(Job.id, String).startswith(text.lower(), autoescape=True)


def as_number(text: str) -> int | None:
    """An id of a lecture, where a text can be one."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER else None


async def about(connection: AsyncConnection, job_ids: Collection[UUID]) -> list[AboutJob]:
    """What jobs are about, as the tables beside theirs say."""
    if not job_ids:
        return []
    lecture = (Video.tenant_id == Job.tenant_id) & (Video.id == Job.video_id)
    upload = (Upload.id == Job.upload_id) & (Upload.tenant_id == Job.tenant_id)
    query = (
        select(
            Job.id,
            Job.tenant_id,
            Video.title,
            Job.upload_id,
            Upload.sealed_name,
            Upload.content_type,
            MessageJob.recipients,
            MessageJob.send_at,
            MessageJob.approval,
        )
        .outerjoin(Video, lecture)
        .outerjoin(Upload, upload)
        .outerjoin(MessageJob, MessageJob.job_id == Job.id)
        .where(Job.id.in_(job_ids))
    )
    return await many(connection, query, AboutJob)


async def newest_names(connection: AsyncConnection, tenant: int, limit: int) -> dict[UUID, bytes]:
    """Upload → the sealed name of its file, of an academy's newest."""
    query = (
        select(Upload.id, Upload.sealed_name)
        .where(Upload.tenant_id == tenant, Upload.sealed_name.is_not(None))
        .order_by(Upload.created_at.desc())
        .limit(limit)
    )
    return {upload_id: name for upload_id, name in await connection.execute(query) if name}
