"""From the bytes of a queue to a `JobRequest`: pure, and total but for `Poison`."""

import json
import math
import re
from collections.abc import Callable
from typing import Any, NoReturn

from pydantic import ValidationError

from contracts.jobs import JobRequest
from contracts.queues import ai, messaging, video
from contracts.queues.poison import Poison, PoisonCode, from_validation

MAX_BYTES = 256 * 1024  # what SQS carries
MAX_DEPTH = 32  # far above any real body, far below what recursion in json and pydantic survives

# Postgres refuses NUL in text and jsonb, UTF-8 refuses half a surrogate pair.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

QUEUES: dict[str, Callable[[dict[str, Any], str, str], JobRequest]] = {
    "video": video.read,
    "ai-lite": ai.read,
    "ai-basic": ai.read,
    "ai-premium": ai.read,
    "ai": ai.read,  # one queue of several tiers: the body says which
    "tools": ai.read,
    "messaging": messaging.read,
    "video-delete": video.read,
}


def parse(queue: str, body: str, message_id: str) -> JobRequest:
    """The request in a message of `queue` (a key of QUEUES). Raises Poison, and nothing else, on any body."""
    return _read(_decode(body), queue, message_id)


def read(queue: str, body: dict[str, Any]) -> JobRequest:
    """The request in a body that is no message of `queue`, but looks like one: asked for over HTTP.
    Raises Poison, and nothing else, on any body that came as JSON."""
    _check(body, MAX_DEPTH)
    return _read(body, queue, "")


def _read(body: dict[str, Any], queue: str, message_id: str) -> JobRequest:
    try:
        return QUEUES[queue](body, queue, message_id)
    except ValidationError as error:
        poison = from_validation(error)
    raise poison  # outside the handler: an exception's context would carry the error and its input along


def _decode(body: str) -> dict[str, Any]:
    if len(body.encode(errors="surrogatepass")) > MAX_BYTES:
        raise Poison(PoisonCode.TOO_LARGE, f"body is over {MAX_BYTES} bytes")
    try:
        value = json.loads(body, object_pairs_hook=_object, parse_float=_finite, parse_constant=_no_constant)
    except RecursionError:
        poison = Poison(PoisonCode.TOO_DEEP, f"nested deeper than {MAX_DEPTH}")
    except ValueError:  # a syntax error, or an integer of more digits than Python converts
        poison = Poison(PoisonCode.NOT_JSON, "body is not JSON")
    else:
        _check(value, MAX_DEPTH)
        if not isinstance(value, dict):
            raise Poison(PoisonCode.NOT_AN_OBJECT, "body is JSON, but no object")
        return value
    raise poison


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):  # two readers could see two tenants
        raise Poison(PoisonCode.DUPLICATE_KEY, "a key appears twice in one object")
    return value


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise Poison(PoisonCode.NOT_JSON, "a number is out of range")
    return value


def _no_constant(text: str) -> NoReturn:
    raise Poison(PoisonCode.NOT_JSON, "NaN and Infinity are not JSON")


def _check(value: Any, depth: int) -> None:
    if isinstance(value, str) and _UNSTORABLE.search(value):
        raise Poison(PoisonCode.UNSTORABLE_TEXT, "a text holds NUL or half a surrogate pair")
    if isinstance(value, float) and not math.isfinite(value):  # Python reads NaN and 1e999 as JSON
        raise Poison(PoisonCode.NOT_JSON, "a number is out of range")
    if isinstance(value, (dict, list)):
        if depth == 0:
            raise Poison(PoisonCode.TOO_DEEP, f"nested deeper than {MAX_DEPTH}")
        for item in [*value, *value.values()] if isinstance(value, dict) else value:
            _check(item, depth - 1)
