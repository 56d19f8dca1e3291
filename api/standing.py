"""How the whole stands: when the reconciler last ran, and how old the open jobs are (decision 33)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from clients.database import jobs, orphans
from clients.database.jobs import OpenJobs
from contracts.activities.ops import RECONCILE_TIMEOUT
from contracts.names import WorkflowType
from intake.submit import RPC_TIMEOUT

LATE = RECONCILE_TIMEOUT + timedelta(minutes=2)  # a run begins each minute, unless one is at work


@dataclass(frozen=True, kw_only=True)
class Standing:
    """`reconciled_at`: the end of its last whole run; None if Temporal knows of none. `open`: by job type."""

    at: datetime
    reconciled_at: datetime | None
    open: Sequence[OpenJobs]
    orphans: orphans.Counts

    @property
    def oldest(self) -> OpenJobs | None:
        return min(self.open, key=lambda each: each.oldest, default=None)

    @property
    def unseen(self) -> timedelta:
        """For how long the open job that waits longest for the reconciler has not been looked at."""
        return max((self.at - each.seen for each in self.open), default=timedelta(0))

    @property
    def late(self) -> bool:
        stale = self.reconciled_at is not None and self.at - self.reconciled_at > LATE
        return stale or self.unseen > LATE

    def told(self) -> dict[str, object]:
        """For `/readyz`: instants and ages in seconds."""
        oldest, ran = self.oldest, self.reconciled_at
        return {
            "reconciler": {
                "last_ran": ran and ran.isoformat(timespec="seconds"),
                "seconds_ago": ran and round((self.at - ran).total_seconds()),
                "longest_unseen_seconds": round(self.unseen.total_seconds()),
            },
            "oldest_open_job": oldest
            and {
                "job_type": oldest.job_type,
                "accepted_at": oldest.oldest.isoformat(timespec="seconds"),
                "seconds": round((self.at - oldest.oldest).total_seconds()),
            },
            "open_jobs": sum(each.count for each in self.open),
        }


async def standing(engine: AsyncEngine, temporal: Client) -> Standing:
    """Raises what keeps Postgres or Temporal from answering."""
    async with engine.connect() as connection:
        open_jobs = await jobs.open_jobs(connection)
        orphaned = await orphans.counts(connection)
    ran = f"WorkflowType = '{WorkflowType.RECONCILE}' AND ExecutionStatus = 'Completed'"
    last = [
        each async for each in temporal.list_workflows(ran, limit=1, page_size=1, rpc_timeout=RPC_TIMEOUT)
    ]
    return Standing(
        at=datetime.now(UTC),
        reconciled_at=last[0].close_time if last else None,
        open=open_jobs,
        orphans=orphaned,
    )
