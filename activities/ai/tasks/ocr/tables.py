"""Tables with rules: their cells by what the rules enclose, and what stands in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from activities.ai.pages import Pixels
from activities.ai.tasks.ocr.order import Box
from activities.ai.tasks.ocr.words import Line, hull

SCALE = 0.5  # at which rules are sought
RULE = 30  # pixels of a rule there, at least
GAP = 3  # pixels that a scanner may have left out of one
SMALLEST = 10  # pixels there of a cell's side, at least
LARGEST = 0.5  # of the page: a frame around it all is no cell
CELLS = 4  # of a table, at least
SAME_EDGE = 8  # pixels there between edges that are one


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
    """`box` is on the page."""

    box: Box
    cells: tuple[Cell, ...]


def tables_of(page: Pixels, lines: Sequence[Line], tilt: float = 0.0) -> list[Table]:
    """The tables of a grey page whose lines fall to the right by `tilt` degrees, from top to bottom."""
    height, width = page.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), tilt, 1.0)
    scaled = np.asarray(turn, np.float64) * SCALE
    size = max(1, round(width * SCALE)), max(1, round(height * SCALE))
    small = cv2.warpAffine(page, scaled, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    rules = _rules(np.asarray(small, np.uint8))
    found = []
    for boxes in _groups(rules):
        places = _placed(boxes)
        texts = _texts(boxes, lines, scaled)
        cells = [Cell(*place, text) for place, text in zip(places, texts, strict=True)]
        back = cv2.invertAffineTransform(scaled)
        left, top, right, bottom = hull(boxes)
        corners = cv2.transform(np.array([[(left, top), (right, bottom)]], np.float64), back)[0]
        (x0, y0), (x1, y1) = corners.round().astype(int).tolist()
        found.append(Table((x0, y0, x1, y1), tuple(sorted(cells, key=lambda cell: (cell.row, cell.column)))))
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


def _texts(boxes: Sequence[Box], lines: Sequence[Line], scaled: npt.NDArray[np.float64]) -> list[str]:
    """What stands in each box, line by line."""
    found: list[list[str]] = [[] for _ in boxes]
    for line in lines:
        here: dict[int, list[str]] = {}
        for word in line.words:
            left, top, right, bottom = word.box
            x, y = scaled @ np.array([(left + right) / 2, (top + bottom) / 2, 1.0])
            for index, (x0, y0, x1, y1) in enumerate(boxes):
                if x0 <= x < x1 and y0 <= y < y1:
                    here.setdefault(index, []).append(word.text)
        for index, words in here.items():
            found[index].append(" ".join(words))
    return ["\n".join(each) for each in found]
