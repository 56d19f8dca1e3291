"""Queries on columns of rosters that were named by hand. Callers hold the transactions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database.roster_models import RosterColumns
from clients.database.rows import columns, many


@dataclass(frozen=True, slots=True)
class NamedRow:
    header_mac: bytes
    sealed: bytes
    updated_at: datetime


_ROWS = select(*columns(RosterColumns, NamedRow))


async def newest(connection: AsyncConnection, tenant_id: int, limit: int) -> list[NamedRow]:
    mine = _ROWS.where(RosterColumns.tenant_id == tenant_id)
    order = (RosterColumns.updated_at.desc(), RosterColumns.header_mac)
    return await many(connection, mine.order_by(*order).limit(limit), NamedRow)


async def of_headers(
    connection: AsyncConnection, tenant_id: int, header_macs: Sequence[bytes]
) -> list[NamedRow]:
    these = RosterColumns.header_mac.in_(header_macs)
    return await many(connection, _ROWS.where(RosterColumns.tenant_id == tenant_id, these), NamedRow)


async def remember(connection: AsyncConnection, tenant_id: int, header_mac: bytes, sealed: bytes) -> None:
    """In place of what was known of this header."""
    new = insert(RosterColumns).values(tenant_id=tenant_id, header_mac=header_mac, sealed=sealed)
    await connection.execute(
        new.on_conflict_do_update(
            index_elements=["tenant_id", "header_mac"], set_={"sealed": sealed, "updated_at": func.now()}
        )
    )


async def forget(connection: AsyncConnection, tenant_id: int, header_mac: bytes) -> bool:
    """Whether it was there."""
    this = (RosterColumns.tenant_id == tenant_id, RosterColumns.header_mac == header_mac)
    return bool((await connection.execute(delete(RosterColumns).where(*this))).rowcount)
