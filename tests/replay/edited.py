"""Edits that would break running jobs, for the replay to catch."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.jobs import JobOutcome, JobRef
    from contracts.video import EncodeInput
    from workflows import steps


@workflow.defn(name="video.encode")
class EncodeWithAnotherFirstStep:
    @workflow.run
    async def run(self, job: EncodeInput) -> JobOutcome:
        return steps.raise_unless_done(await steps.finish(job.job_id, steps.outcome_of("INTERNAL")))


@workflow.defn(name="job.run")
class RunJobAfterAPause:
    @workflow.run
    async def run(self, job: JobRef) -> JobOutcome:
        await workflow.sleep(60)
        return steps.raise_unless_done(await steps.finish(job.job_id, steps.outcome_of("INTERNAL")))
