"""What a progress bar shows of one batch of units."""

import asyncio
import time

from clients.progress import ProgressBoard
from contracts.progress import video_progress
from contracts.video import BatchInput, SegmentManifest


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
