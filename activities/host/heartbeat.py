"""Heartbeats tell Temporal that an attempt has a living worker; a watchdog ends what went to another.

They do not tell that the work moves: a program that hangs is found by who runs it (`activities.host.stall`),
and calls of servers have time limits of their own. So a busy host loses no attempt.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.api.workflowservice.v1 import GetSystemInfoRequest
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from contracts.errors import ErrorType

log = logging.getLogger(__name__)

GIVE_UP = (
    0.8  # of the heartbeat timeout without an answer from the server: stop before it gives the work away
)
AGAIN = 0.5  # seconds until a question that was not answered is repeated


class Heartbeats(Interceptor):
    """Each activity of a process that has a heartbeat timeout beats once in `every` seconds, for as long as
    the server answers. One for all workers of a process.

    The SDK's heartbeats are not acknowledged to us, and a worker that is cut off is never cancelled: it would
    go on beside its own retry. So while anything works, the process asks the server something small as often
    as one activity beats. Without an answer for most of the timeout everything stops, with a retryable
    ApplicationError `CutOff`.
    """

    def __init__(self, client: Client, every: float) -> None:
        self._client = client
        self._every = every
        self._answered = 0.0
        self._working = 0
        self._asking: asyncio.Task[None] | None = None

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Inbound(next, self)

    @asynccontextmanager
    async def beating(self) -> AsyncIterator[None]:
        """For one attempt, as long as the body runs."""
        timeout = activity.info().heartbeat_timeout
        if not timeout:
            yield
            return
        body = asyncio.current_task()
        assert body is not None
        self._answered = time.monotonic()  # it has just sent this task
        beats = asyncio.create_task(self._beat(timeout.total_seconds()))
        beats.add_done_callback(lambda task: None if task.cancelled() else body.cancel())
        self._working += 1
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask())
        try:
            yield
        except asyncio.CancelledError:
            if beats.done():
                raise ApplicationError("Temporal did not answer", type=ErrorType.CUT_OFF) from None
            raise
        finally:
            beats.cancel()
            self._working -= 1
            if not self._working and self._asking:
                self._asking.cancel()
                self._asking = None

    async def _beat(self, timeout: float) -> None:
        """Returns when the server has not answered for most of `timeout`."""

        def left() -> float:
            return self._answered + GIVE_UP * timeout - time.monotonic()

        while left() > 0:
            await asyncio.sleep(min(self._every, left()))
            if left() > 0:
                activity.heartbeat()
        log.warning("no answer from Temporal for %.0f s, stopping", time.monotonic() - self._answered)

    async def _ask(self) -> None:
        patience = timedelta(seconds=self._every)
        while True:
            answered = await self._answer(patience)
            await asyncio.sleep(self._every if answered else AGAIN)

    async def _answer(self, patience: timedelta) -> bool:
        asked = time.monotonic()
        try:
            await self._client.workflow_service.get_system_info(GetSystemInfoRequest(), timeout=patience)
        except RPCError as error:
            log.warning("Temporal does not answer: %s", error.status.name)
            return False
        self._answered = asked  # the server counts from a beat, and the last one was not later
        return True


class _Inbound(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, heartbeats: Heartbeats) -> None:
        super().__init__(next)
        self._heartbeats = heartbeats

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        async with self._heartbeats.beating():
            return await self.next.execute_activity(input)
