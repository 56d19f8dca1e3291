"""Queries on message jobs, their groups and recipients. The caller holds the transaction.

`message_groups` is the fence: whatever runs twice (a retried activity, a reset workflow, a second start)
meets the same row, and only one group of a chunk is ever committed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, and_, bindparam, exists, func, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, INTEGER, TEXT, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database.message_models import (
    CancelledReservation,
    MessageGroup,
    MessageJob,
    MessageOccurrence,
    MessageRecipient,
    OptOut,
    SenderNumber,
)
from clients.database.models import Job
from contracts.messaging import ChunkRef, RecipientState

OPEN_STATES = ("OPEN", "ADDING", "ADDED")
UNFINISHED = ("COMMITTED", "SENT")
BINDING = (*UNFINISHED, "DONE")  # from the commit on; of a CANCELLED group it is proven that it was not sent


@dataclass(frozen=True)
class NewRecipient:
    """A recipient to be written; `occurrence` None if the sender named no occasion."""

    position: int
    chunk: int
    recipient_id: str
    phone_mac: bytes
    masked_phone: str
    sealed: bytes
    channel: str
    fallback: str | None
    occurrence: bytes | None


async def lock_job(connection: AsyncConnection, job_id: UUID, tenant_id: int) -> Row[Any]:
    """The job's row, made if it is new, locked until the transaction ends."""
    await connection.execute(
        insert(MessageJob).values(job_id=job_id, tenant_id=tenant_id).on_conflict_do_nothing()
    )
    return (
        await connection.execute(select(MessageJob).where(MessageJob.job_id == job_id).with_for_update())
    ).one()


async def find_job(connection: AsyncConnection, job_id: UUID) -> Row[Any] | None:
    return (await connection.execute(select(MessageJob).where(MessageJob.job_id == job_id))).one_or_none()


_COLUMNS = {
    "position": INTEGER,
    "chunk": INTEGER,
    "recipient_id": TEXT,
    "phone_mac": BYTEA,
    "masked_phone": TEXT,
    "sealed": BYTEA,
    "channel": TEXT,
    "fallback": TEXT,
}
# Arrays, because a row each takes half as long again.
# ruff: noqa: S608 - put together of constants of this file
_WRITE_RECIPIENTS = text(f"""
    INSERT INTO message_recipients (job_id, tenant_id, {", ".join(_COLUMNS)})
    SELECT :job, :tenant, * FROM unnest({", ".join(f":{name}" for name in _COLUMNS)})""").bindparams(
    *(bindparam(name, type_=ARRAY(kind)) for name, kind in _COLUMNS.items())
)


async def write_recipients(
    connection: AsyncConnection, job_id: UUID, tenant_id: int, recipients: Sequence[NewRecipient]
) -> list[int]:
    """Write some recipients of a locked job; returns the positions whose occurrence somebody else holds."""
    columns = {name: [getattr(each, name) for each in recipients] for name in _COLUMNS}
    await connection.execute(_WRITE_RECIPIENTS, {"job": job_id, "tenant": tenant_id} | columns)
    named = {each.occurrence: each.position for each in recipients if each.occurrence is not None}
    if not named:
        return []
    wanted = [
        {"tenant_id": tenant_id, "occurrence": occurrence, "job_id": job_id, "position": position}
        for occurrence, position in sorted(named.items())  # sorted: two jobs cannot deadlock
    ]
    taken = insert(MessageOccurrence).on_conflict_do_nothing().returning(MessageOccurrence.position)
    own = set((await connection.execute(taken, wanted)).scalars())
    return sorted(set(named.values()) - own)


async def mark_prepared(connection: AsyncConnection, job_id: UUID, **values: Any) -> None:
    await connection.execute(update(MessageJob).where(MessageJob.job_id == job_id).values(**values))


async def pending(connection: AsyncConnection, chunk: ChunkRef) -> list[tuple[int, bytes]]:
    """(position, sealed) of those in a chunk that are reserved and not final."""
    rows = await connection.execute(
        select(MessageRecipient.position, MessageRecipient.sealed)
        .where(
            MessageRecipient.job_id == chunk.job_id,
            MessageRecipient.chunk == chunk.chunk,
            MessageRecipient.final_at.is_(None),
            MessageRecipient.reserved.is_not(None),
        )
        .order_by(MessageRecipient.position)
    )
    return [(row.position, row.sealed) for row in rows]


async def group(connection: AsyncConnection, chunk: ChunkRef, lock: bool = False) -> Row[Any] | None:
    query = select(MessageGroup).where(
        MessageGroup.tenant_id == chunk.tenant_id,
        MessageGroup.job_id == chunk.job_id,
        MessageGroup.chunk == chunk.chunk,
    )
    return (await connection.execute(query.with_for_update() if lock else query)).one_or_none()


async def replace_group(connection: AsyncConnection, chunk: ChunkRef, group_id: str) -> bool:
    """Make `group_id` the chunk's group, unless one is committed (or all is over)."""
    values = {"state": "OPEN", "group_id": group_id, "send_began_at": None}
    key = {"tenant_id": chunk.tenant_id, "job_id": chunk.job_id, "chunk": chunk.chunk}
    written = await connection.execute(
        insert(MessageGroup)
        .values(**key, **values)
        .on_conflict_do_update(
            index_elements=list(key), set_=values, where=MessageGroup.state.in_(OPEN_STATES)
        )
        .returning(MessageGroup.chunk)
    )
    return written.one_or_none() is not None


async def move(
    connection: AsyncConnection, chunk: ChunkRef, group_id: str, old: str, new: str, **values: Any
) -> bool:
    """Compare and set a group's state; False if it is another group, or in another state."""
    written = await connection.execute(
        update(MessageGroup)
        .where(
            MessageGroup.tenant_id == chunk.tenant_id,
            MessageGroup.job_id == chunk.job_id,
            MessageGroup.chunk == chunk.chunk,
            MessageGroup.group_id == group_id,
            MessageGroup.state == old,
        )
        .values(state=new, **values)
        .returning(MessageGroup.chunk)
    )
    return written.one_or_none() is not None


# A job's rows are new, so the planner takes them for one or two and would compare each with each.
WITHOUT_NESTED_LOOPS = text("SET LOCAL enable_nestloop = off")

_REGISTERED = text("""
    UPDATE message_recipients r SET provider_message_id = n.id
    FROM unnest(:positions, :ids) AS n (position, id)
    WHERE r.job_id = :job AND r.position = n.position AND r.final_at IS NULL""").bindparams(
    bindparam("positions", type_=ARRAY(INTEGER)), bindparam("ids", type_=ARRAY(TEXT))
)


async def register(connection: AsyncConnection, job_id: UUID, ids: dict[int, str]) -> None:
    """Note the provider's id of each message that it took into the group."""
    await connection.execute(WITHOUT_NESTED_LOOPS)
    await connection.execute(_REGISTERED, {"job": job_id, "positions": list(ids), "ids": list(ids.values())})


async def accept(connection: AsyncConnection, chunk: ChunkRef) -> None:
    """The chunk's group is sent: everybody in it who is not final is the provider's now."""
    await connection.execute(
        update(MessageRecipient)
        .where(
            MessageRecipient.job_id == chunk.job_id,
            MessageRecipient.chunk == chunk.chunk,
            MessageRecipient.final_at.is_(None),
            MessageRecipient.provider_message_id.is_not(None),
        )
        .values(state=RecipientState.ACCEPTED)
    )


async def open_recipients(connection: AsyncConnection, chunk: ChunkRef) -> dict[str, int]:
    """Provider message id → position of those in a chunk who have no final state."""
    rows = await connection.execute(
        select(MessageRecipient.provider_message_id, MessageRecipient.position).where(
            MessageRecipient.job_id == chunk.job_id,
            MessageRecipient.chunk == chunk.chunk,
            MessageRecipient.final_at.is_(None),
            MessageRecipient.provider_message_id.is_not(None),
        )
    )
    return {row.provider_message_id: row.position for row in rows}


async def open_positions(connection: AsyncConnection, job_id: UUID, chunk: int) -> list[int]:
    rows = await connection.execute(
        select(MessageRecipient.position).where(
            MessageRecipient.job_id == job_id,
            MessageRecipient.chunk == chunk,
            MessageRecipient.final_at.is_(None),
        )
    )
    return list(rows.scalars())


async def uncommitted_positions(connection: AsyncConnection, job_id: UUID) -> list[int]:
    """Those of a job who have no end, and no committed group: nothing can have been sent to them."""
    committed = exists().where(
        MessageGroup.job_id == MessageRecipient.job_id,
        MessageGroup.chunk == MessageRecipient.chunk,
        MessageGroup.state.in_(BINDING),
    )
    rows = await connection.execute(
        select(MessageRecipient.position).where(
            MessageRecipient.job_id == job_id, MessageRecipient.final_at.is_(None), ~committed
        )
    )
    return list(rows.scalars())


async def groups(connection: AsyncConnection, job_id: UUID, states: Sequence[str]) -> Sequence[Row[Any]]:
    rows = await connection.execute(
        select(MessageGroup)
        .where(MessageGroup.job_id == job_id, MessageGroup.state.in_(states))
        .order_by(MessageGroup.chunk)
    )
    return rows.all()


async def left_behind(connection: AsyncConnection, before: datetime) -> Sequence[Row[Any]]:
    """Committed groups whose workflow is over (terminated) and whose recipients may be open."""
    rows = await connection.execute(
        select(MessageGroup)
        .join(Job, Job.id == MessageGroup.job_id)
        .where(MessageGroup.state.in_(UNFINISHED), Job.finished_at < before)
        .limit(1000)
    )
    return rows.all()


async def counts(connection: AsyncConnection, job_id: UUID) -> dict[str, int]:
    """Recipients of a job by state."""
    rows = await connection.execute(
        select(MessageRecipient.state, func.count())
        .where(MessageRecipient.job_id == job_id)
        .group_by(MessageRecipient.state)
    )
    return {row[0]: row[1] for row in rows}


async def codes(connection: AsyncConnection, job_id: UUID) -> dict[str, int]:
    """Recipients of a job who did not get it, by code."""
    rows = await connection.execute(
        select(MessageRecipient.code, func.count())
        .where(MessageRecipient.job_id == job_id, MessageRecipient.code.is_not(None))
        .group_by(MessageRecipient.code)
    )
    return {str(row[0]): row[1] for row in rows}


async def request_cancel(connection: AsyncConnection, job_id: UUID, tenant_id: int) -> str:
    """Ask that a job sends nothing more. What this transaction proves: CANCELLED (no group is committed,
    and none will be), TOO_LATE (all are sent), UNKNOWN (some are on their way)."""
    job = await lock_job(connection, job_id, tenant_id)
    if job.cancel_requested_at is None:
        await connection.execute(
            update(MessageJob).where(MessageJob.job_id == job_id).values(cancel_requested_at=func.now())
        )
    states = [row.state for row in await groups(connection, job_id, BINDING)]
    if not states:
        return "CANCELLED"
    return "TOO_LATE" if len(states) == job.chunks and "COMMITTED" not in states else "UNKNOWN"


async def recipients(connection: AsyncConnection, job_id: UUID, after: int, limit: int) -> Sequence[Row[Any]]:
    """A page of a job's recipients, those after a position."""
    rows = await connection.execute(
        select(MessageRecipient)
        .where(MessageRecipient.job_id == job_id, MessageRecipient.position > after)
        .order_by(MessageRecipient.position)
        .limit(limit)
    )
    return rows.all()


async def workflows_of_groups(connection: AsyncConnection, group_ids: Sequence[str]) -> list[str]:
    """The workflows of open jobs that wait for reports of these groups."""
    rows = await connection.execute(
        select(Job.workflow_id)
        .join(MessageGroup, MessageGroup.job_id == Job.id)
        .where(MessageGroup.group_id.in_(group_ids), Job.finished_at.is_(None))
        .distinct()
    )
    return list(rows.scalars())


async def reservation_is_cancelled(connection: AsyncConnection, job: Row[Any]) -> bool:
    if job.reservation_id is None:
        return False
    row = exists().where(
        CancelledReservation.tenant_id == job.tenant_id,
        CancelledReservation.reservation_id == job.reservation_id,
    )
    return bool((await connection.execute(select(row))).scalar_one())


async def cancel_reservation(connection: AsyncConnection, tenant_id: int, reservation_id: int) -> None:
    await connection.execute(
        insert(CancelledReservation)
        .values(tenant_id=tenant_id, reservation_id=reservation_id)
        .on_conflict_do_nothing()
    )


async def opt_out(connection: AsyncConnection, tenant_id: int, phone_mac: bytes) -> None:
    await connection.execute(
        insert(OptOut).values(tenant_id=tenant_id, phone_mac=phone_mac).on_conflict_do_nothing()
    )


async def sender_numbers(connection: AsyncConnection, tenant_id: int) -> frozenset[str]:
    rows = await connection.execute(select(SenderNumber.number).where(SenderNumber.tenant_id == tenant_id))
    return frozenset(rows.scalars())


async def sent_between(
    connection: AsyncConnection, start: datetime, end: datetime
) -> dict[str, tuple[int, UUID, int, str]]:
    """Provider message id → (tenant, job, position, state) of the recipients of groups sent in a span."""
    rows = await connection.execute(
        select(MessageRecipient)
        .join(
            MessageGroup,
            and_(
                MessageGroup.job_id == MessageRecipient.job_id,
                MessageGroup.chunk == MessageRecipient.chunk,
            ),
        )
        .where(
            MessageGroup.sent_at >= start,
            MessageGroup.sent_at < end,
            MessageRecipient.provider_message_id.is_not(None),
        )
    )
    return {row.provider_message_id: (row.tenant_id, row.job_id, row.position, row.state) for row in rows}


async def by_provider_ids(connection: AsyncConnection, ids: Sequence[str]) -> Sequence[Any]:
    """Our recipients by the provider's message ids."""
    rows = await connection.execute(
        select(
            MessageRecipient.provider_message_id,
            MessageRecipient.tenant_id,
            MessageRecipient.job_id,
            MessageRecipient.position,
            MessageRecipient.state,
            MessageRecipient.code,
        ).where(MessageRecipient.provider_message_id.in_(ids))
    )
    return rows.all()
