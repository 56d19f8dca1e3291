"""Where a tenant's system wants to be told how its jobs ended, and which."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ForeignKey, String, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from clients.database.models import Base
from clients.database.rows import columns, one_or_none

SECRET = b"callback"  # what the sealed secret is bound to


class CallbackEndpoint(Base):
    """One address a tenant; the secret that signs is sealed with the tenant's key. AI jobs are told to every
    one; `messages`: and who got which message."""

    __tablename__ = "callback_endpoints"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    url: Mapped[str] = mapped_column(String(500))
    sealed_secret: Mapped[bytes]
    messages: Mapped[bool] = mapped_column(server_default="false")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


@dataclass(frozen=True, slots=True)
class EndpointRow:
    tenant_id: int
    url: str
    sealed_secret: bytes
    messages: bool


_ENDPOINTS = select(*columns(CallbackEndpoint, EndpointRow))


async def find(connection: AsyncConnection, tenant_id: int) -> EndpointRow | None:
    mine = _ENDPOINTS.where(CallbackEndpoint.tenant_id == tenant_id)
    return await one_or_none(connection, mine, EndpointRow)


async def hears_of_messages(connection: AsyncConnection, tenant_id: int) -> bool:
    endpoint = await find(connection, tenant_id)
    return endpoint is not None and endpoint.messages


async def save(
    connection: AsyncConnection, tenant_id: int, url: str, sealed_secret: bytes, *, messages: bool
) -> None:
    values = {"url": url, "sealed_secret": sealed_secret, "messages": messages}
    await connection.execute(
        insert(CallbackEndpoint)
        .values(tenant_id=tenant_id, **values)
        .on_conflict_do_update(index_elements=["tenant_id"], set_=values)
    )
