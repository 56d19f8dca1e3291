"""The order in which a page is read: columns one after the other, what crosses them in between, rows of cells
and choices across. Pure.

A gutter is sought wherever a line begins. What reaches over it, as headings do, parts the page into bands; in
a band it is a gutter if text of a column's width stands on both sides. The parts are cut again in the same
way, so a spread is read page by page, and columns may be three or four, anywhere.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import cos, radians, sin, tan
from statistics import median

Box = tuple[int, int, int, int]

LINES = 3  # at least on each side of a gutter, one below the other
COLUMN, SURE_COLUMN = (
    4.5,
    6.0,
)  # heights of a line as detected: narrower are cells if they stand in rows, or may be
IN_ROWS = 0.7  # of the lines of one side have one beside them on the other: rows
OVER = 0.5  # heights by which a line reaches over a gutter on both sides
SAME_LINE = 0.5  # of the lower height: boxes that overlap by this much stand beside each other
UPRIGHT = 3.0  # times as high as wide: vertical writing
VERTICAL = 3  # so many of them
STEEP = 20.0  # degrees: a page at 15 comes out right, at 45 which line is the next one is a guess
DEEP = 8  # gutters within gutters


@dataclass(frozen=True)
class Order:
    """Indices of the boxes as a person would read them; `doubted`: perhaps in another order. `parts` are the
    same, parted into what has no gutter within: columns, and what reaches over them."""

    parts: list[list[int]]
    doubted: bool

    @property
    def indices(self) -> list[int]:
        return [index for part in self.parts for index in part]


@dataclass(frozen=True)
class _Band:
    """Boxes below each other; `sides` are those left and right of a gutter, if there is one."""

    indices: list[int]
    sides: tuple[list[int], list[int]] | None = None
    unsure: bool = False


def reading_order(boxes: Sequence[Box], tilt: float = 0.0) -> Order:
    """`boxes` are left, top, right, bottom; lines fall to the right by `tilt` degrees."""
    straight = [_straight(box, radians(tilt)) for box in boxes]
    doubts = [
        sum(bottom - top > UPRIGHT * (right - left) for left, top, right, bottom in straight) >= VERTICAL
    ]
    doubts.append(abs(tilt) > STEEP and len(boxes) > 1)
    return Order(list(_ordered(straight, range(len(boxes)), doubts, DEEP)), any(doubts))


def _ordered(
    boxes: Sequence[Box], indices: Sequence[int], doubts: list[bool], deep: int
) -> Iterator[list[int]]:
    bands = _bands(boxes, indices) if deep else []
    if not any(band.sides for band in bands):
        yield [index for row in _rows(boxes, indices) for index in row]
        return
    for band in bands:
        doubts.append(band.unsure)
        for part in band.sides or (band.indices,):
            yield from _ordered(boxes, part, doubts, deep - 1)


def _bands(boxes: Sequence[Box], indices: Sequence[int]) -> list[_Band]:
    """By the gutter that has most text on its sides; of those that have as much by the widest."""
    best: list[_Band] = []
    most = (0, 0.0)
    for x in sorted({boxes[index][0] for index in indices}):
        found = list(_cut(boxes, indices, x))
        beside = [band.sides for band in found if band.sides]
        if not beside:
            continue
        count = sum(len(left) + len(right) for left, right in beside)
        gap = min(x - max(boxes[index][2] for index in left) for left, _ in beside)
        if (count, gap) > most:
            best, most = found, (count, gap)
    return best


def _cut(boxes: Sequence[Box], indices: Sequence[int], x: int) -> Iterator[_Band]:
    """The bands between what reaches over the place `x`, and what does."""
    high = _height(boxes, indices)
    band: list[int] = []
    for index in sorted(indices, key=lambda each: _middle(boxes[each])):
        left, _, right, _ = boxes[index]
        if left < x - OVER * high and right > x + OVER * high:
            if band:
                yield _band(boxes, band, x)
            yield _Band([index])
            band = []
        else:
            band.append(index)
    if band:
        yield _band(boxes, band, x)


def _band(boxes: Sequence[Box], band: list[int], x: int) -> _Band:
    high = _height(boxes, band)
    left = [index for index in band if boxes[index][0] < x - OVER * high]
    right = [index for index in band if boxes[index][0] >= x - OVER * high]
    rows = [_rows(boxes, side) for side in (left, right)]
    if min(map(len, rows)) < LINES:
        return _Band(band)
    fewer, more = sorted((left, right), key=len)
    beside = sum(any(overlap(boxes[one], boxes[other]) > SAME_LINE for other in more) for one in fewer)
    in_rows = beside >= IN_ROWS * len(fewer)
    narrow = min(_width(boxes, side) for side in (left, right)) / high
    if in_rows and narrow < COLUMN:
        return _Band(band)
    return _Band(band, (left, right), unsure=in_rows and narrow < SURE_COLUMN)


def _rows(boxes: Sequence[Box], indices: Sequence[int]) -> list[list[int]]:
    """From top to bottom, each from left to right."""
    rows: list[list[int]] = []
    for index in sorted(indices, key=lambda each: _middle(boxes[each])):
        if rows and overlap(boxes[rows[-1][0]], boxes[index]) > SAME_LINE:
            rows[-1].append(index)
        else:
            rows.append([index])
    return [sorted(row, key=lambda each: boxes[each][0]) for row in rows]


def overlap(first: Box, second: Box) -> float:
    """Of the lower one's height, shared by both."""
    shared = min(first[3], second[3]) - max(first[1], second[1])
    return shared / max(1, min(first[3] - first[1], second[3] - second[1]))


def _straight(box: Box, tilt: float) -> Box:
    """Where it were if the page were turned back; a box around a line that falls is higher than the line."""
    left, top, right, bottom = box
    x, y = (left + right) / 2, (top + bottom) / 2
    x, y = x * cos(tilt) + y * sin(tilt), y * cos(tilt) - x * sin(tilt)
    wide = right - left
    high = max((bottom - top) / 3, bottom - top - abs(tan(tilt)) * wide)
    return round(x - wide / 2), round(y - high / 2), round(x + wide / 2), round(y + high / 2)


def _height(boxes: Sequence[Box], indices: Sequence[int]) -> float:
    return max(1.0, median(boxes[index][3] - boxes[index][1] for index in indices)) if indices else 1.0


def _width(boxes: Sequence[Box], indices: Sequence[int]) -> float:
    return median(boxes[index][2] - boxes[index][0] for index in indices)


def _middle(box: Box) -> float:
    return (box[1] + box[3]) / 2
