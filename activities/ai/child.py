"""Run by `activities.ai.sandbox`, one process for one job: calls in JSON lines on stdin, answers on stdout.

It has limits, no network where the system allows it, and nothing of our environment.
"""

import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

from activities.ai.registry import task
from activities.ai.task import BadInput, Task
from contracts.errors import TASK_OUT_OF_MEMORY

PAGE = resource.getpagesize()


def main() -> None:
    # What libraries print must not come between the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    subject = task(sys.argv[1])
    for line in sys.stdin:
        _allow(subject.limits.cpu_seconds)
        try:
            answer = {"result": _call(subject, json.loads(line))}
        except BadInput as error:
            answer = {"error": error.code, "detail": error.detail}
        except MemoryError:
            answer = {"error": TASK_OUT_OF_MEMORY, "detail": {}}
        except Exception as error:  # noqa: BLE001 - its text may hold what stands in the file
            answer = {"crash": type(error).__name__}
        answers.write(json.dumps(answer | {"memory": _memory()}, ensure_ascii=False) + "\n")
        answers.flush()


def _call(subject: Task, what: dict[str, Any]) -> Any:
    source, parameters = Path(what["source"]), what["parameters"]
    match what["call"]:
        case "fingerprint":
            return subject.fingerprint()
        case "plan":
            return subject.plan(source, parameters)
        case "run":
            return subject.run(source, what["unit"], parameters, Path(what["out"]))
        case "assemble":
            results = [(unit, result) for unit, result in what["results"]]
            done = subject.assemble(source, results, parameters, Path(what["units"]), Path(what["out"]))
            return {"summary": done.summary, "files": done.files, "review": done.review}
        case other:
            raise AssertionError(other)


def _allow(seconds: int) -> None:
    """CPU for one more call: the soft limit moves along, and the kernel ends the process at it."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = int(usage.ru_utime + usage.ru_stime) + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (min(used + seconds, hard), hard))


def _memory() -> int:
    """Bytes resident now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


main()
