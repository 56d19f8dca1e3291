"""Parsers and recognisers work in a child process, so that a file can take down nothing but its own job."""

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from activities.ai.registry import task
from activities.ai.task import Assembled, BadInput, Limits
from contracts.errors import TASK_CRASHED, TASK_OUT_OF_MEMORY, TASK_TIMED_OUT

ROOT = Path(__file__).parents[2]
LAUNCHER = ROOT / "activities" / "video" / "launcher.py"
MAX_CALLS = 200  # then a fresh child: some parsers never give memory back
FILE_BYTES = 2 * 2**30
ANSWER_BYTES = 64 * 2**20

log = logging.getLogger(__name__)


class Sandbox:
    """`async with sandbox.open("ocr") as child`: calls of one task for one job."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch

    @asynccontextmanager
    async def open(self, name: str) -> AsyncIterator["Child"]:
        child = Child(name, task(name).limits, self._scratch)
        try:
            yield child
        finally:
            await child.end()


class Child:
    """A process of `activities.ai.child`, started at the first call and again after it died.

    Every call raises BadInput: the task's own, or TASK_OUT_OF_MEMORY, TASK_TIMED_OUT, TASK_CRASHED when the
    child did not survive it. A cancelled call leaves no process.
    """

    def __init__(self, name: str, limits: Limits, scratch: Path) -> None:
        self._name = name
        self._limits = limits
        self._scratch = scratch
        self._process: Process | None = None
        self._calls = 0

    async def fingerprint(self) -> str:
        return str(await self._ask("fingerprint", Path(), {}))

    async def plan(self, source: Path, parameters: Mapping[str, Any]) -> list[str]:
        units: list[str] = await self._ask("plan", source, parameters)
        return units

    async def run(self, source: Path, unit: str, parameters: Mapping[str, Any], out: Path) -> dict[str, Any]:
        result: dict[str, Any] = await self._ask("run", source, parameters, unit=unit, out=str(out))
        return result

    async def assemble(
        self,
        source: Path,
        results: Sequence[tuple[str, dict[str, Any]]],
        parameters: Mapping[str, Any],
        units: Path,
        out: Path,
    ) -> Assembled:
        done = await self._ask(
            "assemble", source, parameters, results=list(results), units=str(units), out=str(out)
        )
        return Assembled(done["summary"], tuple(done["files"]), tuple(done["review"]))

    async def end(self) -> None:
        """Returns when nothing of the child's process group runs."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await asyncio.shield(process.wait())

    async def _ask(self, call: str, source: Path, parameters: Mapping[str, Any], **more: Any) -> Any:
        question = {"call": call, "source": str(source), "parameters": dict(parameters)} | more
        process = self._process or await self._start()
        assert process.stdin and process.stdout
        self._calls += 1
        try:
            async with asyncio.timeout(self._limits.wall_seconds):
                process.stdin.write(json.dumps(question, ensure_ascii=False).encode() + b"\n")
                await process.stdin.drain()
                line = await process.stdout.readline()
        except TimeoutError:
            await self.end()
            raise BadInput(TASK_TIMED_OUT, {"seconds": self._limits.wall_seconds}) from None
        except (ConnectionError, ValueError):  # ValueError: an answer beyond all measure
            line = b""
        except BaseException:
            await self.end()
            raise
        if not line.endswith(b"\n"):
            await process.wait()
            self._process = None
            raise self._death(process.returncode or 0)
        answer = json.loads(line)
        if self._calls >= MAX_CALLS or answer["memory"] > self._limits.memory_bytes // 2:
            await self.end()
        if "error" in answer:
            raise BadInput(answer["error"], answer["detail"])
        if "crash" in answer:
            log.error("task %s raised %s", self._name, answer["crash"])
            raise BadInput(TASK_CRASHED, {"exception": answer["crash"]})
        return answer["result"]

    async def _start(self) -> Process:
        cage = [os.getpid(), self._limits.memory_bytes, FILE_BYTES, self._limits.cpu_seconds * MAX_CALLS]
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(LAUNCHER), *map(str, cage)),
            *(sys.executable, "-m", "activities.ai.child", self._name),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,  # libraries quote what they read
            limit=ANSWER_BYTES,
            start_new_session=True,
            cwd=ROOT,
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                "LANG": "C.UTF-8",
                "HOME": str(self._scratch),
                "TMPDIR": str(self._scratch),
                # Tesseract is five times slower when several processes use several threads each.
                "OMP_THREAD_LIMIT": "1",
                "OMP_NUM_THREADS": "1",
                "OPENBLAS_NUM_THREADS": "1",
                **{name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ},
            },
        )
        self._calls = 0
        return self._process

    def _death(self, code: int) -> BadInput:
        log.error("a child of task %s died: %s", self._name, code)
        if code == -signal.SIGXCPU:
            return BadInput(TASK_TIMED_OUT, {"cpu_seconds": self._limits.cpu_seconds})
        if code in (-signal.SIGKILL, -signal.SIGABRT):  # the kernel's killer; an allocation that failed
            return BadInput(TASK_OUT_OF_MEMORY)
        return BadInput(TASK_CRASHED, {"signal": -code} if code < 0 else {"exit": code})
