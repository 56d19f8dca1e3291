"""Queries on what groups are filled with, and on what the provider made of it. The caller holds the
transaction.

A recipient's row is written once and ended once (`credits.settle`); whatever happens between happens to a
whole chunk, and is one row's.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database.messaging_models import (
    MessageChunk,
    MessageOccurrence,
    MessageRecipient,
    ProviderDifference,
)
from contracts.messaging import ChunkRef, RecipientState


class NewRecipient(NamedTuple):
    """A recipient to be written; `occurrence` None if the sender named no occasion. `former_occurrence`: as
    releases up to 0.5 know the same, whoever has the phone. `merged_into`: the position whose message tells
    this one too, on the same phone."""

    position: int
    chunk: int
    recipient_id: str
    phone_mac: bytes
    masked_phone: str
    channel: str
    fallback: str | None
    occurrence: bytes | None
    former_occurrence: bytes | None = None
    merged_into: int | None = None


# Not by INSERT, which takes five times as long in the driver and half as long again in Postgres.
_COPY = """COPY message_recipients (job_id, tenant_id, position, chunk, recipient_id, phone_mac, masked_phone,
    channel, fallback, merged_into) FROM STDIN (FORMAT BINARY)"""
_TYPES = ("uuid", "int8", "int4", "int4", "varchar", "bytea", "varchar", "varchar", "varchar", "int4")


async def write_recipients(
    connection: AsyncConnection, job_id: UUID, tenant_id: int, recipients: Sequence[NewRecipient]
) -> set[int]:
    """Write the recipients of a locked job; returns the positions that need not be told: somebody else holds
    their occurrence. One message about several is sent as long as one of them has not been told."""
    driver = (await connection.get_raw_connection()).driver_connection
    assert driver is not None
    async with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.set_types(_TYPES)
        for each in recipients:
            await copy.write_row((job_id, tenant_id, *each[:7], each.merged_into))
    named = {each.occurrence: each.position for each in recipients if each.occurrence is not None}
    if not named:
        return set()
    own = await _take(connection, job_id, tenant_id, named)
    # Those of one person first to last: only one of them can hold the former name.
    former = {each.former_occurrence: each for each in reversed(recipients) if each.position in own}
    held = {name: each for name, each in former.items() if name is not None}
    await _take(connection, job_id, tenant_id, {name: each.position for name, each in held.items()})
    told = await _told(connection, tenant_id, job_id, [each for each in recipients if each.position in own])
    known = (set(named.values()) - own) | told
    return known - {each.merged_into for each in recipients if each.position not in known}


async def _take(
    connection: AsyncConnection, job_id: UUID, tenant_id: int, named: Mapping[bytes, int]
) -> set[int]:
    """The positions that hold their occurrence from now on."""
    if not named:
        return set()
    wanted = [
        {"tenant_id": tenant_id, "occurrence": occurrence, "job_id": job_id, "position": position}
        for occurrence, position in sorted(named.items())  # sorted: two jobs cannot deadlock
    ]
    taken = insert(MessageOccurrence).on_conflict_do_nothing().returning(MessageOccurrence.position)
    return set((await connection.execute(taken, wanted)).scalars())


async def _told(
    connection: AsyncConnection, tenant_id: int, job_id: UUID, recipients: Sequence[NewRecipient]
) -> set[int]:
    """Those whose occasion another job holds by its former name, for the same phone."""
    rows = await connection.execute(
        select(MessageOccurrence.occurrence, MessageRecipient.phone_mac)
        .join(
            MessageRecipient,
            and_(
                MessageRecipient.job_id == MessageOccurrence.job_id,
                MessageRecipient.position == MessageOccurrence.position,
            ),
        )
        .where(
            MessageOccurrence.tenant_id == tenant_id,
            MessageOccurrence.job_id != job_id,
            MessageOccurrence.occurrence.in_({each.former_occurrence for each in recipients}),
        )
    )
    held = {(occurrence, mac) for occurrence, mac in rows}
    return {each.position for each in recipients if (each.former_occurrence, each.phone_mac) in held}


async def write_chunks(
    connection: AsyncConnection, job_id: UUID, tenant_id: int, sealed: Sequence[bytes]
) -> None:
    """Write the sealed messages of a job's chunks, from the first on."""
    for chunk, piece in enumerate(sealed):
        row = insert(MessageChunk).values(job_id=job_id, chunk=chunk, tenant_id=tenant_id)
        await connection.execute(row.values(sealed=_alone(piece)))


async def pending(connection: AsyncConnection, chunk: ChunkRef) -> tuple[list[bytes], set[int]]:
    """The sealed pieces of a chunk whose credit is reserved, and the positions in it that have their end."""
    sealed = await connection.execute(
        select(MessageChunk.sealed).where(*_is(chunk), MessageChunk.reserved_on.is_not(None))
    )
    ended = await connection.execute(
        select(MessageRecipient.position).where(*_of(chunk), MessageRecipient.final_at.is_not(None))
    )
    return sealed.scalar_one_or_none() or [], set(ended.scalars())


async def fallbacks(
    connection: AsyncConnection, chunk: ChunkRef, positions: Collection[int]
) -> dict[int, str]:
    """The channel of the text that each of `positions` falls back to, of those who have one and no end."""
    rows = await connection.execute(
        select(MessageRecipient.position, MessageRecipient.fallback).where(
            *_of(chunk),
            MessageRecipient.position.in_(positions),
            MessageRecipient.fallback.is_not(None),
            MessageRecipient.final_at.is_(None),
        )
    )
    return {position: fallback for position, fallback in rows if fallback}


async def rewrite(connection: AsyncConnection, chunk: ChunkRef, piece: bytes) -> None:
    """Another sealed piece in place of all that the chunk has."""
    await connection.execute(update(MessageChunk).where(*_is(chunk)).values(sealed=_alone(piece)))


async def count_open(connection: AsyncConnection, chunk: ChunkRef) -> int:
    """How many of a chunk have no end."""
    query = select(func.count()).where(*_of(chunk), MessageRecipient.final_at.is_(None))
    return int((await connection.execute(query)).scalar_one())


async def open_positions(connection: AsyncConnection, chunk: ChunkRef) -> list[int]:
    rows = await connection.execute(
        select(MessageRecipient.position).where(*_of(chunk), MessageRecipient.final_at.is_(None))
    )
    return list(rows.scalars())


async def any_left(connection: AsyncConnection, chunk: ChunkRef) -> bool:
    """Whether somebody of a chunk was not cancelled, or suppressed."""
    over = (RecipientState.CANCELLED, RecipientState.SUPPRESSED)
    left = exists().where(*_of(chunk), MessageRecipient.state.not_in(over))
    return bool((await connection.execute(select(left))).scalar_one())


async def any_sent(connection: AsyncConnection, chunk: ChunkRef) -> bool:
    """Whether somebody of a chunk was sent something, or may have been."""
    sent = exists().where(*_of(chunk), MessageRecipient.state == RecipientState.UNCONFIRMED)
    return bool((await connection.execute(select(sent))).scalar_one())


# As text: the driver writes each element of an array in Python.
_REGISTER = text("""
    UPDATE message_chunks SET positions = string_to_array(:positions, ' ')::integer[],
        provider_ids = string_to_array(:ids, ' ')
    WHERE job_id = :job AND chunk = :chunk""")


async def register(connection: AsyncConnection, chunk: ChunkRef, ids: dict[int, str]) -> None:
    """Note the provider's id of each message that it took into the group."""
    values = {"positions": " ".join(map(str, ids)), "ids": " ".join(ids.values())}
    await connection.execute(_REGISTER, {"job": chunk.job_id, "chunk": chunk.chunk} | values)


async def forget(connection: AsyncConnection, chunk: ChunkRef) -> None:
    """The provider has the chunk's group for good: nobody needs the texts any more."""
    await connection.execute(update(MessageChunk).where(*_is(chunk)).values(sealed=None))


async def open_recipients(connection: AsyncConnection, chunk: ChunkRef) -> dict[str, int]:
    """Provider message id → position of those in a chunk who have no final state."""
    query = select(MessageChunk.positions, MessageChunk.provider_ids).where(*_is(chunk))
    registered = (await connection.execute(query)).one_or_none()
    positions, provider_ids = registered or (None, None)
    if positions is None or provider_ids is None:
        return {}
    waiting = set(await open_positions(connection, chunk))
    pairs = zip(provider_ids, positions, strict=True)
    return {message_id: position for message_id, position in pairs if position in waiting}


class Registered(NamedTuple):
    """A recipient by the provider's id of the message. A tuple: a day has some hundred thousand."""

    provider_message_id: str
    tenant_id: int
    job_id: UUID
    position: int
    state: str


# LIMIT makes each look-up one of its own: the planner takes a new job for one or two rows, and would compare
# each with each.
_REGISTERED = """
    SELECT n.id, r.tenant_id, r.job_id, r.position, r.state
    FROM message_groups g
    JOIN message_chunks c ON c.job_id = g.job_id AND c.chunk = g.chunk
    CROSS JOIN LATERAL unnest(c.positions, c.provider_ids) AS n (position, id)
    CROSS JOIN LATERAL (
        SELECT * FROM message_recipients WHERE job_id = c.job_id AND position = n.position LIMIT 1) AS r"""
_SENT_BETWEEN = text(f"{_REGISTERED} WHERE g.sent_at >= :start AND g.sent_at < :end")
_BY_IDS = text(f"{_REGISTERED} WHERE g.group_id = ANY(:groups) AND n.id = ANY(:ids)")


async def sent_between(connection: AsyncConnection, start: datetime, end: datetime) -> dict[str, Registered]:
    """The recipients of groups sent in a span, by the provider's message id."""
    rows = await connection.execute(_SENT_BETWEEN, {"start": start, "end": end})
    return {each.provider_message_id: each for each in map(Registered._make, rows)}


async def by_provider_ids(
    connection: AsyncConnection, ids: Sequence[str], group_ids: Sequence[str]
) -> Sequence[Registered]:
    """Our recipients by the provider's message ids and the groups that it names with them."""
    rows = await connection.execute(_BY_IDS, {"ids": list(ids), "groups": list(group_ids)})
    return [Registered._make(row) for row in rows]


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the provider's list of a day and ours do not agree, with what each of us says."""

    day: date
    kind: str
    provider_message_id: str
    tenant_id: int | None
    job_id: UUID | None
    position: int | None
    ours: str | None
    theirs: str | None


async def write_differences(connection: AsyncConnection, found: Sequence[Difference]) -> None:
    """Each once, however often its day is compared."""
    rows = [asdict(each) for each in found]
    await connection.execute(insert(ProviderDifference).on_conflict_do_nothing(), rows)


def _alone(piece: bytes) -> ColumnElement[list[bytes]]:
    """An array of it; the driver would write that in Python."""
    return func.array_append(text("'{}'::bytea[]"), piece)


def _is(chunk: ChunkRef) -> tuple[ColumnElement[bool], ...]:
    return MessageChunk.job_id == chunk.job_id, MessageChunk.chunk == chunk.chunk


def _of(chunk: ChunkRef) -> tuple[ColumnElement[bool], ...]:
    return MessageRecipient.job_id == chunk.job_id, MessageRecipient.chunk == chunk.chunk
