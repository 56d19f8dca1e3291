"""Queries of the daily sweep over the store: who owns what, and what was found without an owner."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database.models import Job, Orphan, Video
from clients.database.rows import columns, many
from clients.database.uploads import Upload
from contracts.jobs import JobState


@dataclass(frozen=True, slots=True)
class Owner:
    """A video, as far as it owns objects."""

    id: int
    file_key: str
    hls_prefix: str | None
    replaced_prefix: str | None
    deleted_at: datetime | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Found:
    """Objects without an owner, all below `prefix` or the one of that key. `why`: a word for operators."""

    prefix: str
    objects: int
    size: int
    why: str


@dataclass(frozen=True)
class Counts:
    """Objects that the sweeps have found and that are still there, and those that they have removed."""

    found: int
    removed: int


_OWNERS = select(*columns(Video, Owner))


@dataclass(frozen=True, slots=True)
class Ended:
    """A job of a lecture. `finished_at`: None while it is open."""

    id: UUID
    state: JobState
    finished_at: datetime | None


_JOBS = select(*columns(Job, Ended))


async def owners(connection: AsyncConnection, tenant_id: int) -> dict[int, Owner]:
    rows = await many(connection, _OWNERS.where(Video.tenant_id == tenant_id), Owner)
    return {row.id: row for row in rows}


async def jobs(connection: AsyncConnection, tenant_id: int) -> dict[str, Ended]:
    """The tenant's jobs of lectures by the digits that stand in their prefixes."""
    mine = _JOBS.where(Job.tenant_id == tenant_id, Job.video_id.is_not(None))
    return {row.id.hex[:12]: row for row in await many(connection, mine, Ended)}


@dataclass(frozen=True, slots=True)
class Captioned:
    """A job that makes captions, has ended, and told those that it has shown: documents with their `id`, or
    none if it tells nothing of them."""

    id: UUID
    finished_at: datetime
    captions: list[dict[str, Any]] | None


async def captioned(connection: AsyncConnection, tenant_id: int) -> list[Captioned]:
    told = Job.result["captions"].label("captions")
    ended = select(Job.id, Job.finished_at, told).where(
        Job.tenant_id == tenant_id,
        Job.job_type.in_(("ai.captions", "ai.transcription", "video.trim")),
        Job.finished_at.is_not(None),
        Job.restored_at.is_(None),  # its captions' rows may have been lost with its own
    )
    return await many(connection, ended, Captioned)


async def uploaded(connection: AsyncConnection, tenant_id: int) -> set[str]:
    """Keys of the tenant's uploads, whatever became of them."""
    rows = await connection.execute(select(Upload.file_key).where(Upload.tenant_id == tenant_id))
    return set(rows.scalars())


async def note(connection: AsyncConnection, found: Sequence[Found]) -> set[str]:
    """Write down what this sweep has found; returns the prefixes that one before had found too. What was
    found then and is not any more has an owner again, or is gone."""
    known = set(
        (await connection.execute(select(Orphan.prefix).where(Orphan.removed_at.is_(None)))).scalars()
    )
    gone = known - {each.prefix for each in found}
    await connection.execute(delete(Orphan).where(Orphan.prefix.in_(gone)))
    for each in found:
        values = {"objects": each.objects, "size": each.size, "why": each.why, "removed_at": None}
        row = insert(Orphan).values(prefix=each.prefix, **values)
        await connection.execute(row.on_conflict_do_update(index_elements=["prefix"], set_=values))
    return known - gone


async def removed(connection: AsyncConnection, prefixes: Collection[str]) -> None:
    gone = update(Orphan).where(Orphan.prefix.in_(prefixes))
    await connection.execute(gone.values(removed_at=func.now()))


async def counts(connection: AsyncConnection) -> Counts:
    per = select(Orphan.removed_at.is_(None), func.sum(Orphan.objects)).group_by(Orphan.removed_at.is_(None))
    rows = {bool(there): int(objects) for there, objects in await connection.execute(per)}
    return Counts(found=rows.get(True, 0), removed=rows.get(False, 0))
