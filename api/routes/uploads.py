"""Uploads: bytes go from the client to the bucket; we say where, and look whether they are there.

What is inside is the job's business: `complete` looks at existence, size and type only.
"""

import asyncio
import re
from collections.abc import Sequence
from typing import Literal
from uuid import UUID, uuid4, uuid5

from fastapi import APIRouter, Response

from api.auth.callers import Tenant, caller_of
from api.params import IdempotencyKey
from api.problems import not_found, refused
from api.routing import first
from api.schemas_uploads import (
    LARGEST,
    VIDEO_TYPE,
    Part,
    PartLinks,
    PartsWanted,
    UploadBegun,
    UploadShown,
    UploadWanted,
    VideoMade,
    VideoWanted,
)
from api.services import Services, UseServices
from api.uploads import MIB, finish, in_store, open_upload, part_count, part_link, parts_there, put_link
from clients.database import uploads
from clients.database.uploads import ABORTED, COMPLETED, OPEN, UploadRow
from rules.captions.cues import MOST_BYTES

_NAMES = UUID("0c1f4a52-7b0e-5d5c-93a4-5d8b8d0e6f21")

# No type under which a browser would run what is in it: image/svg+xml is a page. Tables that are HTML are
# called Excel's by who exports them.
_IMAGE = r"image/(jpeg|png|webp|gif|bmp|tiff|heic|heif|avif)"
_SHEET = r"application/(vnd\.openxmlformats-officedocument\.spreadsheetml\.sheet|vnd\.ms-excel)"
TYPES = {
    "video": re.compile(VIDEO_TYPE),
    "document": re.compile(rf"application/pdf|{_IMAGE}"),
    "table": re.compile(rf"text/(csv|tab-separated-values|plain)|{_SHEET}"),
    "image": re.compile(_IMAGE),
    "captions": re.compile(r"text/(plain|vtt|srt|x-subrip|x-sami)|application/(x-subrip|x-sami)"),
}
LIMITS = {"video": LARGEST, "document": 2**30, "table": 100 * MIB, "image": 100 * MIB, "captions": MOST_BYTES}

router = APIRouter(prefix="/api/v1", route_class=first(caller_of))


@router.post("/uploads", status_code=201)
async def begin(
    body: UploadWanted,
    tenant: Tenant,
    services: UseServices,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> UploadBegun:
    """Begin an upload. One PUT up to 100 MB, parts above."""
    response.headers["Cache-Control"] = "no-store"
    if not TYPES[body.purpose].fullmatch(body.content_type.lower()):
        raise refused(422, "invalid_content_type", f"Not a type of a {body.purpose}.")
    if body.size > LIMITS[body.purpose]:
        raise refused(422, "too_large", f"A {body.purpose} may have {LIMITS[body.purpose]} bytes.")
    upload_id = uuid5(_NAMES, f"{tenant}/{idempotency_key}") if idempotency_key else uuid4()
    upload = await open_upload(
        services,
        tenant=tenant,
        upload_id=upload_id,
        purpose=body.purpose,
        filename=body.filename,
        content_type=body.content_type,
        size=body.size,
        session=body.session,
    )
    return UploadBegun(
        upload_id=upload.id,
        file_key=upload.file_key,
        method=_method(upload),
        part_size=upload.part_size,
        upload_url=None if upload.multipart_id else put_link(services, upload),
    )


@router.post("/uploads/{upload_id}/parts")
async def parts(
    upload_id: UUID, body: PartsWanted, tenant: Tenant, services: UseServices, response: Response
) -> PartLinks:
    """Where to PUT parts, for an hour. Ask for a part again when its link has expired."""
    response.headers["Cache-Control"] = "no-store"
    upload = _open(await _find(services, tenant, upload_id))
    multipart_id = upload.multipart_id
    if multipart_id is None:
        raise refused(409, "not_multipart", "This upload is one PUT.")
    if max(body.numbers) > part_count(upload):
        raise refused(422, "invalid", f"The upload has {part_count(upload)} parts.")
    async with services.engine.begin() as connection:
        await uploads.touch(connection, upload.id)

    def links() -> dict[int, str]:
        return {
            number: part_link(services, upload, multipart_id, number) for number in sorted(set(body.numbers))
        }

    return PartLinks(urls=await asyncio.to_thread(links))


@router.get("/uploads/{upload_id}")
async def get_upload(upload_id: UUID, tenant: Tenant, services: UseServices) -> UploadShown:
    """How far it is: what a browser needs to go on after a reload."""
    upload = await _find(services, tenant, upload_id)
    there = await parts_there(services, upload) if upload.state == OPEN else {}
    return _shown(upload, there)


@router.post("/uploads/{upload_id}/complete")
async def complete(upload_id: UUID, tenant: Tenant, services: UseServices) -> UploadShown:
    """Everything was sent. Parts are listed here, not told by the client; the same again changes nothing.
    409 with what is missing, or when the object is another than what was announced."""
    upload = await _find(services, tenant, upload_id)
    if upload.state != COMPLETED:
        await finish(services, _open(upload))
        upload = await _find(services, tenant, upload_id)
    return _shown(upload, {})


@router.delete("/uploads/{upload_id}", status_code=204)
async def abort(upload_id: UUID, tenant: Tenant, services: UseServices) -> None:
    """Throw it away, with what was sent of it. 409 when it is complete."""
    upload = await _find(services, tenant, upload_id)
    if upload.state == COMPLETED:
        raise refused(409, "already_complete", "The upload is complete.")
    async with services.engine.begin() as connection:
        await uploads.close(connection, upload.id, ABORTED)
    await in_store(services.objects.discard, upload.file_key, upload.multipart_id)


@router.post("/videos", status_code=201)
async def make_video(body: VideoWanted, tenant: Tenant, services: UseServices) -> VideoMade:
    """A new video of a complete upload; `video.encode` of its id is the next step. The same upload is the
    same video."""
    upload = await _find(services, tenant, body.upload_id)
    if upload.purpose != "video" or upload.state != COMPLETED:
        raise refused(409, "not_a_complete_video", "The upload is not complete, or not of a video.")
    async with services.engine.begin() as connection:
        video_id = await uploads.video_of(connection, upload, body.title)
    return VideoMade(video_id=video_id, status="UPLOADED", file_key=upload.file_key)


async def _find(services: Services, tenant: int, upload_id: UUID) -> UploadRow:
    async with services.engine.connect() as connection:
        upload = await uploads.find(connection, tenant, upload_id)
    if upload is None:
        raise not_found("upload")
    return upload


def _open(upload: UploadRow) -> UploadRow:
    if upload.state != OPEN:
        raise refused(409, f"already_{upload.state}", f"The upload is {upload.state}.")
    return upload


def _method(upload: UploadRow) -> Literal["put", "multipart"]:
    return "multipart" if upload.multipart_id else "put"


def _shown(upload: UploadRow, there: dict[int, tuple[int, str]]) -> UploadShown:
    arrived: Sequence[Part] = [
        Part(number=number, size=size, etag=etag) for number, (size, etag) in sorted(there.items())
    ]
    return UploadShown(
        upload_id=upload.id,
        file_key=upload.file_key,
        state=upload.state.value,
        method=_method(upload),
        size=upload.size,
        content_type=upload.content_type,
        part_size=upload.part_size,
        parts=list(arrived),
    )
