"""Ports on the loopback interface: fixed for `make dev`, free ones for tests."""

import errno
import fcntl
import os
import random
import socket
import tempfile
import time
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from devstack.processes import StackError

LOOPBACK = "127.0.0.1"
GRPC_OFFSET = 10_000  # SeaweedFS listens on each of its ports plus this
_reserved: set[int] = set()
WEED_PORTS = ("s3", "weed_master", "weed_filer", "weed_volume", "weed_admin")


@dataclass(frozen=True)
class Ports:
    postgres: int
    redis: int
    temporal: int
    temporal_ui: int
    front: int
    sqs: int
    s3: int
    api: int
    solapi: int
    weed_master: int
    weed_filer: int
    weed_volume: int
    weed_admin: int

    def all(self) -> dict[int, str]:
        """Every port that must be free → what needs it."""
        named = asdict(self)
        return {port: name for name, port in named.items()} | {
            named[name] + GRPC_OFFSET: name for name in WEED_PORTS
        }

    def check(self) -> None:
        """Raises:
        StackError: another program has one of them.
        """
        deadline = time.monotonic() + 2  # servers of a killed stack may still be ending
        for port, name in self.all().items():
            while not free(port):
                if time.monotonic() > deadline:
                    raise StackError(
                        f"port {port} ({name}) is taken: stop the program that has it "
                        f"(`ss -ltnp sport = :{port}`), or use free ports: `make dev PORTS=auto`"
                    )
                time.sleep(0.1)


def free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
        return True


def _reserve(port: int) -> bool:
    """One byte of a file for each port, locked: the kernel gives it back when the process is gone."""
    if port in _reserved:
        return False
    try:
        fcntl.lockf(_locks(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    _reserved.add(port)
    return True


@lru_cache(maxsize=1)
def _locks() -> BinaryIO:
    return Path(tempfile.gettempdir(), f"academy-ports-{os.getuid()}.lock").open("ab")


def choose() -> Ports:
    """Free ports, drawn at random from below the range that outgoing connections use: a server that is
    killed and started again finds its port still free. They are this process's until it ends: another that
    draws does not get what ours do not listen on yet."""

    def draw(low: int, high: int, *offsets: int) -> int:
        while True:
            port = random.randrange(low, high)
            if all(free(port + offset) and _reserve(port + offset) for offset in (0, *offsets)):
                return port

    names = Ports.__dataclass_fields__
    return Ports(
        **{
            name: draw(10_500, 20_000, GRPC_OFFSET) if name in WEED_PORTS else draw(20_000, 32_000)
            for name in names
        }
    )


FIXED = Ports(
    postgres=5432,
    redis=6379,
    temporal=7233,
    temporal_ui=8234,
    front=8233,
    sqs=9324,
    s3=8333,
    api=8000,
    solapi=8900,
    weed_master=9333,
    weed_filer=9888,
    weed_volume=9340,
    weed_admin=9646,
)
