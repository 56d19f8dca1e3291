"""Where the questions of an exam are: by the numbers at the left of its columns. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels of the page

INDENT = 0.03  # of the page's width: a number further in from the column's edge belongs to a list
PADDING = 12  # pixels around a crop
MAX_NUMBER = 200
_NUMBER = re.compile(r"^\s*(\d{1,3})\s?[.,](?!\d)")
_GROUP = re.compile(r"^\s*[\[［(]\s*(\d{1,3})\s*[~∼\-–]\s*(\d{1,3})\s*[\])］]")


@dataclass(frozen=True)
class Seen:
    """A line of text in reading order."""

    text: str
    box: Box


@dataclass(frozen=True)
class Question:
    """`numbers` is one, or the first and last of a text that several questions share (`[1~3]`)."""

    numbers: tuple[int, ...]
    box: Box
    column: int
    text: str


def find(lines: Sequence[Seen], width: int) -> list[Question]:
    """The questions of a page, in the order of reading; each reaches down to the next one of its column."""
    edges = _edges(lines, width)
    found: list[tuple[tuple[int, ...], int, list[Seen]]] = []
    for line in lines:
        column = 1 if len(edges) == 2 and _centre(line.box) >= width / 2 else 0
        numbers = _numbers(line.text)
        at_edge = line.box[0] - edges[column] < INDENT * width
        if numbers and at_edge:
            found.append((numbers, column, [line]))
        elif found and found[-1][1] == column:
            found[-1][2].append(line)
        elif found:  # a question that goes on at the head of the next column
            numbers, _, _ = found[-1]
            found.append((numbers, column, [line]))
    return [
        Question(numbers, _around([line.box for line in of]), column, "\n".join(line.text for line in of))
        for numbers, column, of in found
    ]


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


def _edges(lines: Sequence[Seen], width: int) -> list[int]:
    """The left edge of each column, by the lines that begin with a number."""
    starts = [line.box[0] for line in lines if _numbers(line.text)]
    left = [start for start in starts if start < width * 0.45]
    right = [start for start in starts if start >= width * 0.45]
    return [min(side) for side in (left, right) if side] or [0]


def _centre(box: Box) -> float:
    return (box[0] + box[2]) / 2


def _around(boxes: Sequence[Box]) -> Box:
    return (
        min(box[0] for box in boxes) - PADDING,
        min(box[1] for box in boxes) - PADDING,
        max(box[2] for box in boxes) + PADDING,
        max(box[3] for box in boxes) + PADDING,
    )
