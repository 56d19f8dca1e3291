"""What is logged of an exception: kinds and places."""

import traceback
from collections.abc import Iterator

from botocore.exceptions import ClientError
from temporalio.service import RPCError

# Servers' own words about a call. All other texts may quote a person: a row's values, a line of a file.
_SERVERS = (RPCError, ClientError)


def told(error: BaseException) -> str:
    """`KIND: WORDS at PLACE < PLACE`, innermost place first, and the same of each that led to it. Words are
    only an operating system's or a server's."""
    return ", because of ".join(_one(each) for each in _chain(error))


def _one(error: BaseException) -> str:
    words = str(error) if isinstance(error, _SERVERS) else getattr(error, "strerror", None)
    frames = traceback.extract_tb(error.__traceback__)
    places = " < ".join(f"{each.filename}:{each.lineno} {each.name}" for each in reversed(frames))
    kind = type(error).__name__
    return " at ".join(filter(None, (f"{kind}: {words}" if words else kind, places)))


def _chain(error: BaseException | None, seen: set[int] | None = None) -> Iterator[BaseException]:
    """Each once: who raises again what was the cause of what is handled closes a ring."""
    seen = set() if seen is None else seen
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        for each in error.exceptions if isinstance(error, BaseExceptionGroup) else ():
            yield from _chain(each, seen)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
