"""What a tenant may send, by which numbers, at what price. Its credit is in `credits.py`."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from decimal import Decimal

from sqlalchemy import delete, exists, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database.messaging_models import MessageChunk, MessagingAccount, SenderNumber
from clients.database.models import Job, Tenant
from clients.database.rows import columns
from contracts.catalog import CATALOG, Domain
from contracts.states import JobState

LOW_TEXTS, SENDS_DAYS = 100, 7


@dataclass(frozen=True, slots=True)
class AccountTerms:
    """An account but for its credit. Prices in won for each recipient."""

    price_sms: Decimal
    price_lms: Decimal
    price_mms: Decimal
    price_ata: Decimal
    sender: str | None
    pf_id: str | None
    advertiser: str | None
    opt_out_number: str | None
    night_advertising: bool
    daily_cap: int | None
    daily_cap_per_phone: int | None
    waits_for_credit: bool
    approval_above: int | None
    approval_of_systems: bool
    digest_minutes: int


columns(MessagingAccount, AccountTerms)  # what is written is there


async def low_on_credit(connection: AsyncConnection) -> int:
    """Tenants that have sent in the last week, or want to send now, and can pay for fewer than LOW_TEXTS."""
    account = MessagingAccount
    messaging = [name for name, row in CATALOG.items() if row.domain is Domain.MESSAGING]
    sends = exists().where(
        MessageChunk.tenant_id == account.tenant_id,
        MessageChunk.reserved_on >= func.current_date() - SENDS_DAYS,
    )
    waits = exists().where(
        Job.tenant_id == account.tenant_id,
        Job.state.in_((JobState.PENDING, JobState.RUNNING)),
        Job.job_type.in_(messaging),
    )
    low = select(func.count()).select_from(account)
    low = low.where(account.credit_balance < account.price_sms * LOW_TEXTS, or_(sends, waits))
    return (await connection.execute(low)).scalar_one()


async def save(
    connection: AsyncConnection, tenant_id: int, terms: AccountTerms, sender_numbers: Collection[str]
) -> None:
    """Write an account and its registered senders, as they are from now on."""
    await connection.execute(insert(Tenant).values(id=tenant_id).on_conflict_do_nothing())
    values = asdict(terms)
    await connection.execute(
        insert(MessagingAccount)
        .values(tenant_id=tenant_id, **values)
        .on_conflict_do_update(index_elements=["tenant_id"], set_=values)
    )
    await connection.execute(delete(SenderNumber).where(SenderNumber.tenant_id == tenant_id))
    if sender_numbers:
        rows = [{"tenant_id": tenant_id, "number": number} for number in sorted(set(sender_numbers))]
        await connection.execute(insert(SenderNumber), rows)
