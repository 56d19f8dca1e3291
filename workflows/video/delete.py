"""A deleted lecture leaves nothing behind: no running encode, no object, no later publication."""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from contracts.activities import video
    from contracts.jobs import JobOutcome, JobState
    from contracts.names import WorkflowType
    from contracts.video import DeleteInput, EraseInput, VideoRef, hls_root
    from workflows import steps
    from workflows.video.retire import NO_WORKER_WRITES_AFTER, RetireVersion

POLL = timedelta(seconds=2)
POLL_AT_MOST = timedelta(minutes=1)


@workflow.defn(name=WorkflowType.DELETE)
class DeleteVideo:
    @workflow.run
    async def run(self, job: DeleteInput) -> JobOutcome:
        deleted = VideoRef(tenant_id=job.tenant_id, video_id=job.video_id)
        everything = EraseInput(prefix=hls_root(job.tenant_id, job.video_id), file_key=job.file_key or None)
        await self._stop_encodes(deleted)
        steps.stage("erasing")
        await steps.erase(everything)
        standing = await steps.finish(job.job_id, JobOutcome(state=JobState.DONE))
        await workflow.start_child_workflow(
            RetireVersion.run,
            everything.model_copy(update={"after": NO_WORKER_WRITES_AFTER}),
            id=f"{WorkflowType.RETIRE}-{workflow.info().workflow_id}",
            parent_close_policy=ParentClosePolicy.ABANDON,
            static_summary=f"Look again for objects of deleted video {job.video_id}",
        )
        return steps.raise_unless_done(standing)

    async def _stop_encodes(self, deleted: VideoRef) -> None:
        """The tombstone first: whatever starts or publishes after it finds the video gone."""
        steps.stage("stopping encodes")
        cancelled: set[str] = set()
        pause = POLL
        while True:
            running = await steps.run(video.MARK_DELETED, deleted)
            if not running.workflow_ids:
                return
            for workflow_id in running.workflow_ids:
                if workflow_id not in cancelled:
                    await self._cancel(workflow_id)
                    cancelled.add(workflow_id)
            await workflow.sleep(pause)
            pause = min(pause * 2, POLL_AT_MOST)

    async def _cancel(self, workflow_id: str) -> None:
        try:
            await workflow.get_external_workflow_handle(workflow_id).cancel()
        except ApplicationError:
            # Accepted but not started, or just ended: it meets the tombstone, or the reconciler.
            workflow.logger.info("encode to cancel is not running")
