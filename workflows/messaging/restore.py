"""A sending that had ended, and that a restored database knows as open: the provider tells how it ended."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.activities import messages
    from contracts.jobs import JobOutcome
    from contracts.messaging import LostMessages
    from contracts.names import WorkflowType
    from workflows import steps


@workflow.defn(name=WorkflowType.RESTORE_MESSAGES)
class RestoreMessages:
    @workflow.run
    async def run(self, lost: LostMessages) -> JobOutcome:
        steps.stage("restoring")
        await steps.run(messages.RESTORE, lost)
        return steps.raise_unless_done(await steps.finish(lost.job.job_id, lost.outcome))
