"""Answers that are asked for far more often than they change."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")
LIMIT = 10_000  # entries


class Fresh(Generic[K, V]):
    """What `ask` says of a key, kept for `seconds`; all who ask meanwhile share one call, and its error.

    None is not kept: what is not there now may be there in a moment.
    """

    def __init__(self, ask: Callable[[K], Awaitable[V | None]], seconds: float) -> None:
        self._ask = ask
        self._seconds = seconds
        self._kept: dict[K, tuple[float, asyncio.Task[V | None]]] = {}

    async def get(self, key: K) -> V | None:
        """Raises what `ask` raises."""
        since, asking = self._kept.get(key, (0.0, None))
        if asking is None or time.monotonic() - since > self._seconds:
            self._make_room()
            asking = asyncio.ensure_future(self._call(key))
            self._kept[key] = (time.monotonic(), asking)
        try:
            answer = await asyncio.shield(asking)
        except Exception:
            self._forget(key, asking)
            raise
        if answer is None:
            self._forget(key, asking)
        return answer

    async def _call(self, key: K) -> V | None:
        return await self._ask(key)

    def _forget(self, key: K, asking: "asyncio.Task[V | None]") -> None:
        if self._kept.get(key, (0.0, None))[1] is asking:
            del self._kept[key]

    def _make_room(self) -> None:
        if len(self._kept) >= LIMIT:
            oldest = time.monotonic() - self._seconds
            self._kept = {key: kept for key, kept in self._kept.items() if kept[0] > oldest}
