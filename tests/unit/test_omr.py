"""Reading answer sheets, against what was put on them."""

import subprocess
import sys
from collections import Counter
from random import Random

import cv2
import numpy as np
import pytest
from reportlab.pdfbase.ttfonts import TTFontFile

from activities.ai.pages import Pixels
from activities.ai.sandbox.task import BadInput
from activities.ai.tasks.omr import sheet as printing
from activities.ai.tasks.omr.judging import Mark
from activities.ai.tasks.omr.layout import MARK, SHEETS, TAGS, Layout
from activities.ai.tasks.omr.marked import marked
from activities.ai.tasks.omr.reading import find, measure
from contracts.errors import OMR_SHEET_NOT_FOUND, OMR_TEMPLATE_UNKNOWN
from tests.lab import PATIENCE
from tests.unit.omr import CLEAR, PX, Pen, bent, fill, photo, printed, scan

OURS = list(SHEETS.values())
SHEETS_EACH = 6


def read(picture: Pixels) -> tuple[Layout, list[Mark], list[Mark]]:
    """The layout, the questions' marks, the identifier's marks."""
    layout, straight = find(picture, OURS)
    found = marked(measure(layout, straight), layout)
    return layout, found.questions, found.digits


def silently_wrong(mark: Mark, meant: int | str | None) -> bool:
    return not mark.doubtful and (None if mark.choice is None else mark.choice + 1) != meant


@pytest.mark.parametrize("how", [scan, photo])
@pytest.mark.parametrize("group", range(4))
def test_no_mark_is_silently_wrong(how, group):
    """Six sheets of each of eight groups. With 25 it takes 40 s; do that when the reader changes."""
    seen: Counter[str] = Counter()
    for number in range(SHEETS_EACH):
        random = Random(f"{how.__name__} {group} {number}")
        filled = fill(random.choice([10, 20, 30]), random)
        layout, questions, digits = read(how(filled.grey, random))
        assert layout is filled.layout
        for row, (mark, meant, habit) in enumerate(
            zip(questions, filled.meant, filled.habits, strict=True), 1
        ):
            where = f"sheet {number}, question {row}, {habit}: {mark}, meant {meant}"
            assert not silently_wrong(mark, meant), where
            seen["clear"] += habit in CLEAR
            seen["clear but doubtful"] += habit in CLEAR and mark.doubtful
        for place, (mark, digit) in enumerate(zip(digits, filled.identifier, strict=True)):
            assert mark.doubtful or mark.choice == int(digit), f"sheet {number}, place {place}: {mark}"
            seen["doubtful digits"] += mark.doubtful
    assert seen["clear but doubtful"] <= 0.02 * seen["clear"], seen
    assert seen["doubtful digits"] <= 0.02 * 8 * SHEETS_EACH, seen


@pytest.mark.parametrize("seed", range(6))
def test_paper_that_is_bent_too_far_is_never_read_wrongly(seed):
    random = Random(seed)
    filled = fill(30, random)
    _, questions, _ = read(bent(filled.grey, random, 7))
    wrong = [
        row for row, pair in enumerate(zip(questions, filled.meant, strict=True), 1) if silently_wrong(*pair)
    ]
    assert not wrong


def test_bent_paper_is_read_where_it_lies():
    """2.5 mm is the radius of a bubble: without the anchors, the marks would be looked for beside it."""
    y, x = (grid.astype(np.float32) for grid in np.ogrid[0 : 297 * PX, 0 : 210 * PX])
    filled = fill(30, Random(1), {"pen": 1})
    shift = 2.5 * PX * np.sin(np.pi * (y - 18 * PX) / (261 * PX)).astype(np.float32)  # none at the marks
    page = cv2.remap(filled.grey, x + shift, y + 0 * x, cv2.INTER_LINEAR, borderValue=(255,))
    _, questions, _ = read(page)
    assert [mark.choice + 1 for mark in questions if mark.choice is not None] == filled.meant


@pytest.mark.parametrize("turns", range(4))
def test_any_way_up(turns):
    filled = fill(20, Random(5), {"pen": 3, "blank": 1})
    _, questions, digits = read(np.ascontiguousarray(np.rot90(filled.grey, turns)))
    assert [None if mark.choice is None else mark.choice + 1 for mark in questions] == filled.meant
    assert "".join(str(mark.choice) for mark in digits) == filled.identifier


@pytest.mark.parametrize("question_count", [10, 20, 30])
def test_an_untouched_sheet_is_blank(question_count):
    layout, questions, digits = read(printed(question_count))
    assert layout is SHEETS[question_count, 1]
    assert {mark.state for mark in questions + digits} == {"blank"}


@pytest.mark.parametrize(
    ("habit", "states"),
    [
        ("pen", {"answered"}),
        ("pencil", {"answered"}),
        ("blank", {"blank"}),
        ("dot", {"faint", "answered"}),
        ("half", {"faint", "answered"}),
        ("tick", {"faint", "answered"}),
        ("ring", {"stray"}),
        ("beside", {"stray"}),
        ("double", {"double"}),
        ("between", {"stray", "faint"}),
        ("crossed out", {"double", "stray"}),
    ],
)
def test_each_habit(habit, states):
    filled = fill(30, Random(habit), {habit: 1})
    _, questions, _ = read(filled.grey)
    assert {mark.state for mark in questions} <= states


def test_hard_shadow_over_a_page_leaves_blanks_blank():
    filled = fill(30, Random(3), {"pen": 1, "blank": 1})
    page = filled.grey.copy()
    page[:, : 95 * PX] = page[:, : 95 * PX] * 0.5
    page[200 * PX :] = page[200 * PX :] * 0.7
    _, questions, _ = read(page)
    assert [None if mark.choice is None else mark.choice + 1 for mark in questions] == filled.meant


def test_a_line_whose_anchor_is_scribbled_over_is_unreadable():
    filled = fill(10, Random(4), {"pen": 1})
    x, y = filled.layout.questions[2].left
    Pen(filled.grey, Random(1)).stroke([(x - 4, y - 3), (x + 4, y + 3), (x - 4, y + 2)], 1.5, 20)
    _, questions, _ = read(filled.grey)
    assert [mark.state for mark in questions] == ["answered"] * 2 + ["unreadable"] + ["answered"] * 7


def test_marks_with_ragged_edges_are_found():
    for seed in range(6):
        page = scan(printed(20), Random(seed))
        find(np.where(page < 200, 0, 255).astype(np.uint8), OURS)


@pytest.mark.parametrize("corner", range(4))
def test_a_missing_corner_mark(corner):
    page = printed(20).copy()
    cover(page, corner, 255)
    with pytest.raises(BadInput) as raised:
        find(page, OURS)
    assert (raised.value.code, raised.value.detail) == (OMR_SHEET_NOT_FOUND, {"corner_marks": 3})


def test_two_sheets_in_one_picture():
    with pytest.raises(BadInput) as raised:
        find(np.hstack([printed(10), printed(10)]), OURS)
    assert raised.value.code == OMR_SHEET_NOT_FOUND


def test_marks_of_no_sheet():
    page = printed(10).copy()
    for corner in range(4):
        cover(page, corner, cv2.aruco.generateImageMarker(TAGS, 580 + corner, round(MARK * PX)))
    with pytest.raises(BadInput) as raised:
        find(page, OURS)
    assert raised.value.code == OMR_TEMPLATE_UNKNOWN


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_a_page_of_one_colour_is_no_sheet(grey):
    with pytest.raises(BadInput) as raised:
        find(np.full((1000, 700), grey, np.uint8), OURS)
    assert raised.value.code == OMR_SHEET_NOT_FOUND


def cover(page: Pixels, corner: int, with_what: Pixels | int) -> None:
    mark = SHEETS[10, 1].marks[corner]
    half = round(MARK / 2 * PX)
    x, y = round(mark.x * PX), round(mark.y * PX)
    page[y - half : y + half, x - half : x + half] = with_what


def test_every_character_of_the_sheet_is_in_its_font():
    glyphs = TTFontFile(str(printing.LABELS)).charToGlyph
    texts = [
        printing.TITLE,
        *printing.FIELDS,
        printing.IDENTIFIER,
        *printing.ADVICE,
        printing.GOOD,
        printing.BAD,
    ]
    assert {
        character for character in "".join(texts) + "0123456789~" if ord(character) not in glyphs
    } == set()


def test_the_command_prints_the_sheet():
    command = [sys.executable, "-m", "activities.ai.tasks.omr.sheet", "--questions", "20"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=PATIENCE)
    assert done.stdout == printing.sheet(20)
    assert b"%PDF-" in done.stdout[:10]


def test_bubbles_that_touch_are_no_layout():
    layout = SHEETS[10, 1].model_dump()
    (x, y), *rest = layout["questions"][0]["bubbles"]
    layout["questions"][0]["bubbles"] = [(x, y), (x + 5, y), *rest[1:]]
    with pytest.raises(ValueError, match="closer"):
        Layout.model_validate(layout)
