"""Tenants' messaging accounts, for operators: prices, senders, credit, opt-outs."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path, Request
from pydantic import ValidationError

from api.accounts import AccountChanges, AccountSettings, Payment, add_credit, change_account, save_account
from api.auth import audit
from api.auth.people import Staff
from api.auth.staff import staff_of
from api.problems import refused
from api.routing import first
from api.services import UseServices
from clients.database import credits

TenantId = Annotated[int, Path(gt=0, lt=2**63)]


async def operator(request: Request) -> Staff:
    """403 for staff who are no operators."""
    staff = await staff_of(request)
    if staff.role != "operator":
        raise HTTPException(403, {"detail": "Only operators may do this.", "code": "not_an_operator"})
    return staff


Operator = Annotated[Staff, Depends(operator)]
router = APIRouter(prefix="/api/v1/tenants/{tenant_id}", route_class=first(operator))


@router.put("/messaging-account/")
async def put_account(
    tenant_id: TenantId, body: AccountSettings, _staff: Operator, services: UseServices
) -> dict[str, Any]:
    """Create or change a tenant's account. Its credit is not touched."""
    async with services.engine.begin() as connection:
        await save_account(connection, tenant_id, body)
        account = await credits.account(connection, tenant_id)
    assert account is not None
    return {"tenant_id": tenant_id, "credit_balance": str(account.credit_balance)}


@router.patch("/messaging-account/")
async def patch_account(
    request: Request, tenant_id: TenantId, body: AccountChanges, _staff: Operator, services: UseServices
) -> dict[str, Any]:
    """Change what is named of a tenant's account, or make one. Its credit is not touched."""
    given = body.model_dump(exclude_unset=True)
    audit.about(request, fields=",".join(given))
    try:
        async with services.engine.begin() as connection:
            account = await change_account(connection, tenant_id, given)
    except ValidationError as error:
        wrong = ", ".join(sorted({str(each["loc"][0]) for each in error.errors(include_input=False)}))
        raise refused(422, "invalid", f"An account cannot be without: {wrong}.") from None
    return {"tenant_id": tenant_id, "credit_balance": str(account.credit_balance)}


@router.post("/credit/", status_code=201)
async def top_up(
    tenant_id: TenantId, body: Payment, _staff: Operator, services: UseServices
) -> dict[str, Any]:
    """Add credit, and wake the tenant's jobs that wait for it."""
    counted = await add_credit(services.engine, services.temporal, tenant_id, body)
    return {"counted": counted.new, "credit_balance": str(counted.balance)}
