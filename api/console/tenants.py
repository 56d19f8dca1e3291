"""Academies: how each stands, what it used, its account, its credit and its keys. For operators."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Path, Query, Request
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import RedirectResponse, Response

from api.auth import audit
from api.auth.service_keys import create_key, rights_of_key
from api.console.pages import Operator, page, signed_in
from api.routing import first
from api.services import UseServices
from clients.database import costs, credits, listings, messaging, service_keys, tenants, usage
from clients.database.costs import CostRow
from clients.database.erasing import is_refused
from contracts.rights import Right
from rules import months

router = APIRouter(route_class=first(signed_in))
LINES = 50
PAYMENTS, MONTHS = 50, 6
TenantId = Annotated[int, Path(gt=0, lt=2**63)]
Key = Annotated[str, Form(pattern=r"^[\w-]{1,16}$")]


@router.get("/tenants")
async def tenants_(
    request: Request,
    services: UseServices,
    _staff: Operator,
    q: Annotated[str | None, Query(max_length=64)] = None,
    after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
) -> Response:
    words = (q or "").strip()
    async with services.engine.connect() as connection:
        found = await tenants.lines(connection, words, after, LINES)
    more = found[-1].id if len(found) == LINES else None
    return page(request, "tenants.html", tenants=found, words_=words, after=after, more=more)


@router.get("/tenants/{tenant_id}")
async def one(request: Request, services: UseServices, _staff: Operator, tenant_id: TenantId) -> Response:
    audit.of_tenant(request, tenant_id)
    async with services.engine.connect() as connection:
        return await _page(request, connection, tenant_id)


@router.post("/tenants/{tenant_id}/keys")
async def make_key(
    request: Request,
    services: UseServices,
    _staff: Operator,
    tenant_id: TenantId,
    rights: Annotated[list[Right], Form(min_length=1)],
) -> Response:
    """A new service key. It is on this page, and nowhere else."""
    audit.of_tenant(request, tenant_id)
    try:
        async with services.engine.begin() as connection:
            if await tenants.find(connection, tenant_id) is None:
                raise HTTPException(404)
            made = await create_key(connection, tenant_id, frozenset(rights))
    except DBAPIError as error:
        if not is_refused(error):  # the tenant was erased
            raise
        raise HTTPException(409) from None
    audit.about(request, key=made.partition(".")[0], rights=",".join(sorted(set(rights))))
    async with services.engine.connect() as connection:
        return await _page(request, connection, tenant_id, made=made)


@router.post("/tenants/{tenant_id}/keys/revoke")
async def revoke_key(
    request: Request, services: UseServices, _staff: Operator, tenant_id: TenantId, key: Key
) -> Response:
    audit.of_tenant(request, tenant_id)
    audit.about(request, key=key)
    async with services.engine.begin() as connection:
        if not await service_keys.revoke(connection, tenant_id, key):
            raise HTTPException(404)
    return RedirectResponse(f"/console/tenants/{tenant_id}#keys", 303)


async def _page(
    request: Request, connection: AsyncConnection, tenant_id: int, made: str | None = None
) -> Response:
    """`made`: a key that has just been made, with its secret. HTTPException 404."""
    tenant = await tenants.find(connection, tenant_id)
    if tenant is None:
        raise HTTPException(404)
    month = months.month_of(datetime.now(UTC))
    since, until = months.before(month, MONTHS - 1), months.after(month)
    return page(
        request,
        "tenant.html",
        tenant=tenant,
        made=made,
        open_jobs=await listings.count_open(connection, tenant_id),
        account=await credits.account(connection, tenant_id),
        numbers=sorted(await messaging.sender_numbers(connection, tenant_id)),
        payments=await credits.payments(connection, tenant_id, PAYMENTS),
        keys=await service_keys.of_tenant(connection, tenant_id),
        rights_of_key=rights_of_key,
        rights=list(Right),
        used=_by_month(
            await usage.of_months(connection, tenant_id, since),
            await costs.between(connection, tenant_id, since, until),
        ),
    )


def _by_month(jobs: Sequence[usage.MonthRow], messages: Sequence[CostRow]) -> list[dict[str, Any]]:
    """What an academy used, the newest month first."""
    found: dict[date, dict[str, Any]] = {}

    def of(month: date) -> dict[str, Any]:
        empty = {"lectures": 0, "minutes": Decimal(), "pages": 0, "messages": 0, "won": Decimal()}
        return found.setdefault(month, {"month": month, **empty})

    for each in jobs:
        of(each.month).update(lectures=each.lectures, minutes=each.minutes, pages=each.pages)
    for row in messages:
        there = of(row.month)
        there["messages"] += row.messages
        there["won"] += row.won
    return [found[month] for month in sorted(found, reverse=True)]
