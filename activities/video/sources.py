"""A lecture's source on this host: all of it, or the parts that one step reads."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeVar

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.host.room import Room
from activities.host.source_cache import Held, SourceCache
from activities.host.threads import in_thread
from activities.host.trouble import HostTrouble
from activities.video.ffmpeg import FfmpegFailed, Tools
from activities.video.probe import MediaError, Untold, remux
from contracts.errors import ErrorType
from contracts.video import EncodePlan, SourceRef, Span, Streams
from rules.fmp4 import BadSegment

T = TypeVar("T")


class Sources:
    """Those of a worker process. `host`: of its cache, as `EncodePlan.host`."""

    def __init__(self, tools: Tools, cache: SourceCache, room: Room) -> None:
        self._tools = tools
        self._cache = cache
        self._room = room
        self.host = cache.host

    def of(self, plan: EncodePlan) -> AbstractAsyncContextManager[Path]:
        """All of a plan's source, remuxed where the plan says so."""
        return self.whole(plan.source, plan.remux, plan.remuxed)

    @asynccontextmanager
    async def whole(
        self, source: SourceRef, remuxed: bool, streams: Streams | None = None
    ) -> AsyncIterator[Path]:
        """A local file that stays while the body runs, `remuxed` with those `streams`. Raises as
        `SourceCache.held`; HostTrouble for an error of the body that the host or its copy is to blame for."""

        async def derive(original: Path, target: Path) -> None:
            await remux(self._tools, original, target, streams=streams)

        making = derive if remuxed else None
        async with self._cache.held(source, making) as path:
            try:
                yield path
            except (MediaError, FfmpegFailed, BadSegment, ApplicationError):
                # Before the lecture is blamed: is this host well, and is its copy of the source?
                await in_thread(self._room.require)
                await self._cache.check(source, remuxed)
                raise

    async def from_parts(
        self, source: SourceRef, wanted: list[Span], work: Callable[[Held], Awaitable[T]]
    ) -> T | None:
        """What `work` makes of a file that has no more than those bytes; None where it takes all. Whatever
        is odd is judged on that: only a decoder tells holes from a healthy source."""
        async with self._cache.held_parts(source, wanted) as held:
            try:
                return await work(held) if not held.whole else None
            except (MediaError, FfmpegFailed, BadSegment, ApplicationError, HostTrouble, Untold) as error:
                if isinstance(error, HostTrouble) and error.kind is not ErrorType.STALLED:
                    raise
                activity.logger.warning("parts of the source do not do, all of it is fetched: %s", error)
                return None

    async def check(self, source: SourceRef, derived: bool) -> None:
        """As `SourceCache.check`."""
        await self._cache.check(source, derived)
