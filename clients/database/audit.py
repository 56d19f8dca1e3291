"""The audit: who did what on whose data, from where, when. Rows are added and read; the database itself
refuses to change one, and to remove one before its time (migration 0015)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Identity, Index, Integer, String, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from clients.database.models import Base
from clients.database.rows import columns, many


class AuditRecord(Base):
    """`caller`: a service key's prefix, a member of staff, or a command and who ran it. `tenant_id`: whose
    data it was; None for nobody's. `about`: numbers and names of ours, never a name or phone of a person.
    `status`: as HTTP has it."""

    __tablename__ = "audit_records"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    caller: Mapped[str] = mapped_column(String(220))
    tenant_id: Mapped[int | None] = mapped_column(BigInteger)
    operation: Mapped[str] = mapped_column(String(200))
    about: Mapped[dict[str, Any]]
    status: Mapped[int] = mapped_column(Integer)
    address: Mapped[str] = mapped_column(String(64))
    request_id: Mapped[str] = mapped_column(String(64))

    __table_args__ = (
        Index("ix_audit_records_tenant", "tenant_id", "id"),
        Index("ix_audit_records_at", "at"),
        Index(
            "ix_audit_records_student",
            "tenant_id",
            text("(about ->> 'student_id')"),
            "id",
            postgresql_where=text("(about ->> 'student_id') IS NOT NULL"),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRecord:
    caller: str
    tenant_id: int | None
    operation: str
    about: dict[str, Any]
    status: int
    address: str
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRow:
    id: int
    at: datetime
    caller: str
    tenant_id: int | None
    operation: str
    about: dict[str, Any]
    status: int
    address: str


async def add(connection: AsyncConnection, records: Sequence[NewRecord]) -> None:
    rows = [{name: getattr(each, name) for name in NewRecord.__slots__} for each in records]
    await connection.execute(insert(AuditRecord).values(rows))


async def page(
    connection: AsyncConnection, tenant_id: int | None, before: int | None, limit: int
) -> list[RecordRow]:
    """The newest first: of a tenant, or of all for None."""
    query = select(*columns(AuditRecord, RecordRow)).order_by(AuditRecord.id.desc()).limit(limit)
    if tenant_id is not None:
        query = query.where(AuditRecord.tenant_id == tenant_id)
    if before is not None:
        query = query.where(AuditRecord.id < before)
    return await many(connection, query, RecordRow)
