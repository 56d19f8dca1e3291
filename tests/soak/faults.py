"""What happens to processes, servers, network and disk: one thing at a time in each of two lanes. Once
Postgres goes back to an older copy of itself, and an operator does what is to be done then."""

import asyncio
import os
import random
import signal
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import httpx

from devstack.app import App
from devstack.processes import Died, Processes
from devstack.solapi.client import Simulator
from devstack.stack import Stack
from tests.faults.test_backup import after_restore, restore
from tests.soak.network import Network

T = TypeVar("T")
Fault = Callable[[], AbstractAsyncContextManager[None]]
OURS = ("api", "bridge", "video", "video-2", "messaging", "ai", "ops")
# Those that keep what they were told when they are killed. The simulators of SQS and Solapi only hang.
DURABLE = ("postgres", "temporal", "seaweedfs", "valkey")
HANGING = (*DURABLE, "ministack", "solapi")
BACKUP, RESTORE = 0.35, 0.5  # of all the time
PROVIDER = ("429", "503_before", "503_after", "reset_before", "reset_after", "truncated")


@dataclass
class Chaos:
    """Begins faults until it is cancelled, and ends each before it goes on."""

    stack: Stack
    app: App
    networks: dict[str, Network]
    disk: Path | None
    dice: random.Random
    say: Callable[[str], None]
    fired: Counter[str] = field(default_factory=Counter)
    _down: set[str] = field(default_factory=set)
    _planned: list[tuple[float, str, Fault]] = field(default_factory=list)

    async def run(self, seconds: float) -> None:
        now = asyncio.get_running_loop().time()
        self._planned = [
            (now + BACKUP * seconds, "BACKUP of Postgres", self._backed_up),
            (now + RESTORE * seconds, "RESTORE of Postgres", self._restored),
        ]
        async with asyncio.TaskGroup() as lanes:
            lanes.create_task(self._lane(self._processes, seconds))
            lanes.create_task(self._lane(self._surroundings, seconds))

    async def supervise(self) -> None:
        """Start again what has ended by itself, as systemd and containers do."""
        while True:
            await asyncio.sleep(1)
            for name, process in self.app.processes.items():
                if name not in self._down and not process.alive():
                    self.say(f"{name} has ended with {process.wait()} and is started again")
                    self._down.add(name)
                    await self._again(self.app, name)

    async def _again(self, of: App | Stack, name: str) -> None:
        with suppress(Died):  # a server was away as it started: `supervise` starts it again
            await asyncio.to_thread(of.restart, name)
        self._down.discard(name)

    async def _lane(self, draw: Callable[[], tuple[str, Fault]], seconds: float) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while loop.time() < end:
            await asyncio.sleep(self.dice.uniform(1, 8))
            name, fault = draw()
            lasts = self.dice.choice((2, 5, 15, 40)) * self.dice.uniform(0.5, 1)
            self.say(f"{name} for {lasts:.0f} s")
            async with fault():
                await asyncio.sleep(lasts)
            self.fired[name.split()[0]] += 1

    def _processes(self) -> tuple[str, Fault]:
        """Something of ours, or a server, dies or hangs; or what is planned is due."""
        if self._planned and self._planned[0][0] <= asyncio.get_running_loop().time():
            _, name, fault = self._planned.pop(0)
            return name, fault
        what = self.dice.choice(("KILL", "KILL", "TERM", "STOP", "STOP"))
        if self.dice.random() < 0.6:
            return self._signal(what, self.app, self.dice.choice(OURS))
        what = "STOP" if what == "TERM" else what
        return self._signal(what, self.stack, self.dice.choice(HANGING if what == "STOP" else DURABLE))

    def _signal(self, what: str, of: Processes, name: str) -> tuple[str, Fault]:
        @asynccontextmanager
        async def stopped() -> AsyncIterator[None]:
            await asyncio.to_thread(of.suspend, name)
            try:
                yield
            finally:
                of.resume(name)

        @asynccontextmanager
        async def gone() -> AsyncIterator[None]:
            self._down.add(name)
            if what == "TERM":
                os.kill(of.processes[name].pid, signal.SIGTERM)
            else:
                await asyncio.to_thread(of.kill, name)
            try:
                yield
            finally:
                await self._again(of, name)

        return f"{what} {name}", stopped if what == "STOP" else gone

    def _surroundings(self) -> tuple[str, Fault]:
        """Requests and answers get lost on the way, the provider is odd, the disk is full."""
        name = self.dice.choice((*self.networks, "provider", *(("disk",) if self.disk else ())))
        match name:
            case "provider":
                return self._odd_provider()
            case "disk":
                return "FULL disk", self._full_disk
            case _:
                return self._loss(name, self.networks[name])

    def _loss(self, name: str, network: Network) -> tuple[str, Fault]:
        share = self.dice.choice((0.1, 0.3, 0.6))

        @asynccontextmanager
        async def lossy() -> AsyncIterator[None]:
            network.losing = share
            try:
                yield
            finally:
                network.losing = 0.0

        return f"LOSS of {share:.0%} of what is asked of {name}", lossy

    def _odd_provider(self) -> tuple[str, Fault]:
        step = self.dice.choice(("create", "add", "send", "get", "messages", "groups"))
        kind, seed = self.dice.choice(PROVIDER), self.dice.randrange(1000)

        @asynccontextmanager
        async def odd() -> AsyncIterator[None]:
            with Simulator(self.stack.settings().solapi_base_url) as simulator:
                fault = await _patiently(lambda: simulator.fault(step, kind, probability=0.5, seed=seed))
                try:
                    yield
                finally:
                    await _patiently(lambda: simulator.remove_fault(fault))

        return f"PROVIDER answers {kind} to {step}", odd

    @asynccontextmanager
    async def _backed_up(self) -> AsyncIterator[None]:
        """A copy as a snapshot of the disk has it."""
        await asyncio.to_thread(self.stack.kill, "postgres")
        folder = self.stack.data_dir / "postgres"
        copy = ["cp", "-a", str(folder / "data"), str(folder / "backup")]  # its files are `nobody`'s
        await asyncio.to_thread(subprocess.run, copy, check=True)
        await asyncio.to_thread(self.stack.restart, "postgres")
        yield

    @asynccontextmanager
    async def _restored(self) -> AsyncIterator[None]:
        await asyncio.to_thread(restore, self.stack, self.stack.data_dir / "postgres" / "backup")
        yield
        await self.repair()

    async def repair(self) -> None:
        """The operator's command, until it comes to its end: servers may be away."""
        while True:
            with suppress(AssertionError, subprocess.TimeoutExpired):
                told = await asyncio.to_thread(after_restore, self.stack, "--repair")
                if told and "left" in told[-1]:
                    return self.say(f"after the restore is left: {told[-1]['left']}")
            await asyncio.sleep(1)

    @asynccontextmanager
    async def _full_disk(self) -> AsyncIterator[None]:
        assert self.disk
        ballast = self.disk / "ballast"
        await asyncio.to_thread(_fill, ballast)
        try:
            yield
        finally:
            ballast.unlink()


async def _patiently(ask: Callable[[], T]) -> T:
    """The simulator may hang just now."""
    while True:
        try:
            return await asyncio.to_thread(ask)
        except httpx.HTTPError:
            await asyncio.sleep(1)


def _fill(file: Path) -> None:
    try:
        with file.open("wb", buffering=0) as ballast:
            while True:
                ballast.write(bytes(1 << 20))
    except OSError:
        return  # no room, which was wanted
