"""A lecture's source file becomes playable HLS: probe → units on any worker, audio beside → publish."""

import asyncio
from datetime import timedelta
from itertools import count
from typing import Any

from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception
from temporalio.workflow import ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from contracts.activities import video
    from contracts.errors import ENCODE_FAILED, ErrorType
    from contracts.jobs import JobOutcome, JobState
    from contracts.names import WorkflowType
    from contracts.progress import Progress, video_progress
    from contracts.video import (
        TOO_QUIET,
        WORK,
        AudioInput,
        BatchInput,
        BeginEncode,
        Begun,
        EncodeInput,
        EncodePlan,
        EraseInput,
        Manifest,
        PicturesInput,
        ProbeInput,
        Published,
        PublishInput,
        SourceParts,
        version_prefix,
    )
    from workflows import steps
    from workflows.video.retire import RetireVersion

BATCHES = 16  # at least this many where there are enough units, so that many workers share a lecture
UNITS_PER_BATCH = 10  # and no larger, so that a batch is minutes and not hours
BATCH_SECONDS = 80  # of the lecture, or one unit: what a slot does before another tenant has its turn
AT_ONCE = 4  # of so few batches the order is all the same
APART = timedelta(seconds=0.1)  # Temporal mixes up what is asked for at once
ENCODER_CHANGE_PAUSE = timedelta(minutes=1)  # a rolling deployment passes meanwhile
ENCODER_CHANGE_PAUSE_AT_MOST = timedelta(minutes=10)
FORMER_ENCODER_CHANGES = 3  # releases up to 0.5 gave up then


@workflow.defn(name=WorkflowType.ENCODE)
class EncodeVideo:
    def __init__(self) -> None:
        self._progress = video_progress("probe", 0)

    @workflow.query(name="progress")
    def progress(self) -> Progress:
        """How far it is, by finished batches: what the API shows while Redis is away."""
        return self._progress

    @workflow.run
    async def run(self, job: EncodeInput) -> JobOutcome:
        prefix: str | None = None
        try:
            for changes in count(1):
                begun = await self._begin(job)
                if begun.ended:
                    ending = self._failed(job, begun.ended, None)
                    break
                prefix = version_prefix(job.tenant_id, job.video_id, job.job_id, begun.epoch)
                try:
                    published = await self._encode(job, begun.epoch, prefix)
                except ActivityError as error:
                    if not _encoder_changed(error):
                        raise
                    # Segments of two encoder builds do not belong in one rendition: start again.
                    await steps.erase(EraseInput(prefix=prefix))
                    await workflow.sleep(min(changes * ENCODER_CHANGE_PAUSE, ENCODER_CHANGE_PAUSE_AT_MOST))
                    if changes == FORMER_ENCODER_CHANGES and not workflow.patched("encoders-may-change"):
                        raise ApplicationError(
                            "workers run different encoders", type=ENCODE_FAILED, non_retryable=True
                        ) from None
                    continue
                ending = self._done(job, published, prefix)
                break
        except (ActivityError, ApplicationError, asyncio.CancelledError) as error:
            ending = self._failed(job, steps.outcome_of(steps.code_of(error)), prefix)
        # Outside the `try`: what goes wrong from here on must not erase what viewers see.
        return await steps.shielded(ending)

    async def _encode(self, job: EncodeInput, epoch: int, prefix: str) -> Published:
        steps.stage("probing")
        probe = ProbeInput(
            job_id=job.job_id,
            tenant_id=job.tenant_id,
            video_id=job.video_id,
            file_key=job.file_key,
            prefix=prefix,
            sound_alone=True,
        )
        probed = await steps.run(video.PROBE, probe)
        plan = probed.model_copy(update={"parts": None})  # each batch gets its own
        batches, audio, pictures = await self._encode_tracks(job, plan, probed.parts)
        self._progress = video_progress("publish", 0)
        steps.stage("publishing")
        what = PublishInput(
            job_id=job.job_id,
            tenant_id=job.tenant_id,
            video_id=job.video_id,
            epoch=epoch,
            plan=plan,
            batches=batches,
            audio=audio,
            pictures=pictures,
        )
        # From here on a cancel comes too late: half a publication is worse than a whole one.
        return await steps.shielded(steps.run(video.PUBLISH, what))

    async def _encode_tracks(
        self, job: EncodeInput, plan: EncodePlan, parts: SourceParts | None
    ) -> tuple[list[Manifest], Manifest | None, Manifest | None]:
        """All batches on whatever workers have a slot, audio and pictures beside them."""
        self._frames_done = 0
        self._show(plan)
        size = min(UNITS_PER_BATCH, max(1, plan.unit_count // BATCHES))
        beside: dict[str, asyncio.Task[Manifest | None]] = {}
        # What cannot be shared among slots must not be what all others wait for in the end.
        sound_first = workflow.patched("sound-first")
        if sound_first:
            size = min(size, max(1, int(BATCH_SECONDS * plan.fps / plan.unit_frames)))
            self._start_sound(job, plan, parts, beside)
        firsts = range(0, plan.unit_count, size)
        # Who watches meanwhile needs them from the start.
        in_order = len(firsts) > AT_ONCE and workflow.patched("in-order")
        tasks = [
            asyncio.create_task(
                self._batch(
                    job,
                    plan,
                    first,
                    min(first + size, plan.unit_count) - 1,
                    parts,
                    after=number * APART if in_order else timedelta(0),
                ),
                name=f"batch {first}",
            )
            for number, first in enumerate(firsts)
        ]
        if not sound_first:
            self._start_sound(job, plan, parts, beside)
        if workflow.patched("pictures"):
            # The host that has all of the source for the sound draws them meanwhile.
            after = beside.get("audio") if sound_first and plan.host else None
            beside["pictures"] = asyncio.create_task(self._pictures(job, plan, after), name="pictures")
        await steps.gather_or_stop([*tasks, *beside.values()])
        audio, pictures = (
            beside[name].result() if name in beside else None for name in ("audio", "pictures")
        )
        return [task.result() for task in tasks], audio, pictures

    async def _batch(
        self,
        job: EncodeInput,
        plan: EncodePlan,
        first: int,
        last: int,
        parts: SourceParts | None,
        *,
        after: timedelta,
    ) -> Manifest:
        if after:
            await workflow.sleep(after)
        if parts:
            parts = parts.model_copy(update={"units": parts.units[first : last + 1], "opening": []})
        batch = BatchInput(
            job_id=job.job_id,
            tenant_id=job.tenant_id,
            video_id=job.video_id,
            plan=plan,
            first=first,
            last=last,
            parts=parts,
        )
        manifest = await steps.run(
            video.ENCODE_BATCH,
            batch,
            summary=f"units {first}-{last} of {plan.unit_count}",
            priority=_fair(job),
        )
        self._frames_done += min((last + 1) * plan.unit_frames, plan.total_frames) - first * plan.unit_frames
        self._show(plan)
        return manifest

    def _start_sound(
        self,
        job: EncodeInput,
        plan: EncodePlan,
        parts: SourceParts | None,
        beside: dict[str, asyncio.Task[Manifest | None]],
    ) -> None:
        if plan.has_audio:
            beside["audio"] = asyncio.create_task(self._audio(job, plan, parts), name="audio")

    async def _audio(self, job: EncodeInput, plan: EncodePlan, parts: SourceParts | None) -> Manifest | None:
        if parts:
            parts = parts.model_copy(update={"units": []})
        what = AudioInput(
            job_id=job.job_id, tenant_id=job.tenant_id, video_id=job.video_id, plan=plan, parts=parts
        )
        manifest = await steps.run(video.ENCODE_AUDIO, what, summary="audio", priority=_fair(job))
        if not plan.rungs:
            self._frames_done = plan.total_frames
            self._show(plan)
        return manifest

    async def _pictures(
        self, job: EncodeInput, plan: EncodePlan, after: asyncio.Task[Manifest | None] | None
    ) -> Manifest | None:
        """Poster and storyboard. A lecture without them is still a lecture."""
        if after:
            await workflow.wait([after])
        what = PicturesInput(job_id=job.job_id, tenant_id=job.tenant_id, video_id=job.video_id, plan=plan)
        try:
            return await steps.run(
                video.MAKE_PICTURES, what, summary="poster and storyboard", priority=_fair(job)
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            return None

    async def _failed(self, job: EncodeInput, outcome: JobOutcome, prefix: str | None) -> JobOutcome:
        if prefix:
            steps.stage("cleaning up")
            await steps.erase(EraseInput(prefix=prefix))
        return steps.raise_unless_done(await steps.finish(job.job_id, outcome))

    async def _done(self, job: EncodeInput, published: Published, prefix: str) -> JobOutcome:
        result: dict[str, Any] = {
            "hls_path": published.hls_path,
            "duration": published.duration,
            "renditions": published.renditions,
            "pictures": published.pictures,
        }
        warnings: list[str] = [*published.warnings, *([TOO_QUIET] if published.too_quiet else [])]
        if warnings:
            result["warnings"] = warnings
        if published.damage:
            result["damage"] = [damage.model_dump(mode="json") for damage in published.damage]
            result["review"] = [damage.line for damage in published.damage]
        state = JobState.REVIEW_REQUIRED if published.damage else JobState.DONE
        outcome = JobOutcome(state=state, result=result)
        await steps.erase(EraseInput(prefix=prefix + WORK))
        standing = await steps.finish(job.job_id, outcome)
        if published.replaced_prefix:
            # Viewers in the middle of the version before keep it for a while.
            await workflow.start_child_workflow(
                RetireVersion.run,
                EraseInput(prefix=published.replaced_prefix, after=published.retire_after),
                id=f"{WorkflowType.RETIRE}-{workflow.info().workflow_id}",
                parent_close_policy=ParentClosePolicy.ABANDON,
                static_summary=f"Retire the version that video {job.video_id} had before",
            )
        return steps.raise_unless_done(standing)

    async def _begin(self, job: EncodeInput) -> Begun:
        what = BeginEncode(
            job_id=job.job_id, tenant_id=job.tenant_id, video_id=job.video_id, file_key=job.file_key
        )
        return await steps.run(video.BEGIN, what)

    def _show(self, plan: EncodePlan) -> None:
        self._progress = video_progress("encode", self._frames_done / plan.total_frames)
        steps.stage(
            "encoding",
            f"{self._progress.step_percent} % of {plan.duration:.0f} s, {_renditions(plan)} renditions",
        )


def _renditions(plan: EncodePlan) -> int:
    return len(plan.rungs) or len(plan.sound_renditions)


def _fair(job: EncodeInput) -> Priority:
    """Tenants share the encoders evenly, however long one tenant's lecture is."""
    return Priority(fairness_key=str(job.tenant_id))


def _encoder_changed(error: ActivityError) -> bool:
    return isinstance(error.cause, ApplicationError) and error.cause.type == ErrorType.ENCODER_CHANGED
