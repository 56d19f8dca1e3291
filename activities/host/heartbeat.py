"""Heartbeats that follow progress, and a watchdog that stops work nobody waits for any more."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.client import AsyncActivityCancelledError, AsyncActivityHandle, Client
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from contracts.errors import ErrorType

log = logging.getLogger(__name__)

CHECKS_PER_TIMEOUT = 6
GIVE_UP = 0.8  # of the heartbeat timeout without an acknowledgement: stop before the server retries


class Heartbeat:
    """`advance` is called when work has moved forward, and only then: a stall must miss its heartbeat."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.details: tuple[Any, ...] = ()
        self.advanced = False
        self.cut_off = False

    def advance(self, *details: Any) -> None:
        """Heartbeat with `details` (throttled by the SDK to one a second)."""
        self.details = details
        self.advanced = True
        activity.heartbeat(*details)

    def advance_from_thread(self, *details: Any) -> None:
        self._loop.call_soon_threadsafe(self.advance, *details)


@asynccontextmanager
async def heartbeats(client: Client) -> AsyncIterator[Heartbeat]:
    """Beat while the body runs, and cancel the body when this attempt cannot reach the server any more.

    The SDK's heartbeats are not acknowledged to us, and a worker that is cut off from the server is never
    cancelled: it would go on beside its own retry. So a few times in each heartbeat timeout the beat is
    sent by a call of our own, and its answer is what counts. Raises a retryable ApplicationError `CutOff`.
    """
    heartbeat = Heartbeat()
    body = asyncio.current_task()
    assert body is not None
    heartbeat.advance()
    watch = asyncio.create_task(_watch(client, heartbeat, body))
    try:
        yield heartbeat
    except asyncio.CancelledError:
        if heartbeat.cut_off:
            raise ApplicationError("no heartbeat was acknowledged in time", type=ErrorType.CUT_OFF) from None
        raise
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)


async def _watch(client: Client, heartbeat: Heartbeat, body: asyncio.Task[Any]) -> None:
    info = activity.info()
    handle = client.get_async_activity_handle(task_token=info.task_token)
    assert info.heartbeat_timeout is not None
    timeout = info.heartbeat_timeout.total_seconds()
    interval = timeout / CHECKS_PER_TIMEOUT
    acknowledged = time.monotonic()

    def left() -> float:
        return acknowledged + GIVE_UP * timeout - time.monotonic()

    while left() > 0:
        await asyncio.sleep(min(interval, left()))
        sent = time.monotonic()
        if not heartbeat.advanced or left() <= 0:
            continue
        if await _acknowledged(handle, heartbeat, min(interval, left())):
            acknowledged = sent  # the server counts from when it arrived, at the earliest from then
    log.warning("no acknowledged heartbeat for %.0f s, stopping", time.monotonic() - acknowledged)
    heartbeat.cut_off = True
    body.cancel()


async def _acknowledged(handle: AsyncActivityHandle, heartbeat: Heartbeat, timeout: float) -> bool:
    heartbeat.advanced = False
    try:
        await handle.heartbeat(*heartbeat.details, rpc_timeout=timedelta(seconds=timeout))
    except AsyncActivityCancelledError:
        return True  # reached; the SDK's own beat brings the cancel
    except RPCError as error:
        log.warning("heartbeat not acknowledged: %s", error.status.name)
        heartbeat.advanced = True
        return False
    return True
