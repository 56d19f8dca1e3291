"""Poison on its way to the dead letter queue.

It holds up nobody: a batch hands its poison over and goes on, and a dead letter queue that cannot be written
keeps neither the poison's neighbours waiting nor the other queues.
"""

import asyncio
import logging
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from botocore.exceptions import BotoCoreError, ClientError

from clients import metrics
from clients.queues import BATCH, Queue, QueueMessage
from workers.breaker import jittered
from workers.visibility import LONGEST_PAUSE, PAUSE, VisibilityLease

ROOM, ROOM_BYTES = 1000, 64 * 2**20  # of one queue, beside what was received before it was full
TENANT_ERASED = "TENANT_ERASED"  # the one reason without a body: what was erased must not come back here

log = logging.getLogger(__name__)


@dataclass
class Parked:
    message: QueueMessage
    code: str
    detail: str
    copied: bool = False


class DeadLetters:
    """`async with DeadLetters(…)`: those of one queue. What is left at the end goes back to the queue.

    Parked messages stay invisible and use up no receive; when there is no `room` nothing more is received
    from their queue.
    """

    def __init__(self, name: str, queue: Queue, stop: asyncio.Event) -> None:
        self.name = name
        self._queue = queue
        self._lease = VisibilityLease(queue, [], stop)
        self._parked: deque[Parked] = deque()
        self._parked_bytes = 0
        self._wake = asyncio.Event()
        self._emptier = asyncio.Event()
        self._ending = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self._lease.__aenter__()
        self._burying = asyncio.create_task(self._bury())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._wake.set()
        await self._burying
        if self._parked:
            log.error("%d dead letters of %s were not written: given back", len(self._parked), self.name)
        await self._lease.__aexit__(None, None, None)

    def take(self, lease: VisibilityLease, message: QueueMessage, code: str, detail: str) -> None:
        """Take over a message of `lease` that can never become a job."""
        log.warning("message %s goes to the dead letter queue: %s: %s", message.id, code, detail)
        metrics.BURIED.labels(self.name, code).inc()
        lease.hand_over(message, self._lease)
        self._parked.append(Parked(message, code, detail))
        self._parked_bytes += len(message.body)
        self._wake.set()

    async def room(self) -> None:
        """Wait until more may be received."""
        told = False
        while len(self._parked) >= ROOM or self._parked_bytes >= ROOM_BYTES:
            if not told:
                log.error(
                    "%s is not received from: %d messages wait for its dead letter queue",
                    self.name,
                    len(self._parked),
                )
                told = True
            self._emptier.clear()
            await self._emptier.wait()

    async def _bury(self) -> None:
        pause = PAUSE
        while True:
            while not self._parked:
                if self._ending.is_set():
                    return
                self._wake.clear()
                await self._wake.wait()
            some = [self._parked.popleft() for _ in range(min(BATCH, len(self._parked)))]
            buried = await asyncio.gather(*(self._try(each) for each in some))
            for each, gone in zip(some, buried, strict=True):
                if gone:
                    self._parked_bytes -= len(each.message.body)
                    self._emptier.set()
                else:
                    self._parked.append(each)  # one that is refused is behind the others
            if all(buried):
                pause = PAUSE
                continue
            log.error(
                "the dead letter queue of %s cannot be written: %d messages wait",
                self.name,
                len(self._parked),
            )
            if self._ending.is_set():
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(jittered(pause)):
                    await self._ending.wait()
            pause = PAUSE if any(buried) else min(pause * 2, LONGEST_PAUSE)

    async def _try(self, each: Parked) -> bool:
        """Dead letter queue first, delete second: a crash in between leaves two copies, never none."""
        try:
            if not each.copied:
                letter = each.message if each.code != TENANT_ERASED else replace(each.message, body="{}")
                await asyncio.to_thread(self._queue.dead_letter, letter, each.code, each.detail)
                each.copied = True
            if await asyncio.to_thread(self._queue.delete, [each.message]):
                return False
            if each.code == TENANT_ERASED:
                await asyncio.to_thread(self._queue.drop_body, each.message)
        except (BotoCoreError, ClientError) as error:
            log.warning("a dead letter of %s was not written: %s", self.name, type(error).__name__)
            return False
        except Exception:  # a bug with one letter must not keep the others
            log.exception("a dead letter of %s could not be written", self.name)
            return False
        self._lease.forget(each.message)
        return True
