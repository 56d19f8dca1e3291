"""Tenants' messaging accounts and their credit: the same whether a request or an operator's command asks."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Annotated

from pydantic import ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from temporalio.client import Client
from temporalio.service import RPCError

from api.problems import refused
from clients.database import credits, messaging, messaging_accounts
from clients.database.credits import AccountRow
from clients.database.messaging_accounts import AccountTerms
from contracts.base import Outside
from intake.submit import RPC_TIMEOUT

Won = Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=2)]
Number = Annotated[str, Field(pattern=r"^\d{8,12}$")]


class AccountSettings(Outside):
    """Prices in won for each recipient; `sender` is the default among `sender_numbers`. What people send to
    more than `approval_above` recipients waits for a second person; `approval_of_systems`: what systems send
    as well. Notices wait `digest_minutes` for others to the same phone, to go in one text; 0: for none."""

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
    approval_above: int | None = Field(default=None, ge=0, lt=2**31)
    approval_of_systems: bool = False
    digest_minutes: int = Field(default=0, ge=0, le=60)


class AccountChanges(Outside):
    """As AccountSettings; what is not named stays. null is for what an account may be without."""

    model_config = ConfigDict(extra="forbid")

    price_sms: Won | None = None
    price_lms: Won | None = None
    price_mms: Won | None = None
    price_ata: Won | None = None
    sender: Number | None = None
    sender_numbers: list[Number] | None = Field(default=None, max_length=100)
    pf_id: str | None = Field(default=None, max_length=64)
    advertiser: str | None = Field(default=None, max_length=40)
    opt_out_number: Number | None = None
    night_advertising: bool | None = None
    daily_cap: int | None = Field(default=None, ge=0, lt=2**31)
    daily_cap_per_phone: int | None = Field(default=None, ge=0, lt=2**31)
    waits_for_credit: bool | None = None
    approval_above: int | None = Field(default=None, ge=0, lt=2**31)
    approval_of_systems: bool | None = None
    digest_minutes: int | None = Field(default=None, ge=0, le=60)


class Payment(Outside):
    """`reference` names the payment: the same one is counted once."""

    model_config = ConfigDict(extra="forbid")

    amount: Annotated[Decimal, Field(gt=0, max_digits=12, decimal_places=2)]
    reference: str = Field(min_length=1, max_length=200)


@dataclass(frozen=True)
class Counted:
    """`new`: the payment was not counted before. `balance`: what there is now, in won."""

    new: bool
    balance: Decimal


async def save_account(connection: AsyncConnection, tenant_id: int, account: AccountSettings) -> None:
    """Write an account and its registered senders, as they are from now on."""
    terms = AccountTerms(**account.model_dump(exclude={"sender_numbers"}))
    await messaging_accounts.save(connection, tenant_id, terms, account.sender_numbers)


async def change_account(
    connection: AsyncConnection, tenant_id: int, given: Mapping[str, object]
) -> AccountRow:
    """Change what is given of an account, or make one; what is not named stays. Raises ValidationError."""
    before = await credits.account(connection, tenant_id, lock=True)
    there: dict[str, object] = {}
    if before:
        numbers = await messaging.sender_numbers(connection, tenant_id)
        there = asdict(before) | {"sender_numbers": sorted(numbers)}
        del there["tenant_id"], there["credit_balance"]
    await save_account(connection, tenant_id, AccountSettings.model_validate(there | dict(given)))
    after = await credits.account(connection, tenant_id)
    assert after is not None
    return after


async def add_credit(engine: AsyncEngine, temporal: Client, tenant_id: int, payment: Payment) -> Counted:
    """Add credit, and wake the tenant's jobs that wait for it. HTTPException 404 without an account."""
    async with engine.begin() as connection:
        if await credits.account(connection, tenant_id) is None:
            raise refused(404, "not_found", "The tenant has no messaging account.")
        new = await credits.top_up(connection, tenant_id, payment.amount, payment.reference)
        account = await credits.account(connection, tenant_id)
    assert account is not None
    waiting = f"TenantId = '{tenant_id}' AND Stage = 'waiting for credit' AND ExecutionStatus = 'Running'"
    # They look for themselves every few minutes. RuntimeError: Temporal was away since we started.
    with suppress(RPCError, RuntimeError):
        async for found in temporal.list_workflows(waiting, rpc_timeout=RPC_TIMEOUT):
            await temporal.get_workflow_handle(found.id).signal("credit", rpc_timeout=RPC_TIMEOUT)
    return Counted(new, account.credit_balance)
