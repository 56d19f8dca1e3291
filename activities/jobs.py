"""The database's side of any job."""

from sqlalchemy.ext.asyncio import AsyncEngine

from activities.implements import implements
from clients.database import jobs, videos
from contracts.activities import ops
from contracts.jobs import FinishInput, JobOutcome
from intake.reconcile import Reconciler


class JobActivities:
    def __init__(self, engine: AsyncEngine, reconciler: Reconciler) -> None:
        self._engine = engine
        self._reconciler = reconciler

    @implements(ops.FINISH)
    async def finish(self, what: FinishInput) -> JobOutcome:
        """Write the final state once, on the job and its video; returns the state that stands."""
        async with self._engine.begin() as connection:
            standing = await jobs.finish(connection, what.job_id, what.outcome)
            if standing.error_code:
                await videos.fail_encode(connection, what.job_id, standing.error_code)
            return standing

    @implements(ops.RECONCILE)
    async def reconcile(self) -> dict[str, int]:
        """See `intake.reconcile`; returns how many jobs were started, repaired and left running."""
        return await self._reconciler.run_once()
