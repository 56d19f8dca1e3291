"""The database's side of any job."""

import logging

from botocore.exceptions import BotoCoreError, ClientError

from activities.implements import implements
from contracts.activities import ops
from contracts.jobs import FinishInput, JobOutcome
from intake.ending import Endings
from intake.reconcile import Reconciler
from intake.tombstones import Tombstones

log = logging.getLogger(__name__)


class JobActivities:
    def __init__(self, endings: Endings, reconciler: Reconciler, tombstones: Tombstones) -> None:
        self._endings = endings
        self._reconciler = reconciler
        self._tombstones = tombstones

    @implements(ops.FINISH)
    async def finish(self, what: FinishInput) -> JobOutcome:
        """See `intake.ending`; returns the state that stands."""
        if await self._endings.rows_are_lost(what.job_id, what.outcome):
            log.error("job %s wrote rows that the database has lost: it is made again", what.job_id)
            return what.outcome
        return await self._endings.write(what.job_id, what.outcome)

    @implements(ops.RECONCILE)
    async def reconcile(self) -> dict[str, int]:
        """See `intake.reconcile`; returns how many jobs were started, repaired and left running. First of
        all, a tenant that was erased is not started again because a backup still has it."""
        try:
            await self._tombstones.restore()
        except (BotoCoreError, ClientError) as error:  # without the store all else is still repaired
            log.warning("tombstones in the bucket cannot be read: %s", type(error).__name__)
        return await self._reconciler.run_once()
