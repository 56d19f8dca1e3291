"""Old paths that make something: upload of a video, AI and Excel jobs, one message. Slashes and JSON as ever.

Where the old system's contract is silent, docs/decisions/0025-api.md says what was chosen.
"""

import asyncio
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Request, Response
from pydantic import Field

from api.auth import audit
from api.auth.access import may_start
from api.auth.callers import Tenant, caller_of
from api.job_requests import ai_request, asked_by
from api.jobs import submit
from api.params import IdempotencyKey, VideoId
from api.problems import not_found
from api.routing import first
from api.schemas import Tier, job_request
from api.schemas_uploads import VIDEO_TYPE
from api.services import UseServices
from api.uploads import finish, open_upload, put_link
from clients.database import uploads, videos
from clients.database.accepting import Accepted
from clients.database.uploads import COMPLETED
from contracts.base import Outside

router = APIRouter(prefix="/api/v1", route_class=first(caller_of))


class OldUpload(Outside):
    filename: str = Field(min_length=1, max_length=255)
    session: int | None = Field(default=None, gt=0, lt=2**63)
    title: str | None = Field(default=None, max_length=200)
    content_type: str = Field(default="video/mp4", max_length=100, pattern=f"^{VIDEO_TYPE}$")


class OldAiJob(Outside):
    """The queue's body without the tenant."""

    job_type: str
    payload: dict[str, Any]
    tier: Tier = "basic"
    source_domain: str | None = None
    source_id: Annotated[str | None, Field(coerce_numbers_to_str=True)] = None


@router.post("/media/videos/upload/init/", status_code=201)
async def init_upload(
    body: OldUpload, tenant: Tenant, services: UseServices, response: Response
) -> dict[str, Any]:
    """A new video, PENDING, and where to PUT its file within the hour."""
    response.headers["Cache-Control"] = "no-store"
    async with services.engine.begin() as connection:
        video_id = await uploads.make_video(connection, tenant, "", "PENDING", body.title)
    upload = await open_upload(
        services,
        tenant=tenant,
        upload_id=uuid4(),
        purpose="video",
        filename=body.filename,
        content_type=body.content_type,
        size=None,
        session=str(body.session or "none"),
        video_id=video_id,
    )
    async with services.engine.begin() as connection:
        await uploads.set_file(connection, tenant, video_id, upload.file_key)
    video = {"id": video_id, "title": body.title, "session": body.session, "status": "PENDING"}
    return {
        "video": video | {"file_key": upload.file_key},
        "upload_url": put_link(services, upload),
        "file_key": upload.file_key,
        "content_type": upload.content_type,
    }


@router.post("/media/videos/{video_id}/upload/complete/", status_code=202)
async def complete_upload(
    video_id: VideoId, tenant: Tenant, services: UseServices, idempotency_key: IdempotencyKey = None
) -> dict[str, Any]:
    """The file is there: look that it is, and start the encode. 409 while it is not."""
    async with services.engine.connect() as connection:
        video = await videos.find(connection, tenant, video_id)
        upload = await uploads.of_video(connection, tenant, video_id)
    if video is None or video.deleted_at or upload is None:
        raise not_found("upload")
    if upload.state != COMPLETED:
        await finish(services, upload)
        async with services.engine.begin() as connection:
            await uploads.mark_uploaded(connection, tenant, video_id)
    # The upload names the occurrence: complete twice is one encode.
    body = {"job_id": str(upload.id), "video_id": video_id, "file_key": upload.file_key}
    accepted = await submit(services, job_request("video", tenant, body, f"upload:{upload.id}"))
    return {"id": video_id, "job_id": str(accepted.job_id), "status": "UPLOADED"}


@router.post("/ai/jobs/", status_code=202)
async def create_ai_job(
    body: OldAiJob,
    tenant: Tenant,
    request: Request,
    services: UseServices,
    idempotency_key: IdempotencyKey = None,
) -> dict[str, str]:
    """Any AI job, by the names that the queue has."""
    may_start(request, f"ai.{body.job_type}")
    source = body.model_dump(include={"source_domain", "source_id"}, exclude_none=True)
    envelope = {"job_id": str(uuid4())} | source
    key = idempotency_key or str(uuid4())
    job = await asyncio.to_thread(
        ai_request,
        services,
        tenant=tenant,
        name=body.job_type,
        tier=body.tier,
        payload=body.payload,
        envelope=envelope,
        key=key,
    )
    return _accepted(request, await submit(services, job))


@router.post("/excel/jobs/", status_code=202)
async def create_excel_job(
    payload: dict[str, Any],
    tenant: Tenant,
    request: Request,
    services: UseServices,
    idempotency_key: IdempotencyKey = None,
) -> dict[str, str]:
    """A roster: the payload of `excel_parsing`."""
    key = idempotency_key or str(uuid4())
    envelope = {"job_id": str(uuid4())}
    job = await asyncio.to_thread(
        ai_request,
        services,
        tenant=tenant,
        name="excel_parsing",
        tier="basic",
        payload=payload,
        envelope=envelope,
        key=key,
    )
    return _accepted(request, await submit(services, job))


@router.post("/messaging/send/", status_code=202)
async def send_message(
    payload: dict[str, Any],
    tenant: Tenant,
    request: Request,
    services: UseServices,
    idempotency_key: IdempotencyKey = None,
) -> dict[str, str]:
    """One text to one phone: the queue's body. Its `business_idempotency_key` counts for ever."""
    key = idempotency_key or str(uuid4())
    job = await asyncio.to_thread(job_request, "messaging", tenant, payload, key)
    return _accepted(request, await submit(services, asked_by(job, await caller_of(request))))


def _accepted(request: Request, accepted: Accepted) -> dict[str, str]:
    audit.about(request, job=str(accepted.job_id))
    return {"job_id": str(accepted.job_id), "status": "PENDING"}
