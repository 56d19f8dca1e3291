"""Jobs that release 0.1 accepted for workers it did not have: they wait in a `job.run` for an activity named
as their type, and go on here in the workflow that their type has now."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from temporalio import activity
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from contracts.catalog import CATALOG
from contracts.jobs import JobOutcome, JobRef
from intake.reconcile import recorded


def adopting(
    temporal: Client, job_types: Iterable[str]
) -> list[Callable[[JobRef], Coroutine[Any, Any, JobOutcome]]]:
    """An activity for each type, named as it: starts the job's workflow, once, and gives its end back."""
    return [activity.defn(name=name)(_adopter(temporal)) for name in job_types]


def _adopter(temporal: Client) -> Callable[[JobRef], Coroutine[Any, Any, JobOutcome]]:
    async def adopt(job: JobRef) -> JobOutcome:
        """A cancel is passed on: what it came too late for, that workflow knows."""
        row = CATALOG[job.job_type]
        # The job's own ID is that of the `job.run`, unless its type has a prefix now.
        suffix = "" if row.id_prefix else "-adopted"
        workflow_id = f"{row.id_prefix or job.job_type}-t{job.tenant_id or 0}-{job.job_id.hex[:12]}{suffix}"
        try:
            handle = await temporal.start_workflow(
                row.workflow,
                row.build(job, {}),
                id=workflow_id,
                task_queue=row.task_queue,
                result_type=JobOutcome,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            )
        except WorkflowAlreadyStartedError:
            handle = temporal.get_workflow_handle(workflow_id, result_type=JobOutcome)
        try:
            return await recorded(handle)
        except asyncio.CancelledError:
            why = activity.cancellation_details()
            if why is None or not why.cancel_requested:  # the worker stops: the next try goes on waiting
                raise
            await handle.cancel()
            return await recorded(handle)

    return adopt
