"""Where an academy's e-mails leave, in place of the platform's. The caller holds the transaction."""

from datetime import datetime

from sqlalchemy import ForeignKey, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from clients.database.models import Base

SEALED = b"mail-server"  # what a sealed mail server is bound to


class MailServerRow(Base):
    """Host, names and password, sealed with the tenant's key."""

    __tablename__ = "mail_servers"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    sealed: Mapped[bytes]
    written_at: Mapped[datetime] = mapped_column(server_default=func.now())


async def find(connection: AsyncConnection, tenant_id: int) -> bytes | None:
    query = select(MailServerRow.sealed).where(MailServerRow.tenant_id == tenant_id)
    return (await connection.execute(query)).scalar_one_or_none()


async def save(connection: AsyncConnection, tenant_id: int, sealed: bytes) -> None:
    values = {"sealed": sealed, "written_at": func.now()}
    await connection.execute(
        insert(MailServerRow)
        .values(tenant_id=tenant_id, **values)
        .on_conflict_do_update(index_elements=["tenant_id"], set_=values)
    )


async def remove(connection: AsyncConnection, tenant_id: int) -> bool:
    """False where there was none."""
    removed = delete(MailServerRow).where(MailServerRow.tenant_id == tenant_id)
    return (await connection.execute(removed)).rowcount > 0
