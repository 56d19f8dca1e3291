"""What a task on an uploaded file is: three pure functions over local files.

All of them run in a child process with resource limits (`activities.ai.sandbox.parent`): uploaded files are
hostile until the contrary is shown, and a parser that dies takes its child along and nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


class BadInput(Exception):
    """The file cannot be worked on. `code` is one of `contracts.errors`; `detail` tells where, for people
    and logs, and holds nothing about a person."""

    def __init__(self, code: str, detail: Mapping[str, str | int] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.detail = dict(detail or {})


@dataclass(frozen=True)
class Limits:
    """What one file may take. Memory, CPU and wall clock are those of one call in the child, and again of a
    program that it starts, which it may where `programs` says so."""

    source_bytes: int
    memory_bytes: int
    cpu_seconds: int
    wall_seconds: int
    programs: bool = False


@dataclass(frozen=True)
class Assembled:
    """The end of a task: a small summary for the job's row, the files it wrote below `out` by name, and why a
    person should look (empty: nobody needs to)."""

    summary: dict[str, Any]
    files: tuple[str, ...] = ()
    review: tuple[str, ...] = field(default=())


class Task(Protocol):
    """`version` changes whenever the same file and parameters may give another result: finished units are
    found again by it. `parameters` is the job's payload without what names the file or its owner."""

    name: str
    version: int
    limits: Limits

    def fingerprint(self) -> str:
        """Engine and model versions, kept in the result."""

    def plan(self, source: Path, parameters: Mapping[str, Any]) -> list[str]:
        """Names of the units (pages, sheets), in order; each can be computed alone. Raises BadInput."""

    def run(self, source: Path, unit: str, parameters: Mapping[str, Any], out: Path) -> dict[str, Any]:
        """The unit's result as JSON; what is not JSON (crops) goes to files below `out`. Raises BadInput."""

    def assemble(
        self,
        source: Path,
        results: Sequence[tuple[str, dict[str, Any]]],
        *,
        parameters: Mapping[str, Any],
        units: Path,
        out: Path,
    ) -> Assembled:
        """The results of all units in order, made into the files that people get. `units` holds each unit's
        own files in a folder of its name."""
