"""Academies, as far as they are known here."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database.models import Tenant
from clients.database.rows import columns, many, one_or_none


@dataclass(frozen=True, slots=True)
class TenantRow:
    id: int
    code: str | None
    created_at: datetime
    erasing_at: datetime | None
    erased_at: datetime | None


_TENANTS = select(*columns(Tenant, TenantRow))


async def add(connection: AsyncConnection, tenant_id: int, code: str | None) -> bool:
    """False for one that is known already, which stays as it is."""
    new = insert(Tenant).values(id=tenant_id, code=code).on_conflict_do_nothing().returning(Tenant.id)
    return (await connection.execute(new)).one_or_none() is not None


async def find(connection: AsyncConnection, tenant_id: int) -> TenantRow | None:
    return await one_or_none(connection, _TENANTS.where(Tenant.id == tenant_id), TenantRow)


async def page(connection: AsyncConnection, after: int, limit: int) -> list[TenantRow]:
    """Those with higher numbers than `after`, in order."""
    query = _TENANTS.where(Tenant.id > after).order_by(Tenant.id).limit(limit)
    return await many(connection, query, TenantRow)
