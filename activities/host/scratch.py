"""Folders for what is in the making, one a process. A lock says who lives: process ids are given again, and
mean nothing to another container."""

import fcntl
import os
import shutil
import time
from pathlib import Path
from tempfile import mkdtemp

_FORMER = ("scratch", "ai")  # of releases up to 0.5, which had no locks
_FORMER_AGE = 2 * 86400  # seconds; no attempt of theirs lasts so long


def own_scratch(work_dir: Path) -> Path:
    """A folder for this process; those of dead ones are removed."""
    root = work_dir / "in-the-making"
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    gate = os.open(root, os.O_RDONLY)
    fcntl.flock(gate, fcntl.LOCK_EX)  # nobody takes a folder for dead that is not locked yet
    try:
        for folder in root.iterdir():
            _remove_if_dead(folder)
        _remove_former(work_dir)
        own = Path(mkdtemp(dir=root))
        fcntl.flock(os.open(own, os.O_RDONLY), fcntl.LOCK_EX)  # until the process ends
    finally:
        os.close(gate)
    return own


def _remove_if_dead(folder: Path) -> None:
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    else:
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)


def _remove_former(work_dir: Path) -> None:
    for root in (work_dir / name for name in _FORMER):
        if root.exists() and time.time() - root.stat().st_mtime > _FORMER_AGE:
            shutil.rmtree(root, ignore_errors=True)
