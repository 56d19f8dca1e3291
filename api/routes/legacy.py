"""The paths that existing clients call, with their JSON."""

from typing import Any, Literal
from uuid import uuid4

from fastapi import APIRouter, Request

from api.auth import audit
from api.auth.callers import Tenant, caller_of
from api.jobs import links, seen, seen_job, submit
from api.params import IdempotencyKey, JobId, VideoId
from api.problems import message_of, not_found
from api.progress import progress_of, video_progress
from api.routing import first
from api.services import Services, UseServices
from clients.database import videos
from clients.database.jobs import JobRow
from clients.progress import video_key
from contracts.jobs import FINAL_STATES, JobRequest, payload_sha256
from contracts.progress import Progress
from contracts.queues import encode_subject

router = APIRouter(prefix="/api/v1", route_class=first(caller_of))


@router.get("/jobs/{job_id}/")
async def get_job(job_id: JobId, tenant: Tenant, request: Request, services: UseServices) -> dict[str, Any]:
    """Where a job stands: final state from Postgres, live progress beside it. `result.download_url` where a
    result has one file."""
    return await _shown(await seen_job(services, tenant, job_id), tenant, request, services)


@router.get("/jobs/{job_id}/progress/")
async def get_progress(
    job_id: JobId, tenant: Tenant, request: Request, services: UseServices
) -> dict[str, Any]:
    """The same; 200 with UNKNOWN for a job that is not there, or another tenant's: old pages poll on."""
    job = await services.seen_jobs.get((tenant, job_id))
    if job is None:
        audit.nothing_shown(request)
        return {"status": "UNKNOWN", "message": "진행 상태를 확인할 수 없습니다."}
    return await _shown(job, tenant, request, services)


@router.get("/{asked_from}/excel_job_status/{job_id}/")
async def get_excel_job(
    asked_from: Literal["students", "enrollments"],
    job_id: JobId,
    tenant: Tenant,
    request: Request,
    services: UseServices,
) -> dict[str, Any]:
    """A job of a roster, as `/jobs/{job_id}/`."""
    job = await seen_job(services, tenant, job_id)
    if job.job_type != "ai.excel_parsing":
        raise not_found("job")
    return await _shown(job, tenant, request, services)


async def _shown(job: JobRow, tenant: int, request: Request, services: Services) -> dict[str, Any]:
    seen(request, job)
    shown, _ = await progress_of(services.board, services.temporal, job)
    found = {
        "job_id": job.external_id,
        "job_type": job.job_type.removeprefix("ai."),
        "status": job.state,
        "result": job.result,
        "error_message": message_of(job.error_code),
        "progress": shown.model_dump() if shown else None,
    }
    if files := links(services, tenant, job.result):
        found["links"] = files
        if len(files) == 1:
            found["result"] = (job.result or {}) | {"download_url": next(iter(files.values()))}
    return found


@router.get("/core/job_progress/{job_id}/")
async def get_job_progress(job_id: JobId, tenant: Tenant, services: UseServices) -> dict[str, Any]:
    """Live progress alone; nulls when there is none."""
    job = await seen_job(services, tenant, job_id)
    shown, _ = await progress_of(services.board, services.temporal, job)
    return shown.model_dump() if shown else dict.fromkeys(Progress.model_fields)


@router.get("/media/videos/{video_id}/progress/")
async def get_video_progress(video_id: VideoId, tenant: Tenant, services: UseServices) -> dict[str, Any]:
    """A video's status with its encode's progress; once READY its path, duration and what it lacks; the
    reason if FAILED."""
    seen = await services.seen_videos.get((tenant, video_id))
    if seen is None:
        raise not_found("video")
    (video, job), shown, made = seen, None, None
    if video.hls_path:
        async with services.engine.connect() as connection:
            made = await videos.published_result(connection, video)
    if job and job.state not in FINAL_STATES:
        shown = await services.board.read(video_key(tenant, video_id))
        if shown is None:
            shown, _ = await progress_of(services.board, services.temporal, job)
    return video_progress(video, shown, made)


@router.post("/media/videos/{video_id}/retry/", status_code=202)
async def retry_video(
    video_id: VideoId,
    tenant: Tenant,
    services: UseServices,
    idempotency_key: IdempotencyKey = None,
) -> dict[str, Any]:
    """Encode the video's source again. A running encode of it is joined, not doubled."""
    async with services.engine.connect() as connection:
        video = await videos.find(connection, tenant, video_id)
    if video is None or video.deleted_at:
        raise not_found("video")
    payload = {"video_id": video_id, "file_key": video.file_key}
    job_request = JobRequest(
        job_type="video.encode",
        tenant_id=tenant,
        idempotency_key=f"retry:{video_id}:{idempotency_key or uuid4()}",
        subject=encode_subject(video_id, video.file_key),
        payload=payload,
        payload_sha256=payload_sha256(payload, frozenset()),
        source="api",
    )
    accepted = await submit(services, job_request)
    return {"id": video_id, "job_id": str(accepted.job_id), "status": "accepted"}
