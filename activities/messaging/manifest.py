"""What a group is to hold, and whether the provider's answer says that it does."""

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

from temporalio.exceptions import ApplicationError

from clients.database.credits import RecipientOutcome
from contracts.errors import ErrorType
from contracts.messaging import NOT_UNDERSTOOD, RecipientState
from rules.messaging.chunks import unpack_all

ACCEPTED = "2000"
_REFUSED = re.compile(r"[12][0-9]{3}")  # 3000 and above: a carrier has it, which cannot be yet
_ID = re.compile(r"[!-~]{1,64}")


def manifest(pieces: Iterable[bytes], ended: Set[int]) -> tuple[bytes, dict[int, str]]:
    """The messages of those who have no end yet, as they travel, and position → phone in their order."""
    wanted: dict[int, str] = {}
    messages = []
    for position, to, message in unpack_all(pieces):
        if position not in ended:
            wanted[position] = to
            messages.append(message)
    return b",".join(messages), wanted


def compared(
    wanted: Mapping[int, str], results: Sequence[dict[str, Any]]
) -> tuple[dict[int, str], list[RecipientOutcome]]:
    """The answer against the manifest: message ids by position, and the ends of those refused.

    The answer is in the order of the request; each entry is held against its recipient. One that says
    neither that it is taken, by which id, nor why it is refused may be sent with the others: it is not
    understood.
    """
    if len(results) != len(wanted):
        raise ambiguous(f"{len(results)} results for {len(wanted)} messages", understood=False)
    registered: dict[int, str] = {}
    outcomes: list[RecipientOutcome] = []
    for (position, to), result in zip(wanted.items(), results, strict=True):
        if result.get("to") != to:
            raise ambiguous("the results are of other recipients", understood=False)
        code, message_id = str(result.get("statusCode")), result.get("messageId")
        if code == ACCEPTED and isinstance(message_id, str) and _ID.fullmatch(message_id):
            registered[position] = message_id
        elif _REFUSED.fullmatch(code) and code != ACCEPTED:
            outcomes.append(RecipientOutcome(position, RecipientState.REFUSED, code))
        else:
            raise ambiguous("a result says neither taken nor refused", understood=False)
    return registered, outcomes


def ambiguous(why: str, understood: bool = True) -> ApplicationError:
    """`understood` False: the answer came, and was not what it must be. Its detail tells that."""
    text = f"the group cannot be trusted: {why}"
    details = () if understood else (NOT_UNDERSTOOD,)
    return ApplicationError(text, *details, type=ErrorType.AMBIGUOUS_ADD, non_retryable=True)
