"""Queries on e-mails that are being sent. The caller holds the transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database.messaging_models import MailAttempt, MessageRecipient
from clients.database.rows import columns, many
from contracts.messaging import ChunkRef


@dataclass(frozen=True, slots=True)
class AttemptRow:
    position: int
    tries: int
    began_at: datetime | None
    again_at: datetime | None


# Whoever promotes a standby, restores a backup or copies a database has another of these. What was written
# after the copy was made is not there, so an e-mail that looks as if it had not been begun may have been.
_LINEAGE = text("""
    SELECT concat_ws(':', (SELECT system_identifier FROM pg_control_system()),
        substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8),
        (SELECT oid FROM pg_database WHERE datname = current_database()))""")


async def lineage(connection: AsyncConnection) -> str:
    """Which database this is: its cluster, that one's timeline, and its own number. At most 40 characters."""
    return str((await connection.execute(_LINEAGE)).scalar_one())


async def attempts(connection: AsyncConnection, chunk: ChunkRef) -> Mapping[int, AttemptRow]:
    """Of those of a chunk who have no end, by position."""
    mine = and_(
        MessageRecipient.job_id == MailAttempt.job_id, MessageRecipient.position == MailAttempt.position
    )
    query = (
        select(*columns(MailAttempt, AttemptRow))
        .join(MessageRecipient, mine)
        .where(
            MailAttempt.job_id == chunk.job_id,
            MessageRecipient.chunk == chunk.chunk,
            MessageRecipient.final_at.is_(None),
        )
    )
    return {row.position: row for row in await many(connection, query, AttemptRow)}


async def begin(connection: AsyncConnection, chunk: ChunkRef, position: int, at: datetime) -> bool:
    """From here on the e-mail may be on its way; False if it is already, or has its end."""
    open_one = select(MessageRecipient.position).where(
        MessageRecipient.job_id == chunk.job_id,
        MessageRecipient.position == position,
        MessageRecipient.final_at.is_(None),
    )
    if (await connection.execute(open_one)).one_or_none() is None:
        return False
    begun = await connection.execute(
        insert(MailAttempt)
        .values(job_id=chunk.job_id, position=position, tenant_id=chunk.tenant_id, tries=1, began_at=at)
        .on_conflict_do_update(
            index_elements=["job_id", "position"],
            set_={"tries": MailAttempt.tries + 1, "began_at": at, "again_at": None},
            where=MailAttempt.began_at.is_(None),
        )
        .returning(MailAttempt.position)
    )
    return begun.one_or_none() is not None


async def again(
    connection: AsyncConnection, chunk: ChunkRef, position: int, began: datetime | None, at: datetime
) -> None:
    """The try that began at `began`, or was refused before it could, has left nothing at the server: it is
    tried again at `at`. Whoever else has begun one meanwhile keeps it."""
    values = {"job_id": chunk.job_id, "position": position, "tenant_id": chunk.tenant_id, "tries": 1}
    tries = MailAttempt.tries + (0 if began else 1)
    await connection.execute(
        insert(MailAttempt)
        .values(**values, again_at=at)
        .on_conflict_do_update(
            index_elements=["job_id", "position"],
            set_={"tries": tries, "began_at": None, "again_at": at},
            where=MailAttempt.began_at.is_not_distinct_from(began),
        )
    )


async def ended(connection: AsyncConnection, chunk: ChunkRef, positions: Sequence[int]) -> None:
    """They have their end: nobody asks how often they were tried."""
    these = MailAttempt.job_id == chunk.job_id, MailAttempt.position.in_(positions)
    await connection.execute(delete(MailAttempt).where(*these))
