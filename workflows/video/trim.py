"""Of a lecture a part is kept: cut → publish. What is shown stays until then, and when it fails."""

import asyncio
from contextlib import suppress
from typing import Any

from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError, ApplicationError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from contracts.activities import video
    from contracts.jobs import JobOutcome, JobState
    from contracts.names import WorkflowType
    from contracts.progress import Progress, trim_progress
    from contracts.trim import (
        CUT_AT_SEGMENTS,
        INEXACT,
        Cut,
        CutInput,
        CutPublished,
        PublishCutInput,
        TrimInput,
    )
    from contracts.video import TOO_QUIET, WORK, EraseInput, version_prefix
    from workflows import steps
    from workflows.video.retire import RetireVersion


@workflow.defn(name=WorkflowType.TRIM)
class TrimVideo:
    def __init__(self) -> None:
        self._progress = trim_progress("cut", 0)

    @workflow.query(name="progress")
    def progress(self) -> Progress:
        """How far it is: what the API shows while Redis is away."""
        return self._progress

    @workflow.run
    async def run(self, job: TrimInput) -> JobOutcome:
        prefix: str | None = None
        try:
            begun = await steps.run(video.BEGIN_TRIM, job)
            if begun.ended:
                ending = self._failed(job, begun.ended, None)
            else:
                prefix = version_prefix(job.tenant_id, job.video_id, job.job_id, begun.epoch)
                steps.stage("cutting", f"what is kept of `{job.version}`")
                what = CutInput(trim=job, epoch=begun.epoch, prefix=prefix, begun=begun)
                cut = await steps.run(video.CUT, what, priority=Priority(fairness_key=str(job.tenant_id)))
                steps.heed_cancel()
                self._progress = trim_progress("publish", 0)
                steps.stage("publishing")
                # From here on a cancel comes too late: half a publication is worse than a whole one.
                publish = PublishCutInput(cut=cut, base=begun.base)
                published = await steps.shielded(steps.run(video.PUBLISH_CUT, publish))
                ending = self._done(job, cut, published, prefix)
        except (ActivityError, ApplicationError, asyncio.CancelledError) as error:
            ending = self._failed(job, steps.outcome_of(steps.code_of(error)), prefix)
        # Outside the `try`: what goes wrong from here on must not erase what viewers see.
        return await steps.shielded(ending)

    async def _failed(self, job: TrimInput, outcome: JobOutcome, prefix: str | None) -> JobOutcome:
        if prefix:
            steps.stage("cleaning up")
            await steps.erase(EraseInput(prefix=prefix))
        return steps.raise_unless_done(await steps.finish(job.job_id, outcome))

    async def _done(self, job: TrimInput, cut: Cut, done: CutPublished, prefix: str) -> JobOutcome:
        await steps.erase(EraseInput(prefix=prefix + WORK))
        standing = await steps.finish(job.job_id, _outcome(job, cut, done))
        if done.published.replaced_prefix:
            await self._retire(done.published.replaced_prefix, done, workflow.info().workflow_id)
        for captions in done.retired:
            await self._retire(captions, done, f"captions-{captions.rstrip('/').rpartition('/')[2]}")
        return steps.raise_unless_done(standing)

    async def _retire(self, prefix: str, done: CutPublished, name: str) -> None:
        """Viewers in the middle of the version before keep what they have read for a while."""
        with suppress(WorkflowAlreadyStartedError):
            await workflow.start_child_workflow(
                RetireVersion.run,
                EraseInput(prefix=prefix, after=done.published.retire_after),
                id=f"{WorkflowType.RETIRE}-{name}",
                parent_close_policy=ParentClosePolicy.ABANDON,
                static_summary=f"Retire {prefix}",
            )


def _outcome(job: TrimInput, cut: Cut, done: CutPublished) -> JobOutcome:
    """What is not where it was asked for, or damaged, is for a person to look at."""
    published = done.published
    result: dict[str, Any] = {
        "hls_path": published.hls_path,
        "duration": published.duration,
        "renditions": published.renditions,
        "pictures": published.pictures,
        "part": {"start": round(cut.start, 3), "end": round(cut.end, 3), "of": job.version},
        "captions": [each.model_dump(mode="json") for each in done.captions],
    }
    warnings: list[str] = [*published.warnings, *([TOO_QUIET] if published.too_quiet else [])]
    review: list[str] = []
    if cut.inexact:
        warnings.append(CUT_AT_SEGMENTS)
        review.append(f"part: {cut.start:.3f} to {cut.end:.3f} s, as {INEXACT[cut.inexact]}")
    if published.damage:
        result["damage"] = [damage.model_dump(mode="json") for damage in published.damage]
        review += [damage.line for damage in published.damage]
    result |= {"warnings": warnings} if warnings else {}
    result |= {"review": review} if review else {}
    return JobOutcome(state=JobState.REVIEW_REQUIRED if review else JobState.DONE, result=result)
