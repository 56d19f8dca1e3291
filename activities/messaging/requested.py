"""What a job asks for, as it came, and how it is told what is wrong with it."""

import hashlib
import json
from codecs import BOM_UTF8
from typing import Any

from pydantic import ValidationError

from contracts.errors import MESSAGE_NOT_READABLE, REASONS, RECIPIENTS_NOT_READABLE
from contracts.jobs import JobOutcome
from contracts.messaging import Draft, Recipient, SendRequest, request_of
from contracts.queues import Poison, strict_json
from rules.messaging.unsendable import Unsendable


def read_request(job_type: str, payload: dict[str, Any]) -> SendRequest:
    """What a queue took may still be more than a message holds: a sender of fifty characters."""
    try:
        return request_of(job_type, payload)
    except ValidationError as error:
        fields = sorted({".".join(map(str, each["loc"])) for each in error.errors(include_input=False)})
    raise Unsendable(MESSAGE_NOT_READABLE, {"fields": ", ".join(fields[:10])})


class Problems(Exception):
    """What is wrong with which recipients; positions count from 0."""

    def __init__(self, found: list[dict[str, Any]]) -> None:
        super().__init__(f"{len(found)} recipients")
        self.found = found


def parse_recipients(data: bytes) -> list[Recipient]:
    """JSON Lines in UTF-8, one recipient a line. Raises Unsendable naming the first bad line, from 1."""
    recipients = []
    for number, line in enumerate(data.removeprefix(BOM_UTF8).splitlines(), 1):
        if not line.strip():
            continue
        try:
            recipients.append(Recipient.model_validate(strict_json.decode(line)))
        except (ValidationError, Poison):
            raise Unsendable(RECIPIENTS_NOT_READABLE, {"line": number}) from None
    return recipients


def occurrence(draft: Draft, recipient: Recipient, phone_mac: bytes = b"") -> bytes | None:
    """What this phone is told about this person on this occasion: the same again is a duplicate, whatever job
    it comes in. Releases up to 0.5 looked at the person alone, and told one parent of two."""
    if not draft.event_type or not draft.occurrence_key:
        return None
    name = json.dumps([draft.event_type, draft.occurrence_key, recipient.id], ensure_ascii=False)
    return hashlib.sha256(name.encode() + phone_mac).digest()


def problem(position: int | None, error: Unsendable) -> dict[str, Any]:
    where = {} if position is None else {"recipient": position}
    return where | {"code": error.code} | error.detail


def refusal(problems: list[dict[str, Any]]) -> JobOutcome:
    code = problems[0]["code"]
    return JobOutcome(state=REASONS[code].state, error_code=code, result={"problems": problems})
