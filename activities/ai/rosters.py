"""What follows a roster that was read: the students that it adds and changes, or would."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.exceptions import ApplicationError

from activities.ai.roster import commit
from activities.ai.roster.commit import Interfered
from activities.ai.roster.task import ROWS, read_rows
from activities.threads import in_thread
from clients.keys import TenantKeys
from contracts.jobs import JobRef

CHANGES = "changes.json"


@dataclass(frozen=True)
class Rosters:
    engine: AsyncEngine
    keys: TenantKeys

    async def apply(
        self, ref: JobRef, payload: dict[str, Any], password_hash: asyncio.Task[str] | None, out: Path
    ) -> dict[str, int]:
        """Write the rows that the task left in `out` to the database, and what changed to `changes.json`.

        Returns the numbers. With `dry_run` in the payload nothing is written. The same again changes nothing.
        """
        assert ref.tenant_id is not None
        rows = read_rows(out / ROWS)
        sealer = await self.keys.sealer(ref.tenant_id)
        async with self.engine.begin() as connection:
            if payload.get("dry_run"):
                diff = await commit.diff(connection, sealer, ref.tenant_id, rows)
            else:
                try:
                    diff = await commit.commit(
                        connection,
                        sealer,
                        ref.tenant_id,
                        ref.job_id,
                        rows,
                        password_hash,
                        payload.get("lecture_id"),
                    )
                except Interfered:
                    raise ApplicationError(
                        "another roster was written meanwhile", type="Interfered"
                    ) from None
        await in_thread(lambda: (out / CHANGES).write_bytes(diff.report()))
        return diff.summary()
