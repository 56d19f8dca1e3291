"""Service keys of tenants, by the prefix that is no secret."""

from dataclasses import dataclass

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database.models import ServiceKey
from clients.database.rows import columns, one_or_none


@dataclass(frozen=True, slots=True)
class ServiceKeyRow:
    prefix: str
    tenant_id: int
    secret_sha256: str


_KEYS = select(*columns(ServiceKey, ServiceKeyRow))


async def find(connection: AsyncConnection, prefix: str) -> ServiceKeyRow | None:
    """None for one that was revoked."""
    alive = _KEYS.where(ServiceKey.prefix == prefix, ServiceKey.revoked_at.is_(None))
    return await one_or_none(connection, alive, ServiceKeyRow)


async def add(connection: AsyncConnection, key: ServiceKeyRow) -> None:
    row = {"prefix": key.prefix, "tenant_id": key.tenant_id, "secret_sha256": key.secret_sha256}
    await connection.execute(insert(ServiceKey).values(row))
