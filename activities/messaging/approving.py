"""Where a job stands that a second person must agree to. People decide by the API and the console."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from activities.implements import implements
from activities.messaging.gate import is_off
from clients.database import messaging
from contracts.activities import messages
from contracts.messaging import Approval, ApprovalState, MessageJobRef


class ApprovalActivities:
    def __init__(self, engine: AsyncEngine, now: Callable[[], datetime]) -> None:
        self._engine = engine
        self._now = now

    @implements(messages.APPROVAL)
    async def approval(self, ref: MessageJobRef) -> Approval:
        """What Postgres says now. Of a job whose row a restored database has lost nothing can be sent, and
        nobody can approve it: it goes on, and the next step says so."""
        async with self._engine.begin() as connection:
            job = await messaging.lock_job(connection, ref.job_id, ref.tenant_id)
            stopped = await is_off(connection, job, self._now())
        state = job.approval or ApprovalState.APPROVED
        return Approval(state=state, stopped=stopped, until=job.expires_at)
