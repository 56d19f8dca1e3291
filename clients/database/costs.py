"""What an academy's messages cost, by month, class, kind and who sent them. The log has it, for a year."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database.rows import many

# Whom a message was written to. What went to several classes is counted once, for all of them together: a
# price that is split would be nobody's. Digest: notices of several jobs in one text, likewise. Unknown: a
# release before this has prepared it.
SentTo = Literal["class", "classes", "people", "digest", "unknown"]


@dataclass(frozen=True, slots=True)
class CostRow:
    """`month`: its first day, in Korea. `class_id` and what it is called now: of what went to one class.
    `channel`: what carried the message, or was to. `asked_by`: a caller
    as the audit names them; None of a queue, and of what was sent before releases noted it. `messages` that
    were delivered or may have been, `failed` ones, `won` that were charged."""

    tenant_id: int
    month: date
    sent_to: SentTo
    class_id: int | None
    class_title: str | None
    channel: str
    asked_by: str | None
    messages: int
    failed: int
    won: Decimal


# Who shares another's message has no price, and is no message.
_COSTS = """
    SELECT l.tenant_id, date_trunc('month', l.sent_at AT TIME ZONE 'Asia/Seoul')::date AS month,
        CASE WHEN o.job_type = 'messages.digest' THEN 'digest'
            WHEN j.class_ids IS NULL THEN 'unknown' WHEN cardinality(j.class_ids) = 0 THEN 'people'
            WHEN cardinality(j.class_ids) = 1 THEN 'class' ELSE 'classes' END AS sent_to,
        CASE WHEN cardinality(j.class_ids) = 1 THEN j.class_ids[1] END AS class_id, c.title AS class_title,
        coalesce(r.sent_as, r.channel) AS channel, j.asked_by,
        count(*) FILTER (WHERE l.success) AS messages, count(*) FILTER (WHERE NOT l.success) AS failed,
        sum(l.amount_deducted) AS won
    FROM notification_log l
    JOIN message_recipients r ON r.job_id = l.job_id AND r.position = l.position
    JOIN message_jobs j ON j.job_id = l.job_id
    JOIN jobs o ON o.id = l.job_id
    LEFT JOIN classes c
        ON cardinality(j.class_ids) = 1 AND c.tenant_id = l.tenant_id AND c.id = j.class_ids[1]
    WHERE l.sent_at >= :since AND l.sent_at < :until AND r.merged_into IS NULL {of}
    GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 2 DESC, 1, 3, 5, 4, 6, 7"""
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
