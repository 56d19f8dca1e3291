"""The bridge's breaker: while Temporal or Postgres is away, nothing is received."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0


class Breaker:
    """Open after `trip`, closed again when `probe` succeeds. Received messages would only burn their
    receive count meanwhile, and healthy ones would end in the dead letter queue."""

    def __init__(self, probe: Callable[[], Awaitable[None]], transient: Callable[[Exception], bool]) -> None:
        self._probe = probe
        self._transient = transient
        self._closed = asyncio.Event()
        self._closed.set()
        self._probing: asyncio.Task[None] | None = None

    async def closed(self) -> None:
        """Wait until work is possible. Raises what the probe found if that will not mend itself."""
        while not self._closed.is_set():
            assert self._probing is not None
            await asyncio.shield(self._probing)

    def trip(self, reason: str) -> None:
        if self._closed.is_set():
            log.warning("breaker open: %s", reason)
            self._closed.clear()
            self._probing = asyncio.create_task(self._probe_until_well())

    async def _probe_until_well(self) -> None:
        pause = FIRST_PAUSE
        while True:
            await asyncio.sleep(pause)
            try:
                await self._probe()
            except Exception as error:
                if not self._transient(error):
                    raise
                pause = min(pause * 2, LONGEST_PAUSE)
                continue
            log.info("breaker closed")
            self._closed.set()
            return
