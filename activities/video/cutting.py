"""What of a version's segments is in a part of it: which are kept, and which are made again. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Kept:
    """A segment of the version before, by its number; of sound what of it lies within."""

    number: int


@dataclass(frozen=True)
class Edge:
    """Frames of the version before that are encoded again: a segment that the cut goes through."""

    first: int
    frames: int


Piece = Kept | Edge
Segments = list[list[Piece]]
"""Of each new segment what it is joined of."""


def outward(starts: Sequence[int], first: int, end: int) -> tuple[int, int]:
    """The borders of segments that a part lies within. `starts` has the end of the last one, too."""
    return (
        max(start for start in starts[:-1] if start <= first),
        min(start for start in starts[1:] if start >= end),
    )


def of_picture(starts: Sequence[int], first: int, end: int, shortest: int) -> Segments:
    """Frames `first` to before `end`. What is shorter than `shortest` frames joins its neighbour."""
    pieces: list[tuple[Piece, int]] = []
    for number, (begin, behind) in enumerate(pairwise(starts)):
        since, until = max(begin, first), min(behind, end)
        if (since, until) == (begin, behind):
            pieces.append((Kept(number), until - since))
        elif since < until:
            pieces.append((Edge(since, until - since), until - since))
    return _joined(pieces, shortest)


def of_sound(starts: Sequence[int], step: int, first: int, end: int, shortest: int) -> Segments:
    """What `fragments.cut` leaves between two ticks, in frames of `step` ticks."""
    pieces: list[tuple[Piece, int]] = []
    for number, (begin, behind) in enumerate(pairwise(starts)):
        frames = -(-(behind - begin) // step)
        since = max(0, -(-(first - begin) // step))
        until = min(frames, (end - begin - step // 2) // step + 1)
        if since < until:
            pieces.append((Kept(number), (until - since) * step))
    return _joined(pieces, shortest)


def edges_of(segments: Iterable[Sequence[Piece]]) -> list[Edge]:
    return [piece for pieces in segments for piece in pieces if isinstance(piece, Edge)]


def _joined(pieces: Sequence[tuple[Piece, int]], shortest: int) -> Segments:
    found: Segments = [[piece] for piece, _ in pieces]
    if len(found) > 1 and pieces[-1][1] < shortest:
        found[-2:] = [found[-2] + found[-1]]
    if len(found) > 1 and pieces[0][1] < shortest:
        found[:2] = [found[0] + found[1]]
    return found
