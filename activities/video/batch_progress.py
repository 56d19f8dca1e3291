"""What a progress bar shows of one batch of units, or of sound that is all there is."""

import asyncio
import time

from clients.progress import ProgressBoard
from contracts.progress import video_progress
from contracts.video import AudioInput, BatchInput, SegmentManifest


class BatchProgress:
    """The progress bar of one batch, which sums up all batches of the job."""

    def __init__(self, board: ProgressBoard, job: BatchInput) -> None:
        self._board = board
        self._job = job
        self._done = 0
        self._started = time.monotonic()
        self._showing: asyncio.Task[None] | None = None

    def frames_of_unit(self, frames: int) -> None:
        if self._showing is None or self._showing.done():
            self._showing = asyncio.create_task(self._show(self._done + frames))

    def unit_done(self, manifest: SegmentManifest) -> None:
        self._done += sum(segment.frames for segment in manifest.tracks[0].segments)
        self.frames_of_unit(0)

    async def _show(self, frames: int) -> None:
        job, plan = self._job, self._job.plan
        total = await self._board.add_frames(job.job_id, job.first, frames)
        progress = video_progress("encode", total / plan.total_frames, time.monotonic() - self._started)
        await self._board.show_video(job.tenant_id, job.video_id, job.job_id, progress)


class SoundProgress:
    """The progress bar of a lecture without a picture. That of others counts its frames."""

    def __init__(self, board: ProgressBoard, job: AudioInput) -> None:
        self._board = board
        self._job = job
        renditions = job.plan.sound_renditions
        passes = 2 * len({each.stream for each in renditions}) + 2 * len(renditions)
        self._total = passes * job.plan.duration * 1000
        self._started = time.monotonic()
        self._showing: asyncio.Task[None] | None = None

    def milliseconds(self, handled: int) -> None:
        if not self._job.plan.rungs and (self._showing is None or self._showing.done()):
            self._showing = asyncio.create_task(self._show(handled))

    async def _show(self, handled: int) -> None:
        job = self._job
        progress = video_progress("encode", handled / self._total, time.monotonic() - self._started)
        await self._board.show_video(job.tenant_id, job.video_id, job.job_id, progress)
