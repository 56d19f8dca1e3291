"""The bridge's breaker: while Temporal or Postgres is away, nothing is received and nothing is tried.

Open after a batch that nobody answered. When a probe succeeds it is half-open: one real batch may try, since
a probe is lighter than the work. When that one is answered it is closed, and the others follow a few more at
a time: all that was held through a long outage would bring the servers down again if it came at once.
"""

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from clients import metrics
from workers.health import HEALTH

log = logging.getLogger(__name__)

MOST = 16  # batches that ask the servers at the same time
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0  # seconds


def jittered(pause: float) -> float:
    """Half of it to all of it: bridges that were cut off together do not come back together."""
    return pause * random.uniform(0.5, 1)  # noqa: S311 - not a secret


@dataclass(frozen=True)
class Turn:
    """Leave to ask the servers once for a batch."""

    outage: int
    began: float


class Breaker:
    """Batches `enter`, tell how it went (`worked`, `busy`, `lost`, or nothing) and `leave`.

    Args:
        probe: Raises what keeps work from being done.
        transient: Whether waiting can mend such an error.
    """

    def __init__(
        self,
        probe: Callable[[], Awaitable[None]],
        transient: Callable[[Exception], bool],
        most: int = MOST,
    ) -> None:
        self._probe = probe
        self._transient = transient
        self._most = most
        self._allowed = float(most)  # batches at the same time; 0 while open, 1 while half-open
        self._closed = True
        self._entered = 0
        self._line: deque[asyncio.Future[None]] = deque()
        self._outages = 0
        self._worked_at = 0.0
        self._pause = FIRST_PAUSE
        self._error: Exception | None = None
        self._changed = asyncio.Event()

    async def receivable(self) -> None:
        """Wait until new messages may be received: messages in hand go first, and received ones would only
        burn their receive count. But should the only batch in hand be the one that fails, others must show
        whether it is the servers. Raises what the probe found if that will not mend itself."""
        while not (self._closed or (self._allowed and not self._waiting())):
            if self._error:
                raise self._error
            await self._changed.wait()

    async def enter(self) -> Turn:
        """Wait for a turn: first come, first served, so that one that failed is behind the others."""
        if self._error:
            raise self._error
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append(place)
        self._let_in()
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled() and not place.exception():  # let in, and gone at the same moment
                self._entered -= 1
                self._let_in()
            raise
        return Turn(self._outages, time.monotonic())

    def leave(self, turn: Turn) -> None:
        if turn.outage == self._outages:
            self._entered -= 1
            self._let_in()

    def worked(self, turn: Turn) -> None:
        """The servers answered. One batch more at a time for each round of all that are allowed."""
        if turn.outage != self._outages:
            return
        self._worked_at = time.monotonic()
        if not self._closed:
            log.info("breaker closed")
            HEALTH.free("breaker")
            metrics.BREAKER_OPEN.set(0)
            self._closed = True
        self._allowed = min(self._most, self._allowed + 1 / self._allowed)
        if self._allowed == self._most:
            self._pause = FIRST_PAUSE

    def busy(self, turn: Turn) -> None:
        """A server asks for less."""
        if turn.outage == self._outages:
            self._allowed = max(1.0, self._allowed / 2)

    def lost(self, turn: Turn, reason: str) -> bool:
        """Nothing of the batch was answered. While others are answered that is no outage; returns whether it
        is one."""
        if turn.outage != self._outages:
            return True
        if self._worked_at >= turn.began:
            return False
        log.warning("breaker open: %s", reason)
        HEALTH.hindered("breaker", f"open: {reason}")
        metrics.BREAKER_OPEN.set(1)
        metrics.OUTAGES.inc()
        self._outages += 1
        self._allowed, self._entered, self._closed = 0.0, 0, False
        self._probing = asyncio.create_task(self._probe_until_well())
        return True

    async def _probe_until_well(self) -> None:
        """The pause grows until all batches are allowed again, so a server that breaks down under the work
        is left in peace for longer each time."""
        while True:
            await asyncio.sleep(jittered(self._pause))
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
            try:
                await self._probe()
            except Exception as error:  # noqa: BLE001 - raised in everybody who waits for a turn
                if self._transient(error):
                    continue
                self._error = error
            else:
                log.info("breaker half-open: one batch may try")
                self._allowed = 1.0
            self._let_in()
            return

    def _waiting(self) -> int:
        return sum(not place.cancelled() for place in self._line)

    def _let_in(self) -> None:
        while self._line and (self._error or self._entered < int(self._allowed)):
            place = self._line.popleft()
            if place.cancelled():
                continue
            if self._error:
                place.set_exception(self._error)
            else:
                self._entered += 1
                place.set_result(None)
        self._changed.set()
        self._changed = asyncio.Event()
