"""A task that does what a parser does once a file has taken it over. A unit's name is the deed."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from activities.ai.sandbox.task import Assembled, BadInput, Limits
from contracts.errors import FILE_DAMAGED
from tests.hostile.attacks import Prey, attacked

PERSON = "김철수 010-1234-5678"


class Villain:
    name = "villain"
    version = 1
    limits = Limits(source_bytes=1 << 20, memory_bytes=400 << 20, cpu_seconds=2, wall_seconds=90)

    def __init__(self) -> None:
        self.kept: list[bytearray] = []

    def fingerprint(self) -> str:
        return "villain"

    def plan(self, source: Path, parameters: Mapping[str, Any]) -> list[str]:
        return list(parameters["units"])

    def run(self, source: Path, unit: str, parameters: Mapping[str, Any], out: Path) -> dict[str, Any]:
        if unit == "attack":
            return attacked(Prey(source=str(source), **parameters))
        result = getattr(self, unit)(parameters, out)
        return {"process": os.getpid()} | (result or {})

    def assemble(
        self,
        source: Path,
        results: Sequence[tuple[str, dict[str, Any]]],
        *,
        parameters: Mapping[str, Any],
        units: Path,
        out: Path,
    ) -> Assembled:
        return Assembled({}, tuple(parameters["files"]))

    def behave(self, parameters: Mapping[str, Any], out: Path) -> dict[str, Any]:
        return {"environment": dict(os.environ), "temporary": tempfile.mkstemp()[1]}

    def refuse(self, parameters: Mapping[str, Any], out: Path) -> None:
        raise BadInput(FILE_DAMAGED, {"page": 3})

    def eat(self, parameters: Mapping[str, Any], out: Path) -> None:
        while True:
            self.kept.append(bytearray(2**24))

    def grow(self, parameters: Mapping[str, Any], out: Path) -> None:
        self.kept.append(bytearray(b"x" * (60 << 20)))

    def spin(self, parameters: Mapping[str, Any], out: Path) -> None:
        while True:
            pass

    def sleep(self, parameters: Mapping[str, Any], out: Path) -> None:
        (out / "begun").write_text(str(os.getpid()))
        time.sleep(60)

    def fall(self, parameters: Mapping[str, Any], out: Path) -> None:
        ctypes.string_at(0)

    def abort(self, parameters: Mapping[str, Any], out: Path) -> None:
        os.abort()  # as C++ does when there is no memory

    def die(self, parameters: Mapping[str, Any], out: Path) -> None:
        signal.raise_signal(signal.SIGKILL)

    def leave(self, parameters: Mapping[str, Any], out: Path) -> None:
        sys.exit(3)

    def panic(self, parameters: Mapping[str, Any], out: Path) -> None:
        raise ValueError(PERSON)

    def fork(self, parameters: Mapping[str, Any], out: Path) -> None:
        while True:
            os.fork()

    def start(self, parameters: Mapping[str, Any], out: Path) -> None:
        subprocess.run(["sleep", parameters["seconds"]])

    def escape(self, parameters: Mapping[str, Any], out: Path) -> None:
        os.setpgid(0, 0)

    def become(self, parameters: Mapping[str, Any], out: Path) -> None:
        os.execv("/bin/sleep", ["sleep", "60"])

    def call_home(self, parameters: Mapping[str, Any], out: Path) -> None:
        socket.create_connection(("127.0.0.1", parameters["port"])).sendall(PERSON.encode())

    def kill(self, parameters: Mapping[str, Any], out: Path) -> None:
        os.kill(os.getppid(), signal.SIGKILL)

    def kill_a_thread(self, parameters: Mapping[str, Any], out: Path) -> None:
        tgkill = {"x86_64": 234, "aarch64": 131}[os.uname().machine]
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syscall(tgkill, os.getppid(), os.getppid(), signal.SIGKILL):
            raise OSError(ctypes.get_errno(), "tgkill")

    def open_many(self, parameters: Mapping[str, Any], out: Path) -> None:
        self.files = [os.dup(0) for _ in range(300)]

    def chatter(self, parameters: Mapping[str, Any], out: Path) -> None:
        for _ in range(500):
            print(PERSON * 5000)
            os.write(1, PERSON.encode() * 5000)
            os.write(2, PERSON.encode() * 5000)

    def say(self, parameters: Mapping[str, Any], out: Path) -> None:
        """Answers with something of its own: the way to the worker is one of the first open files."""
        for descriptor in range(3, 10):
            with contextlib.suppress(OSError):
                os.write(descriptor, parameters["words"].encode() * parameters.get("times", 1) + b"\n")

    def link(self, parameters: Mapping[str, Any], out: Path) -> None:
        (out / "result.json").symlink_to("/etc/passwd")

    def pipe(self, parameters: Mapping[str, Any], out: Path) -> None:
        os.mkfifo(out / "result.json")


class Armed(Villain):
    """May start programs."""

    limits = replace(Villain.limits, programs=True)


class Hasty(Armed):
    """Has so little time that a test can see it end."""

    limits = replace(Armed.limits, wall_seconds=3)


VILLAIN = Villain()
ARMED = Armed()
HASTY = Hasty()
VILLAINS = {"villain": f"{__name__}:VILLAIN", "armed": f"{__name__}:ARMED", "hasty": f"{__name__}:HASTY"}
