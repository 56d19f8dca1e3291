"""Parsers and recognisers work in a child process, so that a file can take down nothing but its own job.

What comes out of a child is checked as well: a parser that was taken over answers what it likes.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints, TypeAdapter, ValidationError

from activities.ai.sandbox.home import Home, NotAFile
from activities.ai.sandbox.registry import TASKS, task
from activities.ai.sandbox.task import Assembled, BadInput, Limits
from activities.host.cage.caging import ROOT, Cage, own_code, texts
from activities.host.room import Room
from activities.host.threads import in_thread
from activities.host.trouble import HostTrouble, killed_for_memory
from contracts.errors import REASONS, TASK_CRASHED, TASK_OUT_OF_MEMORY, TASK_TIMED_OUT

MAX_CALLS = 200  # then a fresh child: some parsers never give memory back
STAYS, SECONDS = 2, 15.0  # children that wait for the next step of their job, and how long
FILE_BYTES = 2 * 2**30
ANSWER_BYTES = 16 * 2**20

T = TypeVar("T")
# Names of units and files become parts of object keys and of paths.
Name = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]{0,99}$")]

log = logging.getLogger(__name__)


class _Done(BaseModel):
    summary: dict[str, Any]
    files: tuple[Name, ...]
    review: tuple[str, ...]


class _Answer(BaseModel):
    """One of `result`, `error` and `crash`; `memory` is what the child has resident, in bytes."""

    memory: int
    result: Any = None
    error: Literal[tuple(REASONS)] | None = None  # type: ignore[valid-type]
    detail: dict[str, str | int] = {}
    crash: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_]{1,60}$")] | None = None


_TEXT = TypeAdapter(str)
_UNITS = TypeAdapter(Annotated[list[Name], Field(min_length=1)])
_RESULT = TypeAdapter(dict[str, Any])
_DONE = TypeAdapter(_Done)


class Sandbox:
    """`async with sandbox.open("ocr", job_id) as child`: calls of one task for one job. Tasks that run
    Tesseract's program look for it where `tesseract` is empty.

    A child that is well stays for a moment, for the next step of the same job: it has started then, and
    knows its engine. No other job gets it, for its memory and its temporary files are one tenant's. Of the
    task `spare`, once it was asked for, one that has seen no file yet is ready for the next job.
    """

    def __init__(self, scratch: Path, tesseract: str = "", spare: str | None = None) -> None:
        self._scratch = scratch
        self._tesseract = tesseract
        self._wants_spare = spare
        self._spare: Child | None = None
        self._waiting: dict[tuple[str, UUID], tuple[Child, asyncio.TimerHandle]] = {}
        self._running: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def open(self, name: str, job_id: UUID | None = None) -> AsyncIterator["Child"]:
        """It stays for `job_id`, unless the body has raised or ended it."""
        child = (job_id and self._take((name, job_id))) or self._take_spare(name) or self._child(name)
        if not child.lives:
            await child.end()  # of one that died while it waited: it starts again
        try:
            yield child
        except BaseException:
            await child.close()
            raise
        finally:
            if name == self._wants_spare and self._spare is None:
                self._beside(self._prepare(name))
        if job_id is None or not child.lives:
            await child.close()
            return
        self._end_waiting((name, job_id))  # of a batch that ran beside this one
        while len(self._waiting) >= STAYS:
            self._end_waiting(next(iter(self._waiting)))
        timer = asyncio.get_running_loop().call_later(SECONDS, self._end_waiting, (name, job_id))
        self._waiting[name, job_id] = child, timer

    async def close(self) -> None:
        """Returns when none is left that waited."""
        for key in list(self._waiting):
            self._end_waiting(key)
        await asyncio.gather(*self._running)
        if self._spare:
            await self._spare.close()

    def _child(self, name: str) -> "Child":
        return Child(name, task(name).limits, self._scratch, self._tesseract)

    async def _prepare(self, name: str) -> None:
        child = self._child(name)
        await child.start()
        another, self._spare = self._spare, child
        if another:
            await another.close()

    def _take_spare(self, name: str) -> "Child | None":
        if name != self._wants_spare:
            return None
        child, self._spare = self._spare, None
        return child

    def _take(self, key: tuple[str, UUID]) -> "Child | None":
        child, timer = self._waiting.pop(key, (None, None))
        if timer:
            timer.cancel()
        return child

    def _end_waiting(self, key: tuple[str, UUID]) -> None:
        if child := self._take(key):
            self._beside(child.close())

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        running = asyncio.create_task(work)
        self._running.add(running)
        running.add_done_callback(self._running.discard)


class Child:
    """A process of `activities.ai.sandbox.child`, started at the first call and again after it died.

    Every call raises BadInput: the task's own, or TASK_OUT_OF_MEMORY, TASK_TIMED_OUT, TASK_CRASHED when the
    child did not survive it; HostTrouble when its disk was full then, or the host's memory. A cancelled call
    leaves no process.
    """

    def __init__(self, name: str, limits: Limits, scratch: Path, tesseract: str) -> None:
        self._name = name
        self._room = Room(scratch)
        self._limits = limits
        self._home = Home(scratch)
        self._tesseract = tesseract
        self._process: Process | None = None
        self._calls = 0

    @property
    def lives(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Before the first call, which would do it."""
        await self._start()

    async def fingerprint(self) -> str:
        return await self._ask(_TEXT, "fingerprint", Path(), {})

    async def plan(self, source: Path, parameters: Mapping[str, Any]) -> list[str]:
        return await self._ask(_UNITS, "plan", source, parameters)

    async def run(
        self,
        source: Path,
        unit: str,
        parameters: Mapping[str, Any],
        out: Path,
        prepare: Callable[[Path], None] | None = None,
    ) -> dict[str, Any]:
        """Its files are in `out` when it has returned. `prepare` sees the folder in which they are made."""
        made = await in_thread(self._home.make, prepare)
        try:
            result = await self._ask(_RESULT, "run", source, parameters, unit=unit, out=str(made))
            await self._take(made, out)
        finally:
            await in_thread(self._home.drop, made)
        return result

    async def assemble(
        self,
        source: Path,
        results: Sequence[tuple[str, dict[str, Any]]],
        *,
        parameters: Mapping[str, Any],
        units: Path,
        out: Path,
    ) -> Assembled:
        """`units` goes to the child, and is gone afterwards."""
        made = await in_thread(self._home.make)
        inside = await in_thread(self._home.move_in, units)
        more = {"results": list(results), "units": str(inside), "out": str(made)}
        try:
            done = await self._ask(_DONE, "assemble", source, parameters, **more)
            if not await self._take(made, out) >= set(done.files):
                raise await self._crashed({"answer": "a file is missing"})
        finally:
            await in_thread(self._home.drop, made, inside)
        return Assembled(done.summary, done.files, done.review)

    async def end(self) -> None:
        """Returns when nothing of the child runs."""
        process, self._process = self._process, None
        if process is not None:
            await asyncio.shield(asyncio.create_task(kill(process)))

    async def close(self) -> None:
        """`end`, and its temporary files are gone."""
        try:
            await self.end()
        finally:
            await in_thread(self._home.close)

    async def _ask(
        self, wanted: TypeAdapter[T], call: str, source: Path, parameters: Mapping[str, Any], **more: Any
    ) -> T:
        given = await in_thread(self._home.give, source)
        question = {"call": call, "source": str(given), "parameters": dict(parameters)} | more
        process = self._process or await self._start()
        assert process.stdin and process.stdout
        self._calls += 1
        killed_before = killed_for_memory()
        try:
            async with asyncio.timeout(self._limits.wall_seconds):
                process.stdin.write(json.dumps(question).encode() + b"\n")
                await process.stdin.drain()
                line = await process.stdout.readline()
        except TimeoutError:
            await self.end()
            raise BadInput(TASK_TIMED_OUT, {"seconds": self._limits.wall_seconds}) from None
        except ConnectionError:
            line = b""
        except ValueError:  # the stream's limit
            raise await self._crashed({"answer_bytes": ANSWER_BYTES}) from None
        except BaseException:
            await self.end()
            raise
        if not line.endswith(b"\n"):
            await self.end()
            await in_thread(self._room.require)
            if process.returncode == -signal.SIGKILL and killed_for_memory() > killed_before:
                raise HostTrouble("the host's memory ran out")
            raise self._death(process.returncode or 0)
        try:
            answer = _Answer.model_validate_json(line)
            if answer.error is None and answer.crash is None:
                result = wanted.validate_python(answer.result)
        except ValidationError:  # its text holds the answer
            raise await self._crashed({"answer": "invalid"}) from None
        if answer.crash is not None:
            raise await self._crashed({"exception": answer.crash})
        full = answer.memory > self._limits.memory_bytes // 2 or answer.error == TASK_OUT_OF_MEMORY
        if full or self._calls >= MAX_CALLS:
            await self.end()
        if answer.error is not None:
            raise BadInput(answer.error, answer.detail)
        return result

    async def _take(self, made: Path, out: Path) -> set[str]:
        try:
            return await in_thread(self._home.take, made, out)
        except NotAFile:
            raise await self._crashed({"answer": "not a file"}) from None

    async def _crashed(self, detail: dict[str, str | int]) -> BadInput:
        """Whatever it did, it does not go on with the next unit."""
        log.error("a child of task %s crashed: %s", self._name, detail)
        await self.end()
        await in_thread(self._room.require)
        return BadInput(TASK_CRASHED, detail)

    async def _start(self) -> Process:
        home, programs = self._home, self._limits.programs
        cage = Cage(
            self._limits.memory_bytes,
            FILE_BYTES,
            self._limits.cpu_seconds * MAX_CALLS,
            reads=(*own_code(), str(home.given), *texts([Path(self._tesseract).parent] if programs else [])),
            lists=(str(ROOT),),  # Python looks there for the packages
            writes=(str(home.work),),
            processes=programs,
            user=home.user,
        )
        child = [sys.executable, "-m", "activities.ai.sandbox.child", TASKS[self._name]]
        self._process = await asyncio.create_subprocess_exec(
            *cage.command(child),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,  # libraries quote what they read
            limit=ANSWER_BYTES,
            start_new_session=True,
            cwd=ROOT,
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                "LANG": "C.UTF-8",
                "HOME": str(home.work),
                "TMPDIR": str(home.work),
                # Tesseract is five times slower when several processes use several threads each.
                "OMP_THREAD_LIMIT": "1",
                "OMP_NUM_THREADS": "1",
                "TESSERACT_BINARY": self._tesseract,
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
        if code == -signal.SIGABRT:  # an allocation that failed
            return BadInput(TASK_OUT_OF_MEMORY)
        return BadInput(TASK_CRASHED, {"signal": -code} if code < 0 else {"exit": code})


def regular(folder: Path) -> list[Path]:
    """Its files, without links and pipes: nobody has checked what a child leaves that failed."""
    return [path for path in sorted(folder.iterdir()) if path.is_file() and not path.is_symlink()]


async def kill(process: Process) -> None:
    """Returns when nothing of the process's session runs."""
    # One that has ended keeps its own exit code.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    assert process.stdout
    while await process.stdout.read(2**20):  # an unread pipe would keep wait() from returning
        continue
    await process.wait()
