"""A job of one activity, named as its job type. Without a worker for it, it waits; nothing is lost."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from contracts.activities import Activity
    from contracts.catalog import CATALOG
    from contracts.jobs import JobOutcome, JobRef
    from contracts.names import WorkflowType
    from workflows import steps

WAIT_FOR_WORKER = timedelta(days=14)  # as long as the queue before it would have kept the message
RUN_TIMEOUT = timedelta(hours=1)
END_WITHIN = WAIT_FOR_WORKER + timedelta(days=1)  # tried again until then


@workflow.defn(name=WorkflowType.JOB)
class RunJob:
    @workflow.run
    async def run(self, job: JobRef) -> JobOutcome:
        queue = CATALOG[job.job_type].activity_queue
        assert queue is not None, "a type whose activity this workflow may ask for"
        steps.stage("waiting", f"for a worker of `{queue}`")
        single = Activity(
            name=job.job_type,
            takes=JobRef,
            returns=JobOutcome,
            queue=queue,
            start_to_close=RUN_TIMEOUT,
            schedule_to_close=END_WITHIN,
            schedule_to_start=WAIT_FOR_WORKER,
            awaits_cancel=True,
        )
        try:
            outcome = await steps.run(single, job)
        except (ActivityError, asyncio.CancelledError) as error:
            outcome = steps.outcome_of(steps.code_of(error))
        return steps.raise_unless_done(await steps.shielded(steps.finish(job.job_id, outcome)))
