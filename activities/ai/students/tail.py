"""Rows of files that a child process still writes."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import BinaryIO

from activities.ai.tasks.roster.parse import Row
from activities.ai.tasks.roster.task import MAX_ROWS, row_of

FOLLOWED = 100  # files, each of which is open: a workbook may have thousands of sheets
PAUSE = 0.005  # seconds until somebody looks for more
PATIENCE = 10.0  # seconds without a row: who reads them holds locks meanwhile


class Superseded(Exception):
    """The rows that were handed out are not those of the roster: some are of the same student, there are too
    many, or what has written them did not come to its end."""


class Tail:
    """The rows of some files, written one after the other. Iterate in a thread: it waits for rows until
    `end`, and raises Superseded if they were not the roster's."""

    def __init__(self) -> None:
        self._files: list[BinaryIO] = []
        self._begun = 0
        self._ended = Event()
        self._students: int | None = None

    def next(self, path: Path) -> None:
        """The file that was written is whole, and this one begins. Raises FileExistsError."""
        if len(self._files) < FOLLOWED:
            # Made here: a link or a pipe that a child has put there, or puts there later, is not read.
            made = os.open(path, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_RDWR, 0o600)
            self._files.append(os.fdopen(made, "rb"))
        self._begun += 1

    def end(self, students: int | None) -> None:
        """Nothing more is written. `students`: how many the roster has, repeated ones once; None if it could
        not be read."""
        self._students = students
        self._ended.set()

    def close(self) -> None:
        for file in self._files:
            file.close()

    def __iter__(self) -> Iterator[Row]:
        seen = number = 0
        line, last = b"", time.monotonic()
        while True:
            # Before the last look.
            ended, whole = self._ended.is_set(), self._begun > number + 1
            before = seen
            if number < len(self._files):
                while (line := line + self._files[number].readline()).endswith(b"\n"):
                    yield row_of(line)
                    seen, line = seen + 1, b""
                    if seen > MAX_ROWS:
                        raise Superseded
            if seen > before:
                last = time.monotonic()
            if whole:
                number, line = number + 1, b""
            elif ended:
                break
            elif time.monotonic() - last > PATIENCE:
                raise Superseded
            else:
                self._ended.wait(PAUSE)
        if seen != self._students:
            raise Superseded
