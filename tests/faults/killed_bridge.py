"""The real bridge, killed at a named point: `python -m tests.faults.killed_bridge after-accept`."""

import os
import signal
import sys
from typing import Any, NoReturn

from clients.queues import Queue
from intake.submit import Submitter
from workers import __main__ as workers


def die(*_args: Any, **_kwargs: Any) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


POINTS = {
    "before-accept": (Submitter, "accept"),
    "after-accept": (Submitter, "start"),
    "after-start": (Queue, "delete"),
}

if __name__ == "__main__":
    where, method = POINTS[sys.argv.pop()]
    setattr(where, method, die)
    sys.argv.append("bridge")
    workers.main()
