"""What a child is given: limits, the files it may open, a user of its own. `launcher` puts it on."""

import ctypes
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

# A script, not a module: it becomes the program that it is told to run.
LAUNCHER = Path(__file__).with_name("launcher.py")
ROOT = Path(__file__).parents[3]
_PR_SET_DUMPABLE = 4
# systemd's range for users that live as long as a service: nobody owns a file there.
_USERS = range(61184, 65520)
_SETUID, _SETGID, _CHOWN = 7, 6, 0  # capabilities
_LOOK = """
import os, socket, sys
def refused(look, *what):
    try:
        look(*what)
    except PermissionError:
        return True
if not refused(socket.socket):
    print("a filter of system calls (seccomp)")
if not refused(os.listdir, "/"):
    print("limits on files (Landlock)")
if sys.argv[1] == "0" == str(os.getuid()):
    print("another user")
"""


@dataclass(frozen=True)
class Cage:
    """Bytes of address space, bytes in one file, CPU seconds; files and folders to read, to list only, to
    write; whether it may start processes; as which user (0: the worker's)."""

    address_space: int
    file_size: int
    cpu_seconds: int
    reads: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    processes: bool = False
    user: int = 0

    def argument(self, program: str) -> str:
        """The launcher's, between its parent's process id and the program."""
        libraries = os.environ.get("LD_LIBRARY_PATH", "").split(":")
        own = (sys.prefix, sys.base_prefix, str(Path(program).resolve().parent), *filter(None, libraries))
        return json.dumps(asdict(self) | {"reads": [*own, *self.reads]})

    def command(self, args: Sequence[str]) -> list[str]:
        """The command line that runs `args` (the program by its absolute path) in this cage."""
        launcher = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid())]
        return [*launcher, self.argument(args[0]), *args]


def texts(paths: Iterable[Path]) -> tuple[str, ...]:
    """As a cage takes them: a link is what it leads to."""
    return tuple(str(path.resolve()) for path in paths)


@cache
def own_code() -> tuple[str, ...]:
    """The project's packages, and none of the files beside them (.env)."""
    return texts(init.parent for init in ROOT.glob("*/__init__.py"))


def hide() -> None:
    """Nobody of the worker's own user looks into it: no /proc/PID/environ or mem, no ptrace, no core dump.
    What it starts is not hidden: exec undoes it."""
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def new_user(*folders: Path) -> int:
    """A user for one child, where the worker may change it and that user can reach `folders` and our code;
    else 0."""
    if os.geteuid() or not _may_change_user():
        return 0
    places = (*folders, ROOT, Path(sys.executable).resolve(), Path(sys.prefix))
    if not all(place.stat().st_mode & 1 for folder in places for place in folder.resolve().parents):
        return 0
    return secrets.choice(_USERS)


@cache
def _may_change_user() -> bool:
    (line,) = (text for text in Path("/proc/self/status").read_text().splitlines() if "CapEff" in text)
    has = int(line.split()[1], 16)
    return all(has >> capability & 1 for capability in (_SETUID, _SETGID, _CHOWN))


def open_way(*folders: Path) -> None:
    """Let children of other users pass through, to what is theirs. They can list nothing."""
    if os.geteuid() == 0:
        for folder in folders:
            folder.chmod(0o711)


def lacking(scratch: Path) -> list[str]:
    """What of the cage this host does not give, as a child in it finds. Blocking."""
    cage = Cage(2**30, 0, 60, user=new_user(scratch / "child"))
    looking = cage.command([sys.executable, "-I", "-S", "-c", _LOOK, str(os.getuid())])
    done = subprocess.run(looking, capture_output=True, text=True, env={}, cwd="/")
    return done.stdout.splitlines() if done.returncode == 0 else [f"all: {done.stderr[-300:].strip()}"]
