"""Parts of a source in a file of its size: the rest is a hole. What was written, where, and its MD5 stand in
the copy's lock file, a line each; the last one of a place counts. Blocking.

Several processes may write at once: each writes what it has fetched, then says so in one line. What it says
is compared with what is read, at every use.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from clients.objects import Objects, md5
from contracts.video import SourceRef, Span

PIECE = 8 * 2**20  # bytes that are asked for at once


def fetch_parts(objects: Objects, source: SourceRef, file: Path, lock: int, wanted: Iterable[Span]) -> int:
    """Bring what is missing of `wanted`, or was damaged, from the store; returns how many bytes that were.
    Raises as `Objects.read`."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if os.fstat(descriptor).st_size != source.size:
            os.ftruncate(descriptor, source.size)
        asked = _merged((max(0, start), min(end, source.size)) for start, end in wanted)
        good, bad = _looked_at(descriptor, _said(lock), asked)
        fetched = 0
        for start, end in [*bad, *_without(asked, _merged([*good, *bad]))]:
            for at in range(start, end, PIECE):
                data = objects.read(source, at, min(end, at + PIECE))
                _write(descriptor, data, at)
                _say(lock, at, data)
                fetched += len(data)
        return fetched
    finally:
        os.close(descriptor)


def missing_of(size: int, lock: int, wanted: Iterable[Span]) -> int:
    """Bytes of `wanted` that nobody has said to have written."""
    asked = _merged((max(0, start), min(end, size)) for start, end in wanted)
    return sum(end - start for start, end in _without(asked, _merged(_said(lock))))


def _said(lock: int) -> dict[Span, str]:
    """Places and their MD5. A line that a dying process left half is none."""
    found = {}
    for line in os.pread(lock, os.fstat(lock).st_size, 0).decode(errors="replace").splitlines():
        words = line.split(" ")
        if len(words) == 4 and words[3] == ".":
            found[int(words[0]), int(words[1])] = words[2]
    return found


def _say(lock: int, at: int, data: bytes) -> None:
    """Appended in one call (the lock is open with O_APPEND), on a line of its own whatever is before."""
    os.write(lock, f"\n{at} {at + len(data)} {md5(data)} .\n".encode())


def _write(descriptor: int, data: bytes, at: int) -> None:
    while data:
        done = os.pwrite(descriptor, data, at)
        data, at = data[done:], at + done


def _looked_at(descriptor: int, said: dict[Span, str], asked: list[Span]) -> tuple[list[Span], list[Span]]:
    """What was written of `asked` and is still so, and what is not any more."""
    good: list[Span] = []
    bad: list[Span] = []
    for (start, end), digest in said.items():
        if any(since < end and start < until for since, until in asked):
            intact = md5(os.pread(descriptor, end - start, start)) == digest
            (good if intact else bad).append((start, end))
    return good, bad


def _merged(spans: Iterable[Span]) -> list[Span]:
    whole: list[Span] = []
    for start, end in sorted(spans):
        if whole and start <= whole[-1][1]:
            whole[-1] = whole[-1][0], max(whole[-1][1], end)
        elif start < end:
            whole.append((start, end))
    return whole


def _without(spans: list[Span], there: list[Span]) -> list[Span]:
    """Both merged."""
    left = []
    for start, end in spans:
        for since, until in there:
            if until <= start or since >= end:
                continue
            if since > start:
                left.append((start, since))
            start = max(start, until)
        if start < end:
            left.append((start, end))
    return left
