"""Credit: reserved before sending, settled when a recipient's end is known. Never negative, never twice.

The balance changes only together with rows of the ledger, in one transaction of the caller.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import TextClause, bindparam, func, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, INTEGER, TEXT, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database.messaging_accounts import AccountTerms
from clients.database.messaging_models import CreditEntry, MessageChunk, MessagingAccount
from clients.database.rows import columns, many, one_or_none
from contracts.errors import DAILY_CAP, OPTED_OUT
from contracts.messaging import ChunkRef, RecipientState


@dataclass(frozen=True, slots=True)
class AccountRow(AccountTerms):
    tenant_id: int
    credit_balance: Decimal


@dataclass(frozen=True)
class RecipientOutcome:
    """The final state of one recipient. `sent_as` is the channel that the provider charged."""

    position: int
    state: RecipientState
    code: str | None = None
    sent_as: str | None = None


# ruff: noqa: S608 - the statements are put together of constants of this file

# What a recipient may cost at most: with a fallback, the dearer of the two channels.
_PRICES = """CASE {column} WHEN 'SMS' THEN a.price_sms WHEN 'LMS' THEN a.price_lms
    WHEN 'MMS' THEN a.price_mms WHEN 'ATA' THEN a.price_ata ELSE 0 END"""
_PRICE = f"GREATEST({_PRICES.format(column='r.channel')}, {_PRICES.format(column='r.fallback')})"

_SUPPRESS_OPTED_OUT = text("""
    SELECT r.position FROM message_recipients r
    JOIN opt_outs o ON o.tenant_id = r.tenant_id AND o.phone_mac = r.phone_mac
    WHERE r.job_id = :job AND r.chunk = :chunk AND r.final_at IS NULL""")

# Reserved is everybody of a reserved chunk but those suppressed before.
_OVER_PHONE_CAP = text("""
    SELECT position FROM (
        SELECT r.position, row_number() OVER (PARTITION BY r.phone_mac ORDER BY r.position) AS n,
            (SELECT count(*) FROM message_recipients d
                JOIN message_chunks c ON c.job_id = d.job_id AND c.chunk = d.chunk
                WHERE d.tenant_id = r.tenant_id AND d.phone_mac = r.phone_mac
                AND c.reserved_on = :today AND d.state <> 'SUPPRESSED' AND d.merged_into IS NULL) AS before
        FROM message_recipients r
        WHERE r.job_id = :job AND r.chunk = :chunk AND r.final_at IS NULL
            AND r.merged_into IS NULL) AS counted
    WHERE before + n > :cap""")

_OVER_CAP = text("""
    SELECT position FROM (
        SELECT r.position, row_number() OVER (ORDER BY r.position) AS n
        FROM message_recipients r
        WHERE r.job_id = :job AND r.chunk = :chunk AND r.final_at IS NULL
            AND r.merged_into IS NULL) AS counted
    WHERE n > :cap - (SELECT coalesce(sum(c.reserved), 0) FROM message_chunks c
        WHERE c.tenant_id = :tenant AND c.reserved_on = :today)""")

_COST = text(f"""
    SELECT coalesce(sum({_PRICE}), 0) FROM message_recipients r
    JOIN messaging_accounts a ON a.tenant_id = r.tenant_id
    WHERE r.job_id = :job AND r.chunk = :chunk AND r.final_at IS NULL AND r.merged_into IS NULL""")

_MOST = text(f"""
    SELECT coalesce(sum({_PRICE}), 0) FROM message_recipients r
    JOIN messaging_accounts a ON a.tenant_id = r.tenant_id
    WHERE r.job_id = :job AND r.final_at IS NULL AND r.merged_into IS NULL""")

_RESERVE = text(f"""
    WITH entries AS (
        INSERT INTO credit_entries (tenant_id, kind, amount, job_id, position)
        SELECT :tenant, 'RESERVE', -{_PRICE}, :job, r.position FROM message_recipients r
        JOIN messaging_accounts a ON a.tenant_id = r.tenant_id
        WHERE r.job_id = :job AND r.chunk = :chunk AND r.final_at IS NULL AND r.merged_into IS NULL
        RETURNING id)
    UPDATE message_chunks SET reserved_on = :today, reserved = (SELECT count(*) FROM entries)
    WHERE job_id = :job AND chunk = :chunk""")

# A job's rows are new, so the planner takes them for one or two and would compare each with each.
_WITHOUT_NESTED_LOOPS = text("SET LOCAL enable_nestloop = off")

_SETTLE = text(f"""
    WITH news AS (
        SELECT * FROM unnest(:positions, :states, :codes, :sent_as) AS n (position, state, code, sent_as)),
    ended AS (
        UPDATE message_recipients r
        SET state = n.state, code = n.code, sent_as = n.sent_as, final_at = now()
        FROM messaging_accounts a, news n
        LEFT JOIN credit_entries c ON c.job_id = :job AND c.position = ANY(:positions)
            AND c.position = n.position AND c.kind = 'RESERVE'
        WHERE r.job_id = :job AND r.position = ANY(:positions) AND r.position = n.position
            AND r.final_at IS NULL AND a.tenant_id = r.tenant_id
        RETURNING r.tenant_id, r.position, r.chunk, r.state, r.code, r.channel, r.masked_phone,
            coalesce(-c.amount, 0) AS reserved,
            CASE WHEN r.merged_into IS NULL AND r.state IN ('DELIVERED', 'UNCONFIRMED')
                THEN LEAST(coalesce(-c.amount, 0), {_PRICES.format(column="coalesce(n.sent_as, r.channel)")})
                ELSE 0 END AS charged),
    refunds AS (
        INSERT INTO credit_entries (tenant_id, kind, amount, job_id, position)
        SELECT tenant_id, 'REFUND', reserved - charged, :job, position FROM ended WHERE reserved > charged
        RETURNING amount),
    paid_back AS (
        UPDATE messaging_accounts SET credit_balance = credit_balance + (SELECT sum(amount) FROM refunds)
        WHERE tenant_id = :tenant AND EXISTS (SELECT FROM refunds)),
    freed AS (
        DELETE FROM message_occurrences o USING ended e
        WHERE o.job_id = :job AND o.position = e.position AND e.state NOT IN ('DELIVERED', 'UNCONFIRMED')),
    logged AS (
        INSERT INTO notification_log (tenant_id, job_id, position, sent_at, success, amount_deducted,
            recipient_summary, template_summary, failure_reason)
        SELECT e.tenant_id, :job, e.position, coalesce(g.sent_at, now()),
            e.state IN ('DELIVERED', 'UNCONFIRMED'), e.charged,
            e.masked_phone, concat_ws(' ', e.channel, j.template_id),
            CASE WHEN e.state NOT IN ('DELIVERED', 'UNCONFIRMED') THEN coalesce(e.code, e.state) END
        FROM ended e JOIN message_jobs j ON j.job_id = :job
        LEFT JOIN message_groups g ON g.job_id = :job AND g.chunk = e.chunk)
    SELECT count(*) FROM ended""").bindparams(
    bindparam("positions", type_=ARRAY(INTEGER)),
    bindparam("states", type_=ARRAY(TEXT)),
    bindparam("codes", type_=ARRAY(TEXT)),
    bindparam("sent_as", type_=ARRAY(TEXT)),
)


_OPEN_FOLLOWERS = text("""
    SELECT position, merged_into FROM message_recipients
    WHERE job_id = :job AND merged_into IS NOT NULL AND final_at IS NULL""")
_ENDED = text("""
    SELECT position, state, code, sent_as FROM message_recipients
    WHERE job_id = :job AND position = ANY(:positions) AND final_at IS NOT NULL""").bindparams(
    bindparam("positions", type_=ARRAY(INTEGER))
)

# Texts of chunks in which nobody is left to send to.
_FORGET = text("""
    UPDATE message_chunks c SET sealed = NULL
    WHERE c.job_id = :job AND c.sealed IS NOT NULL AND NOT EXISTS (
        SELECT FROM message_recipients r
        WHERE r.job_id = :job AND r.chunk = c.chunk AND r.final_at IS NULL)""")


_ACCOUNTS = select(*columns(MessagingAccount, AccountRow))


async def account(connection: AsyncConnection, tenant_id: int, lock: bool = False) -> AccountRow | None:
    """The tenant's account; locked, nobody else reserves or settles for this tenant meanwhile."""
    query = _ACCOUNTS.where(MessagingAccount.tenant_id == tenant_id)
    return await one_or_none(connection, query.with_for_update() if lock else query, AccountRow)


async def most(connection: AsyncConnection, job_id: UUID) -> Decimal:
    """What those of a job who have no end may cost at most, by the prices of now."""
    return Decimal((await connection.execute(_MOST, {"job": job_id})).scalar_one())


async def reserve(connection: AsyncConnection, chunk: ChunkRef, advertising: bool, today: date) -> Decimal:
    """Reserve what the chunk's recipients may cost at most; returns the credit that is missing, 0 when
    reserved. Those who opted out of advertising and those over a daily cap are suppressed and cost
    nothing. Doing it again changes nothing.
    """
    locked = await account(connection, chunk.tenant_id, lock=True)
    assert locked is not None, "prepare refuses a tenant without an account"
    which: dict[str, object] = {"job": chunk.job_id, "chunk": chunk.chunk, "tenant": chunk.tenant_id}
    which["today"] = today
    if await _is_reserved(connection, chunk):
        return Decimal(0)
    if advertising:
        await _suppress(
            connection, chunk, OPTED_OUT, await _positions(connection, _SUPPRESS_OPTED_OUT, which)
        )
    for query, cap in ((_OVER_PHONE_CAP, locked.daily_cap_per_phone), (_OVER_CAP, locked.daily_cap)):
        if cap is not None:
            over = await _positions(connection, query, which | {"cap": cap})
            await _suppress(connection, chunk, DAILY_CAP, over)
    return await _take(connection, locked, which)


async def reserve_sent(connection: AsyncConnection, chunk: ChunkRef, today: date) -> Decimal:
    """As `reserve`, for a chunk that was sent before the database forgot it: nobody of it is suppressed."""
    locked = await account(connection, chunk.tenant_id, lock=True)
    assert locked is not None, "prepare refuses a tenant without an account"
    if await _is_reserved(connection, chunk):
        return Decimal(0)
    which = {"job": chunk.job_id, "chunk": chunk.chunk, "tenant": chunk.tenant_id, "today": today}
    return await _take(connection, locked, which)


async def _take(connection: AsyncConnection, locked: AccountRow, which: dict[str, object]) -> Decimal:
    cost = (await connection.execute(_COST, which)).scalar_one()
    if cost > locked.credit_balance:
        return Decimal(cost - locked.credit_balance)
    await connection.execute(_RESERVE, which)
    await connection.execute(
        update(MessagingAccount)
        .where(MessagingAccount.tenant_id == locked.tenant_id)
        .values(credit_balance=MessagingAccount.credit_balance - cost)
    )
    return Decimal(0)


async def settle(
    connection: AsyncConnection, tenant_id: int, job_id: UUID, outcomes: Sequence[RecipientOutcome]
) -> int:
    """Write final states, charge what was delivered, refund the rest, and log; returns how many were new.

    The first final state of a recipient stands: a second call for it changes nothing.
    """
    if not outcomes:
        return 0
    await account(connection, tenant_id, lock=True)
    await connection.execute(_WITHOUT_NESTED_LOOPS)
    new = await _end(connection, tenant_id, job_id, outcomes)
    if followers := await _followers(connection, job_id):
        new += await _end(connection, tenant_id, job_id, followers)
    await connection.execute(_FORGET, {"job": job_id})
    return new


async def _end(
    connection: AsyncConnection, tenant_id: int, job_id: UUID, outcomes: Sequence[RecipientOutcome]
) -> int:
    values = {
        "job": job_id,
        "tenant": tenant_id,
        "positions": [end.position for end in outcomes],
        "states": [str(end.state) for end in outcomes],
        "codes": [end.code for end in outcomes],
        "sent_as": [end.sent_as for end in outcomes],
    }
    return int((await connection.execute(_SETTLE, values)).scalar_one())


async def _followers(connection: AsyncConnection, job_id: UUID) -> list[RecipientOutcome]:
    """The ends of those whose message is another's that has come to its end."""
    rows = await connection.execute(_OPEN_FOLLOWERS, {"job": job_id})
    merged = {row.position: row.merged_into for row in rows}
    if not merged:
        return []
    carriers = await connection.execute(_ENDED, {"job": job_id, "positions": list(set(merged.values()))})
    ends = {row.position: row for row in carriers}
    return [
        RecipientOutcome(position, RecipientState(end.state), end.code, end.sent_as)
        for position, into in merged.items()
        if (end := ends.get(into))
    ]


@dataclass(frozen=True, slots=True)
class PaymentRow:
    """What was added to a tenant's credit, in won, and what its payment is called."""

    amount: Decimal
    reference: str
    at: datetime


async def payments(connection: AsyncConnection, tenant_id: int, limit: int) -> list[PaymentRow]:
    """The newest first. Those of an erased tenant have no names any more, and are left out."""
    query = select(*columns(CreditEntry, PaymentRow)).where(
        CreditEntry.tenant_id == tenant_id, CreditEntry.reference.is_not(None)
    )
    return await many(connection, query.order_by(CreditEntry.id.desc()).limit(limit), PaymentRow)


async def top_up(connection: AsyncConnection, tenant_id: int, amount: Decimal, reference: str) -> bool:
    """Add credit once for a reference (a payment's id); False when this reference was counted before."""
    entry = insert(CreditEntry).values(tenant_id=tenant_id, kind="TOP_UP", amount=amount, reference=reference)
    written = await connection.execute(entry.on_conflict_do_nothing().returning(CreditEntry.id))
    if written.one_or_none() is None:
        return False
    await connection.execute(
        update(MessagingAccount)
        .where(MessagingAccount.tenant_id == tenant_id)
        .values(credit_balance=MessagingAccount.credit_balance + amount)
    )
    return True


async def ledger_sum(connection: AsyncConnection, tenant_id: int) -> Decimal:
    """What the balance must be."""
    total = select(func.coalesce(func.sum(CreditEntry.amount), 0)).where(CreditEntry.tenant_id == tenant_id)
    return Decimal((await connection.execute(total)).scalar_one())


async def _is_reserved(connection: AsyncConnection, chunk: ChunkRef) -> bool:
    query = select(MessageChunk.reserved_on).where(
        MessageChunk.job_id == chunk.job_id, MessageChunk.chunk == chunk.chunk
    )
    return (await connection.execute(query)).scalar_one() is not None


async def _positions(connection: AsyncConnection, query: TextClause, values: dict[str, object]) -> list[int]:
    return list((await connection.execute(query, values)).scalars())


async def _suppress(
    connection: AsyncConnection, chunk: ChunkRef, code: str, positions: Sequence[int]
) -> None:
    outcomes = [RecipientOutcome(position, RecipientState.SUPPRESSED, code) for position in positions]
    await settle(connection, chunk.tenant_id, chunk.job_id, outcomes)
