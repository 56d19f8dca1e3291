"""What each recipient would get and what it would cost: the checks of sending, without sending."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from clients.database.credits import AccountRow
from contracts.errors import REASONS
from contracts.messaging import Channel, Composed, Draft, Recipient
from rules.messaging.approval import needs_approval
from rules.messaging.channel import Sent
from rules.messaging.compose import SMS_BYTES, Composer, asked_for, linked, masked
from rules.messaging.siblings import by_phone, merged
from rules.messaging.text import size
from rules.messaging.unsendable import Unsendable
from rules.messaging.validity import check_schedule

SHOWN = 20  # messages, and lines of a trouble; all recipients are counted
LITTLE = 20  # bytes that somebody may well save to pay for an SMS
# Which field of the form a refusal is about, by how its code begins. Others are of a recipient's line.
_FIELDS = {
    "SCHEDULE": "at",
    "SENDER": "sender",
    "SUBJECT": "subject",
    "TEXT": "text",
    "ADVERTIS": "text",
    "OPT_OUT": "text",
    "IMAGE": "image",
    "NOT_BY": "text",
    "TEMPLATE": "template",
    "CHANNEL": "template",
}


@dataclass
class Trouble:
    """Why something cannot be sent, once for all lines that it holds for. `lines` count from 1; none: it is
    about the form and nobody's line."""

    code: str
    about: str | None
    field: str
    lines: list[int] = dataclasses.field(default_factory=list)

    def shown(self, lang: str) -> dict[str, Any]:
        return {
            "code": self.code,
            "error": getattr(REASONS[self.code], lang),
            "about": self.about,
            "field": self.field,
            "lines": self.lines[:SHOWN],
            "count": len(self.lines),
        }


def preview(
    draft: Draft,
    recipients: Sequence[Recipient],
    sent: Callable[[], Sent],
    composer: Callable[[Sent], Composer],
    account: AccountRow,
    lang: str,
    asked_by: str,
) -> dict[str, Any]:
    """For the page of a new message; `sent` raises Unsendable."""
    good: list[tuple[int, Composed]] = []
    troubles: dict[tuple[str, str | None, str], Trouble] = {}

    def add(error: Unsendable, line: int | None) -> None:
        about = error.detail.get("character") or error.detail.get("variable")
        key = error.code, None if about is None else str(about), field_of(error)
        found = troubles.setdefault(key, Trouble(*key))
        if line is not None:
            found.lines.append(line)

    try:
        check_schedule(draft.send_at, datetime.now(UTC))
    except Unsendable as error:
        add(error, None)
    as_text = None
    try:
        way = sent()
    except Unsendable as error:
        for line in range(1, len(recipients) + 1):
            add(error, line)
    else:
        as_text, writer = way.as_text_because, composer(way)
        for position, recipient in _told(way, recipients):
            try:
                good.append((position + 1, writer.compose(recipient)))
            except Unsendable as error:
                add(error, position + 1)
    prices = [price(message, account) for _, message in good]
    return {
        "recipients": [
            {"position": line, "price": float(each)} | _shown(message)
            for (line, message), each in zip(good[:SHOWN], prices, strict=False)
        ],
        "troubles": [each.shown(lang) for each in troubles.values()],
        "count": len(recipients),
        "wrong": sum(len(each.lines) for each in troubles.values()),
        "messages": len(good),
        "total": float(sum(prices, Decimal(0))),
        "balance": float(account.credit_balance),
        "approval": needs_approval(
            len(recipients),
            asked_by,
            above=account.approval_above,
            of_systems=account.approval_of_systems,
        ),
        "channels": Counter(message.channel for _, message in good),
        "as_text": getattr(REASONS[as_text], lang) if as_text else None,
        "saving": _saving([message for _, message in good], account),
    }


def _told(way: Sent, recipients: Sequence[Recipient]) -> Iterator[tuple[int, Recipient]]:
    """Who gets a message, with their place in the list."""
    if not way.draft.one_per_phone:
        yield from enumerate(recipients)
        return
    asked = asked_for(way.draft, way.template)
    for positions in by_phone(way.draft, recipients, linked(way.draft, way.template)):
        index, recipient = merged([recipients[each] for each in positions], asked)
        yield positions[index], recipient


def field_of(error: Unsendable) -> str:
    """`people`, or the field of the form that has to be changed."""
    if written := error.detail.get("field"):  # a character in the text, the subject, or somebody's value
        return str(written) if written in ("text", "subject") else "people"
    return next((named for begins, named in _FIELDS.items() if error.code.startswith(begins)), "people")


def price(composed: Composed, account: AccountRow) -> Decimal:
    """What may be charged at most: with a fallback, the dearer of the two."""
    prices = {
        Channel.SMS: account.price_sms,
        Channel.LMS: account.price_lms,
        Channel.MMS: account.price_mms,
        Channel.ATA: account.price_ata,
        Channel.EML: Decimal(0),
    }
    return max(Decimal(prices[each]) for each in (composed.channel, composed.fallback) if each)


def _saving(messages: Sequence[Composed], account: AccountRow) -> dict[str, float] | None:
    """By how many bytes the longest is too long for an SMS, if that is little, and what all would cost so."""
    if any(each.channel not in (Channel.SMS, Channel.LMS) or each.subject for each in messages):
        return None
    over = max((size(each.text) for each in messages), default=0) - SMS_BYTES
    if not 0 < over <= LITTLE:
        return None
    return {"bytes": over, "total": float(account.price_sms * len(messages))}


def _shown(composed: Composed) -> dict[str, Any]:
    counted = composed.fallback is None and composed.channel in (Channel.ATA, Channel.EML)
    return {
        "phone": masked(composed.channel, composed.to),
        "channel": composed.channel,
        "fallback": composed.fallback,
        "subject": composed.subject,
        "text": composed.text,
        "length": len(composed.text) if counted else size(composed.text),
        "unit": "characters" if counted else "bytes",
    }
