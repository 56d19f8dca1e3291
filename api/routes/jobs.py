"""Jobs of any type: start, list, look, cancel, retry."""

import asyncio
from datetime import datetime
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from api.auth import audit
from api.auth.access import may_start
from api.auth.callers import Tenant, caller_of
from api.job_changes import run_again, stop
from api.job_requests import ai_request, asked_by, messages_request
from api.jobs import find_job, links, seen, submit
from api.params import IdempotencyKey, JobId
from api.problems import message_of, not_found, refused
from api.progress import Source, progress_of
from api.routing import first
from api.schemas import AnyWanted, job_request
from api.services import Services, UseServices
from clients.database import jobs, videos
from clients.database.accepting import Accepted
from clients.database.jobs import JobRow
from clients.progress import job_key
from contracts.errors import DOWNLOAD_OFF, LECTURE_BUSY, REASONS, TRIM_OUTSIDE, VERSION_CHANGED
from contracts.jobs import FINAL_STATES, JobRequest, JobState
from contracts.messaging import SendRequest
from contracts.payloads import TrimPayload
from contracts.progress import Progress
from contracts.queues import download_request, trim_request
from contracts.trim import version_name

LOG_LINES = 1000

router = APIRouter(prefix="/api/v1", route_class=first(caller_of))


class JobTaken(BaseModel):
    """`job_id` is the job that does the work: an older one, where an open job has the same subject."""

    job_id: str
    job_type: str
    status: JobState


class JobShown(BaseModel):
    job_id: str
    job_type: str
    status: JobState
    accepted_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error_code: str | None
    error_message: str | None
    workflow_id: str
    progress: Progress | None


class JobPage(BaseModel):
    """`source` is there when Redis is away: then no progress is shown."""

    items: list[JobShown]
    next_cursor: str | None
    source: Source | None = None


class JobDetail(JobShown):
    """`links` lead to the files of `result` for an hour from now. `source` says where `progress` is from
    when that is not Redis."""

    result: dict[str, Any] | None
    links: dict[str, str]
    source: Source | None = None


class LogLine(BaseModel):
    at: datetime
    kind: str
    detail: dict[str, Any] | None


class JobLog(BaseModel):
    items: list[LogLine]


@router.post("/jobs", status_code=202)
async def start(
    body: AnyWanted,
    tenant: Tenant,
    request: Request,
    services: UseServices,
    idempotency_key: IdempotencyKey = None,
) -> JobTaken:
    """Start a job. 202: it is in the database, and will be run whatever happens to us now."""
    asked = (await request.json())["payload"]
    may_start(request, body.job_type)
    key = idempotency_key or str(uuid4())
    wanted = await _job_request(services, tenant, body, asked, key)
    accepted = await submit(services, asked_by(wanted, await caller_of(request)))
    audit.about(request, type=body.job_type, job=str(accepted.job_id))
    return await _submitted(services, accepted)


@router.get("/jobs")
async def list_jobs(
    tenant: Tenant,
    services: UseServices,
    state: Annotated[list[JobState], Query()] = [],  # noqa: B006 - FastAPI copies it
    job_type: Annotated[str | None, Query(max_length=64, pattern=r"^[a-z_.]+$")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(pattern=r"^[0-9]{1,18}$")] = None,
) -> JobPage:
    """The newest first. `state` may be given more than once; `cursor` is the `next_cursor` of a page."""
    before = int(cursor) if cursor else None
    async with services.engine.connect() as connection:
        rows = await jobs.page(connection, tenant, state, job_type, before, limit)
    open_jobs = [row.id for row in rows if row.state not in FINAL_STATES]
    shown = await services.board.read_many([job_key(tenant, job_id) for job_id in open_jobs])
    progress = dict(zip(open_jobs, shown, strict=True))
    return JobPage(
        items=[JobShown(**_shown(row, progress.get(row.id))) for row in rows],
        next_cursor=str(rows[-1].seq) if len(rows) == limit else None,
        source="database" if open_jobs and services.board.away else None,
    )


@router.get("/jobs/{job_id}")
async def get_job(job_id: JobId, tenant: Tenant, request: Request, services: UseServices) -> JobDetail:
    """A job with links to its files. Staff who signed in long ago do it once more before they get those."""
    job = await find_job(services, tenant, job_id)
    seen(request, job)
    progress, source = await progress_of(services.board, services.temporal, job)
    files = links(services, tenant, job.result)
    return JobDetail(**_shown(job, progress), result=job.result, links=files, source=source)


@router.get("/jobs/{job_id}/log")
async def get_log(job_id: JobId, tenant: Tenant, services: UseServices) -> JobLog:
    """What happened to the job and when; at most the first thousand entries."""
    job = await find_job(services, tenant, job_id)
    async with services.engine.connect() as connection:
        rows = await jobs.events(connection, job.id, LOG_LINES)
    return JobLog(items=[LogLine(at=row.at, kind=row.kind, detail=row.detail) for row in rows])


@router.post("/jobs/{job_id}/cancel", status_code=202)
async def cancel(job_id: JobId, tenant: Tenant, services: UseServices) -> JobTaken:
    """Ask a job to stop; look at it for what came of that. 409 when it has ended."""
    job = await find_job(services, tenant, job_id)
    await stop(services, job)
    return _answer(job)


@router.post("/jobs/{job_id}/retry", status_code=202)
async def retry(job_id: JobId, tenant: Tenant, request: Request, services: UseServices) -> JobTaken:
    """The same request again, as a new job; once for each job. 409 with the reason when it cannot be."""
    job = await find_job(services, tenant, job_id)
    may_start(request, job.job_type)
    accepted = await run_again(services, job)
    audit.about(request, type=job.job_type, job=str(accepted.job_id))
    return await _submitted(services, accepted)


async def _job_request(
    services: Services, tenant: int, wanted: AnyWanted, asked: dict[str, Any], key: str
) -> JobRequest:
    """Raises Poison, HTTPException."""
    body = {"job_id": str(uuid4()), "created_at": datetime.now().astimezone().isoformat()}
    match wanted.job_type:
        case "video.encode":
            video_id, file_key = wanted.payload.video_id, wanted.payload.file_key
            file_key = file_key or await _file_of(services, tenant, video_id)
            return job_request("video", tenant, body | {"video_id": video_id, "file_key": file_key}, key)
        case "video.delete":
            video_id = wanted.payload.video_id
            file_key = await _file_of(services, tenant, video_id)
            prefix = f"tenants/{tenant}/video/hls/{video_id}/"
            named = {"action": "delete_r2", "video_id": video_id, "hls_prefix": prefix, "file_key": file_key}
            return job_request("video", tenant, body | named, key)
        case "video.trim":
            return await _trim(services, tenant, wanted.payload, key)
        case "video.download":
            return await _download(services, tenant, wanted.payload.video_id, key)
        case "messages.send":
            request = await asyncio.to_thread(SendRequest.model_validate, asked)
            return await messages_request(services, tenant, request, key)
        case "messaging.send":
            return await asyncio.to_thread(
                job_request, "messaging", tenant, asked | {"business_idempotency_key": None}, key
            )
        case name:
            tier = getattr(wanted, "tier", "basic")
            return await asyncio.to_thread(
                ai_request,
                services,
                tenant=tenant,
                name=name.removeprefix("ai."),
                tier=tier,
                payload=asked,
                envelope=body,
                key=key,
            )


async def _file_of(services: Services, tenant: int, video_id: int) -> str:
    async with services.engine.connect() as connection:
        video = await videos.find(connection, tenant, video_id)
    if video is None or video.deleted_at:
        raise not_found("video")
    return str(video.file_key)


async def _trim(services: Services, tenant: int, wanted: TrimPayload, key: str) -> JobRequest:
    """What was accepted under this key stands, whatever is shown since: who lost the answer asks again."""
    trim = trim_request(tenant, wanted, key)
    async with services.engine.connect() as connection:
        known = await jobs.was_asked(connection, tenant, trim.job_type, trim.idempotency_key)
    if not known:
        await _require_fit(services, tenant, wanted)
    return trim


async def _require_fit(services: Services, tenant: int, wanted: TrimPayload) -> None:
    """Told at once where it is known; the job looks again."""
    async with services.engine.connect() as connection:
        video = await videos.find(connection, tenant, wanted.video_id)
        if video is None or video.deleted_at:
            raise not_found("video")
        encoding = await videos.is_encoded_now(connection, tenant, wanted.video_id)
    if encoding:
        raise refused(409, "lecture_busy", REASONS[LECTURE_BUSY].en)
    if video.hls_prefix is None or version_name(video.hls_prefix) != wanted.version:
        raise refused(409, "version_changed", REASONS[VERSION_CHANGED].en)
    lasts = video.duration or 0.0
    end = lasts if wanted.end is None else wanted.end
    if end - wanted.start < 1 or end > lasts + 0.5 or (wanted.start == 0 and end >= lasts):
        raise refused(422, "trim_outside", REASONS[TRIM_OUTSIDE].en)


async def _download(services: Services, tenant: int, video_id: int, key: str) -> JobRequest:
    async with services.engine.connect() as connection:
        video = await videos.find(connection, tenant, video_id)
    if video is None or video.deleted_at or video.hls_prefix is None:
        raise not_found("video")
    if video.download_lines is None:
        raise refused(409, "download_off", REASONS[DOWNLOAD_OFF].en)
    return download_request(tenant, video_id, version_name(video.hls_prefix), key)


async def _submitted(services: Services, accepted: Accepted) -> JobTaken:
    async with services.engine.connect() as connection:
        return _answer(await jobs.get(connection, accepted.job_id))


def _answer(job: JobRow) -> JobTaken:
    return JobTaken(job_id=job.external_id, job_type=job.job_type, status=job.state)


def _shown(job: JobRow, progress: Progress | None) -> dict[str, Any]:
    return {
        "job_id": job.external_id,
        "job_type": job.job_type,
        "status": job.state,
        "accepted_at": job.accepted_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "error_code": job.error_code,
        "error_message": message_of(job.error_code),
        "workflow_id": job.workflow_id,
        "progress": progress,
    }
