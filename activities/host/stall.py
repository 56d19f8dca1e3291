"""Whether a program still moves. Linux."""

import asyncio
import os
import time
from pathlib import Path

STALL = 24.0  # seconds
_CHECKS = 10  # in so long
_COMPUTING = 0.05  # of the time that passes; below it does not wait for a processor, it hangs
_TICKS = os.sysconf("SC_CLK_TCK")


class Stall:
    """`moved` is set by whoever sees progress. `over` returns when there was none for `limit` seconds.

    The seconds of a program that computes are those of its own processor time: on a busy host it may wait
    long for its turn, and that is no hang.
    """

    def __init__(self, pid: int, limit: float) -> None:
        self.moved = True
        self._pid = pid
        self._limit = limit

    async def over(self) -> None:
        since = spent = 0.0
        while True:
            now, cpu = time.monotonic(), _cpu_seconds(self._pid)
            if self.moved:
                self.moved, since, spent = False, now, cpu
            quiet, used = now - since, cpu - spent
            if min(quiet, used if used > quiet * _COMPUTING else quiet) > self._limit:
                return
            await asyncio.sleep(min(self._limit / _CHECKS, 3600))


def _cpu_seconds(pid: int) -> float:
    """Processor time of a process; 0 when it has gone, or the host shows nothing of it (hidepid, proc(5))."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS
