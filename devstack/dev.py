"""`make dev`: the stack and our processes in one terminal; `down`, `env` and `clean` from another."""

import getpass
import os
import shlex
import shutil
import signal
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

import httpx

from api.auth.staff import issue
from devstack.app import EVERYTHING, App
from devstack.front import front, serving
from devstack.ports import LOOPBACK, Ports
from devstack.processes import StackError
from devstack.seed import seed
from devstack.stack import ROOT, Stack, running

DATA = ROOT / ".data"
DEV = DATA / "dev"
STAFF_SECONDS = 3600
DEMO_TENANT = 1
COLOURS = (36, 32, 33, 35)  # cyan, green, yellow, magenta


def dev(ports: Ports | None, *, empty: bool = False) -> None:
    """Run everything until Ctrl-C, `make down`, or the unexpected end of one process. Academy 1 has something
    to look at, unless it is to be `empty`.

    Raises:
        StackError: something did not start, or ended by itself.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    print(f"starting the servers in {DEV}")
    with Stack(DEV, ports) as stack, App(stack, *EVERYTHING) as app, with_ui(stack, app):
        write_environment(stack)
        print(table(stack, app))
        print(console_link(stack, app))
        if not empty:
            _seeded(stack, app)
        lines = follow(app)
        while not (dead := stack.dead() or app.dead()):
            for line in lines:
                if line is None:
                    break
                print(line, flush=True)
            time.sleep(0.2)
        print("stopping everything, because one process ended")
        raise dead.died()


def with_ui(stack: Stack, app: App) -> AbstractContextManager[None]:
    """Temporal's UI, where it is looked at."""
    settings, at = stack.settings(), stack.ports

    def leave() -> str:
        return issue(settings, getpass.getuser(), 60, None, operator=True)

    return serving(front(f"http://{LOOPBACK}:{at.temporal_ui}", app.api_url, leave, at.front), at.front)


def _seeded(stack: Stack, app: App) -> None:
    try:
        seed(stack, app, DEMO_TENANT)
    except httpx.HTTPError as error:  # the stack is of use without it
        print(f"  academy {DEMO_TENANT} could not be filled: {error}")


def console_link(stack: Stack, app: App, page: str = "/console/home") -> str:
    """A page of the console, signed in as an operator of academy 1: what is behind # is sent to nobody."""
    token = issue(stack.settings(), getpass.getuser(), STAFF_SECONDS, DEMO_TENANT, operator=True)
    return f"  console      {app.api_url}/console/login?next={page}#{token}"


def table(stack: Stack, app: App) -> str:
    """Where everything is."""
    at, settings = stack.ports, stack.settings()
    rows = {
        "API": app.api_url,
        "Temporal UI": f"http://{LOOPBACK}:{at.front}",
        "Temporal": settings.temporal_address,
        "S3": f"{settings.r2_endpoint_url} (bucket {settings.r2_bucket})",
        "SQS": settings.sqs_endpoint_url,
        "Postgres": f"{LOOPBACK}:{at.postgres} (database {settings.db_name})",
        "Redis": f"{LOOPBACK}:{at.redis}",
        "ffmpeg": settings.ffmpeg_binary,
        "logs": stack.data_dir / "logs",
        "credentials": 'eval "$(.venv/bin/python -m devstack env)"',
    }
    return "\n".join(f"  {name:<12} {value}" for name, value in rows.items()) + "\n  Ctrl-C stops everything"


def follow(app: App) -> Iterator[str | None]:
    """New lines of the processes' logs with the name in front; None when there is no more for now."""
    width = max(map(len, app.processes))
    logs: list[tuple[str, BinaryIO]] = []
    for index, (name, process) in enumerate(app.processes.items()):
        prefix = f"{name:>{width}} │ "
        if sys.stdout.isatty():
            prefix = f"\x1b[{COLOURS[index % len(COLOURS)]}m{prefix}\x1b[0m"
        logs.append((prefix, process.log.open("rb")))
    while True:
        for prefix, log in logs:
            while (line := log.readline()).endswith(b"\n"):
                yield prefix + line.decode(errors="replace").rstrip()
            log.seek(-len(line), os.SEEK_CUR)  # half a line: take it when it is whole
        yield None


def down() -> None:
    """Stop every stack that runs below `.data`, and wait for its end.

    Raises:
        StackError: it does not end.
    """
    owners = {data: pid for data in DATA.glob("*") if (pid := running(data))}
    if not owners:
        print("nothing runs")
    for data, pid in owners.items():
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 60
        while running(data):
            if time.monotonic() > deadline:
                raise StackError(f"process {pid} does not end; `kill -9 {pid}` ends it with all its servers")
            time.sleep(0.1)
        print(f"stopped {data}")


def clean() -> None:
    """Stop, and delete all data."""
    down()
    if DATA.exists():
        shutil.rmtree(DATA)
    print(f"deleted {DATA}")


def write_environment(stack: Stack) -> None:
    """Leave the environment for `env`, as long as this stack's ports hold."""
    path = stack.data_dir / "environment"
    path.touch(mode=0o600)
    lines = {"PATH": f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}"} | stack.environment()
    path.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in lines.items()))


def show_environment() -> None:
    """Raises:
    StackError: no dev stack runs.
    """
    path: Path = DEV / "environment"
    if not running(DEV) or not path.exists():
        raise StackError("no stack runs; `make dev` starts one")
    print(path.read_text(), end="")


def show_staff_token(tenant_id: int | None) -> None:
    """Raises:
    StackError: no dev stack runs.
    """
    if not running(DEV):
        raise StackError("no stack runs; `make dev` starts one")
    print(issue(Stack(DEV).settings(), getpass.getuser(), STAFF_SECONDS, tenant_id))
