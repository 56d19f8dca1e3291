"""Requests that the provider takes: split by count and by bytes. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic_core import to_json

from activities.messaging.unsendable import Unsendable
from contracts.errors import MESSAGE_TOO_LARGE

MAX_COUNT = 10_000
# Solapi takes 15 MB a request. One less: for what is around the messages, and whichever megabyte they mean.
MAX_BYTES = 14_000_000

_ENVELOPE = len(b'{"messages":[]}')


def encode(message: Mapping[str, object]) -> bytes:
    """A message as it travels: compact UTF-8 JSON without escapes for Korean letters."""
    return to_json(message)


# Two messages of one text differ in their first value, the phone, and their last, the position: only these
# are written anew.
_START, _END = b'{"to":"', b'"}}'


def between(encoded: bytes, to: str, position: int) -> bytes:
    """What is between phone and position in an encoded message of `compose.provider_message`."""
    return encoded[len(_START) + len(to) : -len(_END) - len(str(position))]


def again(middle: bytes, to: str, position: int) -> bytes:
    """The message to somebody else."""
    return b"%b%b%b%d%b" % (_START, to.encode(), middle, position, _END)


def position_of(message: Mapping[str, Any]) -> int:
    """Where in its job a message's recipient stands: it travels in the custom fields."""
    return int(message["customFields"]["n"])


def split(
    messages: Iterable[bytes], max_count: int = MAX_COUNT, max_bytes: int = MAX_BYTES
) -> Iterator[list[bytes]]:
    """Encoded messages in their order, in lists that each fit one request as `{"messages":[…]}`.

    Holds one list at a time; the same messages give the same lists. Raises Unsendable(MESSAGE_TOO_LARGE)
    when one alone does not fit.
    """
    chunk: list[bytes] = []
    used = _ENVELOPE
    for message in messages:
        needed = len(message) + 1  # the comma
        if _ENVELOPE + needed > max_bytes:
            raise Unsendable(MESSAGE_TOO_LARGE, {"bytes": needed, "limit": max_bytes})
        if len(chunk) == max_count or used + needed > max_bytes:
            yield chunk
            chunk, used = [], _ENVELOPE
        chunk.append(message)
        used += needed
    if chunk:
        yield chunk
