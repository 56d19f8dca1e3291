"""Run by `sandbox.parent`, one process for one job: calls in JSON lines on stdin, answers on stdout. An empty
line first: it has started, and what ends it from here on may be the file.

It has limits, no network, no file but its own and ours, and nothing of our environment.
"""

import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

from activities.ai.sandbox.registry import load
from activities.ai.sandbox.task import BadInput, Task
from activities.ai.sandbox.unlocking import unlocked
from activities.host.cage.caging import hide
from activities.host.cage.syscalls import Rights, confine
from contracts.errors import TASK_OUT_OF_MEMORY

OPEN_FILES = 256


def main() -> None:
    # What libraries print must not come between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    subject = load(sys.argv[1])
    hide()
    confine(Rights(processes=subject.limits.programs, programs=subject.limits.programs))
    answers.write(b"\n")
    answers.flush()
    for line in sys.stdin:
        _allow(subject.limits.cpu_seconds)
        try:
            answer = _line(result=_call(subject, json.loads(line)))
        except BadInput as error:
            answer = _line(error=error.code, detail=error.detail)
        except MemoryError:
            answer = _line(error=TASK_OUT_OF_MEMORY, detail={})
        except Exception as error:  # noqa: BLE001 - its text may hold what stands in the file
            answer = _line(crash=type(error).__name__)
        answers.write(answer)
        answers.flush()


def _line(**answer: Any) -> bytes:
    return json.dumps(answer, ensure_ascii=False).encode() + b"\n"


def _call(subject: Task, what: dict[str, Any]) -> Any:
    source, parameters = Path(what["source"]), what["parameters"]
    if password := parameters.pop("password", None):
        source = unlocked(source, password)
    match what["call"]:
        case "fingerprint":
            return subject.fingerprint()
        case "plan":
            return subject.plan(source, parameters)
        case "run":
            return subject.run(source, what["unit"], parameters, Path(what["out"]))
        case "assemble":
            results = [(unit, result) for unit, result in what["results"]]
            done = subject.assemble(
                source, results, parameters=parameters, units=Path(what["units"]), out=Path(what["out"])
            )
            return {"summary": done.summary, "files": done.files, "review": done.review}
        case other:
            raise AssertionError(other)


def _allow(seconds: int) -> None:
    """CPU for one more call: the soft limit moves along, and the kernel ends the process at it."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = int(usage.ru_utime + usage.ru_stime) + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (min(used + seconds, hard), hard))


main()
