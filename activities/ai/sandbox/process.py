"""One child process of one task: what it is asked, what is made of its death.

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
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, Field, StringConstraints, TypeAdapter, ValidationError

from activities.ai.sandbox.home import Home, NotAFile
from activities.ai.sandbox.registry import TASKS
from activities.ai.sandbox.task import Assembled, BadInput, Limits
from activities.host.cage.caging import ROOT, Cage, own_code, texts
from activities.host.room import Room
from activities.host.stall import Stall
from activities.host.threads import in_thread
from activities.host.trouble import HostTrouble, killed_for_memory
from contracts.errors import REASONS, TASK_CRASHED, TASK_OUT_OF_MEMORY, TASK_TIMED_OUT

MAX_CALLS = 200  # then a fresh child: some parsers never give memory back
FILE_BYTES = 2 * 2**30
ANSWER_BYTES = 16 * 2**20

# What a child did not survive: a second one gets the same before anything is concluded.
DEATHS = (TASK_OUT_OF_MEMORY, TASK_TIMED_OUT, TASK_CRASHED)

T = TypeVar("T")
# Names of units and files become parts of object keys and of paths.
Name = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]{0,99}$")]

log = logging.getLogger(__name__)
_PAGE = os.sysconf("SC_PAGESIZE")


class _Done(BaseModel):
    summary: dict[str, Any]
    files: tuple[Name, ...]
    review: tuple[str, ...]


class _Answer(BaseModel):
    """One of `result`, `error` and `crash`."""

    result: Any = None
    error: Literal[tuple(REASONS)] | None = None  # type: ignore[valid-type]
    detail: dict[str, str | int] = {}
    crash: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_]{1,60}$")] | None = None


_TEXT = TypeAdapter(str)
_UNITS = TypeAdapter(Annotated[list[Name], Field(min_length=1)])
_RESULT = TypeAdapter(dict[str, Any])
_DONE = TypeAdapter(_Done)


class Child:
    """A process of `activities.ai.sandbox.child`, started at the first call and again after it died.

    Every call raises BadInput: the task's own, or one of DEATHS when the child did not survive it (all but
    `run` ask a second one first); HostTrouble when it did not start, or its disk was full then, or the host's
    memory. A cancelled call leaves no process.
    """

    def __init__(self, name: str, limits: Limits, scratch: Path, tesseract: str) -> None:
        self._name = name
        self._room = Room(scratch)
        self._limits = limits
        self._home = Home(scratch)
        self._tesseract = tesseract
        self._process: Process | None = None
        self._started = False
        self._calls = 0

    @property
    def lives(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Before the first call, which would do it."""
        await self._start()

    async def fingerprint(self) -> str:
        return await self._once_more(lambda: self._ask(_TEXT, "fingerprint", Path(), {}))

    async def plan(self, source: Path, parameters: Mapping[str, Any]) -> list[str]:
        return await self._once_more(lambda: self._ask(_UNITS, "plan", source, parameters))

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
        inside = await in_thread(self._home.move_in, units)
        more = {"results": list(results), "units": str(inside)}
        try:
            done = await self._once_more(lambda: self._assembled(source, parameters, out, **more))
        finally:
            await in_thread(self._home.drop, inside)
        return Assembled(done.summary, done.files, done.review)

    async def _assembled(self, source: Path, parameters: Mapping[str, Any], out: Path, **more: Any) -> _Done:
        made = await in_thread(self._home.make)
        try:
            done = await self._ask(_DONE, "assemble", source, parameters, out=str(made), **more)
            if not await self._take(made, out) >= set(done.files):
                raise await self._crashed({"answer": "a file is missing"})
        finally:
            await in_thread(self._home.drop, made)
        return done

    async def _once_more(self, ask: Callable[[], Awaitable[T]]) -> T:
        """A child can die of what is not the file's: a second one has to, too."""
        try:
            return await ask()
        except BadInput as error:
            if error.code not in DEATHS:
                raise
            log.warning("a child of task %s: %s, once more", self._name, error.code)
            return await ask()

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
        self._calls += 1
        killed_before = killed_for_memory()
        over = asyncio.create_task(Stall(process.pid, self._limits.wall_seconds).over())
        over.add_done_callback(lambda task: None if task.cancelled() else signal_group(process))
        try:
            line = await self._talk(process, json.dumps(question).encode() + b"\n")
        except ConnectionError:
            line = b""
        except ValueError:  # the stream's limit
            raise await self._crashed({"answer_bytes": ANSWER_BYTES}) from None
        except BaseException:
            await self.end()
            raise
        finally:
            over.cancel()
        if not line.endswith(b"\n"):
            await self.end()
            await in_thread(self._room.require)
            if not self._started:
                raise HostTrouble(f"a child of task {self._name} did not start: {process.returncode}")
            if over.done() and not over.cancelled():
                raise BadInput(TASK_TIMED_OUT, {"seconds": self._limits.wall_seconds})
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
        full = _resident(process.pid) > self._limits.memory_bytes // 2 or answer.error == TASK_OUT_OF_MEMORY
        if full or self._calls >= MAX_CALLS:
            await self.end()
        if answer.error is not None:
            raise BadInput(answer.error, answer.detail)
        return result

    async def _talk(self, process: Process, question: bytes) -> bytes:
        """What it says to a question; without its line's end when it died before it had said it."""
        assert process.stdin and process.stdout
        if not self._started:
            self._started = await process.stdout.readline() == b"\n"
        if not self._started:
            return b""
        process.stdin.write(question)
        await process.stdin.drain()
        return await process.stdout.readline()

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
        self._calls, self._started = 0, False
        return self._process

    def _death(self, code: int) -> BadInput:
        log.error("a child of task %s died: %s", self._name, code)
        if code == -signal.SIGXCPU:
            return BadInput(TASK_TIMED_OUT, {"cpu_seconds": self._limits.cpu_seconds})
        if code == -signal.SIGABRT:  # an allocation that failed
            return BadInput(TASK_OUT_OF_MEMORY)
        return BadInput(TASK_CRASHED, {"signal": -code} if code < 0 else {"exit": code})


def _resident(pid: int) -> int:
    """Bytes; 0 when it has gone or the host hides it (hidepid, proc(5)). Asked from here: inside of the cage
    the kernel may have made /proc anew, and then it is another file to Landlock."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except OSError:
        return 0


def signal_group(process: Process) -> None:
    # One that has ended keeps its own exit code.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


async def kill(process: Process) -> None:
    """Returns when nothing of the process's session runs."""
    signal_group(process)
    assert process.stdout
    while await process.stdout.read(2**20):  # an unread pipe would keep wait() from returning
        continue
    await process.wait()
