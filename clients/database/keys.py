"""Tenants' data keys, wrapped. `clients/keys` holds what is done with them; the caller the transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Integer, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from clients.database.models import Base, Tenant
from clients.database.rows import columns, many, one_or_none


class TenantKey(Base):
    """A tenant's data key, wrapped by a key of PAYLOAD_KEYS. At most the newest of a tenant is alive;
    a destroyed one keeps its row and its number, which is never given again."""

    __tablename__ = "tenant_keys"

    tenant_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("tenants.id"), primary_key=True)
    key_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    wrapped: Mapped[bytes | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    destroyed_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("(wrapped IS NULL) = (destroyed_at IS NOT NULL)", name="ck_tenant_keys_destroyed"),
    )


@dataclass(frozen=True, slots=True)
class KeyRow:
    """`wrapped` is None once the key is destroyed."""

    tenant_id: int
    key_id: int
    wrapped: bytes | None


_KEYS = select(*columns(TenantKey, KeyRow))


async def newest(connection: AsyncConnection, tenant_id: int) -> KeyRow | None:
    mine = _KEYS.where(TenantKey.tenant_id == tenant_id).order_by(TenantKey.key_id.desc())
    return await one_or_none(connection, mine.limit(1), KeyRow)


async def lock_alive(connection: AsyncConnection) -> Sequence[KeyRow]:
    """Every tenant's, until the transaction ends."""
    return await many(connection, _KEYS.where(TenantKey.wrapped.is_not(None)).with_for_update(), KeyRow)


async def add(connection: AsyncConnection, key: KeyRow) -> None:
    """Of several at once, the primary key lets one win; all read that one afterwards."""
    await connection.execute(insert(Tenant).values(id=key.tenant_id).on_conflict_do_nothing())
    row = {"tenant_id": key.tenant_id, "key_id": key.key_id, "wrapped": key.wrapped}
    await connection.execute(insert(TenantKey).values(row).on_conflict_do_nothing())


async def wrap_anew(connection: AsyncConnection, tenant_id: int, key_id: int, wrapped: bytes) -> None:
    this = (TenantKey.tenant_id == tenant_id, TenantKey.key_id == key_id)
    await connection.execute(update(TenantKey).where(*this).values(wrapped=wrapped))


async def destroy(connection: AsyncConnection, tenant_id: int) -> None:
    await connection.execute(
        update(TenantKey)
        .where(TenantKey.tenant_id == tenant_id, TenantKey.wrapped.is_not(None))
        .values(wrapped=None, destroyed_at=func.now())
    )
