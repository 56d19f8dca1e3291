"""Academies, as far as they are known here."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database.messaging_accounts import LOW_TEXTS
from clients.database.messaging_models import MessagingAccount
from clients.database.models import Job, Tenant
from clients.database.rows import columns, many, one_or_none


@dataclass(frozen=True, slots=True)
class TenantRow:
    id: int
    code: str | None
    created_at: datetime
    erasing_at: datetime | None
    erased_at: datetime | None


@dataclass(frozen=True, slots=True)
class TenantLine:
    """One in a list. `low`: its credit pays for fewer than LOW_TEXTS; `credit`: None without an account."""

    id: int
    code: str | None
    created_at: datetime
    erasing_at: datetime | None
    open_jobs: int
    credit: Decimal | None
    low: bool | None


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


async def lines(connection: AsyncConnection, words: str | None, after: int, limit: int) -> list[TenantLine]:
    """Those with higher numbers than `after`, in order; with `words` the one of that number, or those whose
    code has them."""
    account, still = MessagingAccount, select(func.count()).select_from(Job)
    still = still.where(Job.tenant_id == Tenant.id, Job.finished_at.is_(None))
    query = (
        select(
            *(Tenant.id, Tenant.code, Tenant.created_at, Tenant.erasing_at),
            still.scalar_subquery().label("open_jobs"),
            account.credit_balance.label("credit"),
            (account.credit_balance < account.price_sms * LOW_TEXTS).label("low"),
        )
        .join(account, account.tenant_id == Tenant.id, isouter=True)
        .where(Tenant.id > after)
        .order_by(Tenant.id)
        .limit(limit)
    )
    if words:
        named = Tenant.code.icontains(words, autoescape=True)
        is_number = words.isascii() and words.isdecimal() and len(words) <= 18
        query = query.where(or_(Tenant.id == int(words), named) if is_number else named)
    return await many(connection, query, TenantLine)
