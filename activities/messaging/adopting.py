"""Messages that release 0.1 accepted wait in a `job.run` for an activity of this name: they go on here."""

from temporalio import activity
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from contracts.jobs import JobOutcome, JobRef
from contracts.messaging import MessagesInput


class Adopting:
    def __init__(self, temporal: Client) -> None:
        self._temporal = temporal

    @activity.defn(name="messaging.send")
    async def adopt(self, job: JobRef) -> JobOutcome:
        """Start the `messages` workflow of the job, once, and give its end back."""
        workflow_id = f"messages-t{job.tenant_id}-{job.job_id.hex[:12]}"
        try:
            handle = await self._temporal.start_workflow(
                "messages",
                MessagesInput(job=job),
                id=workflow_id,
                task_queue="messaging",
                result_type=JobOutcome,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            )
        except WorkflowAlreadyStartedError:
            handle = self._temporal.get_workflow_handle(workflow_id, result_type=JobOutcome)
        outcome: JobOutcome = await handle.result()
        return outcome
