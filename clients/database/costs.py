"""What an academy's messages cost, by month, kind and who sent them. The log has it, for a year."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database.rows import many


@dataclass(frozen=True, slots=True)
class CostRow:
    """`month`: its first day, in Korea. `channel`: what carried the message, or was to. `asked_by`: a caller
    as the audit names them; None of a queue, and of what was sent before releases noted it. `messages` that
    were delivered or may have been, `failed` ones, `won` that were charged."""

    tenant_id: int
    month: date
    channel: str
    asked_by: str | None
    messages: int
    failed: int
    won: Decimal


# Who shares another's message has no price, and is no message.
_COSTS = """
    SELECT l.tenant_id, date_trunc('month', l.sent_at AT TIME ZONE 'Asia/Seoul')::date AS month,
        coalesce(r.sent_as, r.channel) AS channel, j.asked_by,
        count(*) FILTER (WHERE l.success) AS messages, count(*) FILTER (WHERE NOT l.success) AS failed,
        sum(l.amount_deducted) AS won
    FROM notification_log l
    JOIN message_recipients r ON r.job_id = l.job_id AND r.position = l.position
    JOIN message_jobs j ON j.job_id = l.job_id
    WHERE l.sent_at >= :since AND l.sent_at < :until AND r.merged_into IS NULL {of}
    GROUP BY 1, 2, 3, 4 ORDER BY 2 DESC, 1, 3, 4"""
_OF_ALL = text(_COSTS.format(of=""))
_OF_ONE = text(_COSTS.format(of="AND l.tenant_id = :tenant"))


async def between(
    connection: AsyncConnection, tenant_id: int | None, since: datetime, until: datetime
) -> list[CostRow]:
    """Of one academy, by its index of the log, or of all."""
    span = {"since": since, "until": until}
    if tenant_id is None:
        return await many(connection, _OF_ALL.bindparams(**span), CostRow)
    return await many(connection, _OF_ONE.bindparams(tenant=tenant_id, **span), CostRow)
