"""A job of one activity, named as its job type. Without a worker for it, it waits; nothing is lost."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError
from temporalio.workflow import ActivityCancellationType

with workflow.unsafe.imports_passed_through():
    from contracts.catalog import CATALOG
    from contracts.jobs import JobOutcome, JobRef
    from workflows import steps
    from workflows.policies import INFRASTRUCTURE

WAIT_FOR_WORKER = timedelta(days=14)  # as long as the queue before it would have kept the message
RUN_TIMEOUT = timedelta(hours=1)
END_WITHIN = WAIT_FOR_WORKER + timedelta(days=1)  # tried again until then
HEARTBEAT = timedelta(seconds=60)


@workflow.defn(name="job.run")
class RunJob:
    @workflow.run
    async def run(self, job: JobRef) -> JobOutcome:
        queue = CATALOG[job.job_type].activity_queue
        steps.stage("waiting", f"for a worker of `{queue}`")
        try:
            outcome = await workflow.execute_activity(
                job.job_type,
                job,
                task_queue=queue,
                result_type=JobOutcome,
                schedule_to_start_timeout=WAIT_FOR_WORKER,
                start_to_close_timeout=RUN_TIMEOUT,
                schedule_to_close_timeout=END_WITHIN,
                heartbeat_timeout=HEARTBEAT,
                cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
                retry_policy=INFRASTRUCTURE,
            )
        except (ActivityError, asyncio.CancelledError) as error:
            outcome = steps.outcome_of(steps.code_of(error))
        return steps.raise_unless_done(await steps.shielded(steps.finish(job.job_id, outcome)))
