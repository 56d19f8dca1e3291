"""Files in the cache of sources, and who has them: each has a lock file, which outlives no removal."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Copy:
    path: Path
    private: bool

    @property
    def lock(self) -> Path:
        return self.path.with_name(f"{self.path.name}.lock")

    @property
    def part(self) -> Path:
        return self.path.with_name(f"{self.path.name}.part")

    @property
    def making(self) -> Path:
        return self.path.with_name(f"{self.path.name}.making")

    def size(self) -> int:
        """Bytes that it takes; a part of a source has holes."""
        files = (self.path, self.part, self.making)
        return sum(512 * file.stat().st_blocks for file in files if file.exists())

    def remove(self) -> None:
        """By whoever has the lock to itself. The lock last: without it nobody looks for the others."""
        for file in (self.path, self.part, self.making, self.lock):
            file.unlink(missing_ok=True)


def used(copy: Copy) -> float:
    with suppress(FileNotFoundError):
        return copy.lock.stat().st_mtime
    return 0.0


@contextmanager
def alone(copy: Copy) -> Iterator[bool]:
    """Whether nobody else holds it, for as long as the body runs."""
    try:
        lock = os.open(copy.lock, os.O_RDWR)
    except FileNotFoundError:
        yield False
        return
    try:
        yield take(lock, fcntl.LOCK_EX) and is_still(lock, copy.lock)
    finally:
        os.close(lock)


def is_still(lock: int, path: Path) -> bool:
    """Nobody has removed it meanwhile, with the copy."""
    try:
        return os.fstat(lock).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False


def take(lock: int, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
