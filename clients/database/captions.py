"""Queries on captions and chapters of lectures. Callers hold the transactions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, delete, func, null, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database.captions_models import Caption
from clients.database.models import Video
from clients.database.rows import columns, many
from contracts.captions import Origin


@dataclass(frozen=True, slots=True)
class CaptionRow:
    id: UUID
    language: str
    name: str
    origin: Origin
    is_default: bool
    prefix: str
    cues: int
    created_at: datetime


_CAPTIONS = select(*columns(Caption, CaptionRow))


@dataclass(frozen=True)
class NewCaption:
    id: UUID
    language: str
    name: str
    origin: Origin
    prefix: str
    cues: int
    is_default: bool = False


async def listed(connection: AsyncConnection, tenant_id: int, video_id: int) -> list[CaptionRow]:
    """The oldest first."""
    these = _CAPTIONS.where(Caption.tenant_id == tenant_id, Caption.video_id == video_id)
    return await many(connection, these.order_by(Caption.created_at, Caption.id), CaptionRow)


async def put(
    connection: AsyncConnection, tenant_id: int, video_id: int, new: Sequence[NewCaption]
) -> list[str] | None:
    """Show these, instead of those of the same language and name; the prefixes of what nothing shows any
    more. None if the video is not READY. The same again changes nothing."""
    if not await _lock_ready(connection, tenant_id, video_id):
        return None
    same = [and_(Caption.language == each.language, Caption.name == each.name) for each in new]
    return await _replace(connection, tenant_id, video_id, new, or_(*same))


async def replace_embedded(
    connection: AsyncConnection, tenant_id: int, video_id: int, new: Sequence[NewCaption]
) -> None:
    """What came with a version's source, instead of what came with that before: its objects go with its
    version. What people have put there under the same language and name stays."""
    await connection.execute(_of(tenant_id, video_id).where(Caption.origin == Origin.EMBEDDED))
    kept = {(row.language, row.name) for row in await listed(connection, tenant_id, video_id)}
    await insert_new(
        connection, tenant_id, video_id, [each for each in new if (each.language, each.name) not in kept]
    )


async def remove(connection: AsyncConnection, tenant_id: int, video_id: int, caption_id: UUID) -> str | None:
    """The prefix of what is not shown any more; None if there is no such caption."""
    gone = _of(tenant_id, video_id).where(Caption.id == caption_id).returning(Caption.prefix)
    return (await connection.execute(gone)).scalar_one_or_none()


async def prefixes(connection: AsyncConnection, tenant_id: int) -> set[str]:
    """Where captions of the tenant lie."""
    rows = await connection.execute(select(Caption.prefix).where(Caption.tenant_id == tenant_id))
    return set(rows.scalars())


async def forget(connection: AsyncConnection, tenant_id: int, video_id: int) -> None:
    """Captions and chapters of a video that is deleted."""
    await connection.execute(_of(tenant_id, video_id))
    await set_chapters(connection, tenant_id, video_id, None)


async def chapters(connection: AsyncConnection, tenant_id: int, video_id: int) -> list[dict[str, Any]]:
    """As they were set: `start` and `title`, and `embedded` of those that came with the source."""
    found = select(Video.chapters).where(Video.tenant_id == tenant_id, Video.id == video_id)
    document: dict[str, Any] | None = await connection.scalar(found)
    return document["chapters"] if document else []


async def set_chapters(
    connection: AsyncConnection,
    tenant_id: int,
    video_id: int,
    new: Sequence[dict[str, Any]] | None,
    *,
    embedded: bool = False,
    of: str | None = None,
) -> bool:
    """`embedded`: what came with the source takes the place of nothing but the same of before. False where
    another version is shown than the one below the prefix `of`, if that is given."""
    this = update(Video).where(Video.tenant_id == tenant_id, Video.id == video_id)
    if of is not None:
        this = this.where(Video.hls_prefix == of)
    if embedded:
        this = this.where(or_(Video.chapters.is_(None), Video.chapters["embedded"].as_boolean()))
    document = null() if new is None else {"chapters": list(new), "embedded": embedded}
    written = await connection.execute(this.values(chapters=document).returning(Video.id))
    return written.one_or_none() is not None


async def _lock_ready(connection: AsyncConnection, tenant_id: int, video_id: int) -> bool:
    ready = select(Video.id).where(
        Video.tenant_id == tenant_id,
        Video.id == video_id,
        Video.status == "READY",
        Video.deleted_at.is_(None),
    )
    return (await connection.execute(ready.with_for_update())).scalar_one_or_none() is not None


async def _replace(
    connection: AsyncConnection, tenant_id: int, video_id: int, new: Sequence[NewCaption], which: Any
) -> list[str]:
    gone = await connection.execute(_of(tenant_id, video_id).where(which).returning(Caption.prefix))
    kept = {each.prefix for each in new}
    replaced = [prefix for prefix in gone.scalars() if prefix not in kept]
    await insert_new(connection, tenant_id, video_id, new)
    return replaced


async def insert_new(
    connection: AsyncConnection, tenant_id: int, video_id: int, new: Sequence[NewCaption]
) -> None:
    if any(each.is_default for each in new):
        others = update(Caption).where(Caption.tenant_id == tenant_id, Caption.video_id == video_id)
        await connection.execute(others.values(is_default=False))
    for each in new:
        values = {
            "language": each.language,
            "name": each.name,
            "origin": each.origin,
            "is_default": each.is_default,
            "prefix": each.prefix,
            "cues": each.cues,
        }
        row = insert(Caption).values(
            tenant_id=tenant_id, video_id=video_id, id=each.id, created_at=func.clock_timestamp(), **values
        )
        key = [Caption.tenant_id, Caption.video_id, Caption.id]
        await connection.execute(row.on_conflict_do_update(index_elements=key, set_=values))


def _of(tenant_id: int, video_id: int) -> Any:
    return delete(Caption).where(Caption.tenant_id == tenant_id, Caption.video_id == video_id)
