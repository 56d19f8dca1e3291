"""Service keys of tenants, by the prefix that is no secret."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database.models import ServiceKey, Tenant
from clients.database.rows import columns, many, one_or_none


@dataclass(frozen=True, slots=True)
class ServiceKeyRow:
    """`rights`: words between commas; None of keys from before there were any."""

    prefix: str
    tenant_id: int
    secret_sha256: str
    rights: str | None


@dataclass(frozen=True, slots=True)
class ShownKeyRow:
    prefix: str
    rights: str | None
    created_at: datetime


_KEYS = select(*columns(ServiceKey, ServiceKeyRow))


async def find(connection: AsyncConnection, prefix: str) -> ServiceKeyRow | None:
    """None for one that was revoked."""
    alive = _KEYS.where(ServiceKey.prefix == prefix, ServiceKey.revoked_at.is_(None))
    return await one_or_none(connection, alive, ServiceKeyRow)


async def add(connection: AsyncConnection, key: ServiceKeyRow) -> None:
    """The tenant's row as well, where this is the first that is known of it."""
    await connection.execute(insert(Tenant).values(id=key.tenant_id).on_conflict_do_nothing())
    row = {name: getattr(key, name) for name in ServiceKeyRow.__slots__}
    await connection.execute(insert(ServiceKey).values(row))


async def of_tenant(connection: AsyncConnection, tenant_id: int) -> list[ShownKeyRow]:
    """Those that were not revoked, the oldest first."""
    mine = (ServiceKey.tenant_id == tenant_id, ServiceKey.revoked_at.is_(None))
    query = select(*columns(ServiceKey, ShownKeyRow)).where(*mine).order_by(ServiceKey.created_at)
    return await many(connection, query, ShownKeyRow)


async def revoke(connection: AsyncConnection, tenant_id: int, prefix: str) -> bool:
    """Whether the tenant had one that was not revoked."""
    mine = (ServiceKey.tenant_id == tenant_id, ServiceKey.prefix == prefix)
    statement = update(ServiceKey).where(*mine, ServiceKey.revoked_at.is_(None)).values(revoked_at=func.now())
    return bool((await connection.execute(statement)).rowcount)
