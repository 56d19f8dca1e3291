"""What becomes of each table when a tenant is erased, or one person. Callers hold the transactions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Table, delete, func, literal_column, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database.models import Base, Job, Orphan, Tenant, Video

AT_ONCE = 5000  # rows that one statement takes away
REFUSED = "ER001"  # what `refuse_erased` of migration 0012 raises

# What stays, and why. All other tables lose every row of the tenant.
KEPT = {
    "tenants": "the number, so that nothing is taken for it any more; no name",
    "tenant_keys": "numbers of keys, which are never given again; the keys themselves are destroyed",
    "credit_entries": "the ledger of money, without names of payments; its jobs and people are gone",
    "messaging_accounts": "balance and prices, which the ledger must agree with; no numbers, no names",
    "audit_records": "who looked at whose data, which law asks for: numbers and staff, no names of persons",
    "provider_turns": "when a request may leave for an account of the provider; nothing of a tenant",
}
# What is taken out of the rows that stay.
BLANKED: dict[str, dict[str, Any]] = {
    "tenants": {"code": None},
    "credit_entries": {"reference": None},
    "messaging_accounts": {"sender": None, "pf_id": None, "advertiser": None, "opt_out_number": None},
}


class TenantErased(Exception):
    """The tenant is erased, or is being erased: nothing new is taken for it."""


@dataclass(frozen=True, slots=True)
class Tombstone:
    """`erasing_at`: no new request since; `erased_at`: no row is written any more."""

    erasing_at: datetime | None
    erased_at: datetime | None


def is_refused(error: DBAPIError) -> bool:
    """Whether the database refused a row because its tenant was erased."""
    return getattr(error.orig, "sqlstate", None) == REFUSED


async def tombstone(connection: AsyncConnection, tenant_id: int) -> Tombstone:
    row = await connection.execute(select(Tenant.erasing_at, Tenant.erased_at).where(Tenant.id == tenant_id))
    found = row.one_or_none()
    return Tombstone(*found) if found else Tombstone(None, None)


async def refused(connection: AsyncConnection, tenants: Sequence[int]) -> set[int]:
    """Those that take no new request. Whoever writes the tombstone waits for this transaction."""
    rows = select(Tenant.id, Tenant.erasing_at).where(Tenant.id.in_(tenants)).order_by(Tenant.id)
    found = await connection.execute(rows.with_for_update(read=True, key_share=True))
    return {tenant_id for tenant_id, erasing_at in found if erasing_at}


async def bury(connection: AsyncConnection, tenant_id: int, *, for_good: bool = False) -> None:
    """Write the tombstone: no new request from now on, and `for_good` no row. Repeated, the first time
    stands. Waits for those who are writing."""
    await connection.execute(insert(Tenant).values(id=tenant_id).on_conflict_do_nothing())
    await connection.execute(select(Tenant.id).where(Tenant.id == tenant_id).with_for_update())
    values = {"erasing_at": func.coalesce(Tenant.erasing_at, func.now())}
    if for_good:
        values["erased_at"] = func.coalesce(Tenant.erased_at, func.now())
    await connection.execute(update(Tenant).where(Tenant.id == tenant_id).values(values))


async def unearth(connection: AsyncConnection, tenant_id: int) -> None:
    """The tenant may begin again."""
    away = {"erasing_at": None, "erased_at": None}
    await connection.execute(update(Tenant).where(Tenant.id == tenant_id).values(away))


async def erased_tenants(connection: AsyncConnection) -> set[int]:
    """Those for which nothing is written any more."""
    return set((await connection.execute(select(Tenant.id).where(Tenant.erased_at.is_not(None)))).scalars())


def tables() -> list[Table]:
    """Those who refer to others first."""
    return list(reversed(Base.metadata.sorted_tables))


async def count(connection: AsyncConnection, table: Table, tenant_id: int) -> int:
    """Rows that are to go, or still hold what is to be taken out of them."""
    condition = _left(table, tenant_id)
    if condition is None:
        return 0
    return (await connection.execute(select(func.count()).select_from(table).where(condition))).scalar_one()


async def erase_some(connection: AsyncConnection, table: Table, tenant_id: int) -> int:
    """Take away what `count` counts, at most AT_ONCE rows; of how many."""
    condition = _left(table, tenant_id)
    if condition is None:
        return 0
    ctid: ColumnElement[Any] = literal_column("ctid")
    some = ctid.in_(select(ctid).select_from(table).where(condition).limit(AT_ONCE))
    blank = BLANKED.get(table.name)
    statement = update(table).where(some).values(blank) if blank else delete(table).where(some)
    return (await connection.execute(statement)).rowcount


def _left(table: Table, tenant_id: int) -> ColumnElement[bool] | None:
    if table.name not in KEPT:
        return of_tenant(table, tenant_id)
    if table.name not in BLANKED:
        return None
    return of_tenant(table, tenant_id) & or_(*(table.c[name].is_not(None) for name in BLANKED[table.name]))


def of_tenant(table: Table, tenant_id: int) -> ColumnElement[bool]:
    """Which rows are a tenant's. Raises KeyError for a table that says nothing of it."""
    match table.name:
        case "tenants":
            return table.c.id == tenant_id
        case "job_events":
            return table.c.job_id.in_(select(Job.id).where(Job.tenant_id == tenant_id))
        case Orphan.__tablename__:
            return table.c.prefix.startswith(f"tenants/{tenant_id}/", autoescape=True)
    return table.c.tenant_id == tenant_id


@dataclass(frozen=True)
class Known:
    """Whatever else has names of the tenant's things: jobs, workflows of those that are open, videos."""

    jobs: set[UUID]
    unfinished: set[str]
    videos: set[int]


async def known(connection: AsyncConnection, tenant_id: int) -> Known:
    jobs = await connection.execute(select(Job.id).where(Job.tenant_id == tenant_id))
    still_open = select(Job.workflow_id).where(Job.tenant_id == tenant_id, Job.finished_at.is_(None))
    unfinished = await connection.execute(still_open)
    videos = await connection.execute(select(Video.id).where(Video.tenant_id == tenant_id))
    return Known(set(jobs.scalars()), set(unfinished.scalars()), set(videos.scalars()))
