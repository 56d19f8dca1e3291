"""A line of text cut out of a page: put straight, cut to its ink, dark on light."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from activities.ai.pages import Pixels
from activities.ai.tasks.ocr.order import Box
from activities.ai.tasks.ocr.words import Quad, around, height, width

# Of the height of a detected line, looked at around it: a detector cuts off brackets and dots.
AROUND = 0.25
# Rules and frames beside the letters, by heights: so long or high a piece of ink, so thin or empty.
LONG, HIGH, THIN, EMPTY = 1.5, 0.95, 0.15, 0.25
GAP = 0.12  # of the height between inked rows that belong together, as an i and its dot
LEAST = 0.4  # of the detected height: a line of marks alone is not blown up to letters
ABOVE, BESIDE = 0.10, 0.35  # of the ink's height, left around it: a full stop may not have been seen
_SIZES = cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT, cv2.CC_STAT_AREA
SPECK = 2  # pixels of ink in a row or column that are none
ROW = 0.006  # of a row's length inked, at least: a long line has more dirt in it


@dataclass(frozen=True)
class Strip:
    """`pixels` at the page's own resolution; `ink` is the box of the letters in them; `back` leads from them
    to the page."""

    pixels: Pixels
    ink: Box
    back: npt.NDArray[np.float64]

    def at(self, rows: int) -> Pixels:
        """The strip with so many rows; one that is lower stays as it is."""
        return resized(self.pixels, min(rows, self.pixels.shape[0]))

    def exactly(self, rows: int) -> Pixels:
        return resized(self.pixels, rows)

    @cached_property
    def inked(self) -> npt.NDArray[np.bool_]:
        """For each column, whether a letter has ink there."""
        _, top, _, bottom = self.ink
        return np.asarray(_ink(self.pixels)[top:bottom].sum(axis=0) >= SPECK)

    def box(self, left: float, right: float) -> Box:
        """Where the letters between two columns stand on the page."""
        _, top, _, bottom = self.ink
        columns = np.flatnonzero(self.inked[max(0, int(left)) : max(0, int(np.ceil(right)))])
        if columns.size:
            left, right = int(left) + int(columns[0]), int(left) + int(columns[-1]) + 1
        corners = np.array([[[left, top], [right, top], [right, bottom], [left, bottom]]], np.float64)
        return around(cv2.perspectiveTransform(corners, self.back)[0])


def strip_of(page: Pixels, quad: Quad) -> Strip:
    """The line in `quad` of a grey page."""
    wide, high = width(quad), height(quad)
    margin = AROUND * high
    corners = [
        (margin, margin),
        (margin + wide, margin),
        (margin + wide, margin + high),
        (margin, margin + high),
    ]
    forth = cv2.getPerspectiveTransform(quad, np.array(corners, np.float32))
    size = max(1, round(wide + 2 * margin)), max(1, round(high + 2 * margin))
    found = cv2.warpPerspective(page, forth, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    whole = np.asarray(found, np.uint8)
    if level(whole, 0.5) < (int(whole.min()) + int(whole.max())) / 2:
        whole = 255 - whole
    left, top, right, bottom = _letters(_ink(whole), margin, high)
    tall = bottom - top
    x, y = round(left - BESIDE * tall), round(top - ABOVE * tall)
    x1, y1 = round(right + BESIDE * tall), round(bottom + ABOVE * tall)
    pixels = _cut(whole, (x, y, x1, y1))
    back = np.asarray(np.linalg.inv(forth) @ np.array([[1, 0, x], [0, 1, y], [0, 0, 1]]), np.float64)
    return Strip(pixels, (left - x, top - y, right - x, bottom - y), back)


def _letters(ink: npt.NDArray[np.bool_], margin: float, high: float) -> Box:
    """The box of the letters, without the rules around them and what belongs to the lines above and below."""
    inside = _without_rules(ink, high)
    counts = inside.sum(axis=1)
    found = runs(counts >= max(SPECK, ROW * ink.shape[1]), GAP * high)
    middle = inside.shape[0] / 2

    def weight(run: tuple[int, int]) -> float:
        inked = float(counts[run[0] : run[1]].sum())
        return float(inked / (1 + abs((run[0] + run[1]) / 2 - middle) / high))

    top, bottom = max(found, key=weight, default=(int(margin), int(margin + high)))
    if (lacking := LEAST * high - (bottom - top)) > 0:
        top, bottom = max(0, int(top - lacking / 2)), int(bottom + lacking / 2)
    columns = np.flatnonzero(inside[top:bottom].sum(axis=0) >= SPECK)
    left, right = (int(columns[0]), int(columns[-1]) + 1) if columns.size else (int(margin), ink.shape[1])
    return left, top, max(right, left + 1), max(bottom, top + 1)


def _without_rules(ink: npt.NDArray[np.bool_], high: float) -> npt.NDArray[np.bool_]:
    _, pieces, found, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8))
    wide, tall, area = (found[:, each] for each in _SIZES)
    large = (wide > min(LONG * high, ink.shape[1] - 1)) | (tall > HIGH * high)
    full = (np.minimum(wide, tall) > THIN * high) & (area > EMPTY * wide * tall)
    keep = ~large | full
    keep[0] = True  # the paper
    if keep.all():
        return ink
    return np.asarray(ink & keep[pieces])


def runs(on: npt.NDArray[np.bool_], joined: float) -> list[tuple[int, int]]:
    """Where it is on, first and behind the last; runs that are no further apart than `joined` are one."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], on.astype(np.int8), [0]))))
    found: list[tuple[int, int]] = []
    for first, last in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if found and first - found[-1][1] <= joined:
            found[-1] = found[-1][0], last
        else:
            found.append((first, last))
    return found


def level(pixels: Pixels, share: float) -> int:
    """The grey that so large a share of the pixels is not lighter than."""
    counts = cv2.calcHist([pixels], [0], None, [256], [0, 256]).ravel()
    return int(np.searchsorted(counts.cumsum(), share * pixels.size))


def _ink(pixels: Pixels) -> npt.NDArray[np.bool_]:
    smooth = cv2.medianBlur(pixels, 3)  # or a scanner's specks are ink
    return np.asarray(cv2.threshold(smooth, 0, 255, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)[1]) > 0


def _cut(pixels: Pixels, box: Box) -> Pixels:
    """A box that may reach beyond the picture: there it has the picture's paper."""
    left, top, right, bottom = box
    rows, columns = pixels.shape
    inside = pixels[max(top, 0) : min(bottom, rows), max(left, 0) : min(right, columns)]
    edges = max(-top, 0), max(bottom - rows, 0), max(-left, 0), max(right - columns, 0)
    paper = level(pixels, 0.9)
    return np.asarray(cv2.copyMakeBorder(inside, *edges, cv2.BORDER_CONSTANT, value=paper), np.uint8)


def resized(pixels: Pixels, rows: int) -> Pixels:
    """With so many rows, and as many columns as that needs."""
    scale = rows / pixels.shape[0]
    size = max(1, round(pixels.shape[1] * scale)), rows
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, size, interpolation=how), np.uint8)
