"""Blocking calls from async activities."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """`asyncio.to_thread` that does not leave the thread behind.

    A thread cannot be cancelled. On cancellation we wait for it, so that nothing writes after the activity
    has reported that it stopped.
    """
    running = asyncio.ensure_future(asyncio.to_thread(call, *args, **kwargs))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, T]) -> AsyncGenerator[asyncio.Task[T], None]:
    """`work` goes on while the body runs, and has ended when the block is. Raises what it raises, unless the
    body did. Is not cancelled: what threads do cannot be."""
    running = asyncio.create_task(work)
    try:
        yield running
        await running
    finally:
        await asyncio.wait([running])
