"""The database's side of any job."""

from activities.implements import implements
from contracts.activities import ops
from contracts.jobs import FinishInput, JobOutcome
from intake.ending import Endings
from intake.reconcile import Reconciler


class JobActivities:
    def __init__(self, endings: Endings, reconciler: Reconciler) -> None:
        self._endings = endings
        self._reconciler = reconciler

    @implements(ops.FINISH)
    async def finish(self, what: FinishInput) -> JobOutcome:
        """See `intake.ending`; returns the state that stands."""
        return await self._endings.write(what.job_id, what.outcome)

    @implements(ops.RECONCILE)
    async def reconcile(self) -> dict[str, int]:
        """See `intake.reconcile`; returns how many jobs were started, repaired and left running."""
        return await self._reconciler.run_once()
