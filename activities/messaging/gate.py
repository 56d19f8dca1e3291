"""What is asked before a group is filled, committed and sent: may anything of this job go out now?"""

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database import credits, messaging
from clients.database.messaging import MessageJobRow
from contracts.errors import MESSAGE_EXPIRED, NOT_APPROVED, RESERVATION_CANCELLED, SEND_CANCELLED
from contracts.messaging import ApprovalState, Decided, Verdict
from rules.quiet_hours import opens_at

LOOK_AGAIN = timedelta(
    minutes=1
)  # at what nobody has approved: a workflow of the release before comes so far


def is_expired(job: MessageJobRow, at: datetime) -> bool:
    return job.expires_at is not None and at >= job.expires_at


async def is_off(connection: AsyncConnection, job: MessageJobRow, at: datetime) -> bool:
    """It was cancelled or refused, or what it announces was cancelled, or it is too late for it."""
    if job.cancel_requested_at or job.approval is ApprovalState.REFUSED or is_expired(job, at):
        return True
    return await messaging.reservation_is_cancelled(connection, job)


async def why_off(connection: AsyncConnection, job: MessageJobRow, code: str, at: datetime) -> str:
    """The code that says why nothing more of a job is sent, where `code` does not say more."""
    if await messaging.reservation_is_cancelled(connection, job):
        return RESERVATION_CANCELLED
    if code == SEND_CANCELLED and job.approval is ApprovalState.REFUSED:
        return NOT_APPROVED
    if code == SEND_CANCELLED and is_expired(job, job.cancel_requested_at or at):
        return MESSAGE_EXPIRED
    return code


async def may_go(connection: AsyncConnection, job: MessageJobRow, at: datetime) -> Decided:
    """What is asked last, before a commit and before every send."""
    if await is_off(connection, job, at):
        return Decided(verdict=Verdict.STOP)
    if job.approval is ApprovalState.WAITING:
        return Decided(verdict=Verdict.CLOSED, until=at + LOOK_AGAIN)
    account = await credits.account(connection, job.tenant_id)
    assert account is not None
    until = opens_at(at, job.advertising, job.fallback, account.night_advertising)
    return Decided(verdict=Verdict.CLOSED if until else Verdict.GO, until=until)
