"""Rows of files that a child process still writes."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event

from activities.ai.roster.parse import Row
from activities.ai.roster.task import row_of

PAUSE = 0.005  # seconds until somebody looks for more


class Superseded(Exception):
    """The rows that were handed out are not those of the roster: some are of the same student, or what has
    written them did not come to its end."""


class Growing:
    """The rows of some files, written one after the other. Iterate in a thread: it waits for rows until
    `end`, and raises Superseded if they were not the roster's."""

    def __init__(self, paths: Sequence[Path]) -> None:
        for path in paths:
            path.touch()
        # Opened before a child may write: whatever it puts in their place, a link or a pipe, is not read.
        self._files = [path.open("rb") for path in paths]
        self._whole = 0
        self._ended = Event()
        self._students: int | None = None

    def next(self) -> None:
        """The file that was written is whole."""
        self._whole += 1

    def end(self, students: int | None) -> None:
        """Nothing more is written. `students`: how many the roster has, repeated ones once; None if it could
        not be read."""
        self._students = students
        self._ended.set()

    def close(self) -> None:
        for file in self._files:
            file.close()

    def __iter__(self) -> Iterator[Row]:
        seen = 0
        for number, file in enumerate(self._files):
            line = b""
            while True:
                whole = self._whole > number or self._ended.is_set()  # before the last look
                line += file.readline()
                if line.endswith(b"\n"):
                    yield row_of(line)
                    seen, line = seen + 1, b""
                elif whole:
                    break
                else:
                    self._ended.wait(PAUSE)
        self._ended.wait()
        if seen != self._students:
            raise Superseded
