"""Queries on jobs: accept, begin, finish, and what the reconciler reads.

One transaction per state change; callers open it with `engine.begin()` where more than one statement
must hold together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import case, exists, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from clients.database.models import Job, JobEvent, Tenant
from clients.database.rows import columns, many, one_or_none
from clients.vault import Vault
from contracts.catalog import kept_for_retry
from contracts.errors import START_REFUSED
from contracts.jobs import FINAL_STATES, RETRYABLE_STATES, JobOutcome, JobRequest, JobState


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job without its payload, which may be large."""

    id: UUID
    seq: int
    tenant_id: int | None
    job_type: str
    external_id: str
    subject: str | None
    video_id: int | None
    workflow_id: str
    source: str
    state: JobState
    epoch: int
    error_code: str | None
    result: dict[str, Any] | None
    accepted_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class SealedJob(JobRow):
    """A job with its payload, as long as that is kept."""

    idempotency_key: str
    payload_sha256: str
    sealed_payload: bytes | None


class JobMissing(Exception):
    """No row of a job that was accepted: the database is from before it. Its workflow can write it again
    (`intake.restore`)."""

    def __init__(self, job_id: UUID) -> None:
        super().__init__(f"job {job_id} is not in the database")
        self.job_id = job_id


@dataclass(frozen=True, slots=True)
class EventRow:
    at: datetime
    kind: str
    detail: dict[str, Any] | None


_JOBS = select(*columns(Job, JobRow))
_SEALED = columns(Job, SealedJob)
_EVENTS = select(*columns(JobEvent, EventRow))


class Acceptance(StrEnum):
    """NEW: this call wrote the row. OPEN: written before, not final yet. FINAL: it has ended; one that was
    refused at its start is opened again instead.
    JOINED: another open job works on the same subject. MISMATCH: the key was used for other content."""

    NEW = "NEW"
    OPEN = "OPEN"
    FINAL = "FINAL"
    JOINED = "JOINED"
    MISMATCH = "MISMATCH"


@dataclass(frozen=True)
class Accepted:
    """What became of a request; `job_id` and `workflow_id` are those of the job that does the work."""

    status: Acceptance
    job_id: UUID
    workflow_id: str
    request: JobRequest


async def accept(
    connection: AsyncConnection,
    vault: Vault,
    job_requests: Sequence[tuple[JobRequest, str, bytes]],
    request_id: str | None = None,
) -> list[Accepted]:
    """Accept requests, each with its workflow ID and sealed payload, in one transaction of the caller.
    Of a payload's hash only what `vault` makes of it is stored. `request_id` goes into the event log.

    The unique indexes decide between concurrent callers; nothing is read before it is written.
    """
    tenants = {request.tenant_id for request, _, _ in job_requests if request.tenant_id is not None}
    if tenants:
        rows = [{"id": tenant} for tenant in sorted(tenants)]
        await connection.execute(insert(Tenant).on_conflict_do_nothing(), rows)
    # Sorted, so that two bridges with the same messages in another order cannot deadlock.
    ordered = sorted(job_requests, key=lambda job_request: job_request[0].job_id)
    values = [
        {
            "id": request.job_id,
            "tenant_id": request.tenant_id,
            "job_type": request.job_type,
            "idempotency_key": request.idempotency_key,
            "external_id": request.external_id or str(request.job_id),
            "subject": request.subject,
            "video_id": request.video_id,
            "workflow_id": workflow_id,
            "payload_sha256": vault.keyed_hash(request.payload_sha256),
            "sealed_payload": sealed,
            "source": request.source,
        }
        for request, workflow_id, sealed in ordered
    ]
    # Rows as parameters, not in the statement: it is compiled once and cached.
    statement = insert(Job).on_conflict_do_nothing().returning(Job.id)
    new = set((await connection.execute(statement, values)).scalars())
    if new:
        detail = {"request_id": request_id} if request_id else None
        events = [{"job_id": job_id, "kind": "accepted", "detail": detail} for job_id in sorted(new)]
        await connection.execute(insert(JobEvent), events)
    accepted: list[Accepted] = []
    for request, workflow_id, sealed in job_requests:
        if request.job_id in new:
            new.discard(request.job_id)  # a second copy in the same call is a duplicate
            accepted.append(Accepted(Acceptance.NEW, request.job_id, workflow_id, request))
        else:
            accepted.append(await _known(connection, vault, request, sealed))
    return accepted


async def _reopened(connection: AsyncConnection, request: JobRequest, sealed: bytes) -> bool:
    """A job that ended because it could not be started, and is asked for again: a dead letter that was sent
    back when what refused it was mended. No workflow of it ever ran. A job that works on the same subject
    meanwhile is in its way."""
    other = aliased(Job)
    in_the_way = exists().where(
        other.tenant_id.is_not_distinct_from(request.tenant_id),
        other.subject == request.subject,
        other.finished_at.is_(None),
    )
    reopened = await connection.execute(
        update(Job)
        .where(Job.id == request.job_id, Job.error_code == START_REFUSED, ~in_the_way)
        .values(state=JobState.PENDING, error_code=None, result=None, finished_at=None, sealed_payload=sealed)
        .returning(Job.id)
    )
    if reopened.one_or_none() is None:
        return False
    await add_event(connection, request.job_id, "accepted", {"again": True})
    return True


async def _known(connection: AsyncConnection, vault: Vault, request: JobRequest, sealed: bytes) -> Accepted:
    known = select(Job.workflow_id, Job.payload_sha256, Job.finished_at).where(Job.id == request.job_id)
    own = (await connection.execute(known)).one_or_none()
    if own:
        workflow_id, payload_sha256, finished_at = own
        if not vault.same_hash(request.payload_sha256, payload_sha256):
            status = Acceptance.MISMATCH
        elif finished_at is None or await _reopened(connection, request, sealed):
            status = Acceptance.OPEN
        else:
            status = Acceptance.FINAL
        return Accepted(status, request.job_id, workflow_id, request)
    joined = await connection.execute(
        select(Job.id, Job.workflow_id).where(
            Job.tenant_id.is_not_distinct_from(request.tenant_id),
            Job.subject == request.subject,
            Job.finished_at.is_(None),
        )
    )
    # No row: the job in the way ended just now. The caller's retry accepts this request as a new job.
    other = joined.one_or_none()
    if other is None:
        raise SubjectJustClosed
    job_id, workflow_id = other
    return Accepted(Acceptance.JOINED, job_id, workflow_id, request)


class SubjectJustClosed(Exception):
    """The open job on the same subject ended between two statements: accept again."""


async def begin(connection: AsyncConnection, job_id: UUID, after: int = 0) -> int | None:
    """Take the next epoch, one above `after`, and mark the job RUNNING. None if it is final already (or
    unknown)."""
    taken = await connection.execute(
        update(Job)
        .where(Job.id == job_id, Job.finished_at.is_(None))
        .values(
            epoch=func.greatest(Job.epoch, after) + 1,
            state=JobState.RUNNING,
            started_at=func.coalesce(Job.started_at, func.now()),
        )
        .returning(Job.epoch)
    )
    epoch = taken.scalar_one_or_none()
    if epoch is not None:
        await add_event(connection, job_id, "began", {"epoch": epoch})
    return epoch


async def finish(connection: AsyncConnection, job_id: UUID, outcome: JobOutcome) -> JobOutcome:
    """Write the final state once, drop the payload or keep it for a retry; returns the state that stands.

    The first final state wins: a later call gets that one back. Raises JobMissing.
    """
    if outcome.state not in FINAL_STATES:
        raise ValueError(f"{outcome.state} is not a final state")
    kept = case((Job.job_type.in_(kept_for_retry()), Job.sealed_payload), else_=None)
    written = await connection.execute(
        update(Job)
        .where(Job.id == job_id, Job.finished_at.is_(None))
        .values(
            state=outcome.state,
            error_code=outcome.error_code,
            result=outcome.result,
            finished_at=func.now(),
            sealed_payload=kept if outcome.state in RETRYABLE_STATES else None,
        )
        .returning(Job.id)
    )
    if written.one_or_none():
        await add_event(connection, job_id, "finished", {"state": outcome.state, "code": outcome.error_code})
        return outcome
    return await ended(connection, job_id)


async def add_event(
    connection: AsyncConnection, job_id: UUID, kind: str, detail: dict[str, Any] | None = None
) -> None:
    await connection.execute(insert(JobEvent).values(job_id=job_id, kind=kind, detail=detail))


async def take_unfinished(
    connection: AsyncConnection, older_than: timedelta, limit: int
) -> Sequence[SealedJob]:
    """Open jobs for the reconciler, least recently checked first; marks them checked."""
    since = func.now() - older_than
    chosen = (
        select(Job.id)
        .where(
            Job.finished_at.is_(None),
            Job.accepted_at < since,
            or_(Job.checked_at.is_(None), Job.checked_at < since),
        )
        .order_by(Job.checked_at.nulls_first(), Job.accepted_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    taken = update(Job).where(Job.id.in_(chosen)).values(checked_at=func.now()).returning(*_SEALED)
    return await many(connection, taken, SealedJob)


async def find(connection: AsyncConnection, tenant_id: int, external_id: str) -> SealedJob | None:
    """The tenant's newest job by the id the outside knows; None for another tenant's."""
    known = select(*_SEALED).where(Job.tenant_id == tenant_id, Job.external_id == external_id)
    return await one_or_none(connection, known.order_by(Job.seq.desc()).limit(1), SealedJob)


async def sealed_payload(connection: AsyncConnection, job_id: UUID) -> bytes | None:
    """Raises JobMissing."""
    found = (await connection.execute(select(Job.sealed_payload).where(Job.id == job_id))).one_or_none()
    if found is None:
        raise JobMissing(job_id)
    return found[0]


async def ping(connection: AsyncConnection) -> None:
    """Raise if the database does not answer, or is read-only and so cannot accept anything."""
    if (await connection.execute(text("SHOW transaction_read_only"))).scalar_one() == "on":
        raise ConnectionError("Postgres is read-only")


async def ended(connection: AsyncConnection, job_id: UUID) -> JobOutcome:
    """How a final job ended. Raises JobMissing."""
    row = await get(connection, job_id)
    return JobOutcome(state=row.state, error_code=row.error_code, result=row.result or {})


async def get(connection: AsyncConnection, job_id: UUID) -> JobRow:
    """Raises JobMissing."""
    found = await one_or_none(connection, _JOBS.where(Job.id == job_id), JobRow)
    if found is None:
        raise JobMissing(job_id)
    return found


async def page(
    connection: AsyncConnection,
    tenant_id: int,
    states: Sequence[JobState],
    job_type: str | None,
    before: int | None,
    limit: int,
) -> Sequence[JobRow]:
    """The tenant's jobs, newest first; `before` is the `seq` of the last one of the page before."""
    rows = _JOBS.where(Job.tenant_id == tenant_id).order_by(Job.seq.desc()).limit(limit)
    if states:
        rows = rows.where(Job.state.in_(states) if len(states) > 1 else Job.state == states[0])
    if job_type:
        rows = rows.where(Job.job_type == job_type)
    if before is not None:
        rows = rows.where(Job.seq < before)
    return await many(connection, rows, JobRow)


async def events(connection: AsyncConnection, job_id: UUID, limit: int) -> Sequence[EventRow]:
    """What happened to a job, in order."""
    rows = _EVENTS.where(JobEvent.job_id == job_id).order_by(JobEvent.id).limit(limit)
    return await many(connection, rows, EventRow)


async def drop_kept_payloads(connection: AsyncConnection, age: timedelta) -> int:
    """Erase what was kept for a retry of jobs that ended `age` ago; of how many."""
    dropped = await connection.execute(
        update(Job)
        .where(Job.finished_at < func.now() - age, Job.sealed_payload.is_not(None))
        .values(sealed_payload=None)
        .returning(Job.id)
    )
    return len(dropped.all())
