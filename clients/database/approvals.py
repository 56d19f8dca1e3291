"""Queries on jobs of messages that wait for a second person. The caller holds the transaction."""

from enum import StrEnum
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database.job_lists import waits_for_approval
from clients.database.jobs import add_event
from clients.database.messaging import lock_job
from clients.database.messaging_models import MessageJob
from clients.database.models import Job
from contracts.messaging import ApprovalState


class DecideAnswer(StrEnum):
    """DECIDED: now, or before by the same person. OWN: nobody decides on what they asked for themselves.
    TOO_LATE: it waits for nobody; somebody else has decided, or it was cancelled, or its time has passed."""

    DECIDED = "DECIDED"
    OWN = "OWN"
    TOO_LATE = "TOO_LATE"


async def decide(
    connection: AsyncConnection, job_id: UUID, tenant_id: int, caller: str, state: ApprovalState
) -> DecideAnswer:
    """Approve or refuse a job, by a caller as the audit names them. Raises JobMissing."""
    job = await lock_job(connection, job_id, tenant_id)
    if job.asked_by == caller:
        return DecideAnswer.OWN
    if job.approval == state and job.decided_by == caller:
        return DecideAnswer.DECIDED
    now = (await connection.execute(select(func.now()))).scalar_one()
    over = job.cancel_requested_at or (job.expires_at and job.expires_at <= now)
    if job.approval != ApprovalState.WAITING or over:
        return DecideAnswer.TOO_LATE
    await connection.execute(
        update(MessageJob)
        .where(MessageJob.job_id == job_id)
        .values(approval=state, decided_by=caller, decided_at=now)
    )
    await add_event(connection, job_id, state.lower())
    return DecideAnswer.DECIDED


async def count_waiting(connection: AsyncConnection, tenant_id: int) -> int:
    """How many of a tenant's jobs wait for somebody to decide."""
    query = select(func.count()).select_from(MessageJob).join(Job, Job.id == MessageJob.job_id)
    waiting = query.where(MessageJob.tenant_id == tenant_id, waits_for_approval())
    return (await connection.execute(waiting)).scalar_one()
