"""Tenants' messaging accounts, for operators: prices, senders, credit, opt-outs."""

from contextlib import suppress
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path, Request
from pydantic import ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio.service import RPCError

from api.auth.people import Staff
from api.auth.staff import staff_of
from api.routing import first
from api.services import UseServices
from clients.database import credits, messaging_accounts
from clients.database.messaging_accounts import AccountTerms
from contracts.base import Outside
from intake.submit import RPC_TIMEOUT

TenantId = Annotated[int, Path(gt=0, lt=2**63)]
Won = Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=2)]
Number = Annotated[str, Field(pattern=r"^\d{8,12}$")]


async def operator(request: Request) -> Staff:
    """403 for staff who are no operators."""
    staff = await staff_of(request)
    if staff.role != "operator":
        raise HTTPException(403, {"detail": "Only operators may do this.", "code": "not_an_operator"})
    return staff


Operator = Annotated[Staff, Depends(operator)]
router = APIRouter(prefix="/api/v1/tenants/{tenant_id}", route_class=first(operator))


class AccountSettings(Outside):
    """Prices in won for each recipient; `sender` is the default among `sender_numbers`."""

    model_config = ConfigDict(extra="forbid")

    price_sms: Won
    price_lms: Won
    price_mms: Won
    price_ata: Won
    sender: Number | None = None
    sender_numbers: list[Number] = Field(default_factory=list, max_length=100)
    pf_id: str | None = Field(default=None, max_length=64)
    advertiser: str | None = Field(default=None, max_length=40)
    opt_out_number: Number | None = None
    night_advertising: bool = False
    daily_cap: int | None = Field(default=None, ge=0, lt=2**31)
    daily_cap_per_phone: int | None = Field(default=None, ge=0, lt=2**31)
    waits_for_credit: bool = True


class Payment(Outside):
    """`reference` names the payment: the same one is counted once."""

    model_config = ConfigDict(extra="forbid")

    amount: Annotated[Decimal, Field(gt=0, max_digits=12, decimal_places=2)]
    reference: str = Field(min_length=1, max_length=200)


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


@router.post("/credit/", status_code=201)
async def top_up(
    tenant_id: TenantId, body: Payment, _staff: Operator, services: UseServices
) -> dict[str, Any]:
    """Add credit, and wake the tenant's jobs that wait for it."""
    async with services.engine.begin() as connection:
        if await credits.account(connection, tenant_id) is None:
            raise HTTPException(404, {"detail": "The tenant has no messaging account.", "code": "not_found"})
        counted = await credits.top_up(connection, tenant_id, body.amount, body.reference)
        account = await credits.account(connection, tenant_id)
    assert account is not None
    waiting = f"TenantId = '{tenant_id}' AND Stage = 'waiting for credit' AND ExecutionStatus = 'Running'"
    with suppress(RPCError):  # they look for themselves every few minutes
        async for found in services.temporal.list_workflows(waiting, rpc_timeout=RPC_TIMEOUT):
            await services.temporal.get_workflow_handle(found.id).signal("credit", rpc_timeout=RPC_TIMEOUT)
    return {"counted": counted, "credit_balance": str(account.credit_balance)}


async def save_account(connection: AsyncConnection, tenant_id: int, account: AccountSettings) -> None:
    """Write an account and its registered senders, as they are from now on."""
    terms = AccountTerms(**account.model_dump(exclude={"sender_numbers"}))
    await messaging_accounts.save(connection, tenant_id, terms, account.sender_numbers)
