"""Processes that die with us: start, signal, stop."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil  # type: ignore[import-untyped]

CHILD = Path(__file__).with_name("child.py")

QUIET_SECONDS = 60.0  # a server that starts works or writes; one that does neither so long will not come
START_SECONDS = 15 * 60.0  # and one that only seems to, on the slowest machine
SAID_EVERY = 10.0
STANDING_STILL = {psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE}

# A parent-death signal follows the *thread* that started the child, so one thread starts them all and
# lives as long as we do, whatever thread or event loop asks.
_starter = ThreadPoolExecutor(1, thread_name_prefix="starter")


class StackError(Exception):
    """One line for the person at the terminal: what is wrong, and what to do."""


class Died(StackError):
    """A process ended by itself."""


@dataclass
class Process:
    """One program with its own session and log file."""

    name: str
    argv: Sequence[str]
    log: Path
    env: Mapping[str, str]
    cwd: Path
    as_nobody: bool = False
    stop_signal: signal.Signals = signal.SIGTERM
    _running: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _log_start: int = field(default=0, repr=False)

    def start(self) -> None:
        """Start it; its output is appended to the log.

        Raises:
            StackError: the program is not installed.
        """
        if not Path(self.argv[0]).is_file():
            raise StackError(f"{self.name}: {self.argv[0]} is missing; remove .venv and run make again")
        user = "nobody" if self.as_nobody and os.geteuid() == 0 else "user"
        self._running = _starter.submit(self._spawn, user).result()

    def _spawn(self, user: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            return subprocess.Popen(
                [sys.executable, "-I", "-S", str(CHILD), str(os.getpid()), user, *self.argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.env,
                cwd=self.cwd,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        if self._running is None:
            raise StackError(f"{self.name} was never started")
        return self._running.pid

    def alive(self) -> bool:
        return self._running is not None and self._running.poll() is None

    def family(self) -> list[psutil.Process]:
        """The process and everything below it: Postgres backends, ffmpeg."""
        if not self.alive():  # its number may be another program's by now
            return []
        try:
            own = psutil.Process(self.pid)
            return [own, *own.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def signal_family(self, number: signal.Signals) -> None:
        for member in self.family():
            try:
                member.send_signal(number)
            except psutil.NoSuchProcess:
                continue  # gone since we looked, which is fine

    def kill(self) -> None:
        """SIGKILL it with everything below it, and wait for its end."""
        self.signal_family(signal.SIGKILL)
        self.wait()

    def said(self) -> str:
        """Its output since the last start."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def ask_to_stop(self) -> None:
        if self.alive():
            self.signal_family(signal.SIGCONT)  # a suspended one cannot listen
            with suppress(ProcessLookupError):  # gone since we looked, which is fine
                os.kill(self.pid, self.stop_signal)

    def stop(self, grace: float) -> None:
        """Ask, wait `grace` seconds, then kill."""
        self.ask_to_stop()
        self.wait_or_kill(grace)

    def wait_or_kill(self, grace: float) -> None:
        try:
            self.wait(grace)
        except subprocess.TimeoutExpired:
            self.kill()

    def wait_end(self) -> int:
        """Until it ends by itself, as long as it gets on; returns its exit code.

        Raises:
            StackError: it does nothing any more.
        """
        patience = _Patience(self)
        while self.alive():
            patience.take("its end")
            time.sleep(0.03)
        return self.wait()

    def wait(self, timeout: float | None = None) -> int:
        return 0 if self._running is None else self._running.wait(timeout)

    def died(self) -> Died:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        telling = [
            line.strip() for line in lines if re.search(r"error|fatal|panic|no module", line, re.IGNORECASE)
        ]
        why = next(reversed(telling or list(filter(None, lines))), "it printed nothing")
        return Died(f"{self.name} stopped with code {self.wait()}: {why[:300]} (log: {self.log})")

    def wait_ready(self, ready: Callable[[], object], not_yet: tuple[type[Exception], ...]) -> None:
        """Call `ready` until it stops raising one of `not_yet`.

        Raises:
            Died: the process ended.
            StackError: no answer, and it does nothing any more.
        """
        patience = _Patience(self)
        while True:
            try:
                ready()
                reason = None
            except not_yet as error:
                reason = error
            if not self.alive():
                raise self.died()
            if reason is None:
                return
            patience.take(str(reason))
            time.sleep(0.03)


class _Patience:
    """Waits for one process as long as it gets on, and says for what. A busy machine may take minutes."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._began = self._moved = self._said = time.monotonic()
        self._seen = self._done()

    def take(self, awaited: str) -> None:
        """Raises StackError when it is at an end."""
        now = time.monotonic()
        if now - self._said < min(SAID_EVERY, QUIET_SECONDS, START_SECONDS):
            return
        self._said, process = now, self._process
        if (done := self._done()) != self._seen:
            self._seen, self._moved = done, now
        if now - self._moved > QUIET_SECONDS or now - self._began > START_SECONDS:
            raise StackError(f"{process.name} gives no answer: {awaited} (log: {process.log})")
        print(
            f"waiting for {process.name}, {now - self._began:.0f} s: {awaited[:200]}",
            file=sys.stderr,
            flush=True,
        )

    def _done(self) -> tuple[int, int]:
        """Tenths of seconds of processor time, bytes of its log."""
        spent = 0.0
        for member in self._process.family():
            with suppress(psutil.Error):  # just ended
                spent += sum(member.cpu_times()[:2])
        log = self._process.log
        return int(10 * spent), log.stat().st_size if log.exists() else 0


class Processes:
    """Some processes by name, to break and mend them."""

    def __init__(self) -> None:
        self.processes: dict[str, Process] = {}

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to a process and everything below it; SIGKILL also waits for its end."""
        process = self.processes[name]
        process.signal_family(number)
        if number == signal.SIGKILL:
            process.wait()

    def suspend(self, name: str) -> None:
        """SIGSTOP: it hangs and its connections stay open; returns when it really stands still."""
        process = self.processes[name]
        process.signal_family(signal.SIGSTOP)
        while any(member.status() not in STANDING_STILL for member in process.family()):
            time.sleep(0.01)

    def resume(self, name: str) -> None:
        self.processes[name].signal_family(signal.SIGCONT)

    def dead(self) -> Process | None:
        """The first process that has ended, if any."""
        return next((each for each in self.processes.values() if not each.alive()), None)

    def pids(self) -> set[int]:
        return {member.pid for each in self.processes.values() for member in each.family()}

    def _stop_all(self, grace: float) -> None:
        for process in self.processes.values():
            process.ask_to_stop()
        deadline = time.monotonic() + grace
        for process in self.processes.values():
            process.wait_or_kill(max(0.1, deadline - time.monotonic()))
