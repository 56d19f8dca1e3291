"""Our own processes, forked from one that has imported what they need.

The interpreter and its imports are most of what a start costs. What runs is the same module with the same
arguments, environment and log, in a session of its own, and it dies with us as `devstack/child.py` has it.
"""

import atexit
import ctypes
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.connection import wait
from pathlib import Path
from threading import Lock
from typing import Any

from devstack.processes import Process
from devstack.stack import ROOT

PR_SET_PDEATHSIG = 1
IMPORTS = ["tests.forked", "tests.warm", "uvicorn", "api.app", "devstack.solapi.app"]
IMPORTS += ["alembic.command", "anyio._backends._asyncio", "clients.database.models", "httpcore"]
IMPORTS += [f"workers.{name}" for name in ("__main__", "ai", "bridging", "messaging", "ops", "video")]

forkserver = multiprocessing.get_context("forkserver")
forkserver.set_forkserver_preload(IMPORTS)
_spawn = Process._spawn


class Forked:
    """What `Process` asks of a `subprocess.Popen`."""

    def __init__(self, *what: Any) -> None:
        self._process = forkserver.Process(target=_become, args=what, daemon=True)
        self._process.start()
        self._lock = Lock()  # the exit code can be read once
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        with self._lock:
            return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        wait([self._process.sentinel], timeout)
        if (code := self.poll()) is None:
            raise subprocess.TimeoutExpired("a forked process", timeout or 0)
        return code


def start(process: Process, user: str) -> Any:
    """In place of `Process._spawn`: forks Python programs of ours, and leaves the others to it."""
    if list(process.argv[:2]) != [sys.executable, "-m"] or process.argv[2] == "ministack":
        return _spawn(process, user)
    process.log.touch()
    process._log_start = process.log.stat().st_size
    return Forked(process.argv[2], process.argv[3:], process.log, dict(process.env), process.cwd)


def _become(module: str, argv: Sequence[str], log: Path, env: Mapping[str, str], folder: Path) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    os.setsid()
    output = os.open(log, os.O_WRONLY | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdout.reconfigure(write_through=True)  # type: ignore[union-attr]
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    sys.path.insert(0, str(ROOT))
    sys.argv = [module, *argv]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()  # a forked process ends without them
