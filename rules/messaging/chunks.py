"""Requests that the provider takes: split by count and by bytes. Pure."""

from collections.abc import Iterable, Iterator, Mapping

from pydantic_core import from_json, to_json

from contracts.errors import MESSAGE_TOO_LARGE
from rules.messaging.unsendable import Unsendable

MAX_COUNT = 10_000
# Solapi takes 15 MB a request. One less: for what is around the messages, and whichever megabyte they mean.
MAX_BYTES = 14_000_000

_ENVELOPE = len(b'{"messages":[]}')


def encode(message: Mapping[str, object]) -> bytes:
    """A message as it travels: compact UTF-8 JSON without escapes for Korean letters."""
    return to_json(message)


# Two messages of one text differ in their first value, the phone, and their last, the position: only these
# are written for each.
_START, _END = b'{"to":"', b'"}}'
_TEXT = b',"text":""'  # of one without a text; what comes before it has none of the writer's


def between(encoded: bytes, to: str, position: int) -> bytes:
    """What is between phone and position in an encoded message of `compose.provider_message`."""
    return encoded[len(_START) + len(to) : -len(_END) - len(str(position))]


def around_text(middle: bytes) -> tuple[bytes, bytes]:
    """What stands before and behind the text in the middle of a message without one of Kakao."""
    before, mark, after = middle.partition(_TEXT)
    assert mark, "a message that is shown as it is has its text"
    return before + mark[:-2], after


def message(middle: bytes, to: str, position: int) -> bytes:
    return b"%b%b%b%d%b" % (_START, to.encode(), middle, position, _END)


def pack(people: Iterable[tuple[bytes, str, int]]) -> bytes:
    """A chunk's messages, each text once: JSON of `[[middle, [[phone, position], …]], …]`."""
    texts: dict[bytes, list[tuple[str, int]]] = {}
    for middle, to, position in people:
        texts.setdefault(middle, []).append((to, position))
    return to_json([(middle.decode(), told) for middle, told in texts.items()])


def unpack(packed: bytes) -> Iterator[tuple[int, str, bytes]]:
    """(position, phone, message) of everybody in a packed chunk, or in the one message that the first
    releases sealed for each."""
    if packed.startswith(_START):
        alone = from_json(packed)
        yield int(alone["customFields"]["n"]), alone["to"], packed
        return
    for middle, told in from_json(packed):
        encoded = middle.encode()
        for to, position in told:
            yield position, to, message(encoded, to, position)


def unpack_all(pieces: Iterable[bytes]) -> Iterator[tuple[int, str, bytes]]:
    """The same of all pieces of a chunk."""
    for piece in pieces:
        yield from unpack(piece)


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
