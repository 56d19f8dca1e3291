"""A received batch of SQS messages, kept invisible until each one is deleted, buried or given back."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from clients.queues import Queue, QueueMessage

P = ParamSpec("P")
T = TypeVar("T")

PAUSE, LONGEST_PAUSE = 0.5, 10.0
AFTER_BUG = 30  # seconds until a message that we could not handle is received again

log = logging.getLogger(__name__)


class VisibilityLease:
    """`async with Held(…)`: what is left over at the end goes back to the queue."""

    def __init__(self, queue: Queue, messages: Sequence[QueueMessage], stop: asyncio.Event) -> None:
        self._queue = queue
        self._held = {message.id: message for message in messages}
        self._stop = stop

    async def __aenter__(self) -> Self:
        self._keeper = asyncio.create_task(self._keep_invisible())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._keeper.cancel()
        with suppress(asyncio.CancelledError):
            await self._keeper
        if self._held:
            # Stopping: at once. A bug: soon, and after some rounds SQS itself moves it to the DLQ.
            await self._change_visibility(0 if error is None else AFTER_BUG)

    async def delete(self, messages: Sequence[QueueMessage]) -> None:
        """Delete messages that are done with, until SQS confirms each one or we have to stop."""
        rest = list(messages)
        while rest:
            failed = await self._insist(self._queue.delete, rest)
            if failed is None:
                return
            for message in rest:
                if message not in failed:
                    self._held.pop(message.id, None)
            rest = failed
            if rest:
                log.warning("SQS refused to delete %d messages, again", len(rest))
                if self._stop.is_set():
                    return
                await asyncio.sleep(PAUSE)

    async def dead_letter(self, message: QueueMessage, code: str, detail: str) -> None:
        """Dead letter queue first, delete second: a crash in between leaves two copies, never none."""
        log.warning("message %s goes to the dead letter queue: %s: %s", message.id, code, detail)
        if await self._insist(self._queue.dead_letter, message, code, detail):
            await self.delete([message])

    async def _insist(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Repeat until SQS answers. None when we have to stop before."""
        pause = PAUSE
        while True:
            try:
                return await asyncio.to_thread(call, *args, **kwargs)
            except (BotoCoreError, ClientError) as error:
                log.warning("SQS: %s", type(error).__name__)
                if self._stop.is_set():
                    return None
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    async def _keep_invisible(self) -> None:
        while True:
            await asyncio.sleep(self._queue.hold_seconds / 2)
            await self._change_visibility(self._queue.hold_seconds)

    async def _change_visibility(self, seconds: int) -> None:
        try:
            await asyncio.to_thread(self._queue.change_visibility, list(self._held.values()), seconds)
        except (BotoCoreError, ClientError) as error:
            log.warning("cannot change visibility: %s", type(error).__name__)
