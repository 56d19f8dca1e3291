"""Queries on message jobs, their groups and recipients. The caller holds the transaction.

`message_groups` is the fence: whatever runs twice (a retried activity, a reset workflow, a second start)
meets the same row, and only one group of a chunk is ever committed.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Result, Row, and_, case, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database.messaging_models import (
    CancelledReservation,
    MessageGroup,
    MessageJob,
    MessageRecipient,
    OptOut,
    SenderNumber,
)
from clients.database.models import Job
from contracts.messaging import ChunkRef, RecipientState

OPEN_STATES = ("OPEN", "ADDING", "ADDED")
UNFINISHED = ("COMMITTED", "SENT")
BINDING = (*UNFINISHED, "DONE")  # from the commit on; of a CANCELLED group it is proven that it was not sent


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


async def mark_prepared(connection: AsyncConnection, job_id: UUID, **values: Any) -> None:
    await connection.execute(update(MessageJob).where(MessageJob.job_id == job_id).values(**values))


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


# A recipient's group.
_GROUP = and_(
    MessageGroup.tenant_id == MessageRecipient.tenant_id,
    MessageGroup.job_id == MessageRecipient.job_id,
    MessageGroup.chunk == MessageRecipient.chunk,
)


async def uncommitted_positions(connection: AsyncConnection, job_id: UUID) -> list[int]:
    """Those of a job who have no end, and no committed group: nothing can have been sent to them."""
    committed = exists().where(_GROUP, MessageGroup.state.in_(BINDING))
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


# A group that the provider has sent has everybody in it who is not at an end.
_STANDS = case(
    (
        and_(MessageRecipient.state == RecipientState.PENDING, MessageGroup.state.in_(("SENT", "DONE"))),
        RecipientState.ACCEPTED,
    ),
    else_=MessageRecipient.state,
).label("state")


async def states(connection: AsyncConnection, job_ids: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
    """Recipients of each job by state."""
    rows = await connection.execute(
        select(MessageRecipient.job_id, _STANDS, func.count())
        .outerjoin(MessageGroup, _GROUP)
        .where(MessageRecipient.job_id.in_(job_ids))
        .group_by(MessageRecipient.job_id, _STANDS)
    )
    found: dict[UUID, dict[str, int]] = {}
    for job_id, state, count in rows:
        found.setdefault(job_id, {})[state] = count
    return found


async def counts(connection: AsyncConnection, job_id: UUID) -> dict[str, int]:
    """Recipients of a job by state."""
    return (await states(connection, [job_id])).get(job_id, {})


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
    others = (column for column in MessageRecipient.__table__.c if column.name != "state")
    rows: Result[Any] = await connection.execute(
        select(*others, _STANDS)
        .outerjoin(MessageGroup, _GROUP)
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
