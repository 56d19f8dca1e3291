"""Queries on notices that go in one text with others. The caller holds the transaction.

A notice joins its digest, and is taken out of it, under the lock of the digest's job (`messaging.lock_job`);
who cancels a notice and who commits a text that says it lock the notice's own.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Integer,
    LargeBinary,
    Uuid,
    and_,
    bindparam,
    exists,
    func,
    literal,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from clients.database.credits import RecipientOutcome
from clients.database.messaging_models import (
    MessageChunk,
    MessageDigest,
    MessageGroup,
    MessageJob,
    MessageRecipient,
)
from clients.database.models import Job
from contracts.errors import SEND_CANCELLED
from contracts.messaging import ChunkRef, RecipientState
from rules.messaging.digests import MOST_NOTICES
from rules.messaging.groups import BINDING, GroupState


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """A notice of a digest. `ended`: it was cancelled meanwhile, or its job is over."""

    job_id: UUID
    position: int
    chunk: int
    carried_at: int | None
    ended: bool


_TURN = text("SELECT pg_advisory_xact_lock(hashtextextended(:of, 0))")


async def take_turns(connection: AsyncConnection, tenant_id: int) -> None:
    """Until the end of the transaction nobody else opens a window of this tenant."""
    await connection.execute(_TURN, {"of": f"digest/{tenant_id}"})


async def open_windows(
    connection: AsyncConnection, tenant_id: int, phones: Collection[bytes]
) -> dict[bytes, datetime]:
    """When the window of each phone that has one closes; phones by their keyed hashes."""
    named = literal(list(phones), ARRAY(LargeBinary))
    rows = await connection.execute(
        select(MessageRecipient.phone_mac, func.max(MessageDigest.closes_at))
        .join(MessageDigest, _IS_RECIPIENT)
        .where(
            MessageDigest.tenant_id == tenant_id,
            MessageDigest.closes_at > func.now(),
            MessageDigest.carried_at.is_(None),
            MessageRecipient.phone_mac == func.any(named),
        )
        .group_by(MessageRecipient.phone_mac)
    )
    return {row[0]: row[1] for row in rows}


async def takes(connection: AsyncConnection, digest_id: UUID, more: int) -> bool:
    """Whether a digest, whose job is locked, takes so many notices more: it has neither gathered nor been
    cancelled."""
    row = MessageJob.chunks.is_(None) & MessageJob.cancel_requested_at.is_(None)
    there = select(func.count()).where(MessageDigest.digest_id == digest_id).scalar_subquery()
    open_and_fits = row & Job.finished_at.is_(None) & (there + more <= MOST_NOTICES)
    query = select(open_and_fits).join(Job, Job.id == MessageJob.job_id)
    return bool((await connection.execute(query.where(MessageJob.job_id == digest_id))).scalar_one())


async def join(
    connection: AsyncConnection,
    tenant_id: int,
    job_id: UUID,
    notices: Mapping[int, tuple[UUID, datetime]],
    chunks: Mapping[int, str],
) -> None:
    """Give a job's notices (position → digest, and when that closes) to their digests, and each of its chunks
    the group that stands for theirs."""
    rows = [
        {"job_id": job_id, "position": position, "tenant_id": tenant_id, "digest_id": digest, "closes_at": at}
        for position, (digest, at) in notices.items()
    ]
    if rows:
        await connection.execute(insert(MessageDigest), rows)
    groups = [
        {
            "job_id": job_id,
            "chunk": chunk,
            "tenant_id": tenant_id,
            "group_id": group,
            "state": GroupState.SENT,
        }
        for chunk, group in chunks.items()
    ]
    await connection.execute(insert(MessageGroup), groups)


_IS_RECIPIENT = and_(
    MessageRecipient.job_id == MessageDigest.job_id, MessageRecipient.position == MessageDigest.position
)
_NOTICES = (
    select(
        MessageDigest.job_id,
        MessageDigest.position,
        MessageRecipient.chunk,
        MessageDigest.carried_at,
        MessageRecipient.final_at.is_not(None) | Job.finished_at.is_not(None),
    )
    .join(MessageRecipient, _IS_RECIPIENT)
    .join(Job, Job.id == MessageDigest.job_id)
    .order_by(Job.seq, MessageDigest.position)
)
_CARRIER = aliased(MessageRecipient)
_CARRIED_BY = and_(_CARRIER.job_id == MessageDigest.digest_id, _CARRIER.position == MessageDigest.carried_at)
_COMMITTED = exists().where(
    MessageGroup.tenant_id == _CARRIER.tenant_id,
    MessageGroup.job_id == _CARRIER.job_id,
    MessageGroup.chunk == _CARRIER.chunk,
    MessageGroup.state.in_(BINDING),
)


async def waiting(connection: AsyncConnection, digest_id: UUID) -> list[NoticeRow]:
    """Those that no message of the digest says, in the order in which they were accepted."""
    query = _NOTICES.where(
        MessageDigest.digest_id == digest_id,
        MessageDigest.carried_at.is_(None),
        MessageRecipient.final_at.is_(None),
    )
    return [NoticeRow(*row) for row in await connection.execute(query)]


async def carried(connection: AsyncConnection, chunk: ChunkRef) -> list[NoticeRow]:
    """Those that the messages of a digest's chunk say which have no end, in the same order."""
    query = _NOTICES.join(_CARRIER, _CARRIED_BY).where(
        _CARRIER.job_id == chunk.job_id, _CARRIER.chunk == chunk.chunk, _CARRIER.final_at.is_(None)
    )
    return [NoticeRow(*row) for row in await connection.execute(query)]


_CARRY = text("""
    UPDATE message_digests d SET carried_at = n.message
    FROM unnest(:jobs, :positions, :messages) AS n (job_id, position, message)
    WHERE d.job_id = n.job_id AND d.position = n.position""").bindparams(
    bindparam("jobs", type_=ARRAY(Uuid)),
    bindparam("positions", type_=ARRAY(Integer)),
    bindparam("messages", type_=ARRAY(Integer)),
)


async def carry(connection: AsyncConnection, notices: Mapping[tuple[UUID, int], int | None]) -> None:
    """Note which message of their digest says which notices (job and position); None: none any more."""
    jobs, positions = [job for job, _ in notices], [position for _, position in notices]
    values = {"jobs": jobs, "positions": positions, "messages": list(notices.values())}
    await connection.execute(_CARRY, values)


async def texts(
    connection: AsyncConnection, notices: Sequence[NoticeRow]
) -> dict[tuple[UUID, int], list[bytes]]:
    """The sealed pieces of the chunks that notices lie in, by job and chunk; gone of those who were
    erased."""
    places = {(each.job_id, each.chunk) for each in notices}
    rows = await connection.execute(
        select(MessageChunk.job_id, MessageChunk.chunk, MessageChunk.sealed).where(
            tuple_(MessageChunk.job_id, MessageChunk.chunk).in_(places)
        )
    )
    return {(job_id, chunk): sealed or [] for job_id, chunk, sealed in rows}


async def last_expires(connection: AsyncConnection, job_ids: Collection[UUID]) -> datetime | None:
    """When the last of some jobs is too late."""
    query = select(func.max(MessageJob.expires_at)).where(MessageJob.job_id.in_(job_ids))
    return (await connection.execute(query)).scalar_one()


async def ended(connection: AsyncConnection, chunk: ChunkRef) -> list[RecipientOutcome]:
    """The ends of a chunk's notices that have none yet: what became of the messages that say them, and of a
    digest that was cancelled before it had any."""
    mine = (
        MessageDigest.job_id == chunk.job_id,
        MessageRecipient.chunk == chunk.chunk,
        MessageRecipient.final_at.is_(None),
    )
    told = (
        select(MessageDigest.position, _CARRIER.state, _CARRIER.code, _CARRIER.sent_as)
        .join(MessageRecipient, _IS_RECIPIENT)
        .join(_CARRIER, _CARRIED_BY)
        .where(*mine, _CARRIER.final_at.is_not(None))
    )
    outcomes = [
        RecipientOutcome(position, RecipientState(state), code, sent_as)
        for position, state, code, sent_as in await connection.execute(told)
    ]
    off = (
        select(MessageDigest.position)
        .join(MessageRecipient, _IS_RECIPIENT)
        .join(MessageJob, MessageJob.job_id == MessageDigest.digest_id)
        .where(*mine, MessageJob.cancel_requested_at.is_not(None), MessageJob.chunks.is_(None))
    )
    for position in (await connection.execute(off)).scalars():
        outcomes.append(RecipientOutcome(position, RecipientState.CANCELLED, SEND_CANCELLED))
    return outcomes


async def unsent(connection: AsyncConnection, job_id: UUID) -> list[int]:
    """Those of a locked job's notices who have no end, and whose digest has not committed a text that says
    them."""
    query = (
        select(MessageDigest.position)
        .join(MessageRecipient, _IS_RECIPIENT)
        .outerjoin(_CARRIER, _CARRIED_BY)
        .where(MessageDigest.job_id == job_id, MessageRecipient.final_at.is_(None), ~_COMMITTED)
    )
    return list((await connection.execute(query)).scalars())


async def groups_of(connection: AsyncConnection, job_id: UUID) -> list[GroupState | None]:
    """For each of a job's notices where the group stands that says it: None before there is one."""
    query = (
        select(MessageGroup.state)
        .select_from(MessageDigest)
        .outerjoin(_CARRIER, _CARRIED_BY)
        .outerjoin(
            MessageGroup,
            and_(
                MessageGroup.tenant_id == _CARRIER.tenant_id,
                MessageGroup.job_id == _CARRIER.job_id,
                MessageGroup.chunk == _CARRIER.chunk,
            ),
        )
        .where(MessageDigest.job_id == job_id)
    )
    return list((await connection.execute(query)).scalars())


async def count_shared(connection: AsyncConnection, job_id: UUID) -> int:
    """How many of a job's notices are in a text with others' notices."""
    other = aliased(MessageDigest)
    beside = exists().where(
        other.digest_id == MessageDigest.digest_id,
        other.carried_at == MessageDigest.carried_at,
        other.job_id != MessageDigest.job_id,
    )
    query = select(func.count()).where(MessageDigest.job_id == job_id, beside)
    return int((await connection.execute(query)).scalar_one())
