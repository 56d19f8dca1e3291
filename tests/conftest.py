"""Fixtures: the real servers, one stack for each test process, and one to break."""

import asyncio
import fcntl
import os
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import hypothesis
import pytest

from clients.settings import Settings
from devstack import processes
from devstack.app import App
from devstack.demo import repeat
from devstack.processes import Process
from devstack.stack import Stack
from tests import forked
from tests.lab import CLIP, PATIENCE, SAMPLE, Lab, empty, mend
from tests.messages import FAST, WORKERS, Mail

# No limit in milliseconds for an example. The same examples in every run, also where CI is set; others each
# time in `make fuzz`, whose red test is a find and not bad luck.
for name, same, examples in (("tests", True, 25), ("fuzz", False, 100)):
    hypothesis.settings.register_profile(
        name,
        max_examples=examples,
        deadline=None,
        derandomize=same,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "tests"))


# All tests call from one address, and many of them without a credential.
ONE_ADDRESS = {"API_FAILURES": "1000000", "API_ADDRESS_FAILURES": "1000000", "API_ADDRESS_BURST": "1000000"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of faults wait long and work little: each process of the run begins with its share of them, so
    that the others fill the processor. (`--dist worksteal` gives each an equal stretch of the list first.)
    """
    faults: dict[Path, list[pytest.Item]] = {}
    others = []
    for item in items:
        if item.path.parent.name == "faults":
            faults.setdefault(item.path, []).append(item)
        else:
            others.append(item)
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    shares: list[list[pytest.Item]] = [[] for _ in range(processes)]
    for number, tests in enumerate(faults.values()):
        shares[number % processes] += tests
    left = len(items)
    for number, share in enumerate(shares):
        length = left // (processes - number)
        left -= length
        room = max(0, length - len(share))
        share += others[:room]
        del others[:room]
    items[:] = [item for share in (*shares, others) for item in share]


@pytest.fixture(scope="session", autouse=True)
def forked_processes() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Process, "_spawn", forked.start)
        patch.setattr(processes, "QUIET_SECONDS", PATIENCE)  # who starts beside others may take long
        yield


@pytest.fixture(scope="session", autouse=True)
def certificates_read_once() -> Iterator[None]:
    """Every client of httpx reads all the world's certificates, and most of ours talk plain HTTP."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl, "create_default_context", cache(ssl.create_default_context))
        yield


@contextmanager
def temporary_stack(new: Path | None = None) -> Iterator[Stack]:
    """All servers in a folder of their own, which begins as a copy of `new`."""
    folder = Path(tempfile.mkdtemp(prefix="stack-"))
    try:
        if new:
            subprocess.run(["cp", "-a", f"{new}/.", folder], check=True)  # Postgres' files are `nobody`'s
        folder.chmod(0o711)  # as root, Postgres runs as `nobody` and must pass
        with Stack(folder) as stack:
            yield stack
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def new(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a stack that was started once: made by one process of the run, copied by all;
    `make defences` names one for all of its runs."""
    run = tmp_path_factory.getbasetemp()
    run = run.parent if "PYTEST_XDIST_WORKER" in os.environ else run
    run = Path(os.environ.get("NEW_STACK_IN", run))
    folder = run / "new-stack"
    with (run / "new-stack.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            with temporary_stack() as stack:
                stack.stop()
                subprocess.run(["cp", "-a", stack.data_dir, folder], check=True)
    return folder


@pytest.fixture(scope="session")
def stack(new: Path) -> Iterator[Stack]:
    """All servers, shared by the tests of this process: leave them running."""
    with temporary_stack(new) as stack:
        yield stack


@pytest.fixture(scope="session")
def breakable(new: Path) -> Iterator[Stack]:
    with temporary_stack(new) as stack:
        yield stack


@pytest.fixture
def own_stack(breakable: Stack) -> Iterator[Stack]:
    """All servers for one test alone, which may kill them: mended and emptied for the next one."""
    yield breakable
    mend(breakable)
    with ThreadPoolExecutor(1) as thread:  # this one has an event loop
        thread.submit(asyncio.run, empty(breakable)).result()


@pytest.fixture
def settings(stack: Stack) -> Settings:
    """What a process of ours would read in its environment on the shared stack."""
    return stack.settings()


@pytest.fixture
async def lab(stack: Stack) -> AsyncIterator[Lab]:
    """The shared stack, to send to and to look at."""
    lab = await Lab.open(stack)
    yield lab
    await lab.close()


@pytest.fixture(scope="module")
def workers(stack: Stack) -> Iterator[App]:
    """A messaging worker that may ask often, and ops."""
    with App(stack, *WORKERS, **FAST) as app:
        yield app


@pytest.fixture
async def mail(lab: Lab) -> AsyncIterator[Mail]:
    """The shared stack's messages; faults that a test ordered go with it."""
    mail = Mail(lab)
    yield mail
    mail.simulator.clear_faults()


@pytest.fixture
def full_again(mail: Mail) -> Iterator[None]:
    """The simulator's balance is full again when the test is over."""
    yield
    mail.simulator.settings(balance=10_000_000)


@pytest.fixture(scope="session")
def app(stack: Stack) -> Iterator[App]:
    """All processes of ours on the shared stack. A version that is replaced goes at once."""
    with App(stack, "api", "bridge", "video", "ops", RETIRE_GRACE_SECONDS="0", **ONE_ADDRESS) as app:
        yield app


@pytest.fixture
async def own_lab(own_stack: Stack) -> AsyncIterator[Lab]:
    """A stack for this test alone."""
    lab = await Lab.open(own_stack)
    yield lab
    await lab.close()


@pytest.fixture(scope="session")
def lecture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-one seconds of real picture and sound: two units of eight seconds and a shorter one."""
    file = tmp_path_factory.mktemp("lecture") / "lecture.mp4"
    repeat(SAMPLE, 4, file)
    return file


@pytest.fixture(scope="session")
def small_lecture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same at 360 lines, for tests in which something else takes the time."""
    file = tmp_path_factory.mktemp("lecture") / "small.mp4"
    repeat(CLIP, 4, file)
    return file
