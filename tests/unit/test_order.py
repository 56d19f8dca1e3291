"""The order of reading, of pages whose order is known: as boxes, and a few drawn and read."""

import random
from math import cos, radians, sin

import numpy as np
import pytest

from activities.ai.tasks.ocr.order import Box, reading_order

HIGH, PITCH = 40, 60


def column(left: int, width: int, top: int = 300, count: int = 20, ragged: int = 0) -> list[Box]:
    """Lines of a column; every fourth ends a paragraph."""
    chance = random.Random(f"{left} {top} {ragged}")
    lines = []
    for row in range(count):
        y = top + PITCH * row + chance.randint(0, ragged)
        lines.append((left, y, left + (width // 2 if row % 4 == 3 else width), y + HIGH))
    return lines


def across(left: int, right: int, top: int) -> Box:
    return left, top, right, top + HIGH


def grid(lefts: list[int], width: int, top: int, rows: int) -> list[Box]:
    return [(x, top + PITCH * row, x + width, top + PITCH * row + HIGH) for row in range(rows) for x in lefts]


TITLE, FOOT = across(200, 2200, 200), across(1000, 1300, 3300)
CHOICES = grid([180, 560, 940, 1320, 1700], 200, 480, 1)
PAGES: dict[str, list[Box]] = {
    "one column": [TITLE, *column(200, 2000), FOOT],
    "two columns": [TITLE, *column(150, 1000), *column(1300, 1000)],
    "two columns, not in one rhythm": [TITLE, *column(150, 1000, 310), *column(1300, 1000, 331, ragged=9)],
    "three columns": [TITLE, *column(150, 640), *column(900, 640), *column(1650, 640)],
    "four columns": [TITLE, *column(100, 500), *column(680, 500), *column(1260, 500), *column(1840, 500)],
    "gutter at 36 %": [TITLE, *column(150, 700), *column(920, 1400)],
    "gutter at 64 %": [TITLE, *column(150, 1400), *column(1620, 700)],
    "a short right column": [*column(150, 1000), *column(1300, 1000, count=4)],
    "a heading in the middle": [
        *column(150, 1000, 300, 8),
        *column(1300, 1000, 300, 8),
        across(600, 1800, 900),
        *column(150, 1000, 1000, 8),
        *column(1300, 1000, 1000, 8),
    ],
    "columns above, a text below": [
        *column(150, 1000, 300, 8),
        *column(1300, 1000, 300, 8),
        *column(150, 2150, 1000, 20),
    ],
    "a text above, three columns below": [
        *column(150, 2150, 300, 20),
        *column(150, 640, 1600, 8),
        *column(900, 640, 1600, 8),
        *column(1650, 640, 1600, 8),
    ],
    "a spread": [
        *(across(150, 2300, 200), *column(150, 1000), *column(1300, 1000)),
        *(across(2700, 4800, 200), *column(2700, 1000), *column(3850, 1000)),
    ],
    "a table": grid([200, 700, 1200, 1700], 150, 300, 20),
    "choices side by side": [across(150, 2200, 420), *CHOICES, *column(150, 2000, 700, 6)],
    "choices in two rows": [
        across(150, 2200, 420),
        *grid([180, 900], 500, 480, 2),
        *column(150, 2000, 700, 6),
    ],
    "choices in a column of two": [
        *column(150, 1000, 300, 5),
        *grid([180, 500, 820], 150, 600, 1),
        *column(150, 1000, 660, 5),
        *grid([180, 500, 820], 150, 960, 1),
        *column(1300, 1000, 300, 12),
    ],
}


@pytest.mark.parametrize("tilt", [0.0, 1.5, -2.0])
@pytest.mark.parametrize("name", PAGES)
def test_pages(name: str, tilt: float) -> None:
    boxes = [_fallen(box, tilt) for box in PAGES[name]]
    shuffled = list(range(len(boxes)))
    random.Random(name).shuffle(shuffled)
    order = reading_order([boxes[index] for index in shuffled], tilt)
    assert [shuffled[index] for index in order.indices] == list(range(len(boxes)))
    assert not order.doubted


def _fallen(box: Box, tilt: float) -> Box:
    """What is around it after its page was turned."""
    angle = radians(tilt)
    turn = np.array([[cos(angle), -sin(angle)], [sin(angle), cos(angle)]])
    left, top, right, bottom = box
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)]) @ turn.T
    (x0, y0), (x1, y1) = corners.min(axis=0), corners.max(axis=0)
    return round(x0), round(y0), round(x1), round(y1)


@pytest.mark.parametrize(
    "boxes",
    [
        [(x, 100, x + 40, 900) for x in range(100, 900, 80)],
        [*column(150, 210), *column(600, 210)],
    ],
    ids=["vertical writing", "narrow columns or wide cells"],
)
def test_what_could_be_read_in_another_way_is_doubted(boxes: list[Box]) -> None:
    assert reading_order(boxes).doubted


def test_few_boxes_and_none() -> None:
    assert reading_order([]).indices == []
    assert reading_order([(0, 0, 10, 10)]).indices == [0]
    assert reading_order([(550, 95, 950, 125), (50, 100, 450, 130)]).indices == [1, 0], "a row"


@pytest.mark.parametrize(("degrees", "doubted"), [(0, False), (12, False), (-35, True), (45, True)])
def test_lines_of_a_steep_page_may_be_in_another_order(degrees: float, doubted: bool) -> None:
    """At 45 degrees every letter was right, and two lines were swapped."""
    lines = [(200, 300 + 60 * row, 900, 340 + 60 * row) for row in range(6)]
    assert reading_order(lines, degrees).doubted is doubted
