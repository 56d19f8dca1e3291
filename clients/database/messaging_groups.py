"""Queries on the groups of message jobs. The caller holds the transaction.

`message_groups` is the fence: whatever runs twice (a retried activity, a reset workflow, a second start)
meets the same row, and only one group of a chunk is ever committed.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database.messaging_models import MessageGroup
from clients.database.models import Job
from clients.database.rows import columns, many, one_or_none
from contracts.messaging import ChunkRef, GroupRef
from rules.messaging.groups import BINDING, OPEN_STATES, UNFINISHED, GroupState, check_move


@dataclass(frozen=True, slots=True)
class GroupRow:
    tenant_id: int
    job_id: UUID
    chunk: int
    state: GroupState
    group_id: str | None
    send_began_at: datetime | None
    sent_at: datetime | None
    lineage: str | None

    @property
    def ref(self) -> GroupRef:
        assert self.group_id is not None, "a row is written with its group's id"
        return GroupRef(
            job_id=self.job_id, tenant_id=self.tenant_id, chunk=self.chunk, group_id=self.group_id
        )


_GROUPS = select(*columns(MessageGroup, GroupRow))


async def group(connection: AsyncConnection, chunk: ChunkRef, lock: bool = False) -> GroupRow | None:
    query = _GROUPS.where(*_of(chunk))
    return await one_or_none(connection, query.with_for_update() if lock else query, GroupRow)


async def replace_group(connection: AsyncConnection, chunk: ChunkRef, group_id: str) -> bool:
    """Make `group_id` the chunk's group, unless one is committed (or all is over)."""
    values = {"state": GroupState.OPEN, "group_id": group_id, "send_began_at": None}
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
    connection: AsyncConnection, group: GroupRef, old: GroupState, new: GroupState, **values: datetime | str
) -> bool:
    """Compare and set a group's state; False if the chunk has another group, or this one another state.
    Raises ForbiddenMove."""
    check_move(old, new)
    written = await connection.execute(
        update(MessageGroup)
        .where(*_of(group), MessageGroup.group_id == group.group_id, MessageGroup.state == old)
        .values(state=new, **values)
        .returning(MessageGroup.chunk)
    )
    return written.one_or_none() is not None


async def adopt(
    connection: AsyncConnection, group: GroupRef, state: GroupState, sent_at: datetime | None
) -> bool:
    """Give a chunk the group that its workflow committed and this database has forgotten; False if a group
    is binding already. No move: what the row says is of before."""
    key = {"tenant_id": group.tenant_id, "job_id": group.job_id, "chunk": group.chunk}
    values = {"state": state, "group_id": group.group_id, "sent_at": sent_at, "send_began_at": sent_at}
    written = await connection.execute(
        insert(MessageGroup)
        .values(**key, **values)
        .on_conflict_do_update(
            index_elements=list(key), set_=values, where=MessageGroup.state.not_in(BINDING)
        )
        .returning(MessageGroup.chunk)
    )
    return written.one_or_none() is not None


async def groups(
    connection: AsyncConnection, job_id: UUID, states: Collection[GroupState]
) -> Sequence[GroupRow]:
    query = _GROUPS.where(MessageGroup.job_id == job_id, MessageGroup.state.in_(states))
    return await many(connection, query.order_by(MessageGroup.chunk), GroupRow)


async def left_behind(connection: AsyncConnection, before: datetime) -> Sequence[GroupRow]:
    """Committed groups whose workflow is over (terminated) and whose recipients may be open."""
    query = _GROUPS.join(Job, Job.id == MessageGroup.job_id).where(
        MessageGroup.state.in_(UNFINISHED), Job.finished_at < before
    )
    return await many(connection, query.limit(1000), GroupRow)


def _of(chunk: ChunkRef) -> tuple[ColumnElement[bool], ...]:
    return (
        MessageGroup.tenant_id == chunk.tenant_id,
        MessageGroup.job_id == chunk.job_id,
        MessageGroup.chunk == chunk.chunk,
    )
