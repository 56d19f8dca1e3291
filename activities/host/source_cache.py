"""Sources on the worker's disk: fetched once a host, shared by its processes, the oldest go first."""

import asyncio
import fcntl
import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from activities.host.threads import in_thread
from clients.objects import Objects
from contracts.video import SourceRef

WAIT_FOR_OTHER = 0.5  # seconds between looks at another process's download
HEADROOM = 2 * 2**30  # bytes of disk left for segments in the making


class DiskFull(Exception):
    """Not enough room for the source. Retried: another job may end, or another host may take it."""


class SourceCache:
    """Local copies of source objects under `folder`, at most `limit` bytes unless all are in use."""

    def __init__(self, folder: Path, limit: int, objects: Objects) -> None:
        self._folder = folder
        self._limit = limit
        self._objects = objects
        folder.mkdir(parents=True, exist_ok=True)

    @asynccontextmanager
    async def held(
        self,
        source: SourceRef,
        derive: Callable[[Path, Path], Awaitable[None]] | None = None,
    ) -> AsyncIterator[Path]:
        """The source as a local file that stays while the body runs.

        `derive(original, target)` makes another file of it, kept in its place (a remux). Raises
        ObjectMissing, ObjectChanged, DiskFull.
        """
        name = hashlib.sha256(f"{source.key}\n{source.etag}".encode()).hexdigest()[:32]
        path = self._folder / (f"{name}.derived" if derive else name)
        lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            while True:
                fcntl.flock(lock, fcntl.LOCK_SH)
                if path.exists():
                    break
                fcntl.flock(lock, fcntl.LOCK_UN)
                await self._fetch(source, path, lock, derive)
            path.touch()
            yield path
        finally:
            os.close(lock)

    async def _fetch(
        self,
        source: SourceRef,
        path: Path,
        lock: int,
        derive: Callable[[Path, Path], Awaitable[None]] | None,
    ) -> None:
        part = path.with_suffix(".part")
        while not _try_exclusive(lock):  # noqa: ASYNC110 - another process has it
            await asyncio.sleep(WAIT_FOR_OTHER)
        try:
            if path.exists():
                return
            self._make_room(source.size * (2 if derive else 1))
            await in_thread(self._objects.download, source, part)
            if derive:
                target = path.with_suffix(".making")
                await derive(part, target)
                part.unlink()
                target.rename(path)
            else:
                part.rename(path)
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)

    def _make_room(self, size: int) -> None:
        kept = sorted(
            (file for file in self._folder.iterdir() if file.suffix in ("", ".derived")),
            key=lambda file: file.stat().st_mtime,
        )
        total = sum(file.stat().st_size for file in kept)
        for file in kept:
            if total + size <= self._limit and shutil.disk_usage(self._folder).free > size + HEADROOM:
                return
            freed = _remove_unused(file)
            total -= freed
        if shutil.disk_usage(self._folder).free <= size + HEADROOM:
            raise DiskFull(f"{self._folder} lacks room for {size} bytes")


def _remove_unused(file: Path) -> int:
    lock = os.open(file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not _try_exclusive(lock):
            return 0
        size = file.stat().st_size
        file.unlink()
        return size
    finally:
        os.close(lock)


def _try_exclusive(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
