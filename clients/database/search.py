"""What captions and read documents are found by, and which of them have to be read for that. Callers hold the
transactions."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Select,
    String,
    func,
    literal_column,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, distinct_on, insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from clients.database.captions_models import Caption
from clients.database.keys import TenantKey
from clients.database.models import Base, Job, Video
from clients.database.rows import columns, many
from rules.captions.writing import WHOLE

TEXT = "text.txt"  # of a result: all that was read in a document, its pages apart
AGAIN = timedelta(days=1)  # after which what could not be read is tried again
# As the predicate of `ix_jobs_documents` has it, so that the planner sees that it is the same.
_IS_DOCUMENT: ColumnElement[bool] = literal_column(
    "jobs.job_type = 'ai.ocr' AND (jobs.result -> 'files' ->> 'text.txt') IS NOT NULL"
)


class SearchText(Base):
    """One language of a lecture's captions, or a document that was read: it goes with these, by whoever
    removes them. `id` is theirs. `pieces`: keyed hashes of all pieces of the text (`clients.pieces`), by the
    tenant's key `key_id`; none of what could not be read, as `problem` says."""

    __tablename__ = "search_texts"

    tenant_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("tenants.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    video_id: Mapped[int | None] = mapped_column(BigInteger)
    job_id: Mapped[UUID | None] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    object_key: Mapped[str] = mapped_column(String(600))
    key_id: Mapped[int] = mapped_column(Integer)
    pieces: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    problem: Mapped[str | None] = mapped_column(String(64))
    indexed_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "video_id", "id"],
            ["captions.tenant_id", "captions.video_id", "captions.id"],
            ondelete="CASCADE",
        ),
        Index("ix_search_texts_pieces", "pieces", postgresql_using="gin"),
        Index("ix_search_texts_job", "job_id", unique=True, postgresql_where=text("job_id IS NOT NULL")),
    )


@dataclass(frozen=True, slots=True)
class Due:
    """A text that is to be read: captions of `video_id`, or what `job_id` has read, `id` in both."""

    tenant_id: int
    id: UUID
    video_id: int | None
    object_key: str


@dataclass(frozen=True, slots=True)
class Indexed:
    """What an index has of a text."""

    key_id: int
    pieces: Sequence[int] = ()
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Captioned:
    """Captions that have all pieces of a search."""

    video_id: int
    id: UUID
    language: str
    name: str
    object_key: str


@dataclass(frozen=True, slots=True)
class Read:
    """A document that has all pieces of a search."""

    seq: int
    id: UUID
    external_id: str
    finished_at: datetime
    object_key: str


@dataclass(frozen=True, slots=True)
class Titled:
    id: int
    title: str | None


_TITLES = select(*columns(Video, Titled))


async def due(connection: AsyncConnection, limit: int, without: Collection[int] = ()) -> list[Due]:
    """Texts that no index has, or another version of, or by a key that is no more: the newest first. Those of
    a tenant whose key was destroyed are none, nor those of the tenants `without`."""
    captions = (await connection.execute(_due_captions(without).limit(limit))).all()
    documents = (await connection.execute(_due_documents(without, limit))).all()
    return [
        *(Due(tenant_id, each, video_id, key) for tenant_id, each, video_id, key in captions),
        *(Due(tenant_id, each, None, key) for tenant_id, each, key in documents if tenant_id is not None),
    ]


def _text_key() -> ColumnElement[str]:
    key: ColumnElement[str] = Job.result["files"][TEXT].as_string()
    return key


def _newest_keys() -> Select[int, int, bool]:
    alive = TenantKey.wrapped.is_not(None).label("alive")
    newest = select(TenantKey.tenant_id, TenantKey.key_id, alive).ext(distinct_on(TenantKey.tenant_id))
    return newest.order_by(TenantKey.tenant_id, TenantKey.key_id.desc())


def _due_captions(without: Collection[int]) -> Select[int, UUID, int, str]:
    keys = _newest_keys().subquery()
    key = func.concat(Caption.prefix, WHOLE)
    there = (SearchText.tenant_id == Caption.tenant_id) & (SearchText.id == Caption.id)
    return (
        select(Caption.tenant_id, Caption.id, Caption.video_id, key)
        .outerjoin(SearchText, there)
        .outerjoin(keys, keys.c.tenant_id == Caption.tenant_id)
        .where(or_(_is_stale(keys.c.key_id), SearchText.object_key != key), keys.c.alive.is_not(False))
        .where(Caption.tenant_id.not_in(without))
        .order_by(Caption.created_at.desc())
    )


def _due_documents(without: Collection[int], limit: int) -> Select[int | None, UUID, str]:
    """The inner query reads indexes alone: of a text that was corrected the row is gone (`documents`)."""
    keys = _newest_keys().subquery()
    some = (
        select(Job.id)
        .outerjoin(SearchText, SearchText.job_id == Job.id)
        .outerjoin(keys, keys.c.tenant_id == Job.tenant_id)
        .where(_IS_DOCUMENT, _is_stale(keys.c.key_id), keys.c.alive.is_not(False))
        .where(Job.tenant_id.is_not(None), Job.tenant_id.not_in(without))
        .order_by(Job.finished_at.desc())
        .limit(limit)
    )
    return select(Job.tenant_id, Job.id, _text_key()).where(Job.id.in_(some))


def _is_stale(key_id: ColumnElement[int]) -> ColumnElement[bool]:
    unread = SearchText.problem.is_not(None) & (SearchText.indexed_at < func.now() - AGAIN)
    return or_(SearchText.id.is_(None), SearchText.key_id != key_id, unread)


async def put(connection: AsyncConnection, what: Due, indexed: Indexed) -> bool:
    """False where the text was replaced or removed meanwhile. Who does so later takes this along."""
    if what.video_id is None:
        same = select(Job.id).where(Job.id == what.id, _text_key() == what.object_key)
    else:
        mine = (Caption.tenant_id == what.tenant_id, Caption.video_id == what.video_id, Caption.id == what.id)
        same = select(Caption.id).where(*mine, func.concat(Caption.prefix, WHOLE) == what.object_key)
    if (await connection.execute(same.with_for_update(read=True))).scalar_one_or_none() is None:
        return False
    values = {
        "object_key": what.object_key,
        "key_id": indexed.key_id,
        "pieces": sorted(indexed.pieces),
        "problem": indexed.problem,
        "indexed_at": func.now(),
    }
    job_id = what.id if what.video_id is None else None
    row = insert(SearchText).values(
        tenant_id=what.tenant_id, id=what.id, video_id=what.video_id, job_id=job_id, **values
    )
    key = [SearchText.tenant_id, SearchText.id]
    await connection.execute(row.on_conflict_do_update(index_elements=key, set_=values))
    return True


async def titles(connection: AsyncConnection, tenant_id: int) -> list[Titled]:
    """Of all lectures of a tenant."""
    mine = (Video.tenant_id == tenant_id, Video.deleted_at.is_(None), Video.title.is_not(None))
    return await many(connection, _TITLES.where(*mine), Titled)


async def captions_with(
    connection: AsyncConnection, tenant_id: int, pieces: Collection[int], before: int | None, limit: int
) -> list[Captioned]:
    """Those of the newest lectures first, of lectures before `before`."""
    found = await _by_pieces(connection, tenant_id, pieces)
    this = (
        (Caption.tenant_id == tenant_id) & (Caption.id == found.c.id) & (Caption.video_id == found.c.video_id)
    )
    query = (
        select(Caption.video_id, Caption.id, Caption.language, Caption.name, found.c.object_key)
        .join(found, this)
        .order_by(Caption.video_id.desc(), Caption.created_at, Caption.id)
        .limit(limit)
    )
    if before is not None:
        query = query.where(Caption.video_id < before)
    return [Captioned(*row) for row in await connection.execute(query)]


async def documents_with(
    connection: AsyncConnection, tenant_id: int, pieces: Collection[int], before: int | None, limit: int
) -> list[Read]:
    """The newest first, of those before the job's `seq`."""
    found = await _by_pieces(connection, tenant_id, pieces)
    query = (
        select(Job.seq, Job.id, Job.external_id, Job.finished_at, found.c.object_key)
        .join(found, found.c.job_id == Job.id)
        .where(_text_key() == found.c.object_key)
        .order_by(Job.seq.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(Job.seq < before)
    return [Read(*row) for row in await connection.execute(query)]


async def _by_pieces(connection: AsyncConnection, tenant_id: int, pieces: Collection[int]) -> CTE:
    """Those of the tenant with all pieces, found by the index of pieces. The planner takes a row's pieces for
    as quickly read as its other columns, and would rather read those of all rows of a tenant (+ 0 hides them
    from it), of the table, or of lectures in their order."""
    await connection.execute(text("SET LOCAL enable_seqscan = off"))
    which = (SearchText.tenant_id + 0 == tenant_id, SearchText.pieces.contains(sorted(pieces)))
    some = select(SearchText.id, SearchText.video_id, SearchText.job_id, SearchText.object_key).where(*which)
    return some.cte("found").prefix_with("MATERIALIZED", dialect="postgresql")
