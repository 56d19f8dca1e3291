"""From the bytes of a queue to a `JobRequest`: pure, and total but for `Poison`."""

from collections.abc import Callable, Collection
from typing import Any

from pydantic import ValidationError

from contracts.jobs import JobRequest
from contracts.queues import ai, messaging, video
from contracts.queues.binding import Binding, bound
from contracts.queues.poison import Poison, PoisonCode, from_validation
from contracts.queues.strict_json import MAX_DEPTH as MAX_DEPTH
from contracts.queues.strict_json import decode, require_bigints, require_sound

MAX_BYTES = 256 * 1024  # what SQS carries

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


def parse(
    queue: str,
    body: str,
    message_id: str,
    external: Collection[str] = frozenset(),
    check: Callable[[Binding], None] | None = None,
) -> JobRequest:
    """The request in a message of `queue` (a key of QUEUES); `external` are job types of AI queues that
    others implement. `check` is asked about a body that names two academies, or is signed; it raises Poison
    for what must not be believed. Raises Poison, and nothing else, on any body."""
    found = _decode(body)
    request = _read(found, queue, message_id, external)
    if check and (binding := bound(queue, found)):
        check(binding)
    return request


def read(queue: str, body: dict[str, Any]) -> JobRequest:
    """The request in a body that is no message of `queue`, but looks like one: asked for over HTTP.
    Raises Poison, and nothing else, on any body that came as JSON."""
    require_sound(body)
    return _read(body, queue, "")


def _read(
    body: dict[str, Any], queue: str, message_id: str, external: Collection[str] = frozenset()
) -> JobRequest:
    reader = QUEUES[queue]
    try:
        if reader is ai.read:
            request = ai.read(body, queue, message_id, external)
        else:
            request = reader(body, queue, message_id)
    except ValidationError as error:
        poison = from_validation(error)
    else:
        require_bigints(request.payload)
        return request
    raise poison  # outside the handler: an exception's context would carry the error and its input along


def _decode(body: str) -> dict[str, Any]:
    if len(body.encode(errors="surrogatepass")) > MAX_BYTES:
        raise Poison(PoisonCode.TOO_LARGE, f"body is over {MAX_BYTES} bytes")
    value = decode(body)
    if not isinstance(value, dict):
        raise Poison(PoisonCode.NOT_AN_OBJECT, "body is JSON, but no object")
    return value
