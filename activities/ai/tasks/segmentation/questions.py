"""Where the questions of an exam are: by the numbers at the left of its columns. Pure."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import cv2
import numpy as np

from activities.ai.pages import Pixels
from activities.ai.tasks.ocr.order import LINES, Box, reading_order

INDENT = 0.03  # of the page's width: a number further in from the column's edge belongs to a list
FEW = 0.3  # of a column's lines may reach over its edge, as headings do
PADDING = 12  # pixels around a crop
MAX_NUMBER = 200
INK = 150  # grey of what is written, at most
SHRUNK = 4  # pixels taken together when looking for ink
_NUMBER = re.compile(r"^\s*(\d{1,3})\s?[.,](?!\d)")
_GROUP = re.compile(r"^\s*[\[［(]\s*(\d{1,3})\s*[~∼\-–]\s*(\d{1,3})\s*[\])］]")


@dataclass(frozen=True)
class Seen:
    """A line of text in reading order."""

    text: str
    box: Box


@dataclass(frozen=True)
class Question:
    """`numbers` is one, or the first and last of a text that several questions share (`[1~3]`). `box` reaches
    down to what follows, so that a drawing below the last line is in it, and is as wide as its column."""

    numbers: tuple[int, ...]
    box: Box
    column: int
    text: str


def find(lines: Sequence[Seen], width: int, height: int) -> list[Question]:
    """The questions of a page of `width` × `height`, whose lines come in the order of reading."""
    edges = _edges(lines, width)
    across = [line for line in lines if _crosses(line.box, edges, width)]  # headings and footers
    found: list[tuple[tuple[int, ...], int, list[Seen]]] = []
    columns: list[list[Box]] = [[] for _ in edges]
    for line in lines:
        if line in across:
            continue
        column = max(bisect_right(edges, line.box[0] + INDENT * width) - 1, 0)
        columns[column].append(line.box)
        numbers = _numbers(line.text)
        at_edge = line.box[0] - edges[column] < INDENT * width
        if numbers and at_edge:
            found.append((numbers, column, [line]))
        elif found and found[-1][1] == column:
            found[-1][2].append(line)
        elif found:  # a question that goes on at the head of the next column
            numbers, _, _ = found[-1]
            found.append((numbers, column, [line]))
    tops = [(column, of[0].box[1]) for _, column, of in found]
    questions = []
    for numbers, column, of in found:
        top = of[0].box[1]
        next_tops = [each for where, each in tops if where == column and each > of[0].box[3]]
        ends = [height, *next_tops, *(line.box[1] for line in across if line.box[1] > top)]
        left, right = min(box[0] for box in columns[column]), max(box[2] for box in columns[column])
        box = (left - PADDING, top - PADDING, right + PADDING, min(ends) - PADDING)
        questions.append(Question(numbers, box, column, "\n".join(line.text for line in of)))
    return questions


def trimmed(picture: Pixels, box: Box) -> Box:
    """The part of the box within the picture with ink on it, and PADDING around."""
    height, width = picture.shape[:2]
    left, top, right, bottom = max(box[0], 0), max(box[1], 0), min(box[2], width), min(box[3], height)
    part = picture[top:bottom, left:right]
    grey = part if part.ndim == 2 else part.min(axis=2)
    # Specks of a scanner are too small to count.
    size = max(1, grey.shape[1] // SHRUNK), max(1, grey.shape[0] // SHRUNK)
    ink = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA)) < INK
    rows, columns = (np.flatnonzero(ink.any(axis=axis)) * SHRUNK for axis in (1, 0))
    if not rows.size:
        return left, top, right, bottom
    return (
        max(left, left + int(columns[0]) - PADDING),
        max(top, top + int(rows[0]) - PADDING),
        min(right, left + int(columns[-1]) + SHRUNK + PADDING),
        min(bottom, top + int(rows[-1]) + SHRUNK + PADDING),
    )


def gaps(numbers: Sequence[tuple[int, ...]]) -> list[int]:
    """What is missing between the lowest and the highest number, and numbers that go backwards."""
    single = [each[0] for each in numbers if len(each) == 1]
    if not single:
        return []
    missing = set(range(min(single), max(single) + 1)) - set(single)
    backwards = {second for first, second in pairwise(single) if second < first}
    return sorted(missing | backwards)


def _numbers(text: str) -> tuple[int, ...]:
    if group := _GROUP.match(text):
        first, last = int(group[1]), int(group[2])
        return (first, last) if 0 < first < last <= MAX_NUMBER else ()
    number = _NUMBER.match(text)
    return (int(number[1]),) if number and 0 < int(number[1]) <= MAX_NUMBER else ()


def overlapping(questions: Sequence[Question]) -> list[tuple[int, int]]:
    """First numbers of questions whose boxes share more than a margin: at most one of them is right."""
    return [
        (first.numbers[0], second.numbers[0])
        for first, second in combinations(questions, 2)
        if min(first.box[2], second.box[2]) - max(first.box[0], second.box[0]) > 4 * PADDING
        and min(first.box[3], second.box[3]) - max(first.box[1], second.box[1]) > 4 * PADDING
    ]


def _edges(lines: Sequence[Seen], width: int) -> list[int]:
    """The left edge of each column: where lines begin with a number, or a part of the page does that has no
    gutter within, unless the lines to the left of it go on beyond."""
    parts = reading_order([line.box for line in lines]).parts
    starts = [line.box[0] for line in lines if _numbers(line.text)]
    starts += [min(lines[index].box[0] for index in part) for part in parts if len(part) >= LINES]
    near = INDENT * width
    edges: list[int] = []
    for start in sorted(starts):
        if not edges or (start - edges[-1] >= near and not _goes_on(lines, edges[-1], start, near)):
            edges.append(start)
    return edges or [0]


def _goes_on(lines: Sequence[Seen], edge: int, start: int, near: float) -> bool:
    """Whether the lines that begin at `edge` reach beyond `start`, where there are lines that begin there."""
    own = [line.box for line in lines if abs(line.box[0] - edge) < near]
    there = [line.box for line in lines if abs(line.box[0] - start) < near]
    top, bottom = min(box[1] for box in there), max(box[3] for box in there)
    beside = [box for box in own if box[1] < bottom and box[3] > top] or own
    return sum(box[2] > start + near for box in beside) > FEW * len(beside)


def _crosses(box: Box, edges: Sequence[int], width: int) -> bool:
    return any(box[0] < edge - INDENT * width and box[2] > edge + INDENT * width for edge in edges[1:])
