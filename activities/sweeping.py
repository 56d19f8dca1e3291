"""What time makes worthless: uploads that nobody goes on with, answers to old requests, kept payloads, and
bodies of dead letters that SQS keeps no longer."""

import asyncio
import logging
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from activities.implements import implements
from clients import stored_bodies
from clients.database import idempotency, jobs, uploads
from clients.database.uploads import ABORTED
from clients.uploads import UploadStore
from contracts.activities import ops

log = logging.getLogger(__name__)

AT_ONCE = 500
PAYLOADS_KEPT = timedelta(days=7)


class SweepActivities:
    def __init__(self, engine: AsyncEngine, store: UploadStore, abandoned: timedelta) -> None:
        self._engine = engine
        self._store = store
        self._abandoned = abandoned

    @implements(ops.SWEEP)
    async def sweep(self) -> dict[str, int]:
        """Returns how many went of each kind."""
        async with self._engine.begin() as connection:
            keys = await idempotency.sweep(connection)
            payloads = await jobs.drop_kept_payloads(connection, PAYLOADS_KEPT)
            silent = await uploads.abandoned(connection, self._abandoned, AT_ONCE)
        for upload in silent:
            # Closed first: whoever completes it in this moment is either before us, or told that it is gone.
            async with self._engine.begin() as connection:
                if not await uploads.close(connection, upload.id, ABORTED):
                    continue
            await asyncio.to_thread(self._store.discard, upload.file_key, upload.multipart_id)
        if bodies := await asyncio.to_thread(stored_bodies.sweep, self._store):
            log.info("%d stored bodies of dead letters went", bodies)
        return {"uploads": len(silent), "payloads": payloads, "keys": keys}
