"""Streams of events that end when who listens may not listen any more."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

LOOK_AGAIN = 4.0  # seconds between two looks at a credential

Event = TypeVar("Event")


async def while_allowed(
    events: AsyncGenerator[Event, None],
    allowed: Callable[[], Awaitable[bool]],
    last: Event | None = None,
) -> AsyncIterator[Event]:
    """`events`, until they end or `allowed` says no; then `last`, where there is one."""
    loop = asyncio.get_running_loop()
    look = loop.time() + LOOK_AGAIN
    upcoming: asyncio.Future[Event] | None = None
    try:
        while True:
            upcoming = upcoming or asyncio.ensure_future(anext(events))
            await asyncio.wait({upcoming}, timeout=max(0.0, look - loop.time()))
            if loop.time() >= look:
                if not await allowed():
                    if last is not None:
                        yield last
                    return
                look = loop.time() + LOOK_AGAIN
            if upcoming.done():
                done, upcoming = upcoming, None
                try:
                    event = done.result()
                except StopAsyncIteration:
                    return
                yield event
    finally:
        if upcoming is not None:
            upcoming.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration):
                await upcoming
        await events.aclose()
