"""What academies have used, by month: for accounts between them and us."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database.rows import many
from contracts.messaging import RecipientState


@dataclass(frozen=True, slots=True)
class UsageRow:
    """`minutes` of the lectures that were encoded, each time they were; `pages` of documents that were read;
    `messages` that were delivered, or may have been; `won`: reserved, less what came back."""

    tenant_id: int
    lectures: int
    minutes: Decimal
    pages: int
    messages: int
    won: Decimal


# ruff: noqa: S608 - the statements are put together of constants of this file

# What tasks say of a document, and what jobs that ask a model say.
_PAGES = """CASE WHEN job_type = 'video.encode' THEN NULL
                WHEN jsonb_typeof(result -> 'summary' -> 'pages') = 'number'
                    THEN (result -> 'summary' ->> 'pages')::numeric
                WHEN jsonb_typeof(result -> 'pages') = 'number' THEN (result ->> 'pages')::numeric END"""
_USAGE = text(f"""
    SELECT tenant_id, sum(lectures)::bigint AS lectures, round(sum(seconds) / 60, 1) AS minutes,
        sum(pages)::bigint AS pages, sum(messages)::bigint AS messages, sum(won) AS won
    FROM (
        SELECT tenant_id,
            count(*) FILTER (WHERE job_type = 'video.encode') AS lectures,
            coalesce(sum((result ->> 'duration')::numeric)
                FILTER (WHERE jsonb_typeof(result -> 'duration') = 'number'), 0) AS seconds,
            coalesce(sum({_PAGES}), 0) AS pages,
            0 AS messages, 0::numeric AS won
        FROM jobs
        WHERE finished_at >= :since AND finished_at < :until AND state IN ('DONE', 'REVIEW_REQUIRED')
            AND tenant_id IS NOT NULL AND (job_type = 'video.encode' OR job_type LIKE 'ai.%')
        GROUP BY tenant_id
        UNION ALL
        SELECT tenant_id, 0, 0, 0, count(*), 0 FROM message_recipients
        WHERE final_at >= :since AND final_at < :until AND state IN (:delivered, :unconfirmed)
        GROUP BY tenant_id
        UNION ALL
        SELECT tenant_id, 0, 0, 0, 0, -sum(amount) FROM credit_entries
        WHERE at >= :since AND at < :until AND kind IN ('RESERVE', 'REFUND')
        GROUP BY tenant_id) AS used
    WHERE CAST(:tenant AS bigint) IS NULL OR tenant_id = CAST(:tenant AS bigint)
    GROUP BY tenant_id ORDER BY tenant_id""")


async def between(
    connection: AsyncConnection, tenant_id: int | None, since: datetime, until: datetime
) -> list[UsageRow]:
    """Of each academy that used anything, or of one. Results of documents are blanked after a year, and
    their pages with them."""
    values = {
        "tenant": tenant_id,
        "since": since,
        "until": until,
        "delivered": RecipientState.DELIVERED,
        "unconfirmed": RecipientState.UNCONFIRMED,
    }
    return await many(connection, _USAGE.bindparams(**values), UsageRow)


@dataclass(frozen=True, slots=True)
class MonthRow:
    """What an academy's jobs used in a month, which is named by its first day in Korea: as in UsageRow."""

    month: date
    lectures: int
    minutes: Decimal
    pages: int


_MONTHS = text(f"""
    SELECT date_trunc('month', finished_at AT TIME ZONE 'Asia/Seoul')::date AS month,
        count(*) FILTER (WHERE job_type = 'video.encode') AS lectures,
        round(coalesce(sum((result ->> 'duration')::numeric) FILTER (WHERE job_type = 'video.encode'
            AND jsonb_typeof(result -> 'duration') = 'number'), 0) / 60, 1) AS minutes,
        coalesce(sum({_PAGES}), 0)::bigint AS pages
    FROM jobs
    WHERE tenant_id = :tenant AND state IN ('DONE', 'REVIEW_REQUIRED') AND finished_at >= :since
        AND (job_type = 'video.encode' OR job_type LIKE 'ai.%')
    GROUP BY 1 ORDER BY 1 DESC""")


async def of_months(connection: AsyncConnection, tenant_id: int, since: datetime) -> list[MonthRow]:
    """Of one academy, the newest month first; months in which nothing ended are left out. What its messages
    cost is in `costs`."""
    return await many(connection, _MONTHS.bindparams(tenant=tenant_id, since=since), MonthRow)
