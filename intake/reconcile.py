"""Accepted jobs that no workflow carries: start them, or write the end that Temporal knows.

This covers a crash between accept and start, an operator's `temporal workflow terminate`, a workflow that
timed out, and a database restored from before a job's end.
"""

import asyncio
import logging
import time
from collections import Counter
from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError, is_cancelled_exception
from temporalio.service import RPCError, RPCStatusCode

from clients.database import credits, digests, jobs, messaging, videos
from clients.database.credits import RecipientOutcome
from clients.database.jobs import SealedJob
from clients.keys import KeyDestroyed
from clients.vault import UnknownKey, VaultError
from contracts.activities.ops import RECONCILE_LONGEST
from contracts.catalog import CATALOG, Domain
from contracts.errors import (
    CANCELLED,
    INTERNAL,
    KEY_LOST,
    PAYLOAD_LOST,
    REASONS,
    START_REFUSED,
    TERMINATED,
    TIMED_OUT,
)
from contracts.jobs import SUCCEEDED, JobOutcome
from contracts.messaging import RecipientState
from contracts.names import TaskQueue, WorkflowType
from contracts.video import EraseInput, version_prefix
from intake.ending import PUBLISHES, Endings
from intake.errors import StartRefused
from intake.submit import RPC_TIMEOUT, Submitter
from workflows.video.retire import NO_WORKER_WRITES_AFTER

AGE = timedelta(seconds=60)
# What a run may ask of the servers: so many jobs at the same time, a page of them each second.
AT_ONCE = 8
PAGE, PAGE_SECONDS = 200, 1.0
NOT_RECONCILED = "not reconciled"

log = logging.getLogger(__name__)


class Reconciler:
    def __init__(self, engine: AsyncEngine, temporal: Client, submitter: Submitter, endings: Endings) -> None:
        self._engine = engine
        self._temporal = temporal
        self._submitter = submitter
        self._endings = endings

    async def run_once(self, age: timedelta = AGE, longest: timedelta = RECONCILE_LONGEST) -> dict[str, int]:
        """Look at all open jobs older than `age`: the oldest of those that nobody has looked at first, then
        those longest not looked at. Ends before, and leaves the rest to the next run, after `longest` or when
        a whole page could not be helped: then a server is away."""
        async with self._engine.connect() as connection:
            began = await jobs.now(connection)
        ends = time.monotonic() + longest.total_seconds()
        counts: Counter[str] = Counter()
        turns = asyncio.Semaphore(AT_ONCE)
        while time.monotonic() < ends:
            page_over = asyncio.get_running_loop().time() + PAGE_SECONDS
            async with self._engine.begin() as connection:
                rows = await jobs.take_unfinished(connection, age, PAGE, began)
            found = Counter(await asyncio.gather(*(self._look_at(row, turns) for row in rows)))
            counts += found
            if len(rows) < PAGE or found[NOT_RECONCILED] == len(rows):
                break
            await asyncio.sleep(page_over - asyncio.get_running_loop().time())
        return dict(counts)

    async def _look_at(self, row: SealedJob, turns: asyncio.Semaphore) -> str:
        async with turns:
            try:
                return await self._reconcile(row)
            except (KeyDestroyed, StartRefused):  # its workflow cannot be started, nor its end be read
                await self._finish(row, _bad_end(START_REFUSED))
                return "refused"
            except Exception as error:  # noqa: BLE001 - it is looked at again, and must not hide the others
                log.error("job %s cannot be reconciled: %s", row.id, type(error).__name__)
                return NOT_RECONCILED

    async def _reconcile(self, row: SealedJob) -> str:
        handle = self._handle(row.workflow_id)
        try:
            found = await handle.describe(rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            if row.sealed_payload is None and row.restored_at:  # without it, and its workflow is gone since
                await self._temporal.workflow_service.describe_namespace(  # nor is its namespace
                    DescribeNamespaceRequest(namespace=self._temporal.namespace), timeout=RPC_TIMEOUT
                )
                await self._finish(row, _bad_end(PAYLOAD_LOST))
                return "lost"
            await self._submitter.restart(row)
            log.warning("job %s was accepted but not started; started now", row.id)
            return "started"
        match found.status:
            case WorkflowExecutionStatus.RUNNING | WorkflowExecutionStatus.CONTINUED_AS_NEW:
                return "running"
            case WorkflowExecutionStatus.TERMINATED:
                outcome = await self._clean_up(row, TERMINATED)
            case WorkflowExecutionStatus.TIMED_OUT:
                outcome = await self._clean_up(row, TIMED_OUT)
            case _:
                outcome = await self._recorded(row, handle)
                if outcome.error_code != KEY_LOST and _is_in_rows(row, outcome):
                    return await self._made_again(row, outcome)
        await self._finish(row, outcome)
        return "repaired"

    async def _made_again(self, row: SealedJob, outcome: JobOutcome) -> str:
        """A workflow has ended, and what it wrote is lost with the end of its job. Another one writes it
        again, and the end: for messages out of what the provider has, for AI jobs by doing the same again."""
        workflow_id = f"{row.workflow_id}-restored"
        try:
            found = await self._handle(workflow_id).describe(rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            await self._submitter.make_again(row, workflow_id, outcome)
            log.warning("job %s had ended and the database did not know; it is made again", row.id)
            return "made again"
        if found.status is WorkflowExecutionStatus.RUNNING:
            return "running"
        await self._finish(row, await recorded(self._handle(workflow_id)))
        return "repaired"

    async def _recorded(self, row: SealedJob, handle: WorkflowHandle[Any, JobOutcome]) -> JobOutcome:
        """As `recorded`; KEY_LOST where the tenant's key, as the database has it, does not open the end."""
        try:
            return await recorded(handle)
        except (KeyDestroyed, UnknownKey):
            raise
        except VaultError:
            log.error("the end of job %s is sealed by a key that this database does not know", row.id)
            return _bad_end(KEY_LOST)

    def _handle(self, workflow_id: str) -> WorkflowHandle[Any, JobOutcome]:
        return self._temporal.get_workflow_handle(workflow_id, result_type=JobOutcome)

    async def _finish(self, row: SealedJob, outcome: JobOutcome) -> None:
        standing = await self._endings.write(row.id, outcome)
        log.warning("job %s had no final state; it is %s %s", row.id, standing.state, standing.error_code)

    async def _clean_up(self, row: SealedJob, code: str) -> JobOutcome:
        """What a workflow does at its end, done for one that could not; gives the job's end."""
        if CATALOG[row.job_type].domain is Domain.MESSAGING:
            await self._cancel_unsent(row, code)
        elif row.job_type in PUBLISHES:
            await self._retire_unfinished(row)
        return _bad_end(code)

    async def _cancel_unsent(self, row: SealedJob, code: str) -> None:
        """Nothing more is committed, and who is in no committed group gets the credit back. What is
        committed may have been sent: the daily comparison asks the provider (`messages.compare_day`)."""
        assert row.tenant_id is not None
        async with self._engine.begin() as connection:
            await messaging.request_cancel(connection, row.id, row.tenant_id)
            positions = await messaging.uncommitted_positions(connection, row.id)
            positions += await digests.unsent(connection, row.id)
            outcomes = [RecipientOutcome(position, RecipientState.CANCELLED, code) for position in positions]
            await credits.settle(connection, row.tenant_id, row.id, outcomes)

    async def _retire_unfinished(self, row: SealedJob) -> None:
        """A workflow that could not clean up leaves the objects of its executions: they go when no worker
        can write any more."""
        video_id = row.video_id
        if video_id is None and row.sealed_payload:  # of releases that had no column for it
            video_id = self._submitter.payload(row.id, row.sealed_payload)["video_id"]
        assert row.tenant_id is not None and video_id is not None, "a version is of somebody's video"
        async with self._engine.connect() as connection:
            published = await videos.published_prefix(connection, row.tenant_id, video_id)
        for epoch in range(1, row.epoch + 1):
            prefix = version_prefix(row.tenant_id, video_id, row.id, epoch)
            if prefix != published:
                await self._temporal.start_workflow(
                    WorkflowType.RETIRE,
                    EraseInput(prefix=prefix, after=NO_WORKER_WRITES_AFTER),
                    id=f"{WorkflowType.RETIRE}-{row.workflow_id}-{epoch}",
                    task_queue=TaskQueue.VIDEO_LIGHT,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    static_summary=f"Remove what a terminated job of video {video_id} left",
                    rpc_timeout=RPC_TIMEOUT,
                )


async def recorded(handle: WorkflowHandle[Any, JobOutcome]) -> JobOutcome:
    """The end as the workflow's history has it; waits for one that is open."""
    try:
        return await handle.result()
    except WorkflowFailureError as error:
        if is_cancelled_exception(error.cause):
            return _bad_end(CANCELLED)
        code = error.cause.type if isinstance(error.cause, ApplicationError) else None
        return _bad_end(code if code in REASONS else INTERNAL)


def _is_in_rows(row: SealedJob, outcome: JobOutcome) -> bool:
    """Whether a job that has ended so has left more in the database than its own row."""
    catalog = CATALOG[row.job_type]
    made = catalog.ai.in_rows and outcome.state in SUCCEEDED
    return made or catalog.domain is Domain.MESSAGING


def _bad_end(code: str) -> JobOutcome:
    return JobOutcome(state=REASONS[code].state, error_code=code)
