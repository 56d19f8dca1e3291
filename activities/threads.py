"""Blocking calls from async activities."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import ParamSpec, TypeVar

A = TypeVar("A")
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
async def beside(call: Callable[[A], T], argument: A | None) -> AsyncGenerator[asyncio.Task[T] | None, None]:
    """`call` in a thread while the body runs, and ended when the block is; not at all without an argument.
    Raises what `call` raises, unless the body did."""
    running = None if argument is None else asyncio.create_task(in_thread(call, argument))
    try:
        yield running
        if running:
            await running
    finally:
        if running:
            await asyncio.wait([running])
