"""Tables with rules: their cells by what the rules enclose, and what stands in them."""

from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from activities.ai.pages import Pixels
from activities.ai.tasks.ocr.order import Box
from activities.ai.tasks.ocr.words import Line, hull

SCALE = 0.5  # at which rules are sought
SMALL = 1000  # pixels of a page's longer side, at most: as it is, or its rules run into its letters
RULE = 30  # pixels of a rule there, at least
GAP = 3  # pixels that a scanner may have left out of one
SMALLEST = 10  # pixels there of a cell's side, at least
LARGEST = 0.5  # of the page: a frame around it all is no cell
CELLS = 4  # of a table, at least
SAME_EDGE = 8  # pixels there between edges that are one
SAME_LINE = 4  # pixels there between the middles of two lines at one height
OVER = 4  # pixels there by which the box of a word reaches over a rule
SAME_ROW = 0.2  # of a row's height: so near to its middle, a text stands in that row


@dataclass(frozen=True)
class _Word:
    """Where it stands, at the scale of the rules; `y` is its middle."""

    text: str
    left: float
    right: float
    y: float

    @property
    def x(self) -> float:
        return (self.left + self.right) / 2


@dataclass(frozen=True)
class Cell:
    """Rows and columns count from 0; `rows` and `columns` are how many it takes."""

    row: int
    column: int
    rows: int
    columns: int
    text: str


@dataclass(frozen=True)
class Table:
    """`box` is on the page. `doubted`: a rule was not seen, or where none is: cells are joined, lost or lie
    over each other, or a text stands in no cell."""

    box: Box
    cells: tuple[Cell, ...]
    doubted: bool = False


def tables_of(page: Pixels, lines: Sequence[Line], tilt: float = 0.0) -> list[Table]:
    """The tables of a grey page whose lines fall to the right by `tilt` degrees, from top to bottom."""
    height, width = page.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), tilt, 1.0)
    scale = SCALE if max(height, width) > SMALL else 1.0
    scaled = np.asarray(turn, np.float64) * scale
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.warpAffine(page, scaled, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    rules = _rules(np.asarray(small, np.uint8))
    words = _words(lines, scaled)
    found = []
    groups = _groups(rules)
    whole = [hull(boxes) for boxes in groups]
    outside = [
        word for line in words for word in line if not any(_holds(each, word.x, word.y) for each in whole)
    ]
    for boxes, table in zip(groups, whole, strict=True):
        places = _placed(boxes)
        inside = [[word for word in line if _holds(table, word.x, word.y)] for line in words]
        held = [_held(box, inside) for box in boxes]
        cells = [Cell(*place, _text(here)) for place, here in zip(places, held, strict=True)]
        doubted = (
            not _tiled(places)
            or _joined(boxes, places, held)
            or _between(boxes, inside)
            or any(map(_beside_each_other, held))
            or _goes_on(boxes, table, outside)
        )
        back = cv2.invertAffineTransform(scaled)
        left, top, right, bottom = table
        corners = cv2.transform(np.array([[(left, top), (right, bottom)]], np.float64), back)[0]
        (x0, y0), (x1, y1) = corners.round().astype(int).tolist()
        ordered = tuple(sorted(cells, key=lambda cell: (cell.row, cell.column)))
        found.append(Table((x0, y0, x1, y1), ordered, doubted))
    return sorted(found, key=lambda table: table.box[1])


def _rules(small: Pixels) -> Pixels:
    ink = cv2.adaptiveThreshold(small, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, 31, 15)
    whole = np.zeros_like(small)
    for size in ((RULE, 1), (1, RULE)):
        along = cv2.getStructuringElement(cv2.MORPH_RECT, size)
        gaps = cv2.getStructuringElement(cv2.MORPH_RECT, (min(size[0], GAP), min(size[1], GAP)))
        across = cv2.getStructuringElement(cv2.MORPH_RECT, (3, 3))
        thick = cv2.dilate(cv2.morphologyEx(ink, cv2.MORPH_CLOSE, gaps), across)
        whole |= np.asarray(cv2.morphologyEx(thick, cv2.MORPH_OPEN, along), np.uint8)
    return whole


def _groups(rules: Pixels) -> list[list[Box]]:
    """The boxes that rules enclose, by the rules that hang together."""
    count, _, found, _ = cv2.connectedComponentsWithStats((rules == 0).astype(np.uint8), connectivity=4)
    _, pieces = cv2.connectedComponents(rules)
    groups: dict[int, list[Box]] = {}
    for index in range(1, count):
        left, top, wide, high, area = (int(each) for each in found[index])
        right, bottom = left + wide, top + high
        inside = left > 0 and top > 0 and right < rules.shape[1] and bottom < rules.shape[0]
        if not inside or min(wide, high) < SMALLEST or wide * high > LARGEST * rules.size:
            continue
        if area < 0.7 * wide * high:  # not a rectangle
            continue
        piece = int(pieces[top + high // 2, left - 1])  # the rule at its left
        groups.setdefault(piece, []).append((left, top, right, bottom))
    return [boxes for boxes in groups.values() if len(boxes) >= CELLS and _is_grid(boxes)]


def _is_grid(boxes: Sequence[Box]) -> bool:
    """More than one row and one column: boxes below each other are frames."""
    return len(_edges([box[0] for box in boxes])) > 1 and len(_edges([box[1] for box in boxes])) > 1


def _placed(boxes: Sequence[Box]) -> list[tuple[int, int, int, int]]:
    """Row, column, and how many of each."""
    columns, rows = _edges([box[0] for box in boxes]), _edges([box[1] for box in boxes])
    placed = []
    for left, top, right, bottom in boxes:
        row, column = _nearest(rows, top), _nearest(columns, left)
        down = sum(top - SAME_EDGE < edge < bottom - SAME_EDGE for edge in rows)
        over = sum(left - SAME_EDGE < edge < right - SAME_EDGE for edge in columns)
        placed.append((row, column, max(1, down), max(1, over)))
    return placed


def _edges(places: Sequence[int]) -> list[int]:
    ordered = sorted(places)
    return ordered[:1] + [last for first, last in pairwise(ordered) if last - first > SAME_EDGE]


def _nearest(edges: Sequence[int], place: int) -> int:
    return min(range(len(edges)), key=lambda index: abs(edges[index] - place))


def _words(lines: Sequence[Line], scaled: npt.NDArray[np.float64]) -> list[list[_Word]]:
    found = []
    for line in lines:
        here = []
        for word in line.words:
            left, top, right, bottom = word.box
            middle = (top + bottom) / 2
            ends = cv2.transform(np.array([[(left, middle), (right, middle)]], np.float64), scaled)[0]
            here.append(_Word(word.text, ends[0, 0], ends[1, 0], float(ends[:, 1].mean())))
        found.append(here)
    return found


def _held(box: Box, lines: Sequence[Sequence[_Word]]) -> list[list[_Word]]:
    """What stands in a box, line by line."""
    return [here for line in lines if (here := [word for word in line if _holds(box, word.x, word.y)])]


def _text(lines: Sequence[Sequence[_Word]]) -> str:
    return "\n".join(" ".join(word.text for word in line) for line in lines)


def _holds(box: Box, x: float, y: float) -> bool:
    return box[0] <= x < box[2] and box[1] <= y < box[3]


def _tiled(places: Sequence[tuple[int, int, int, int]]) -> bool:
    """Whether each place of the grid has one cell."""
    taken = Counter(
        (row + down, column + over)
        for row, column, rows, columns in places
        for down in range(rows)
        for over in range(columns)
    )
    deep, wide = (max(place[axis] for place in taken) + 1 for axis in (0, 1))
    return len(taken) == deep * wide and taken.total() == deep * wide


def _joined(
    boxes: Sequence[Box],
    places: Sequence[tuple[int, int, int, int]],
    held: Sequence[Sequence[Sequence[_Word]]],
) -> bool:
    """Whether a cell over several rows has a text in the middle of more than one of them: one that was meant
    to be over several has its text in its own middle."""
    single = {
        row: (box[1], box[3]) for box, (row, _, rows, _) in zip(boxes, places, strict=True) if rows == 1
    }
    for (row, _, rows, _), lines in zip(places, held, strict=True):
        spans = {single[each] for each in range(row, row + rows) if each in single}
        if rows > 1 and _filled(spans, [word for line in lines for word in line]) > 1:
            return True
    return False


def _filled(rows: Set[tuple[int, int]], words: Sequence[_Word]) -> int:
    """In how many rows, each from top to bottom, a word stands in the middle."""
    return sum(
        any(abs(word.y - (top + bottom) / 2) < SAME_ROW * (bottom - top) for word in words)
        for top, bottom in rows
    )


def _between(boxes: Sequence[Box], lines: Sequence[Sequence[_Word]]) -> bool:
    """Whether a word stands in no cell, or over a rule, which may have been read as a letter."""
    for line in lines:
        for word in line:
            around = [box for box in boxes if _holds(box, word.x, word.y)]
            if not any(box[0] - OVER <= word.left and word.right <= box[2] + OVER for box in around):
                return True
    return False


def _beside_each_other(lines: Sequence[Sequence[_Word]]) -> bool:
    """Whether two lines of a cell stand at one height."""
    heights = sorted(line[0].y for line in lines)
    return any(lower - upper < SAME_LINE for upper, lower in pairwise(heights))


def _goes_on(boxes: Sequence[Box], table: Box, others: Sequence[_Word]) -> bool:
    """Whether texts stand left or right of the table in most of its rows: columns without a rule outside."""
    wide = float(np.median([right - left for left, _, right, _ in boxes]))
    rows = {(top, bottom) for _, top, _, bottom in boxes}
    beside = (
        [word for word in others if 0 <= table[0] - word.right < wide],
        [word for word in others if 0 <= word.left - table[2] < wide],
    )
    return any(_filled(rows, near) > max(1, len(rows) / 2) for near in beside)
