"""What a program does that a file has taken over: each line is an attack."""

import ctypes
import errno
import fcntl
import os
import resource
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REFUSED, DONE = "refused", "done"
_CLONE_NEWUSER = 0x10000000
_NUMBERS = {
    "x86_64": {"ptrace": 101, "process_vm_readv": 310, "tgkill": 234, "ioprio_set": 251, "pidfd_open": 434},
    "aarch64": {"ptrace": 117, "process_vm_readv": 270, "tgkill": 131, "ioprio_set": 30, "pidfd_open": 434},
}


@dataclass(frozen=True)
class Prey:
    """Paths: the file that it was given, a copy that jobs share, a file of another job, one with secrets, a
    result that was taken over, our code, and its own folder (empty: for temporary files)."""

    source: str
    cached: str
    other: str
    secret: str
    result: str
    code: str
    own: str = ""


def _call(name: str, *args: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(_NUMBERS[os.uname().machine][name], *args) < 0:
        raise OSError(ctypes.get_errno(), name)


def _open(path: str, flags: int) -> None:
    os.close(os.open(path, flags))


def _own_signals(command: int, value: int) -> None:
    fcntl.fcntl(os.pipe()[0], command, value)


def _unshare() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWUSER):
        raise OSError(ctypes.get_errno(), "unshare")


def _writable(path: str) -> None:
    Path(path).chmod(0o600)
    _open(path, os.O_RDWR)


def _moved(path: str, onto: str) -> None:
    os.rename(path, onto)  # noqa: PTH104 - the call itself


def _mine(prey: Prey) -> str:
    """A file of its own, to be put in the place of another."""
    path = Path(prey.own or os.environ["TMPDIR"], "mine")
    path.touch()
    return str(path)


F_SETSIG = 10
ATTACKS: dict[str, Callable[[Prey], Any]] = {
    "read the worker's environment": lambda prey: _open(f"/proc/{os.getppid()}/environ", os.O_RDONLY),
    "read the worker's memory": lambda prey: _open(f"/proc/{os.getppid()}/mem", os.O_RDONLY),
    "write the worker's memory": lambda prey: _open(f"/proc/{os.getppid()}/mem", os.O_RDWR),
    "list the worker's files": lambda prey: list(os.scandir(f"/proc/{os.getppid()}/fd")),
    "look into the worker's folder": lambda prey: list(os.scandir(f"/proc/{os.getppid()}/cwd")),
    "trace the worker": lambda prey: _call("ptrace", 16, os.getppid(), 0, 0),
    "read another's memory by call": lambda prey: _call("process_vm_readv", os.getppid(), 0, 0, 0, 0, 0),
    "limit the worker": lambda prey: resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (64, 64)),
    "read the worker's limits": lambda prey: resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE),
    "renice the worker": lambda prey: os.setpriority(os.PRIO_PROCESS, os.getppid(), 19),
    "slow the worker's disk": lambda prey: _call("ioprio_set", 1, os.getppid(), 3 << 13),
    "pin the worker": lambda prey: os.sched_setaffinity(os.getppid(), {0}),
    "signal the worker": lambda prey: os.kill(os.getppid(), 0),
    "signal everybody": lambda prey: os.kill(-1, 0),
    "signal a thread of the worker": lambda prey: _call("tgkill", os.getppid(), os.getppid(), 0),
    "hold the worker": lambda prey: _call("pidfd_open", os.getppid(), 0),
    "have a pipe signal the worker": lambda prey: _own_signals(fcntl.F_SETOWN, os.getppid()),
    "have it signal with more than SIGIO": lambda prey: _own_signals(F_SETSIG, signal.SIGKILL),
    "read another job's file": lambda prey: _open(prey.other, os.O_RDONLY),
    "write another job's file": lambda prey: _open(prey.other, os.O_WRONLY | os.O_APPEND),
    "list other jobs' files": lambda prey: list(os.scandir(Path(prey.other).parent)),
    "remove another job's file": lambda prey: Path(prey.other).unlink(),
    "link another job's file": lambda prey: os.link(prey.other, _mine(prey) + "-link"),
    "read the shared copy": lambda prey: _open(prey.cached, os.O_RDONLY),
    "write the shared copy": lambda prey: _open(prey.cached, os.O_RDWR),
    "write its source": lambda prey: _writable(prey.source),
    "put another source in its place": lambda prey: _moved(_mine(prey), prey.source),
    "put a result in the place of one that was taken": lambda prey: _moved(_mine(prey), prey.result),
    "write a result that was taken": lambda prey: _open(prey.result, os.O_RDWR),
    "read a file of secrets": lambda prey: _open(prey.secret, os.O_RDONLY),
    "change our code": lambda prey: _open(prey.code, os.O_WRONLY),
    "make a namespace": lambda prey: _unshare(),
    "open a socket": lambda prey: socket.socket(),
    "open a socket to another process": lambda prey: socket.socketpair(),
    "fork": lambda prey: os.fork() or os._exit(0),
    "leave its session": lambda prey: os.setsid(),
}


def attacked(prey: Prey) -> dict[str, str]:
    """The outcome of each attack; an error that is no refusal is told by its name."""
    outcomes = {}
    for name, attack in ATTACKS.items():
        try:
            attack(prey)
        except OSError as error:
            refused = error.errno in (errno.EPERM, errno.EACCES, errno.ENOSYS)
            outcomes[name] = REFUSED if refused else type(error).__name__
        else:
            outcomes[name] = DONE
    return outcomes
