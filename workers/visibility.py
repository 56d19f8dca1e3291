"""Received SQS messages, kept invisible until each one is deleted, handed on or given back."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from clients.queues import BATCH, Queue, QueueMessage

P = ParamSpec("P")
T = TypeVar("T")

PAUSE, LONGEST_PAUSE = 0.5, 10.0
AFTER_BUG = 30  # seconds until a message that we could not handle is received again

log = logging.getLogger(__name__)


class VisibilityLease:
    """`async with VisibilityLease(…)`: what is left over at the end goes back to the queue."""

    def __init__(self, queue: Queue, messages: Sequence[QueueMessage], stop: asyncio.Event) -> None:
        self._queue = queue
        # By handle: two copies of a dead letter that was sent back have the same id.
        self._held = {message.receipt_handle: message for message in messages}
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
        # Stopping: at once. A bug: soon, and after many rounds SQS itself moves it to the DLQ.
        await self._change_visibility(0 if error is None else AFTER_BUG)

    def hand_over(self, message: QueueMessage, other: "VisibilityLease") -> None:
        """From now on `other` keeps it invisible."""
        other._held[message.receipt_handle] = self._held.pop(message.receipt_handle)

    def forget(self, message: QueueMessage) -> None:
        """It is deleted."""
        self._held.pop(message.receipt_handle, None)

    async def delete(self, messages: Sequence[QueueMessage]) -> None:
        """Delete messages that are done with, until SQS confirms each one or we have to stop. What the object
        store keeps of them goes too; where that fails its time limit erases it."""
        rest = list(messages)
        while rest:
            failed = await self._insist(self._queue.delete, rest)
            if failed is None:
                return
            for message in rest:
                if message not in failed:
                    self.forget(message)
                    await self._drop_body(message)
            rest = failed
            if rest:
                log.warning("SQS refused to delete %d messages, again", len(rest))
                if self._stop.is_set():
                    return
                await asyncio.sleep(PAUSE)

    async def _drop_body(self, message: QueueMessage) -> None:
        if message.stub:
            try:
                await asyncio.to_thread(self._queue.drop_body, message)
            except (BotoCoreError, ClientError) as error:
                log.warning("a stored body is left to its time limit: %s", type(error).__name__)

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
        messages = list(self._held.values())
        for start in range(0, len(messages), BATCH):
            try:
                await asyncio.to_thread(
                    self._queue.change_visibility, messages[start : start + BATCH], seconds
                )
            except (BotoCoreError, ClientError) as error:
                log.warning("cannot change visibility: %s", type(error).__name__)
