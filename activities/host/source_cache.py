"""Sources on the worker's disk: fetched once a host, shared by its processes, the oldest go first.

A copy is a file and its lock. Who reads or makes it holds the lock (flock: the kernel gives it back when a
process dies, and it holds across containers). The lock file says what was written, its time when it was used.
"""

import asyncio
import fcntl
import hashlib
import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from activities.host.copies import Copy, alone, is_still, take, used
from activities.host.room import Room
from activities.host.source_parts import fetch_parts, missing_of
from activities.host.threads import in_thread
from activities.host.trouble import HostTrouble
from clients.objects import Objects, md5_of
from contracts.errors import ErrorType
from contracts.video import SourceRef, Span

WAIT_FOR_OTHER = 0.2  # seconds between looks at a lock that another has
SWEEP_EVERY = 60.0  # seconds
DERIVED = ".derived-3"  # of what is made now: processes of two releases share the folder
UNFINISHED = 86400  # seconds that a download which nobody goes on with is kept
PARTS = ".parts"  # of which not all was fetched
Derive = Callable[[Path, Path], Awaitable[None]]

log = logging.getLogger(__name__)


class Held(NamedTuple):
    """A file in the cache; not `whole`: with holes."""

    path: Path
    whole: bool


class _Written(NamedTuple):
    """MD5 of the object as it came, and of the file that is kept."""

    fetched: str
    kept: str


class SourceCache:
    """Local copies of source objects under `folder`, at most `limit` bytes unless all are in use. What was
    not used for `idle` seconds goes at the next `sweep`."""

    def __init__(
        self, folder: Path, limit: int, objects: Objects, room: Room, idle: float | None = None
    ) -> None:
        self._folder = folder
        self._limit = limit
        self._objects = objects
        self._room = room
        self._idle = idle
        # How a copy looked when it was last read in full, and when it was last compared with the store.
        self._intact: dict[Path, tuple[int, ...]] = {}
        self._proven: dict[Path, tuple[int, ...]] = {}
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.host = _name_of(folder)
        self.sweep()

    @asynccontextmanager
    async def held(
        self, source: SourceRef, derive: Derive | None = None, private: bool = False
    ) -> AsyncIterator[Path]:
        """The source as a local file that stays while the body runs.

        `derive(original, target)` makes another file of it, kept in its place (a remux). A `private` one goes
        when nobody holds it any more. Raises ObjectMissing, ObjectChanged, HostTrouble.
        """
        copy = self._copy(source, derive is not None, private)
        lock = await self._taken(copy, source, derive)
        try:
            os.utime(lock)
            yield copy.path
        finally:
            if private and take(lock, fcntl.LOCK_EX):
                copy.remove()
            os.close(lock)

    @asynccontextmanager
    async def held_parts(self, source: SourceRef, wanted: Sequence[Span]) -> AsyncIterator[Held]:
        """A file with at least the bytes `wanted` of the source: where there is a whole copy, that one.
        Raises as `held`."""
        if (whole := self._copy(source, False, False)).path.exists() or whole.part.exists():
            async with self.held(source) as path:
                yield Held(path, True)
                return
        copy = self._parts(whole)
        lock = await self._shared(copy)
        try:
            os.utime(lock)
            await in_thread(self._bring, copy, source, lock, wanted)
            yield Held(copy.path, False)
        finally:
            os.close(lock)

    async def check(self, source: SourceRef, derived: bool = False) -> None:
        """Before a source that is held is judged: is the copy what the store has? Raises HostTrouble if not,
        and the next one to hold it fetches it again. Looks once for as long as nobody touches the copy."""
        if not await in_thread(self._as_stored, self._copy(source, derived, False), source):
            raise HostTrouble("the host's copy of the source was damaged", ErrorType.SOURCE_DAMAGED)

    def sweep(self) -> None:
        """Remove what nobody will ask for: private copies of the dead, locks without a file, what is idle."""
        for copy in self._all():
            with alone(copy) as mine:
                if mine and self._forgotten(copy):
                    copy.remove()

    def make_room(self, size: int = 0) -> None:
        """Let the oldest copies go until `size` more bytes fit. Raises HostTrouble."""
        kept = sorted(self._all(), key=used)
        total = sum(each.size() for each in kept)
        for copy in kept:
            if total + size <= self._limit and self._room.missing(size) <= 0:
                break
            with alone(copy) as mine:
                if mine:
                    total -= copy.size()
                    copy.remove()
        self._room.require(size)

    def _all(self) -> list[Copy]:
        return [self._named(lock.name.removesuffix(".lock")) for lock in self._folder.glob("*.lock")]

    def _named(self, name: str) -> Copy:
        return Copy(self._folder / name, name.endswith(".private"))

    def _copy(self, source: SourceRef, derived: bool, private: bool) -> Copy:
        name = hashlib.sha256(f"{source.key}\n{source.etag}".encode()).hexdigest()[:32]
        return self._named(f"{name}{DERIVED if derived else ''}{'.private' if private else ''}")

    def _forgotten(self, copy: Copy) -> bool:
        unused = time.time() - used(copy)
        if copy.private:
            return True
        if copy.path.exists():
            return self._idle is not None and unused > self._idle
        return not copy.part.exists() or unused > UNFINISHED

    async def _taken(self, copy: Copy, source: SourceRef, derive: Derive | None) -> int:
        """The copy's lock, shared, once there is a good copy. Never waits inside a call: the one who has the
        lock may be of this process."""
        while True:
            lock = os.open(copy.lock, os.O_RDWR | os.O_CREAT, 0o600)
            good = False
            try:
                if take(lock, fcntl.LOCK_SH) and is_still(lock, copy.lock):
                    good = await in_thread(self._is_good, copy, source, lock)
                    if good:
                        return lock
                    if take(lock, fcntl.LOCK_EX) and is_still(lock, copy.lock):
                        await self._fetch(copy, source, lock, derive)
                        continue
            finally:
                if not good:
                    os.close(lock)
            await asyncio.sleep(WAIT_FOR_OTHER)

    async def _shared(self, copy: Copy) -> int:
        while True:
            lock = os.open(copy.lock, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            if take(lock, fcntl.LOCK_SH) and is_still(lock, copy.lock):
                return lock
            os.close(lock)
            await asyncio.sleep(WAIT_FOR_OTHER)

    def _bring(self, copy: Copy, source: SourceRef, lock: int, wanted: Sequence[Span]) -> None:
        self.make_room(missing_of(source.size, lock, wanted))
        fetched = fetch_parts(self._objects, source, copy.path, lock, wanted)
        log.info("fetched %d bytes of a source of %d", fetched, source.size)

    async def _fetch(self, copy: Copy, source: SourceRef, lock: int, derive: Derive | None) -> None:
        copy.path.unlink(missing_ok=True)
        await in_thread(self.make_room, source.size * (2 if derive else 1))
        fetched = await in_thread(self._objects.download, source, copy.part)
        log.info("fetched %d bytes of a source of %d", source.size, source.size)
        made = copy.part
        if derive:
            made = copy.making
            try:
                await derive(copy.part, made)
            except Exception as error:
                if not await in_thread(self._objects.same, source, fetched):
                    copy.part.unlink()
                    raise HostTrouble("the source came damaged", ErrorType.SOURCE_DAMAGED) from error
                raise
            copy.part.unlink()
        await in_thread(self._keep, copy, made, lock, fetched)

    def _keep(self, copy: Copy, made: Path, lock: int, fetched: str) -> None:
        """On the disk before it has its name: a power cut leaves the file or none."""
        written = _Written(fetched, fetched if made == copy.part else md5_of(made))
        with made.open("rb") as file:
            os.fsync(file.fileno())
        os.ftruncate(lock, 0)
        os.pwrite(lock, " ".join(written).encode(), 0)
        os.fsync(lock)
        made.rename(copy.path)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self._intact[copy.path] = _looks(copy.path)
        parts = self._parts(copy)
        with alone(parts) as mine:  # who has all needs no parts
            if mine:
                parts.remove()

    def _parts(self, whole: Copy) -> Copy:
        return self._named(f"{whole.path.name}{PARTS}")

    def _is_good(self, copy: Copy, source: SourceRef, lock: int) -> bool:
        """It has its size, and is read in full once a process and whenever somebody has touched it."""
        try:
            looks = _looks(copy.path)
            if self._intact.get(copy.path) == looks:
                return True
            written = _written(lock)
            good = DERIVED in copy.path.name or copy.path.stat().st_size == source.size
            good = good and (written is None or md5_of(copy.path) == written.kept)
        except FileNotFoundError:
            return False
        except OSError:
            good = False
        if good:
            self._intact[copy.path] = looks
        else:
            log.warning("a copy of a source was damaged, it is fetched again: %s", copy.path.name)
        return good

    def _as_stored(self, copy: Copy, source: SourceRef) -> bool:
        with suppress(FileNotFoundError):
            if self._proven.get(copy.path) == _looks(copy.path):
                return True
        self._intact.pop(copy.path, None)
        lock = os.open(copy.lock, os.O_RDONLY)
        try:
            written = _written(lock)
            if self._is_good(copy, source, lock) and written and self._objects.same(source, written.fetched):
                self._proven[copy.path] = self._intact[copy.path]
                return True
        finally:
            os.close(lock)
        copy.path.unlink(missing_ok=True)  # those who read it keep what they have
        return False


async def keep_swept(cache: SourceCache) -> None:
    """Sweep once a minute, until it is cancelled. A disk in trouble is tried again the next time."""
    while True:
        await asyncio.sleep(SWEEP_EVERY)
        try:
            await in_thread(cache.sweep)
        except OSError as error:
            log.warning("old copies of sources could not be removed: %s", os.strerror(error.errno or 0))


def _name_of(folder: Path) -> str:
    """Of the folder on this machine, the same for all processes and containers that share it."""
    at, machine = folder.stat(), Path("/proc/sys/kernel/random/boot_id").read_text()
    return hashlib.sha256(f"{machine}{at.st_dev} {at.st_ino}".encode()).hexdigest()[:12]


def _written(lock: int) -> _Written | None:
    """None of a copy that a release before 0.6 has fetched."""
    words = os.pread(lock, 200, 0).decode().split()
    return _Written(*words) if len(words) == 2 else None


def _looks(path: Path) -> tuple[int, ...]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
