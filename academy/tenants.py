"""`academy tenant`, `academy account`, `academy credit`: academies, and what they send messages with."""

from dataclasses import asdict
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

import typer
from pydantic import ValidationError

from academy.shared import OPERATOR, Json, Limit, Row, Tenant, group, refusals, run, say, show, show_each
from api.accounts import Counted, Payment, add_credit, change_account
from clients import temporal
from clients.database import credits, listings, messaging, tenants
from clients.database.engine import opened
from clients.database.tenants import TenantRow
from clients.operators import LEFT, NOBODY, Command, Operator, acting
from clients.settings import Settings, load
from rules.messaging import phones

NUMBERS = ("sender", "opt_out_number")
Code = Annotated[str | None, typer.Option(help="What the existing service calls it.")]
Price = Annotated[str | None, typer.Option(metavar="WON", help="For each recipient.")]


class Reason(StrEnum):
    """Of words of ours, because people's own may speak of people, and the audit is not erased."""

    PAYMENT = "payment"
    CORRECTION = "correction"
    GIFT = "gift"
    TRIAL = "trial"


tenant = group("Academies.")
account = group("Messaging accounts: prices, senders and limits.")
credit = group("Prepaid credit for messages, in won.")


async def add(settings: Settings, operator: Operator, tenant_id: int, code: str | None) -> bool:
    """False where it is known already."""
    async with acting(settings, operator, Command.ADD_TENANT, tenant_id) as act:
        async with act.engine.begin() as connection:
            new = await tenants.add(connection, tenant_id, code)
        act.status = act.status if new else LEFT
        return new


@tenant.command("add")
def add_tenant(tenant: Tenant, code: Code = None, as_json: Json = False) -> None:
    """Make an academy known. Those that send work are known from their first request on."""
    if code is not None and not (0 < len(code) <= 64 and code.isprintable()):
        raise typer.BadParameter("1 to 64 letters", param_hint="--code")
    if not run(add(load(), OPERATOR.get(), tenant, code)):
        raise SystemExit(f"tenant {tenant} is known already")
    say(f"added: tenant {tenant}", as_json, added=tenant)


@tenant.command("list")
def list_tenants(
    after: Annotated[int, typer.Option(min=0, help="Those with a higher number.")] = 0,
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """List academies by their numbers."""

    async def look(settings: Settings) -> list[TenantRow]:
        async with opened(settings, "operator") as engine, engine.connect() as connection:
            return await tenants.page(connection, after, limit)

    show_each([asdict(each) for each in run(look(load()))], as_json)


@tenant.command("show")
def show_tenant(tenant: Tenant, as_json: Json = False) -> None:
    """Show an academy: since when it is known, whether it was erased, its open jobs and its credit."""

    async def look(settings: Settings) -> Row | None:
        async with opened(settings, "operator") as engine, engine.connect() as connection:
            row = await tenants.find(connection, tenant)
            if row is None:
                return None
            known = await credits.account(connection, tenant)
            count = await listings.count_open(connection, tenant)
        return asdict(row) | {"open_jobs": count, "credit": known.credit_balance if known else None}

    found = run(look(load()))
    if found is None:
        raise SystemExit(f"tenant {tenant} is not known")
    show(found, as_json)


async def known_account(settings: Settings, operator: Operator, tenant_id: int, numbers: bool) -> Row | None:
    """An account with its registered senders, whose middle is hidden unless `numbers`."""
    command = Command.SHOW_ACCOUNT_NUMBERS if numbers else Command.SHOW_ACCOUNT
    async with acting(settings, operator, command, tenant_id) as act:
        async with act.engine.connect() as connection:
            terms = await credits.account(connection, tenant_id)
            registered = sorted(await messaging.sender_numbers(connection, tenant_id))
        if terms is None:
            act.status = NOBODY
            return None
    row: dict[str, object] = asdict(terms) | {"sender_numbers": registered}
    if not numbers:
        row |= {name: phones.mask(str(row[name])) for name in NUMBERS if row[name]}
        row["sender_numbers"] = [phones.mask(each) for each in registered]
    return row


@account.command("show")
def show_account(
    tenant: Tenant,
    numbers: Annotated[bool, typer.Option("--numbers", help="Phone numbers as they are.")] = False,
    as_json: Json = False,
) -> None:
    """Show a messaging account. The middle of each phone number is hidden unless --numbers is given."""
    found = run(known_account(load(), OPERATOR.get(), tenant, numbers))
    if found is None:
        raise SystemExit(f"tenant {tenant} has no messaging account")
    show(found, as_json)


async def set_terms(
    settings: Settings, operator: Operator, tenant_id: int, given: dict[str, object]
) -> Decimal:
    """Change what is given of an account, or make one. Returns its credit. Raises ValidationError."""
    async with acting(settings, operator, Command.SET_ACCOUNT, tenant_id, fields=",".join(given)) as act:
        async with act.engine.begin() as connection:
            after = await change_account(connection, tenant_id, given)
        return after.credit_balance


@account.command("set")
def set_account(
    tenant: Tenant,
    price_sms: Price = None,
    price_lms: Price = None,
    price_mms: Price = None,
    price_ata: Price = None,
    sender: Annotated[
        str | None, typer.Option(metavar="DIGITS", help="The default among the sender numbers.")
    ] = None,
    sender_number: Annotated[
        list[str] | None,
        typer.Option(metavar="DIGITS", help="Registered at the provider; all of them, one option for each."),
    ] = None,
    pf_id: Annotated[str | None, typer.Option(help="The Kakao channel.")] = None,
    advertiser: Annotated[str | None, typer.Option(help="Who is named in advertising.")] = None,
    opt_out_number: Annotated[
        str | None, typer.Option(metavar="DIGITS", help="By which advertising is refused.")
    ] = None,
    night_advertising: Annotated[bool | None, typer.Option(help="Whether it may be sent at night.")] = None,
    daily_cap: Annotated[int | None, typer.Option(help="Recipients a day.")] = None,
    daily_cap_per_phone: Annotated[int | None, typer.Option(help="Messages a day to one phone.")] = None,
    waits_for_credit: Annotated[
        bool | None, typer.Option(help="Whether messages wait, rather than fail, without credit.")
    ] = None,
    approval_above: Annotated[
        int | None, typer.Option(help="Recipients that a person may send to without a second one's approval.")
    ] = None,
    approval_of_systems: Annotated[
        bool | None, typer.Option(help="Whether what systems send waits for an approval as well.")
    ] = None,
    digest_minutes: Annotated[
        int | None,
        typer.Option(
            help="How long notices wait for others to the same phone, to go in one text; 0: not at all."
        ),
    ] = None,
    no_approval: Annotated[
        bool, typer.Option("--no-approval", help="Whatever is sent waits for no approval.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Change a messaging account, or make one. What is not named stays; its credit is not touched."""
    asked = {
        "price_sms": price_sms,
        "price_lms": price_lms,
        "price_mms": price_mms,
        "price_ata": price_ata,
        "sender": sender,
        "sender_numbers": sender_number,
        "pf_id": pf_id,
        "advertiser": advertiser,
        "opt_out_number": opt_out_number,
        "night_advertising": night_advertising,
        "daily_cap": daily_cap,
        "daily_cap_per_phone": daily_cap_per_phone,
        "waits_for_credit": waits_for_credit,
        "approval_above": approval_above,
        "approval_of_systems": approval_of_systems,
        "digest_minutes": digest_minutes,
    }
    given: dict[str, object] = {name: value for name, value in asked.items() if value not in (None, [])}
    if no_approval:
        given["approval_above"] = None
    if not given:
        raise typer.BadParameter("name what is to be changed")
    try:
        balance = run(set_terms(load(), OPERATOR.get(), tenant, given))
    except ValidationError as error:
        raise typer.BadParameter(_wrong(error)) from None
    say(f"saved: the account of tenant {tenant}", as_json, tenant=tenant, credit_balance=balance)


@credit.command("show")
def show_credit(tenant: Tenant, as_json: Json = False) -> None:
    """Show an academy's balance, and what its ledger adds up to."""

    async def look(settings: Settings) -> Row | None:
        async with opened(settings, "operator") as engine, engine.connect() as connection:
            known = await credits.account(connection, tenant)
            total = await credits.ledger_sum(connection, tenant)
        return {"tenant": tenant, "balance": known.credit_balance, "ledger": total} if known else None

    found = run(look(load()))
    if found is None:
        raise SystemExit(f"tenant {tenant} has no messaging account")
    show(found, as_json)


async def charge(
    settings: Settings, operator: Operator, tenant_id: int, payment: Payment, reason: Reason
) -> Counted:
    """Add credit. SystemExit for a tenant without an account."""
    won, why = str(payment.amount), reason.value
    async with acting(settings, operator, Command.ADD_CREDIT, tenant_id, won=won, reason=why) as act:
        client = await temporal.connect(settings, act.engine, lazy=True)
        with refusals(act):
            return await add_credit(act.engine, client, tenant_id, payment)


@credit.command("add")
def add_to_credit(
    tenant: Tenant,
    amount: Annotated[str, typer.Argument(metavar="WON", help="How much.")],
    reference: Annotated[str, typer.Option(help="The payment's name: the same one is counted once.")],
    reason: Annotated[Reason, typer.Option(help="Why, for the audit.")],
    as_json: Json = False,
) -> None:
    """Add credit to an account, once for a payment, and wake the messages that wait for it."""
    try:
        payment = Payment.model_validate({"amount": amount, "reference": reference})
    except ValidationError as error:
        raise typer.BadParameter(_wrong(error)) from None
    counted = run(charge(load(), OPERATOR.get(), tenant, payment, reason))
    text = "added" if counted.new else "counted before"
    say(f"{text}; balance {counted.balance}", as_json, counted=counted.new, credit_balance=counted.balance)


def _wrong(error: ValidationError) -> str:
    """Which, and why; not what was typed."""
    found = error.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(f"{each['loc'][0] if each['loc'] else 'account'}: {each['msg']}" for each in found)
