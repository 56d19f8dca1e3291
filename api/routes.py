"""The paths that existing clients call, with their JSON. Another tenant's object is a 404."""

from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Header, HTTPException, Path, Request
from sqlalchemy import Row
from temporalio.client import WorkflowQueryFailedError
from temporalio.service import RPCError

from api.auth import Tenant
from clients.database import jobs, videos
from clients.progress import job_key, video_key
from contracts.errors import REASONS
from contracts.jobs import FINAL_STATES, JobRequest, payload_sha256
from contracts.progress import Progress
from contracts.queues import encode_subject
from intake.submit import RPC_TIMEOUT, IdempotencyMismatch

router = APIRouter(prefix="/api/v1")

JobId = Annotated[str, Path(pattern=r"^[A-Za-z0-9._:-]{1,100}$")]
VideoId = Annotated[int, Path(gt=0, lt=2**63)]


@router.get("/jobs/{job_id}/")
async def get_job(job_id: JobId, tenant: Tenant, request: Request) -> dict[str, Any]:
    """Where a job stands: final state from Postgres, live progress beside it."""
    job = await find_job(request, tenant, job_id)
    shown = await _progress(request, tenant, job)
    return {
        "job_id": job.external_id,
        "job_type": job.job_type.removeprefix("ai."),
        "status": job.state,
        "result": job.result,
        "error_message": message_of(job.error_code),
        "progress": shown.model_dump() if shown else None,
    }


@router.get("/core/job_progress/{job_id}/")
async def get_job_progress(job_id: JobId, tenant: Tenant, request: Request) -> dict[str, Any]:
    """Live progress alone; nulls when there is none."""
    shown = await _progress(request, tenant, await find_job(request, tenant, job_id))
    return shown.model_dump() if shown else dict.fromkeys(Progress.model_fields)


@router.get("/media/videos/{video_id}/progress/")
async def get_video_progress(video_id: VideoId, tenant: Tenant, request: Request) -> dict[str, Any]:
    """A video's status with its encode's progress; path and duration once READY, the reason if FAILED."""
    services = request.app.state.services
    async with services.engine.connect() as connection:
        video = await videos.find(connection, tenant, video_id)
        if video is None or video.deleted_at:
            raise not_found("video")
        job = await jobs.get(connection, video.current_job)
    shown = None
    if job.state not in FINAL_STATES:
        shown = await services.board.read(video_key(tenant, video_id)) or await _ask_workflow(request, job)
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
    if video.hls_path:
        answer |= {"hls_path": video.hls_path, "duration": video.duration}
    if video.error_code:
        answer["error_reason"] = message_of(video.error_code)
    return answer


@router.post("/media/videos/{video_id}/retry/", status_code=202)
async def retry_video(
    video_id: VideoId,
    tenant: Tenant,
    request: Request,
    idempotency_key: Annotated[str | None, Header(max_length=100)] = None,
) -> dict[str, Any]:
    """Encode the video's source again. A running encode of it is joined, not doubled."""
    services = request.app.state.services
    async with services.engine.connect() as connection:
        video = await videos.find(connection, tenant, video_id)
    if video is None or video.deleted_at:
        raise not_found("video")
    payload = {"video_id": video_id, "file_key": video.file_key}
    wish = JobRequest(
        job_type="video.encode",
        tenant_id=tenant,
        idempotency_key=f"retry:{video_id}:{idempotency_key or uuid4()}",
        subject=encode_subject(video_id, video.file_key),
        payload=payload,
        payload_sha256=payload_sha256(payload, frozenset()),
        source="api",
    )
    try:
        accepted = await services.submitter.submit(wish)
    except IdempotencyMismatch:
        raise HTTPException(
            422, {"detail": "This Idempotency-Key was used for another file.", "code": "idempotency_mismatch"}
        ) from None
    return {"id": video_id, "job_id": str(accepted.job_id), "status": "accepted"}


async def find_job(request: Request, tenant: int, job_id: str) -> Row[Any]:
    async with request.app.state.services.engine.connect() as connection:
        job = await jobs.find(connection, tenant, job_id)
    if job is None:
        raise not_found("job")
    return job


async def _progress(request: Request, tenant: int, job: Row[Any]) -> Progress | None:
    if job.state in FINAL_STATES:
        return None
    shown: Progress | None = await request.app.state.services.board.read(job_key(tenant, job.id))
    return shown or await _ask_workflow(request, job)


async def _ask_workflow(request: Request, job: Row[Any]) -> Progress | None:
    """What Temporal knows, when Redis shows nothing."""
    if job.job_type not in ("video.encode", "messaging.send", "messages.send"):
        return None
    handle = request.app.state.services.temporal.get_workflow_handle(job.workflow_id)
    try:
        answer: Progress = await handle.query("progress", result_type=Progress, rpc_timeout=RPC_TIMEOUT)
    except (RPCError, WorkflowQueryFailedError):
        return None
    return answer


def message_of(code: str | None) -> str | None:
    return REASONS[code].ko if code in REASONS else code


def not_found(what: str) -> HTTPException:
    return HTTPException(404, {"detail": f"There is no such {what}.", "code": "not_found"})
