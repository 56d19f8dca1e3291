"""Formulas of several storeys are told; underlines, boxes and rules are none."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from activities.ai.pages import Pixels
from activities.ai.tasks.ocr.formulas import doubted
from activities.ai.tasks.ocr.order import Box
from activities.ai.tasks.ocr.words import Word, line_of

HIGH = 40  # pixels of a word


def page(*words: Box, strokes: list[list[tuple[int, int]]], size: tuple[int, int] = (900, 400)) -> Pixels:
    """Words as grey bars of ink, and strokes."""
    sheet = Image.new("L", size, 255)
    pen = ImageDraw.Draw(sheet)
    for left, top, right, bottom in words:
        for x in range(left, right, 12):
            pen.rectangle((x, top, x + 5, bottom - 1), fill=0)
    for stroke in strokes:
        pen.line(stroke, fill=0, width=4)
    return np.asarray(sheet)


def word(left: int, top: int, width: int = 40) -> Box:
    return left, top, left + width, top + HIGH


BEFORE, AFTER = word(40, 130, 120), word(260, 130, 200)  # of the formula's own line
FRACTION = [word(200, 100), word(200, 160)], [[(190, 150), (250, 150)]]
ROOT = [word(220, 130)], [[(176, 150), (186, 146), (198, 172), (210, 122), (262, 122)]]
UNDERLINE = [word(200, 130), word(200, 200)], [[(196, 176), (244, 176)]]
BOX = [word(210, 130)], [[(196, 120), (264, 120), (264, 180), (196, 180), (196, 120)]]
BLANK = [], [[(180, 168), (250, 168)]]
RULE = [word(200, 100), word(200, 160)], [[(10, 150), (890, 150)]]


@pytest.mark.parametrize(
    ("drawn", "formulas"),
    [(FRACTION, 1), (ROOT, 1), (UNDERLINE, 0), (BOX, 0), (BLANK, 0), (RULE, 0)],
    ids=["fraction", "root", "underline", "box", "blank", "rule"],
)
def test_what_a_line_cannot_say_is_told(
    drawn: tuple[list[Box], list[list[tuple[int, int]]]], formulas: int
) -> None:
    words, strokes = drawn
    far = word(40, 320, 200)
    boxes = [BEFORE, *words, AFTER, far]
    lines = [line_of([Word("x", 99.0, box)]) for box in boxes]
    looked, count = doubted(page(*boxes, strokes=strokes), lines)
    assert count == formulas
    assert [line.doubted for line in looked] == [bool(formulas)] * (len(boxes) - 1) + [False]


def test_a_page_without_words() -> None:
    assert doubted(np.full((100, 100), 255, np.uint8), []) == ([], 0)
