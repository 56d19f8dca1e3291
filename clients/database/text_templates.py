"""Texts that academies keep under a name. A version is written once and never changed; sealed with the
tenant's key. The caller holds the transaction."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Integer, LargeBinary, String, delete, func, literal, select
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from clients.database.models import Base, Tenant
from clients.database.rows import columns, many, one_or_none


class TextTemplate(Base):
    """One version of a text. `written_by`: a caller as the audit names them."""

    __tablename__ = "text_templates"

    tenant_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("tenants.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    written_by: Mapped[str] = mapped_column(String(220))
    written_at: Mapped[datetime] = mapped_column(server_default=func.now())


@dataclass(frozen=True, slots=True)
class TemplateRow:
    name: str
    version: int
    sealed: bytes
    written_by: str
    written_at: datetime


_ROWS = select(*columns(TextTemplate, TemplateRow))


async def names(connection: AsyncConnection, tenant_id: int) -> list[str]:
    query = select(TextTemplate.name).where(TextTemplate.tenant_id == tenant_id).distinct()
    return list((await connection.execute(query.order_by(TextTemplate.name))).scalars())


async def newest(connection: AsyncConnection, tenant_id: int) -> list[TemplateRow]:
    """The last version of each, by name."""
    each = _ROWS.where(TextTemplate.tenant_id == tenant_id).ext(distinct_on(TextTemplate.name))
    return await many(connection, each.order_by(TextTemplate.name, TextTemplate.version.desc()), TemplateRow)


async def versions(connection: AsyncConnection, tenant_id: int, name: str, limit: int) -> list[TemplateRow]:
    """The last first."""
    query = _ROWS.where(TextTemplate.tenant_id == tenant_id, TextTemplate.name == name)
    return await many(connection, query.order_by(TextTemplate.version.desc()).limit(limit), TemplateRow)


async def find(
    connection: AsyncConnection, tenant_id: int, name: str, version: int | None
) -> TemplateRow | None:
    """A version, or the last."""
    query = _ROWS.where(TextTemplate.tenant_id == tenant_id, TextTemplate.name == name)
    if version is not None:
        query = query.where(TextTemplate.version == version)
    return await one_or_none(connection, query.order_by(TextTemplate.version.desc()).limit(1), TemplateRow)


async def add(
    connection: AsyncConnection, tenant_id: int, name: str, after: int, sealed: bytes, by: str
) -> bool:
    """Write the version that follows `after`, the last one; False where somebody else was first."""
    await connection.execute(insert(Tenant).values(id=tenant_id).on_conflict_do_nothing())
    last = select(func.coalesce(func.max(TextTemplate.version), 0)).where(
        TextTemplate.tenant_id == tenant_id, TextTemplate.name == name
    )
    values = [literal(each) for each in (tenant_id, name, after + 1, sealed, by)]
    new = select(*values).where(last.scalar_subquery() == after)
    statement = insert(TextTemplate).from_select(
        ["tenant_id", "name", "version", "sealed", "written_by"], new
    )
    written = await connection.execute(statement.on_conflict_do_nothing().returning(TextTemplate.version))
    return written.one_or_none() is not None


async def remove(connection: AsyncConnection, tenant_id: int, name: str) -> bool:
    """With all its versions. Messages have their texts themselves."""
    these = delete(TextTemplate).where(TextTemplate.tenant_id == tenant_id, TextTemplate.name == name)
    return (await connection.execute(these)).rowcount > 0
