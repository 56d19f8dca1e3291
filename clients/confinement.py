"""What hosts cannot confine, told by their workers in Redis for display: a worker tells it again and again,
and what is not told any more is forgotten."""

import asyncio
import json
import logging
import socket
import time
from collections.abc import Awaitable, Sequence
from typing import cast

from clients.progress import SICK, Server

KEY = "confinement"
EVERY, KEPT = 60.0, 180  # seconds between two tellings; that one counts

log = logging.getLogger(__name__)


async def tell(redis: Server, role: str, missing: Sequence[str]) -> None:
    """Once. Raises one of SICK."""
    told = json.dumps({"at": time.time(), "lacks": list(missing)})
    await redis.hset(KEY, f"{socket.gethostname()}:{role}", told)
    await redis.expire(KEY, KEPT)


async def keep_telling(redis: Server, role: str, missing: Sequence[str]) -> None:
    """Until it is cancelled. Without Redis nothing is shown, and work goes on."""
    while True:
        try:
            await tell(redis, role, missing)
        except (*SICK, ValueError) as error:
            log.debug("confinement cannot be told: %s", type(error).__name__)
        await asyncio.sleep(EVERY)


async def lacking(redis: Server) -> dict[str, list[str]]:
    """By `host:role`, of all that were heard of lately: what its host does not give. Raises one of SICK,
    ValueError."""
    found = {}
    told: dict[str | bytes, str] = await cast(Awaitable[dict[str | bytes, str]], redis.hgetall(KEY))
    for field, text in sorted(told.items()):
        name, one = field if isinstance(field, str) else field.decode(), json.loads(text)
        if time.time() - one["at"] < KEPT:
            found[name] = [str(each) for each in one["lacks"]]
    return found
