"""Our own processes on a stack: workers, bridge, API."""

import asyncio
import re
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from devstack.ports import LOOPBACK
from devstack.processes import Processes
from devstack.stack import Stack
from workers.health import TOLD_AT
from workers.running import READY

EVERYTHING = ("api", "bridge", "video", "messaging", "ai", "ops")
STOP_SECONDS = 30.0  # a worker lets its activities end first


class App(Processes):
    """Processes of this project as separate programs: `start`, `stop`, break, mend.

    Args:
        names: `api`, or a worker of `python -m workers`; a second one of a kind is `video-2`.
        env: Variables on top of the stack's, e.g. ENCODE_SLOTS="1".
    """

    def __init__(self, stack: Stack, *names: str, **env: str) -> None:
        super().__init__()
        port = str(stack.ports.api)
        self.api_url = f"http://{LOOPBACK}:{port}"
        for name in names:
            kind = name.partition("-")[0]
            argv, own = ["-m", "workers", kind], {"HEALTH_ADDRESS": f"{LOOPBACK}:0"}
            if kind == "api":
                argv, own = ["-m", "api", "--host", LOOPBACK, "--port", port], {}
            self.processes[name] = stack.python(name, *argv, **own | env)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start them; returns when the API answers and the workers have said that they are ready.

        Raises:
            StackError: one line for the person at the terminal; nothing is left running.
        """
        try:
            for process in self.processes.values():
                process.start()
            for name in self.processes:
                self._wait_ready(name)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """SIGTERM, then SIGKILL for those that take too long."""
        self._stop_all(STOP_SECONDS)

    def restart(self, name: str) -> None:
        """Start a process again, stopping it first if it lives."""
        self.processes[name].stop(STOP_SECONDS)
        self.processes[name].start()
        self._wait_ready(name)

    def told_at(self, name: str) -> str:
        """Where a process that is ready has its metrics, and a worker its health. Others of its name may
        write into the same log later on."""
        if name == "api":
            return self.api_url
        said = re.findall(rf'"message": "{TOLD_AT}([^"]+)"', self.processes[name].said())
        return f"http://{said[0]}"

    def _wait_ready(self, name: str) -> None:
        process = self.processes[name]

        def ready() -> None:
            if name == "api":
                self._ask_api()
            elif f'"message": "{READY}"' not in process.said():
                raise OSError("not ready yet")

        process.wait_ready(ready, (OSError,))

    def _ask_api(self) -> None:
        try:
            urllib.request.urlopen(self.api_url, timeout=5).close()
        except urllib.error.HTTPError as answer:  # a 404 is an answer too
            answer.close()


@asynccontextmanager
async def running(stack: Stack, *names: str, **env: str) -> AsyncIterator[App]:
    """An `App` for the length of an async block; the event loop stays free meanwhile."""
    app = App(stack, *names, **env)
    await asyncio.to_thread(app.start)
    try:
        yield app
    finally:
        await asyncio.to_thread(app.stop)
