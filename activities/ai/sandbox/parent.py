"""Parsers and recognisers work in a child process, so that a file can take down nothing but its own job."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from activities.ai.sandbox.process import Child
from activities.ai.sandbox.registry import task

STAYS, SECONDS = 2, 15.0  # children that wait for the next step of their job, and how long


class Sandbox:
    """`async with sandbox.open("ocr", job_id) as child`: calls of one task for one job. Tasks that run
    Tesseract's program look for it where `tesseract` is empty.

    A child that is well stays for a moment, for the next step of the same job: it has started then, and
    knows its engine. No other job gets it, for its memory and its temporary files are one tenant's. Of the
    task `spare`, once it was asked for, one that has seen no file yet is ready for the next job.
    """

    def __init__(self, scratch: Path, tesseract: str = "", spare: str | None = None) -> None:
        self._scratch = scratch
        self._tesseract = tesseract
        self._wants_spare = spare
        self._spare: Child | None = None
        self._waiting: dict[tuple[str, UUID], tuple[Child, asyncio.TimerHandle]] = {}
        self._running: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def open(self, name: str, job_id: UUID | None = None) -> AsyncIterator[Child]:
        """It stays for `job_id`, unless the body has raised or ended it."""
        child = (job_id and self._take((name, job_id))) or self._take_spare(name) or self._child(name)
        if not child.lives:
            await child.end()  # of one that died while it waited: it starts again
        try:
            yield child
        except BaseException:
            await child.close()
            raise
        finally:
            if name == self._wants_spare and self._spare is None:
                self._beside(self._prepare(name))
        if job_id is None or not child.lives:
            await child.close()
            return
        self._end_waiting((name, job_id))  # of a batch that ran beside this one
        while len(self._waiting) >= STAYS:
            self._end_waiting(next(iter(self._waiting)))
        timer = asyncio.get_running_loop().call_later(SECONDS, self._end_waiting, (name, job_id))
        self._waiting[name, job_id] = child, timer

    async def close(self) -> None:
        """Returns when none is left that waited."""
        for key in list(self._waiting):
            self._end_waiting(key)
        await asyncio.gather(*self._running)
        if self._spare:
            await self._spare.close()

    def _child(self, name: str) -> Child:
        return Child(name, task(name).limits, self._scratch, self._tesseract)

    async def _prepare(self, name: str) -> None:
        child = self._child(name)
        await child.start()
        another, self._spare = self._spare, child
        if another:
            await another.close()

    def _take_spare(self, name: str) -> Child | None:
        if name != self._wants_spare:
            return None
        child, self._spare = self._spare, None
        return child

    def _take(self, key: tuple[str, UUID]) -> Child | None:
        child, timer = self._waiting.pop(key, (None, None))
        if timer:
            timer.cancel()
        return child

    def _end_waiting(self, key: tuple[str, UUID]) -> None:
        if child := self._take(key):
            self._beside(child.close())

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        running = asyncio.create_task(work)
        self._running.add(running)
        running.add_done_callback(self._running.discard)


def regular(folder: Path) -> list[Path]:
    """Its files, without links and pipes: nobody has checked what a child leaves that failed."""
    return [path for path in sorted(folder.iterdir()) if path.is_file() and not path.is_symlink()]
