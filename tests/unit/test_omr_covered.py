"""Sheets whose print is hidden, moved or hardly there: what cannot be seen is never taken for blank."""

from random import Random

import cv2
import numpy as np
import pytest

from activities.ai.pages import Pixels
from activities.ai.sandbox.task import BadInput
from activities.ai.tasks.omr.anchors import locate
from activities.ai.tasks.omr.judging import Mark
from activities.ai.tasks.omr.layout import SHEETS
from tests.unit.omr import PX, Filled, fill, photo, printed, scan
from tests.unit.omr_covered import COVERS, Box
from tests.unit.test_omr import read, silently_wrong

PLAIN = {"pen": 3, "pencil": 3, "blank": 4}


def over_a_row(filled: Filled, row: int, part: int) -> Box:
    """All of a row, one of its bubbles, one and a half, or a strip along its middle."""
    (first, y), *_, (last, _) = filled.layout.questions[row].bubbles
    x = filled.layout.questions[row].bubbles[row % 4][0]
    return [
        (first - 3.5, y - 4, last + 3.5, y + 4),
        (x - 3.3, y - 3.3, x + 3.3, y + 3.3),
        (x - 1, y - 3.5, x + 9, y + 3.5),
        (first - 3, y - 1.8, last + 3, y + 1.8),
    ][part]


def assert_nothing_is_silently_wrong(picture: Pixels, filled: Filled) -> list[Mark]:
    _, questions, digits = read(picture)
    for row, (mark, meant) in enumerate(zip(questions, filled.meant, strict=True), 1):
        assert not silently_wrong(mark, meant), f"question {row}: {mark}, meant {meant}"
    for place, (mark, digit) in enumerate(zip(digits, filled.identifier, strict=True)):
        assert mark.doubtful or mark.choice == int(digit), f"place {place}: {mark}, meant {digit}"
    return questions


@pytest.mark.parametrize("name", COVERS)
def test_what_is_hidden_is_never_blank(name):
    """Eight rows and two digits lie below something."""
    random = Random(name)
    filled = fill(30, random, PLAIN)
    for number, row in enumerate(random.sample(range(30), 8)):
        COVERS[name](filled.grey, over_a_row(filled, row, number % 4), random)
    x, y = filled.layout.digits[random.randrange(8)].bubbles[random.randrange(8)]
    COVERS[name](filled.grey, (x - 3.4, y - 3.2, x + 3.4, y + 10.2), random)
    assert_nothing_is_silently_wrong(random.choice([scan, photo])(filled.grey, random), filled)


@pytest.mark.parametrize("name", ["glare", "soft glare", "white tape", "sticky note", "matte tape"])
def test_rows_below_something_are_unreadable_and_the_others_are_read(name):
    random = Random(name)
    filled = fill(30, random, {"pen": 1, "blank": 1})
    hidden = {2, 11, 12, 28}
    for row in hidden:
        COVERS[name](filled.grey, over_a_row(filled, row, 0), random)
    questions = assert_nothing_is_silently_wrong(filled.grey, filled)
    assert {row for row, mark in enumerate(questions) if mark.state == "unreadable"} == hidden


@pytest.mark.parametrize("millimetres", [-22, -16, -11, -8, 6, 8, 11, 14, 16, 22, 28])
def test_paper_that_is_folded_or_slips_in_the_scanner_mixes_no_rows(millimetres):
    """A fold hides some lines and moves the others; paper that slips is scanned there twice."""
    for seed in range(3):
        random = Random(f"{millimetres} {seed}")
        filled = fill(30, random, {"pen": 3, "blank": 1})
        start = random.uniform(55, 265 - max(millimetres, 0))
        above, below = sorted((round(start * PX), round((start + millimetres) * PX)))
        kept = (above, below) if millimetres > 0 else (below, above)
        page = np.vstack([filled.grey[: kept[0]], filled.grey[kept[1] :]])
        try:
            assert_nothing_is_silently_wrong(page, filled)
        except BadInput:
            continue  # a corner mark was hit


def test_a_column_that_is_off_by_a_line_is_not_located():
    """24 mm below it are folded away: nine of ten anchors lie where their neighbours should."""
    lines = SHEETS[10, 1].digits
    dark = np.zeros((297 * 4, 210 * 4), np.float32)
    for line in lines:
        for x, y in (line.left, line.right):
            y += 24 * (y - 18) / 261
            dark[round((y - 1.2) * 4) : round((y + 1.2) * 4), round((x - 1.2) * 4) : round((x + 1.2) * 4)] = 1
    assert locate(dark, lines, 4) == [None] * 10


@pytest.mark.parametrize("millimetres", [4, 8, 16])
def test_a_crease_down_the_page_mixes_no_choices(millimetres):
    random = Random(millimetres)
    filled = fill(30, random, {"pen": 3, "blank": 1})
    start = random.uniform(35, 165) * PX
    page = np.hstack([filled.grey[:, : round(start)], filled.grey[:, round(start + millimetres * PX) :]])
    assert_nothing_is_silently_wrong(page, filled)


@pytest.mark.parametrize("contrast", [0.5, 0.25, 0.12])
def test_a_washed_out_sheet_is_read_or_refused_but_not_wrong(contrast):
    filled = fill(30, Random(7), PLAIN)
    page = (250 - (250 - filled.grey.astype(np.float32)) * contrast).astype(np.uint8)
    assert_nothing_is_silently_wrong(page, filled)


def test_half_of_another_sheet_over_a_sheet():
    random = Random(3)
    below, above = fill(30, random, {"pen": 1}), fill(30, random, {"pen": 1})
    for left, upper in ((60, 150), (110, 170), (10, 200)):
        page = below.grey.copy()
        part = above.grey[40 * PX : 110 * PX, 10 * PX : 100 * PX]
        page[upper * PX : upper * PX + 70 * PX, left * PX : left * PX + 90 * PX] = part
        assert_nothing_is_silently_wrong(page, below)


@pytest.mark.parametrize("turn", [0, 2])
def test_a_torn_off_part(turn):
    """The corner marks stay, a part between them is gone: the scanner's lid is white, a desk is dark."""
    for level in (252, 60):
        random = Random(level)
        filled = fill(20, random, PLAIN)
        outline = np.array([(60, 160), (210, 175), (210, 230), (110, 215)]) * PX
        cv2.fillPoly(filled.grey, [outline.astype(np.int32)], level)
        assert_nothing_is_silently_wrong(np.ascontiguousarray(np.rot90(filled.grey, turn)), filled)


def lighten(filled: Filled, darkness: float) -> Pixels:
    """What was written becomes paler, print stays."""
    bare = printed(len(filled.layout.questions)).astype(np.float32)
    return (bare - (bare - filled.grey) * darkness).astype(np.uint8)


def faint(seed: int, habits: dict[str, int]) -> tuple[Filled, Pixels]:
    filled = fill(30, Random(seed), habits)
    return filled, lighten(filled, 0.45)


@pytest.mark.parametrize("how", [scan, photo])
def test_a_sheet_wholly_in_faint_pencil_is_read(how):
    filled, page = faint(1, {"pencil": 4, "blank": 1})
    questions = assert_nothing_is_silently_wrong(how(page, Random(1)), filled)
    assert sum(mark.doubtful for mark in questions) <= 1


def test_on_a_faint_sheet_what_differs_is_for_a_person():
    """Two answers, and what an eraser left of one."""
    for seed in range(4):
        filled, page = faint(seed, {"pencil": 8, "double": 2})
        assert_nothing_is_silently_wrong(page, filled)
    filled = fill(30, Random(1), {"pencil": 20, "blank": 1, "erased to blank": 5})
    rubbed = [row for row, habit in enumerate(filled.habits) if habit == "erased to blank"]
    page = lighten(filled, 0.45)
    _, questions, _ = read(page)
    assert all(questions[row].choice is None for row in rubbed)


def test_faint_answers_among_dark_ones_are_for_a_person():
    filled = fill(30, Random(2), {"pen": 20, "faint": 4})
    _, questions, _ = read(filled.grey)
    assert {questions[row].state for row, habit in enumerate(filled.habits) if habit == "faint"} == {"faint"}


@pytest.mark.parametrize("gamma", [1.6, 2.5])
def test_on_a_page_made_darker_what_was_erased_is_no_answer(gamma):
    filled = fill(30, Random(f"{gamma}"), {"pencil": 5, "blank": 1, "erased to blank": 3})
    page = (255 * (scan(filled.grey, Random(1)) / 255.0) ** gamma).astype(np.uint8)
    questions = assert_nothing_is_silently_wrong(page, filled)
    assert sum(mark.choice is not None for mark in questions) >= 0.9 * filled.habits.count("pencil")
