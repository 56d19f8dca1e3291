"""Queries on requests that another job answers. The caller holds the transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, Subquery, Text, bindparam, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database.models import Job, JoinedRequest
from contracts.jobs import JobRequest


@dataclass(frozen=True)
class Answering:
    """The job that answers a request. `payload_sha256`: of what the request must be to be the one that is
    remembered, or to want the same as the job; None where the job answers it anyway."""

    job_id: UUID
    workflow_id: str
    finished_at: datetime | None
    payload_sha256: str | None
    remembered: bool = False


# One who reads that nothing is open, and one who writes, must not pass each other. Sorted: no deadlock.
_TURN = text("""
    SELECT pg_advisory_xact_lock(hashtextextended(subject, 0))
    FROM (SELECT DISTINCT unnest AS subject FROM unnest(:subjects) ORDER BY 1) AS sorted""").bindparams(
    bindparam("subjects", type_=ARRAY(Text))
)


async def take_turns(connection: AsyncConnection, requests: Sequence[JobRequest]) -> None:
    """Until the end of the transaction nobody else accepts a request for one of these subjects."""
    subjects = [f"{each.tenant_id}/{each.subject}" for each in requests if each.subject]
    if subjects:
        await connection.execute(_TURN, {"subjects": subjects})


async def answered(connection: AsyncConnection, requests: Sequence[JobRequest]) -> dict[UUID, Answering]:
    """Those of `requests` that another job is known to answer: they joined it, or it is a later attempt."""
    ids = [each.job_id for each in requests if each.subject]
    if not ids:
        return {}
    rows = await connection.execute(
        select(JoinedRequest.id, Job.id, Job.workflow_id, Job.finished_at, JoinedRequest.payload_sha256)
        .join(Job, Job.id == JoinedRequest.job_id)
        .where(JoinedRequest.id.in_(ids))
    )
    found = {row[0]: Answering(*row[1:], remembered=True) for row in rows}
    for request in requests:
        if request.attempt is not None and request.job_id not in found:
            later = await _later_attempt(connection, request)
            if later:
                found[request.job_id] = later
    return found


async def _later_attempt(connection: AsyncConnection, request: JobRequest) -> Answering | None:
    """The latest of the attempts after this one, with a job of its own or joined to another: whatever it
    wants is what the producer wants now."""
    occasion = request.idempotency_key.rpartition(":")[0]
    columns = (Job.id, Job.workflow_id, Job.finished_at)
    own = select(Job.idempotency_key, *columns).where(
        Job.tenant_id == request.tenant_id,
        Job.video_id == request.video_id,
        Job.idempotency_key.startswith(f"{occasion}:", autoescape=True),
    )
    joined = select(JoinedRequest.idempotency_key, *columns).join(Job, Job.id == JoinedRequest.job_id)
    joined = joined.where(
        JoinedRequest.tenant_id == request.tenant_id,
        JoinedRequest.video_id == request.video_id,
        JoinedRequest.idempotency_key.startswith(f"{occasion}:", autoescape=True),
    )
    later: dict[int, Answering] = {}
    for query in (joined, own):
        for key, job_id, workflow_id, finished_at in await connection.execute(query):
            number = key.rpartition(":")[2]
            if number.isdecimal() and int(number) > (request.attempt or 0):
                later[int(number)] = Answering(job_id, workflow_id, finished_at, None)
    return later[max(later)] if later else None


async def open_job(connection: AsyncConnection, request: JobRequest) -> Answering | None:
    """The open job on the request's subject."""
    row = await connection.execute(
        select(Job.id, Job.workflow_id, Job.finished_at, Job.payload_sha256).where(
            Job.tenant_id.is_not_distinct_from(request.tenant_id),
            Job.subject == request.subject,
            Job.finished_at.is_(None),
        )
    )
    found = row.one_or_none()
    return Answering(*found) if found else None


async def remember(
    connection: AsyncConnection, request: JobRequest, payload_sha256: str, answering: Answering
) -> None:
    """Write down which job answers a request, for ever: its queue may bring it again at any time."""
    await connection.execute(
        insert(JoinedRequest)
        .values(
            id=request.job_id,
            job_id=answering.job_id,
            tenant_id=request.tenant_id,
            idempotency_key=request.idempotency_key,
            external_id=request.external_id or str(request.job_id),
            video_id=request.video_id,
            payload_sha256=payload_sha256,
        )
        .on_conflict_do_nothing()
    )


def joined_as(tenant_id: int, external_id: str) -> Subquery:
    """The jobs that answer requests which the outside knows by this id."""
    mine = (JoinedRequest.tenant_id == tenant_id, JoinedRequest.external_id == external_id)
    return select(JoinedRequest.job_id).where(*mine).subquery()
