"""Jobs that are watched: however many watch one, one poller of this process looks at it.

It looks at progress in Redis, or what the workflow says; its stage in Temporal; Postgres once it has ended,
or every few seconds while Temporal is away.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from api import metrics
from api.problems import message_of
from api.progress import ASK_TIMEOUT, Source, progress_of
from clients.database import jobs
from clients.database.jobs import JobRow
from clients.progress import ProgressBoard
from contracts.jobs import FINAL_STATES, JobState
from contracts.progress import Progress
from intake.errors import INFRASTRUCTURE_ERRORS

EVERY = 1.0  # seconds between two looks
DATABASE_EVERY = 5  # looks, while Temporal cannot say how the job stands


@dataclass(frozen=True)
class Standing:
    """`stage` is the workflow's own word for where it is."""

    status: str
    stage: str | None = None
    error_code: str | None = None
    progress: Progress | None = None
    source: Source | None = None

    @property
    def ended(self) -> bool:
        return self.status in FINAL_STATES

    def state(self) -> dict[str, Any]:
        standing = {"status": self.status, "stage": self.stage, "source": self.source}
        return standing | {"error_code": self.error_code, "error_message": message_of(self.error_code)}


class Watch:
    """One job and all who watch it."""

    def __init__(self, engine: AsyncEngine, temporal: Client, board: ProgressBoard, job: JobRow) -> None:
        self._engine = engine
        self._temporal = temporal
        self._board = board
        self._job = job
        self._changed = asyncio.Event()
        self.standing = Standing(job.state, error_code=job.error_code)
        self.watchers = 0
        self.poller = asyncio.create_task(self._poll())

    async def follow(self) -> AsyncIterator[Standing]:
        """How it stands now, and then whenever that changes; the last one has ended. Who is slow misses
        what is in between."""
        while True:
            standing, changed = self.standing, self._changed
            yield standing
            if standing.ended:
                return
            if standing is self.standing:
                if self.poller.done():  # a fault of ours: the client comes again
                    return
                await changed.wait()

    async def _poll(self) -> None:
        looks = 0
        try:
            while not self.standing.ended:
                standing = await self._look(looks % DATABASE_EVERY == DATABASE_EVERY - 1)
                if standing != self.standing:
                    self.standing = standing
                    changed, self._changed = self._changed, asyncio.Event()
                    changed.set()
                looks += 1
                if not standing.ended:
                    await asyncio.sleep(EVERY)
        finally:
            asyncio.get_running_loop().call_soon(self._changed.set)  # when the task is done

    async def _look(self, ask_database: bool) -> Standing:
        progress, source = await progress_of(self._board, self._temporal, self._job)
        standing = replace(self.standing, progress=progress, source=source)
        try:
            handle = self._temporal.get_workflow_handle(self._job.workflow_id)
            found = await handle.describe(rpc_timeout=ASK_TIMEOUT)
        except (RPCError, RuntimeError) as error:
            lost = not (isinstance(error, RPCError) and error.status is RPCStatusCode.NOT_FOUND)
            standing = replace(standing, source="database" if lost and progress is None else source)
            return await self._from_database(standing) if ask_database else standing
        stage = str((found.search_attributes.get("Stage") or [""])[0]) or None
        open_still = (WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.CONTINUED_AS_NEW)
        if found.status not in open_still or stage in FINAL_STATES:
            return await self._from_database(standing)
        status = JobState.RUNNING if stage else standing.status
        return replace(standing, status=status, stage=stage)

    async def _from_database(self, standing: Standing) -> Standing:
        try:
            async with self._engine.connect() as connection:
                job = await jobs.get(connection, self._job.id)
        except INFRASTRUCTURE_ERRORS:
            return standing  # and again at the next look
        stage = None if job.finished_at else standing.stage
        return replace(standing, status=job.state, stage=stage, error_code=job.error_code)


class Watches:
    """The jobs that are watched in this process."""

    def __init__(self, engine: AsyncEngine, temporal: Client, board: ProgressBoard) -> None:
        self._engine = engine
        self._temporal = temporal
        self._board = board
        self._open: dict[UUID, Watch] = {}

    async def follow(self, job: JobRow) -> AsyncIterator[Standing]:
        watch = self._open.get(job.id)
        if watch is None:
            watch = self._open[job.id] = Watch(self._engine, self._temporal, self._board, job)
            metrics.WATCHED.inc()
        watch.watchers += 1
        metrics.WATCHERS.inc()
        try:
            async for standing in watch.follow():
                yield standing
        finally:
            metrics.WATCHERS.dec()
            watch.watchers -= 1
            if not watch.watchers:
                del self._open[job.id]
                metrics.WATCHED.dec()
                watch.poller.cancel()
