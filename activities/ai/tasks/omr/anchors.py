"""Where the lines of a sheet really lie: by the black squares at both ends of each.

Lines below each other are told apart by all the squares of their column: one line looks like the next, and
paper that is folded, or slips in a scanner, brings one to the other's place.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from activities.ai.tasks.omr.layout import ANCHOR, Line, Point

Floats = npt.NDArray[np.float32]

_REACH = 3.0  # mm by which an anchor may be out of its place
_NEIGHBOURHOOD = 0.9  # of the gap to the next line: how far beyond a column anchors are looked for
_ALONE = 5.0  # mm, likewise for a line that is alone
_UNEVEN = 1.0, 0.06  # mm, and of the distance: what two lines of a column may be off to each other
_SHIFTED = 1.5  # mm; a column without its first or last anchor that is off by more may be off by a line


class Moved(NamedTuple):
    """By how many pixels the ends of a line are out of their places."""

    left: Point
    right: Point


def locate(dark: Floats, lines: Sequence[Line], scale: int) -> list[Moved | None]:
    """On a straightened page's darkness (0 to 1), `scale` pixels for a millimetre; None for a line whose
    anchors are not found, and for all lines of a column whose anchors do not tell which is which."""
    columns: dict[tuple[float, float], list[int]] = {}
    for index, line in enumerate(lines):
        columns.setdefault((line.left[0], line.right[0]), []).append(index)
    found: list[Moved | None] = [None] * len(lines)
    for indexes in columns.values():
        ordered = sorted(indexes, key=lambda index: lines[index].left[1])
        lefts = _column(dark, [lines[index].left for index in ordered], scale)
        rights = _column(dark, [lines[index].right for index in ordered], scale)
        for index, left, right in zip(ordered, lefts, rights, strict=True):
            if left is not None and right is not None:
                found[index] = Moved(left, right)
    return found


def _column(dark: Floats, places: Sequence[Point], scale: int) -> list[Point | None]:
    """How far each anchor of a column (from above) is out of its place."""
    unknown: list[Point | None] = [None] * len(places)
    found = unknown.copy()
    for x, y in _squares(dark, places, scale):
        nearest = min(range(len(places)), key=lambda index: abs(places[index][1] - y))
        moved = x - places[nearest][0], y - places[nearest][1]
        if found[nearest] is not None or max(map(abs, moved)) > _REACH:
            return unknown
        found[nearest] = moved
    there = [(place[1], down[1]) for place, down in zip(places, found, strict=True) if down is not None]
    for (y, down), (next_y, next_down) in pairwise(there):
        if abs(next_down - down) > _UNEVEN[0] + _UNEVEN[1] * (next_y - y):
            return unknown
    if None in (found[0], found[-1]) and any(abs(down) > _SHIFTED for _, down in there):
        return unknown
    return [moved and (moved[0] * scale, moved[1] * scale) for moved in found]


def _squares(dark: Floats, places: Sequence[Point], scale: int) -> list[Point]:
    """The centres (mm) of all that looks like an anchor along a column, from above."""
    gaps = [below[1] - above[1] for above, below in pairwise(places)]
    beyond = _NEIGHBOURHOOD * min(gaps) if gaps else _ALONE
    half = _REACH + ANCHOR / 2
    left, top = (max(0, round(side * scale)) for side in (places[0][0] - half, places[0][1] - beyond))
    right, bottom = (round(side * scale) for side in (places[0][0] + half, places[-1][1] + beyond))
    window = (dark[top : bottom + 1, left : right + 1] > 0.5).astype(np.uint8)
    _, _, stats, centroids = cv2.connectedComponentsWithStats(window)
    side = ANCHOR * scale
    squares = []
    for (start, _, width, height, area), (x, y) in zip(stats[1:], centroids[1:], strict=True):
        if start == 0 or start + width == window.shape[1]:  # a part of something longer
            continue
        square = 0.65 * side <= min(width, height) and max(width, height) <= 1.4 * side
        if square and area >= 0.75 * width * height:
            squares.append((float(x + left) / scale, float(y + top) / scale))
    return sorted(squares, key=lambda square: square[1])
