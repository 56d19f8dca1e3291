"""Live progress of a job, from whoever can say it."""

from datetime import timedelta
from typing import Any, Literal

from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.service import RPCError

from api.problems import message_of
from clients.database.jobs import JobRow
from clients.database.videos import VideoRow
from clients.progress import ProgressBoard, job_key
from contracts.catalog import CATALOG
from contracts.jobs import FINAL_STATES
from contracts.progress import Progress

ASK_TIMEOUT = timedelta(seconds=2)

Source = Literal["workflow", "database"]


async def progress_of(
    board: ProgressBoard, temporal: Client, job: JobRow
) -> tuple[Progress | None, Source | None]:
    """Live progress, and where it is from when that is not Redis: the workflow, or, when that does not
    answer either, nothing but the database."""
    if job.state in FINAL_STATES:
        return None, None
    shown = await board.read(job_key(job.tenant_id or 0, job.id))
    away = board.away
    if shown or not CATALOG[job.job_type].shows_progress:
        return shown, "database" if away else None
    handle = temporal.get_workflow_handle(job.workflow_id)
    try:
        shown = await handle.query("progress", result_type=Progress, rpc_timeout=ASK_TIMEOUT)
    except (RPCError, WorkflowQueryFailedError, RuntimeError):
        return None, "database" if away else None
    return shown, "workflow" if away else None


def video_progress(
    video: VideoRow, shown: Progress | None, made: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The answer to a poll, with the names of old. `made`: the result of the job that published."""
    answer = {
        "id": video.id,
        "status": video.status,
        "encoding_progress": shown.percent if shown else None,
        "encoding_remaining_seconds": shown.remaining_seconds if shown else None,
        "encoding_step_index": shown.step_index if shown else None,
        "encoding_step_total": shown.step_total if shown else None,
        "encoding_step_name": shown.step_name_display if shown else None,
        "encoding_step_percent": shown.step_percent if shown else None,
    }
    if video.status == "READY" and shown is None:
        answer["encoding_progress"] = 100
    if video.hls_path:
        answer |= {"hls_path": video.hls_path, "duration": video.duration}
        answer |= {name: made[name] for name in ("damage", "warnings") if made and name in made}
    if video.error_code:
        answer["error_reason"] = message_of(video.error_code)
    return answer
