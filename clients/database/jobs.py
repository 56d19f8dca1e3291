"""Queries on jobs: begin, finish, and what the reconciler reads.

One transaction per state change; callers open it with `engine.begin()` where more than one statement
must hold together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import case, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from clients import metrics
from clients.database import joining
from clients.database.models import Job, JobEvent
from clients.database.rows import columns, many, one_or_none
from contracts.base import storable
from contracts.catalog import kept_for_retry
from contracts.jobs import FINAL_STATES, RETRYABLE_STATES, JobOutcome, JobState


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
    restored_at: datetime | None


class JobMissing(Exception):
    """No row of a job that was accepted: the database is from before it. Its workflow can write it again
    (`intake.restore`)."""

    def __init__(self, job_id: UUID) -> None:
        super().__init__(f"job {job_id} is not in the database")
        self.job_id = job_id


@dataclass(frozen=True, slots=True)
class OpenJobs:
    """Jobs of a type that are accepted and not final. `oldest`: when the first was accepted. `seen`: when the
    reconciler looked at the one that it has not looked at for longest, or when that one was accepted."""

    job_type: str
    count: int
    oldest: datetime
    seen: datetime


@dataclass(frozen=True, slots=True)
class EventRow:
    at: datetime
    kind: str
    detail: dict[str, Any] | None


_JOBS = select(*columns(Job, JobRow))
_SEALED = columns(Job, SealedJob)
STORED = "stored"  # of an event
_EVENTS = select(*columns(JobEvent, EventRow))


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
            result=storable(outcome.result),
            finished_at=func.now(),
            sealed_payload=kept if outcome.state in RETRYABLE_STATES else None,
        )
        .returning(Job.job_type, Job.accepted_at, Job.finished_at)
    )
    if ended_now := written.one_or_none():
        took = ended_now.finished_at - ended_now.accepted_at
        metrics.job_ended(ended_now.job_type, outcome, took.total_seconds())  # before it is committed
        await add_event(connection, job_id, "finished", {"state": outcome.state, "code": outcome.error_code})
        return outcome
    return await ended(connection, job_id)


async def known(connection: AsyncConnection, workflow_ids: Sequence[str]) -> set[str]:
    """Those of some workflows that are jobs here."""
    rows = await connection.execute(select(Job.workflow_id).where(Job.workflow_id.in_(workflow_ids)))
    return set(rows.scalars())


async def all_open(connection: AsyncConnection) -> Sequence[str]:
    """Workflows of all jobs without a final state."""
    return (
        (await connection.execute(select(Job.workflow_id).where(Job.finished_at.is_(None)))).scalars().all()
    )


async def add_event(
    connection: AsyncConnection, job_id: UUID, kind: str, detail: dict[str, Any] | None = None
) -> None:
    await connection.execute(insert(JobEvent).values(job_id=job_id, kind=kind, detail=detail))


async def has_stored(connection: AsyncConnection, job_id: UUID) -> bool:
    """Whether the database has what a job wrote beside its own row: said in the same transaction."""
    said = select(JobEvent.id).where(JobEvent.job_id == job_id, JobEvent.kind == STORED).limit(1)
    return (await connection.execute(said)).one_or_none() is not None


async def stored(connection: AsyncConnection, job_id: UUID) -> dict[str, Any] | None:
    """What a job has told of what it wrote, in the same transaction; None if it wrote nothing yet."""
    said = select(JobEvent.detail).where(JobEvent.job_id == job_id, JobEvent.kind == STORED)
    return (await connection.execute(said.order_by(JobEvent.id.desc()).limit(1))).scalar_one_or_none()


async def now(connection: AsyncConnection) -> datetime:
    """By Postgres' clock, which all its columns have."""
    return (await connection.execute(select(func.now()))).scalar_one()


async def open_jobs(connection: AsyncConnection) -> Sequence[OpenJobs]:
    statement = (
        select(
            Job.job_type,
            func.count().label("count"),
            func.min(Job.accepted_at).label("oldest"),
            func.min(func.coalesce(Job.checked_at, Job.accepted_at)).label("seen"),
        )
        .where(Job.finished_at.is_(None))
        .group_by(Job.job_type)
        .order_by(Job.job_type)
    )
    return await many(connection, statement, OpenJobs)


async def take_unfinished(
    connection: AsyncConnection, older_than: timedelta, limit: int, before: datetime | None = None
) -> Sequence[SealedJob]:
    """Open jobs for the reconciler, oldest of those never checked first, then least recently checked; not
    those checked since `before`. Marks them checked."""
    since = func.now() - older_than
    unchecked_since = since if before is None else func.least(since, before)
    chosen = (
        select(Job.id)
        .where(
            Job.finished_at.is_(None),
            Job.accepted_at < since,
            or_(Job.checked_at.is_(None), Job.checked_at < unchecked_since),
        )
        .order_by(Job.checked_at.nulls_first(), Job.accepted_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    taken = update(Job).where(Job.id.in_(chosen)).values(checked_at=func.now()).returning(*_SEALED)
    return await many(connection, taken, SealedJob)


async def find(connection: AsyncConnection, tenant_id: int, external_id: str) -> SealedJob | None:
    """The tenant's newest job by the id the outside knows, or the one that answers the request with this id;
    None for another tenant's."""
    known = select(*_SEALED).where(Job.tenant_id == tenant_id, Job.external_id == external_id)
    own = await one_or_none(connection, known.order_by(Job.seq.desc()).limit(1), SealedJob)
    if own:
        return own
    joined = joining.joined_as(tenant_id, external_id)
    answering = select(*_SEALED).join(joined, joined.c.job_id == Job.id)
    return await one_or_none(connection, answering.order_by(Job.seq.desc()).limit(1), SealedJob)


async def was_asked(connection: AsyncConnection, tenant_id: int, job_type: str, key: str) -> bool:
    """Whether a request with this idempotency key was accepted."""
    asked = exists().where(Job.tenant_id == tenant_id, Job.job_type == job_type, Job.idempotency_key == key)
    return bool((await connection.execute(select(asked))).scalar_one())


async def sealed_payload(connection: AsyncConnection, job_id: UUID) -> bytes | None:
    """Raises JobMissing."""
    found = (await connection.execute(select(Job.sealed_payload).where(Job.id == job_id))).one_or_none()
    if found is None:
        raise JobMissing(job_id)
    return found[0]


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


async def own_key(connection: AsyncConnection, job_id: UUID) -> str | None:
    """The name that its producer or client gave the request; the message's id where it gave none."""
    query = select(Job.idempotency_key).where(Job.id == job_id)
    key: str | None = (await connection.execute(query)).scalar_one_or_none()
    return key and (key.removeprefix("api:").removeprefix("sqs:") or None)


async def sealed(connection: AsyncConnection, job_id: UUID) -> SealedJob | None:
    return await one_or_none(connection, select(*_SEALED).where(Job.id == job_id), SealedJob)


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
