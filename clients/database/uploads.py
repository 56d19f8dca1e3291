"""Uploads: what a client said it would bring, where, and whether it is there."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, String, func, select, text, update
from sqlalchemy import Sequence as Numbers
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from clients.database.models import Base, Tenant, Video, words
from clients.database.rows import columns, many, one, one_or_none

# Above every id that the existing producers count up to, and below 2^53, so that a browser reads them.
VIDEO_IDS = Numbers("video_ids", start=1_000_000_000_000, metadata=Base.metadata)


class UploadState(StrEnum):
    """An open upload is closed once, as completed or as aborted."""

    OPEN = "open"
    COMPLETED = "completed"
    ABORTED = "aborted"


OPEN, COMPLETED, ABORTED = UploadState


class Upload(Base):
    """`multipart_id` is the store's name of a multipart upload, None for a single PUT. `sealed_name` is what
    the file was called: names of files name people. `touched_at` is when the client was last heard of."""

    __tablename__ = "uploads"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"))
    purpose: Mapped[str] = mapped_column(String(16))
    file_key: Mapped[str] = mapped_column(String(500))
    content_type: Mapped[str] = mapped_column(String(100))
    size: Mapped[int | None] = mapped_column(BigInteger)
    multipart_id: Mapped[str | None] = mapped_column(String(1024))
    part_size: Mapped[int | None] = mapped_column(BigInteger)
    sealed_name: Mapped[bytes | None]
    video_id: Mapped[int | None] = mapped_column(BigInteger)
    state: Mapped[UploadState] = mapped_column(words(UploadState, 16), server_default=OPEN)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    touched_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        Index("ix_uploads_open", "touched_at", postgresql_where=text("state = 'open'")),
        Index("ix_uploads_video", "tenant_id", "video_id", postgresql_where=text("video_id IS NOT NULL")),
    )


@dataclass(frozen=True, slots=True)
class UploadRow:
    id: UUID
    tenant_id: int
    purpose: str
    file_key: str
    content_type: str
    size: int | None
    multipart_id: str | None
    part_size: int | None
    video_id: int | None
    state: UploadState


_UPLOADS = select(*columns(Upload, UploadRow))


async def add(connection: AsyncConnection, new: UploadRow, sealed_name: bytes | None = None) -> UploadRow:
    """The upload of this id, made if it is not there yet."""
    await connection.execute(insert(Tenant).values(id=new.tenant_id).on_conflict_do_nothing())
    await connection.execute(
        insert(Upload).values(asdict(new) | {"sealed_name": sealed_name}).on_conflict_do_nothing()
    )
    return await one(connection, _UPLOADS.where(Upload.id == new.id), UploadRow)


async def find(connection: AsyncConnection, tenant_id: int, upload_id: UUID) -> UploadRow | None:
    mine = _UPLOADS.where(Upload.tenant_id == tenant_id, Upload.id == upload_id)
    return await one_or_none(connection, mine, UploadRow)


async def of_video(connection: AsyncConnection, tenant_id: int, video_id: int) -> UploadRow | None:
    """The newest upload that was made for a video."""
    made_for = _UPLOADS.where(Upload.tenant_id == tenant_id, Upload.video_id == video_id)
    return await one_or_none(connection, made_for.order_by(Upload.created_at.desc()).limit(1), UploadRow)


async def touch(connection: AsyncConnection, upload_id: UUID) -> None:
    await connection.execute(update(Upload).where(Upload.id == upload_id).values(touched_at=func.now()))


async def close(connection: AsyncConnection, upload_id: UUID, state: UploadState) -> bool:
    """From open to `state`; False if it was closed before."""
    closed = await connection.execute(
        update(Upload)
        .where(Upload.id == upload_id, Upload.state == OPEN)
        .values(state=state)
        .returning(Upload.id)
    )
    return closed.one_or_none() is not None


async def make_video(
    connection: AsyncConnection, tenant_id: int, file_key: str, status: str, title: str | None
) -> int:
    """A new video of ours; its id."""
    await connection.execute(insert(Tenant).values(id=tenant_id).on_conflict_do_nothing())
    made = insert(Video).values(
        tenant_id=tenant_id, id=VIDEO_IDS.next_value(), file_key=file_key, status=status, title=title
    )
    return (await connection.execute(made.returning(Video.id))).scalar_one()


async def video_of(connection: AsyncConnection, upload: UploadRow, title: str | None) -> int:
    """The video that an upload became; made at the first call, the same at every other."""
    locked = select(Upload.video_id).where(Upload.id == upload.id).with_for_update()
    video_id = (await connection.execute(locked)).scalar_one()
    if video_id is None:
        video_id = await make_video(connection, upload.tenant_id, upload.file_key, "UPLOADED", title)
        await connection.execute(update(Upload).where(Upload.id == upload.id).values(video_id=video_id))
    return video_id


async def set_file(connection: AsyncConnection, tenant_id: int, video_id: int, file_key: str) -> None:
    this = (Video.tenant_id == tenant_id, Video.id == video_id)
    await connection.execute(update(Video).where(*this).values(file_key=file_key))


async def mark_uploaded(connection: AsyncConnection, tenant_id: int, video_id: int) -> None:
    """PENDING → UPLOADED; every later status stays."""
    this = (Video.tenant_id == tenant_id, Video.id == video_id, Video.status == "PENDING")
    await connection.execute(update(Video).where(*this).values(status="UPLOADED"))


async def abandoned(connection: AsyncConnection, age: timedelta, limit: int) -> Sequence[UploadRow]:
    """Open uploads that nobody was heard of for `age`, oldest first."""
    silent = _UPLOADS.where(Upload.state == OPEN, Upload.touched_at < func.now() - age)
    return await many(connection, silent.order_by(Upload.touched_at).limit(limit), UploadRow)
