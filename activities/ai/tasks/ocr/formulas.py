"""Formulas of more than one storey, which a reader of lines takes apart: fractions and roots.

They are not read as what they are; that they are there is told, so that a person looks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from activities.ai.pages import Pixels
from activities.ai.tasks.ocr.order import Box
from activities.ai.tasks.ocr.words import Line

# Parts of a line's height, or of a stroke's own size.
_THIN = 0.16  # height of a fraction's bar, at most
_SHORT, _LONG = 0.5, 8.0  # its width
_NEAR = 0.45  # from the bar to what stands over and under it, at most; the next line is farther away
_BESIDE = 0.4  # by which these reach over its ends
_ABOUT = 3.0  # left and right of it: so far goes what it belongs to
_HOLLOW = 0.35  # of a root's box is ink, at most
_ROOF, _FLOOR = 0.4, 0.35  # of its width: with a stroke at its top, at least, and at its bottom, at most
_LARGE = 30.0  # pixels of a word's height, from which half of them tell as much
_SPECKS = 20_000  # strokes of a page; more are a photograph, or noise


def doubted(page: Pixels, lines: Sequence[Line]) -> tuple[list[Line], int]:
    """The lines with those doubted that are parts of a formula, and how many formulas there are."""
    heights = [box[3] - box[1] for line in lines for box in [word.box for word in line.words]]
    if not heights:
        return list(lines), 0
    height = float(np.median(heights))
    boxes = [word.box for line in lines for word in line.words]
    if height >= _LARGE:
        halves = [_scaled(box, 0.5) for box in boxes]
        found = [_scaled(box, 2) for box in _formulas(_halved(page), halves, height / 2)]
    else:
        found = list(_formulas(page, boxes, height))
    return [
        replace(line, doubted=True) if any(_belongs(line.box, each, height) for each in found) else line
        for line in lines
    ], len(found)


def _halved(page: Pixels) -> Pixels:
    """The darkest of each four: no bar is lost, and there is a quarter to look at."""
    return np.ascontiguousarray(cv2.erode(page, np.ones((2, 2), np.uint8), anchor=(0, 0))[::2, ::2])


def _scaled(box: Box, scale: float) -> Box:
    left, top, right, bottom = (round(side * scale) for side in box)
    return left, top, right, bottom


def _formulas(page: Pixels, words: Sequence[Box], height: float) -> Iterator[Box]:
    _, ink = cv2.threshold(page, 0, 255, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    if count > _SPECKS:
        return
    wide = stats[:, cv2.CC_STAT_WIDTH] >= _SHORT * height
    wide &= stats[:, cv2.CC_STAT_WIDTH] <= _LONG * height
    wide[0] = False  # the paper
    for number in np.flatnonzero(wide):
        left, top, width, tall, area = (int(each) for each in stats[number])
        box = left, top, left + width, top + tall
        if tall <= max(_THIN * height, 3) and width >= 4 * tall:
            around = list(_over_and_under(box, words, height))
            if len(around) == 2:
                yield min(left, *(each[0] for each in around)), around[0][1], box[2], around[1][3]
        elif height * 0.7 <= tall <= 2.5 * height and area <= _HOLLOW * width * tall:
            stroke = labels[top : top + tall, left : left + width] == number
            if _is_root(stroke) and any(_inside(word, box) for word in words):
                yield box


def _over_and_under(bar: Box, words: Sequence[Box], height: float) -> Iterator[Box]:
    """A word over the bar and one under it, both as wide as it at most."""
    aside = _BESIDE * height
    near = [word for word in words if word[0] >= bar[0] - aside and word[2] <= bar[2] + aside]
    reach = _NEAR * height
    yield from [word for word in near if -2 <= bar[1] - word[3] <= reach][:1]
    yield from [word for word in near if -2 <= word[1] - bar[3] <= reach][:1]


def _is_root(stroke: npt.NDArray[np.bool_]) -> bool:
    """A roof to the right of a hook, and no floor: a box around a word has both."""
    tall, width = stroke.shape
    part = max(tall // 6, 1)
    roof, floor = stroke[:part].any(axis=0).sum(), stroke[-part:].any(axis=0).sum()
    right = stroke[part:-part, width // 2 :].any(axis=0).mean() if tall > 2 * part else 1.0
    return bool(width >= tall and roof >= _ROOF * width and floor <= _FLOOR * width and right < 0.1)


def _inside(word: Box, box: Box) -> bool:
    return box[0] <= (word[0] + word[2]) / 2 <= box[2] and box[1] <= (word[1] + word[3]) / 2 <= box[3]


def _belongs(line: Box, formula: Box, height: float) -> bool:
    """Whether a line is in a formula, or beside it at its height."""
    across = line[0] <= formula[2] + _ABOUT * height and line[2] >= formula[0] - _ABOUT * height
    return across and line[1] <= formula[3] and line[3] >= formula[1]
