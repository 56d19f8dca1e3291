"""Connections: how many there may be, and for how long one may stay without doing anything.

uvicorn closes what is idle after an answer. Here go those that never ask: no complete head within
`API_HEAD_SECONDS`, and those that do not take their answer. At the caps the oldest that asks nothing goes.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from clients.settings import Settings

HEAD_BYTES = 32 * 1024
KEEP_ALIVE = 15  # seconds after an answer
STUCK = 30.0  # seconds in which a client takes nothing of its answer


class Connection(H11Protocol):
    """One connection of a client. `settings` are those of the process."""

    settings: ClassVar[Settings]
    since = 0.0
    _waits: asyncio.TimerHandle | None = None

    @property
    def at_work(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.since = self.loop.time()
        everyone = [each for each in self.connections if isinstance(each, Connection)]
        mine = [each for each in everyone if each.address == self.address]
        if len(mine) > self.settings.api_address_connections and not self._from_proxy():
            _make_room(mine)
        elif len(everyone) > self.settings.api_connections:
            _make_room(everyone)
        self._wait(self.settings.api_head_seconds, lambda: not self.at_work)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.at_work:
            self.since = self.loop.time()
            self._stop_waiting()
        elif self._waits is None:
            self._wait(self.settings.api_head_seconds, lambda: not self.at_work)

    def on_response_complete(self) -> None:
        self._stop_waiting()
        super().on_response_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._wait(STUCK, lambda: True)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    @property
    def address(self) -> str:
        return self.client[0] if self.client else ""

    def _from_proxy(self) -> bool:
        return self.settings.is_proxy(self.address)

    def _wait(self, seconds: float, still: Callable[[], bool]) -> None:
        self._stop_waiting()

        def end() -> None:
            self._waits = None
            if still():
                self.transport.abort()

        self._waits = self.loop.call_later(seconds, end)

    def _stop_waiting(self) -> None:
        if self._waits is not None:
            self._waits.cancel()
            self._waits = None


def _make_room(connections: Sequence[Connection]) -> None:
    """Close the one that has asked nothing for longest; the newest where all are at work."""
    idle = [each for each in connections if not each.at_work]
    if idle:
        min(idle, key=lambda each: each.since).transport.abort()
    else:
        max(connections, key=lambda each: each.since).transport.abort()


def config(settings: Settings, **more: Any) -> uvicorn.Config:
    """How the API is served: `X-Forwarded-*` are `api.middleware.door`'s business, and nobody else's."""
    Connection.settings = settings
    return uvicorn.Config(
        "api.app:served",
        http=Connection,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        h11_max_incomplete_event_size=HEAD_BYTES,
        backlog=512,
        **more,
    )
