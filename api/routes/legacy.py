"""The paths that existing clients call, with their JSON. Another tenant's object is a 404."""

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import uuid4

from fastapi import APIRouter, Header, HTTPException, Path, Request
from sqlalchemy import Row
from temporalio.client import WorkflowQueryFailedError
from temporalio.service import RPCError

from api import metrics
from api.auth.callers import Tenant
from api.problems import refused
from clients.database import jobs, videos
from clients.database.jobs import Acceptance, Accepted
from clients.progress import job_key, video_key
from contracts.catalog import CATALOG
from contracts.errors import REASONS
from contracts.jobs import FINAL_STATES, JobRequest, payload_sha256
from contracts.progress import Progress
from contracts.queues import encode_subject
from intake.submit import IdempotencyMismatch, Submitter

if TYPE_CHECKING:
    from api.app import Services

log = logging.getLogger(__name__)
router = APIRouter(prefix="/api/v1")

ASK_TIMEOUT = timedelta(seconds=2)
LINK_SECONDS = 3600
SEEN_SECONDS = 1.0  # how old the state of an open job may be that a poll sees

Source = Literal["workflow", "database"]
JOB_ID = r"[A-Za-z0-9._:-]{1,100}"
JobId = Annotated[str, Path(pattern=f"^{JOB_ID}$")]
VideoId = Annotated[int, Path(gt=0, lt=2**63)]


@router.get("/jobs/{job_id}/")
async def get_job(job_id: JobId, tenant: Tenant, request: Request) -> dict[str, Any]:
    """Where a job stands: final state from Postgres, live progress beside it."""
    job = await seen_job(request, tenant, job_id)
    services = request.app.state.services
    shown, _ = await progress_of(services, tenant, job)
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
    return found


@router.get("/core/job_progress/{job_id}/")
async def get_job_progress(job_id: JobId, tenant: Tenant, request: Request) -> dict[str, Any]:
    """Live progress alone; nulls when there is none."""
    job = await seen_job(request, tenant, job_id)
    shown, _ = await progress_of(request.app.state.services, tenant, job)
    return shown.model_dump() if shown else dict.fromkeys(Progress.model_fields)


@router.get("/media/videos/{video_id}/progress/")
async def get_video_progress(video_id: VideoId, tenant: Tenant, request: Request) -> dict[str, Any]:
    """A video's status with its encode's progress; path and duration once READY, the reason if FAILED."""
    services = request.app.state.services
    seen: tuple[Row[Any], Row[Any] | None] | None = await services.seen_videos.get((tenant, video_id))
    if seen is None:
        raise not_found("video")
    (video, job), shown = seen, None
    if job and job.state not in FINAL_STATES:
        shown = await services.board.read(video_key(tenant, video_id))
        if shown is None:
            shown, _ = await progress_of(services, tenant, job)
    return video_progress(video, shown)


@router.post("/media/videos/{video_id}/retry/", status_code=202)
async def retry_video(
    video_id: VideoId,
    tenant: Tenant,
    request: Request,
    idempotency_key: Annotated[str | None, Header(max_length=100)] = None,
) -> dict[str, Any]:
    """Encode the video's source again. A running encode of it is joined, not doubled."""
    async with request.app.state.services.engine.connect() as connection:
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
    accepted = await submit(request, job_request)
    return {"id": video_id, "job_id": str(accepted.job_id), "status": "accepted"}


def video_progress(video: Row[Any], shown: Progress | None) -> dict[str, Any]:
    """The answer to a poll, with the names of old."""
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


async def submit(request: Request, job_request: JobRequest) -> Accepted:
    """Accept a request and start it. Once its row is there it is accepted, whether or not Temporal answers:
    what did not start is started by the reconciler. Raises IdempotencyMismatch, and the database's errors
    when nothing was accepted."""
    submitter: Submitter = request.app.state.services.submitter
    (accepted,) = await submitter.accept([job_request])
    if accepted.status is Acceptance.MISMATCH:
        raise IdempotencyMismatch(job_request.idempotency_key)
    metrics.SUBMITS.labels(job_request.job_type, accepted.status).inc()
    if accepted.status in (Acceptance.NEW, Acceptance.OPEN):
        try:
            await submitter.start(accepted)
        except (RPCError, TimeoutError, RuntimeError) as error:
            log.warning("job %s is accepted and not started yet: %s", accepted.job_id, type(error).__name__)
    return accepted


async def find_job(request: Request, tenant: int, job_id: str) -> Row[Any]:
    async with request.app.state.services.engine.connect() as connection:
        job = await jobs.find(connection, tenant, job_id)
    if job is None:
        raise not_found("job")
    return job


async def seen_job(request: Request, tenant: int, job_id: str) -> Row[Any]:
    """As `find_job`, up to a second old: for those who ask again and again."""
    job: Row[Any] | None = await request.app.state.services.seen_jobs.get((tenant, job_id))
    if job is None:
        raise not_found("job")
    return job


async def progress_of(
    services: "Services", tenant: int, job: Row[Any]
) -> tuple[Progress | None, Source | None]:
    """Live progress, and where it is from when that is not Redis: the workflow, or, when that does not
    answer either, nothing but the database."""
    if job.state in FINAL_STATES:
        return None, None
    shown = await services.board.read(job_key(tenant, job.id))
    away = services.board.away
    if shown or not CATALOG[job.job_type].shows_progress:
        return shown, "database" if away else None
    handle = services.temporal.get_workflow_handle(job.workflow_id)
    try:
        shown = await handle.query("progress", result_type=Progress, rpc_timeout=ASK_TIMEOUT)
    except (RPCError, WorkflowQueryFailedError, RuntimeError):
        return None, "database" if away else None
    return shown, "workflow" if away else None


def links(services: "Services", tenant: int, result: dict[str, Any] | None) -> dict[str, str]:
    """Addresses of a result's files, made now and good for an hour. They are never stored: see failure 18
    of the system before this one."""
    files = (result or {}).get("files")
    mine = f"tenants/{tenant}/"
    return {
        name: services.objects.link(key, LINK_SECONDS)
        for name, key in (files.items() if isinstance(files, dict) else ())
        if isinstance(key, str) and key.startswith(mine)
    }


def message_of(code: str | None) -> str | None:
    return REASONS[code].ko if code in REASONS else code


def not_found(what: str) -> HTTPException:
    return refused(404, "not_found", f"There is no such {what}.")
