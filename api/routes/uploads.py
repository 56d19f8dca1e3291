"""Uploads: bytes go from the client to the bucket; we say where, and look whether they are there.

What is inside is the job's business: `complete` looks at existence, size and type only.
"""

import asyncio
import math
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4, uuid5

from botocore.exceptions import BotoCoreError, ClientError
from fastapi import APIRouter, Header, Request, Response
from sqlalchemy import Row

from api.auth.callers import Tenant
from api.problems import refused
from api.routes.legacy import not_found
from api.schemas_uploads import (
    LARGEST,
    MOST_PARTS,
    Part,
    PartLinks,
    PartsWanted,
    UploadBegun,
    UploadShown,
    UploadWanted,
    VideoMade,
    VideoWanted,
)
from clients.database import uploads
from clients.database.uploads import ABORTED, COMPLETED, OPEN
from clients.objects import ObjectMissing
from clients.uploads import UploadStore

SINGLE_PUT_BYTES = 100 * 2**20
SMALLEST_PART = 16 * 2**20
MIB = 2**20
LINK_SECONDS = 3600
_NAMES = UUID("0c1f4a52-7b0e-5d5c-93a4-5d8b8d0e6f21")

TYPES: dict[str, tuple[str, ...]] = {
    "video": ("video/",),
    "document": ("application/pdf", "image/"),
    "table": (
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/vnd.ms-excel",
        "text/csv",
    ),
    "image": ("image/",),
}
LIMITS = {"video": LARGEST, "document": 2**30, "table": 100 * MIB, "image": 100 * MIB}

router = APIRouter(prefix="/api/v1")


@router.post("/uploads", status_code=201)
async def begin(
    body: UploadWanted,
    tenant: Tenant,
    request: Request,
    response: Response,
    idempotency_key: Annotated[str | None, Header(max_length=100)] = None,
) -> UploadBegun:
    """Begin an upload. One PUT up to 100 MB, parts above."""
    response.headers["Cache-Control"] = "no-store"
    if not body.content_type.lower().startswith(TYPES[body.purpose]):
        raise refused(422, "invalid_content_type", f"Not a type of a {body.purpose}.")
    if body.size > LIMITS[body.purpose]:
        raise refused(422, "too_large", f"A {body.purpose} may have {LIMITS[body.purpose]} bytes.")
    upload_id = uuid5(_NAMES, f"{tenant}/{idempotency_key}") if idempotency_key else uuid4()
    upload = await open_upload(
        request, tenant, upload_id, body.purpose, body.filename, body.content_type, body.size, body.session
    )
    return UploadBegun(
        upload_id=upload.id,
        file_key=upload.file_key,
        method=_method(upload),
        part_size=upload.part_size,
        upload_url=None if upload.multipart_id else put_link(request, upload),
    )


@router.post("/uploads/{upload_id}/parts")
async def parts(
    upload_id: UUID, body: PartsWanted, tenant: Tenant, request: Request, response: Response
) -> PartLinks:
    """Where to PUT parts, for an hour. Ask for a part again when its link has expired."""
    response.headers["Cache-Control"] = "no-store"
    upload = _open(await _find(request, tenant, upload_id))
    if upload.multipart_id is None:
        raise refused(409, "not_multipart", "This upload is one PUT.")
    if max(body.numbers) > _part_count(upload):
        raise refused(422, "invalid", f"The upload has {_part_count(upload)} parts.")
    services = request.app.state.services
    async with services.engine.begin() as connection:
        await uploads.touch(connection, upload.id)

    def links() -> dict[int, str]:
        return {
            number: services.objects.part_link(upload.file_key, upload.multipart_id, number, LINK_SECONDS)
            for number in sorted(set(body.numbers))
        }

    return PartLinks(urls=await asyncio.to_thread(links))


@router.get("/uploads/{upload_id}")
async def get_upload(upload_id: UUID, tenant: Tenant, request: Request) -> UploadShown:
    """How far it is: what a browser needs to go on after a reload."""
    upload = await _find(request, tenant, upload_id)
    there = await _parts(request, upload) if upload.state == OPEN else {}
    return _shown(upload, there)


@router.post("/uploads/{upload_id}/complete")
async def complete(upload_id: UUID, tenant: Tenant, request: Request) -> UploadShown:
    """Everything was sent. Parts are listed here, not told by the client; the same again changes nothing.
    409 with what is missing, or when the object is another than what was announced."""
    upload = await _find(request, tenant, upload_id)
    if upload.state != COMPLETED:
        await finish(request, _open(upload))
        upload = await _find(request, tenant, upload_id)
    return _shown(upload, {})


@router.delete("/uploads/{upload_id}", status_code=204)
async def abort(upload_id: UUID, tenant: Tenant, request: Request) -> None:
    """Throw it away, with what was sent of it. 409 when it is complete."""
    upload = await _find(request, tenant, upload_id)
    if upload.state == COMPLETED:
        raise refused(409, "already_complete", "The upload is complete.")
    services = request.app.state.services
    async with services.engine.begin() as connection:
        await uploads.close(connection, upload.id, ABORTED)
    await _store(services.objects.discard, upload.file_key, upload.multipart_id)


@router.post("/videos", status_code=201)
async def make_video(body: VideoWanted, tenant: Tenant, request: Request) -> VideoMade:
    """A new video of a complete upload; `video.encode` of its id is the next step. The same upload is the
    same video."""
    services = request.app.state.services
    upload = await _find(request, tenant, body.upload_id)
    if upload.purpose != "video" or upload.state != COMPLETED:
        raise refused(409, "not_a_complete_video", "The upload is not complete, or not of a video.")
    async with services.engine.begin() as connection:
        video_id = await uploads.video_of(connection, upload, body.title)
    return VideoMade(video_id=video_id, status="UPLOADED", file_key=upload.file_key)


async def open_upload(
    request: Request,
    tenant: int,
    upload_id: UUID,
    purpose: str,
    filename: str,
    content_type: str,
    size: int | None,
    session: str,
    video_id: int | None = None,
) -> Row[Any]:
    """The upload of this id, as it was begun the first time."""
    services = request.app.state.services
    async with services.engine.connect() as connection:
        known = await uploads.find(connection, tenant, upload_id)
    if known is not None:
        return known
    suffix = PurePosixPath(filename.replace("\\", "/")).suffix.lower()
    suffix = suffix if suffix[1:].isalnum() and suffix.isascii() and len(suffix) <= 10 else ""
    folder = f"video/raw/{session}" if purpose == "video" else "ai/uploads"
    file_key = f"tenants/{tenant}/{folder}/{upload_id}{suffix}"
    multipart = size is not None and size > SINGLE_PUT_BYTES
    async with services.engine.begin() as connection:
        return await uploads.add(
            connection,
            id=upload_id,
            tenant_id=tenant,
            purpose=purpose,
            file_key=file_key,
            content_type=content_type,
            size=size,
            multipart_id=await _store(services.objects.begin, file_key, content_type) if multipart else None,
            part_size=part_size(size) if multipart and size else None,
            video_id=video_id,
        )


def part_size(size: int) -> int:
    """Whole MiB, 16 at least, so that there are at most 10,000 parts."""
    return max(SMALLEST_PART, math.ceil(size / MOST_PARTS / MIB) * MIB)


def put_link(request: Request, upload: Row[Any]) -> str:
    store: UploadStore = request.app.state.services.objects
    return store.put_link(upload.file_key, upload.content_type, upload.size, LINK_SECONDS)


async def finish(request: Request, upload: Row[Any]) -> None:
    """Join the parts, look at the object, close the upload. HTTPException 409 says what is missing."""
    services = request.app.state.services
    store: UploadStore = services.objects
    if upload.multipart_id:
        try:
            there = await _store(store.parts, upload.file_key, upload.multipart_id)
        except ObjectMissing:
            there = None  # joined before, and the answer was lost
        if there is not None:
            missing = _missing(upload, there)
            if missing:
                shown = ", ".join(map(str, missing[:20]))
                raise refused(409, "incomplete", f"{len(missing)} parts are missing or cut: {shown}.")
            await _store(store.complete, upload.file_key, upload.multipart_id, there)
    try:
        content_type, size = await _store(store.type_and_size, upload.file_key)
    except ObjectMissing:
        raise refused(409, "incomplete", "The file is not there.") from None
    if upload.size is not None and size != upload.size:
        raise refused(409, "wrong_size", f"The file has {size} bytes, {upload.size} were announced.")
    if content_type.lower() != upload.content_type.lower():
        raise refused(409, "wrong_type", "The file has another type than was announced.")
    async with services.engine.begin() as connection:
        await uploads.close(connection, upload.id, COMPLETED)


def _missing(upload: Row[Any], there: dict[int, tuple[int, str]]) -> list[int]:
    count = _part_count(upload)
    sizes = dict.fromkeys(range(1, count), upload.part_size)
    sizes[count] = upload.size - upload.part_size * (count - 1)
    return [number for number, size in sizes.items() if there.get(number, (0, ""))[0] != size]


def _part_count(upload: Row[Any]) -> int:
    size, part = int(upload.size), int(upload.part_size)
    return math.ceil(size / part)


async def _parts(request: Request, upload: Row[Any]) -> dict[int, tuple[int, str]]:
    if not upload.multipart_id:
        return {}
    services = request.app.state.services
    async with services.engine.begin() as connection:
        await uploads.touch(connection, upload.id)
    try:
        found: dict[int, tuple[int, str]] = await _store(
            services.objects.parts, upload.file_key, upload.multipart_id
        )
    except ObjectMissing:
        return {}
    return found


async def _store(call: Any, *arguments: Any) -> Any:
    """HTTPException 503 when the object store does not answer; its own answers are raised."""
    try:
        return await asyncio.to_thread(call, *arguments)
    except (ClientError, BotoCoreError):
        detail = "The object store does not answer. Send the same again in a moment."
        raise refused(503, "unavailable", detail, Retry_After="5") from None


async def _find(request: Request, tenant: int, upload_id: UUID) -> Row[Any]:
    async with request.app.state.services.engine.connect() as connection:
        upload = await uploads.find(connection, tenant, upload_id)
    if upload is None:
        raise not_found("upload")
    return upload


def _open(upload: Row[Any]) -> Row[Any]:
    if upload.state != OPEN:
        raise refused(409, f"already_{upload.state}", f"The upload is {upload.state}.")
    return upload


def _method(upload: Row[Any]) -> Literal["put", "multipart"]:
    return "multipart" if upload.multipart_id else "put"


def _shown(upload: Row[Any], there: dict[int, tuple[int, str]]) -> UploadShown:
    arrived: Sequence[Part] = [
        Part(number=number, size=size, etag=etag) for number, (size, etag) in sorted(there.items())
    ]
    return UploadShown(
        upload_id=upload.id,
        file_key=upload.file_key,
        state=upload.state,
        method=_method(upload),
        size=upload.size,
        content_type=upload.content_type,
        part_size=upload.part_size,
        parts=list(arrived),
    )
