"""What routes do with uploads: open one, look what has arrived, close it."""

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress
from pathlib import PurePosixPath
from typing import TypeVar, TypeVarTuple
from uuid import UUID

from botocore.exceptions import BotoCoreError, ClientError

from api import file_names
from api.problems import refused
from api.schemas_uploads import MOST_PARTS
from api.services import Services
from clients.database import uploads
from clients.database.uploads import COMPLETED, OPEN, UploadRow
from clients.objects import ObjectMissing
from clients.uploads import arriving

SINGLE_PUT_BYTES = 100 * 2**20
SMALLEST_PART = 16 * 2**20
MIB = 2**20
LINK_SECONDS = 3600

Arguments = TypeVarTuple("Arguments")
Answer = TypeVar("Answer")


async def open_upload(
    services: Services,
    *,
    tenant: int,
    upload_id: UUID,
    purpose: str,
    filename: str,
    content_type: str,
    size: int | None,
    session: str,
    video_id: int | None = None,
) -> UploadRow:
    """The upload of this id, as it was begun the first time."""
    async with services.engine.connect() as connection:
        known = await uploads.find(connection, tenant, upload_id)
    if known is not None:
        return known
    suffix = PurePosixPath(filename.replace("\\", "/")).suffix.lower()
    suffix = suffix if suffix[1:].isalnum() and suffix.isascii() and len(suffix) <= 10 else ""
    folder = f"video/raw/{session}" if purpose == "video" else "ai/uploads"
    file_key = f"tenants/{tenant}/{folder}/{upload_id}{suffix}"
    multipart = size is not None and size > SINGLE_PUT_BYTES
    begin = services.objects.begin
    name = await file_names.sealed(services.keys, tenant, upload_id, filename)
    async with services.engine.begin() as connection:
        new = UploadRow(
            id=upload_id,
            tenant_id=tenant,
            purpose=purpose,
            file_key=file_key,
            content_type=content_type,
            size=size,
            multipart_id=await in_store(begin, file_key, content_type) if multipart else None,
            part_size=part_size(size) if multipart and size else None,
            video_id=video_id,
            state=OPEN,
        )
        return await uploads.add(connection, new, name)


def part_size(size: int) -> int:
    """Whole MiB, 16 at least, so that there are at most 10,000 parts."""
    return max(SMALLEST_PART, math.ceil(size / MOST_PARTS / MIB) * MIB)


def put_link(services: Services, upload: UploadRow) -> str:
    return services.objects.put_link(
        arriving(upload.file_key), upload.content_type, upload.size, LINK_SECONDS
    )


def part_link(services: Services, upload: UploadRow, multipart_id: str, number: int) -> str:
    size = _part_sizes(upload)[number]
    return services.objects.part_link(upload.file_key, multipart_id, number, size, LINK_SECONDS)


async def finish(services: Services, upload: UploadRow) -> None:
    """Join the parts, look at the object, close the upload. HTTPException 409 says what is missing."""
    store = services.objects
    if upload.multipart_id:
        try:
            there = await in_store(store.parts, upload.file_key, upload.multipart_id)
        except ObjectMissing:
            there = None  # joined before, and the answer was lost
        if there is not None:
            missing = _missing(upload, there)
            if missing:
                shown = ", ".join(map(str, missing[:20]))
                raise refused(409, "incomplete", f"{len(missing)} parts are missing or cut: {shown}.")
            await in_store(store.complete, upload.file_key, upload.multipart_id, there)
    at = arriving(upload.file_key)
    try:
        content_type, size = await in_store(store.type_and_size, at)
    except ObjectMissing:  # of parts; or moved before, and the answer was lost
        at = upload.file_key
        try:
            content_type, size = await in_store(store.type_and_size, at)
        except ObjectMissing:
            raise refused(409, "incomplete", "The file is not there.") from None
    if upload.size is not None and size != upload.size:
        raise refused(409, "wrong_size", f"The file has {size} bytes, {upload.size} were announced.")
    if content_type.lower() != upload.content_type.lower():
        raise refused(409, "wrong_type", "The file has another type than was announced.")
    if at != upload.file_key:
        with suppress(ObjectMissing):  # another call has moved it
            await in_store(store.move, at, upload.file_key)
    async with services.engine.begin() as connection:
        await uploads.close(connection, upload.id, COMPLETED)


def _missing(upload: UploadRow, there: dict[int, tuple[int, str]]) -> list[int]:
    sizes = _part_sizes(upload)
    return [number for number, size in sizes.items() if there.get(number, (0, ""))[0] != size]


def _part_sizes(upload: UploadRow) -> dict[int, int]:
    count, (size, part) = part_count(upload), _sizes(upload)
    sizes = dict.fromkeys(range(1, count), part)
    sizes[count] = size - part * (count - 1)
    return sizes


def part_count(upload: UploadRow) -> int:
    size, part = _sizes(upload)
    return math.ceil(size / part)


def _sizes(upload: UploadRow) -> tuple[int, int]:
    """Of the whole and of a part."""
    assert upload.size is not None and upload.part_size is not None, "known of what comes in parts"
    return upload.size, upload.part_size


async def parts_there(services: Services, upload: UploadRow) -> dict[int, tuple[int, str]]:
    if not upload.multipart_id:
        return {}
    async with services.engine.begin() as connection:
        await uploads.touch(connection, upload.id)
    try:
        return await in_store(services.objects.parts, upload.file_key, upload.multipart_id)
    except ObjectMissing:
        return {}


async def in_store(call: Callable[[*Arguments], Answer], *arguments: *Arguments) -> Answer:
    """HTTPException 503 when the object store does not answer; its own answers are raised."""
    try:
        return await asyncio.to_thread(call, *arguments)
    except (ClientError, BotoCoreError, ConnectionError):
        detail = "The object store does not answer. Send the same again in a moment."
        raise refused(503, "unavailable", detail, Retry_After="5") from None
