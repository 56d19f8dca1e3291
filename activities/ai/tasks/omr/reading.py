"""From the picture of a sheet to how dark each bubble is.

The corner marks give the sheet, its version and a first perspective; the anchors of each line then say where
that line really lies. Darkness is measured against the paper around it, so shadows and grey light count not.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from activities.ai.pages import Pixels
from activities.ai.sandbox.task import BadInput
from activities.ai.tasks.omr.anchors import Moved, locate
from activities.ai.tasks.omr.judging import BLANK
from activities.ai.tasks.omr.layout import MARK, TAGS, Layout, Line
from activities.ai.tasks.omr.printed import NO_PRINT, Bubble, Print, look, seen, tone
from contracts.errors import OMR_SHEET_NOT_FOUND, OMR_TEMPLATE_UNKNOWN

cv2.setNumThreads(1)  # a page is small; several of them are read beside each other

Floats = npt.NDArray[np.float32]

SCALE = 7  # pixels per millimetre of the straightened page
# Ways to look for marks, one after the other: pixels of the longer side, and of a blur. The blur is for the
# ragged edges of black-and-white scans, the detail for sheets that are small in a large picture.
_LOOKS = (1800, 0.0), (1800, 1.0), (4000, 0.0)
_CLOSED = 14.0  # mm; nothing dark on a sheet is as wide, so closing leaves the paper
_INNER = 2.0  # mm; the printed circle stays outside
_OUTER = 2.95  # mm; and inside
_CELL = 3.7, 3.4  # mm to each side of a bubble that are its own; APART keeps its neighbours' circles out
_PALE = 0.02  # how full untouched bubbles are at least, by their printed pale digit; measured: 0.025
_INK = 0.4  # of the darkness of print: what counts as a stroke outside a bubble


@dataclass(frozen=True)
class Bubbles:
    """A line as it was found: where its bubbles are on the straightened page (pixels), how much of each is
    filled (0 to 1: darkness as a part of that of black print), the ink around each in mm², and whether what
    is printed there is to be seen."""

    centres: tuple[tuple[float, float], ...]
    fills: tuple[float, ...]
    strays: tuple[float, ...]
    printed: tuple[bool, ...]


@dataclass(frozen=True)
class Page:
    """The straightened page, and its lines in the layout's order; None where its anchors are not found.
    `tone`: how far pale print stands out."""

    grey: Pixels
    lines: tuple[Bubbles | None, ...]
    tone: float = 0.0

    @property
    def shows_grey(self) -> bool:
        """Whether pale things are still on it: a scan in black and white, or one that is too bright, loses
        the pale digits in the bubbles, and a light pencil with them."""
        fills = [fill for line in self.lines if line for fill in line.fills]
        return bool(fills) and float(np.median(fills)) >= _PALE


def find(picture: Pixels, layouts: Iterable[Layout]) -> tuple[Layout, Pixels]:
    """Which sheet it is, and its page straightened at SCALE.

    Raises BadInput: OMR_SHEET_NOT_FOUND unless each corner mark is seen once, OMR_TEMPLATE_UNKNOWN if the
    marks seen belong to no layout.
    """
    known = list(layouts)
    for longest, blur in _LOOKS:
        marks = _marks(picture, longest, blur)
        layout = max(known, key=lambda layout: sum(mark.id in marks for mark in layout.marks))
        seen = sum(mark.id in marks for mark in layout.marks)
        if seen == 4:
            break
    if marks and not seen:
        raise BadInput(OMR_TEMPLATE_UNKNOWN, {"marks": len(marks)})
    if seen < 4 or any(len(marks[mark.id]) > 1 for mark in layout.marks):
        raise BadInput(OMR_SHEET_NOT_FOUND, {"corner_marks": seen})
    found = np.concatenate([marks[mark.id][0] for mark in layout.marks])
    half = MARK / 2
    wanted = np.array(
        [
            (mark.x + right * half, mark.y + down * half)
            for mark in layout.marks
            for right, down in ((-1, -1), (1, -1), (1, 1), (-1, 1))
        ],
        np.float32,
    )
    matrix, _ = cv2.findHomography(found, wanted * SCALE)
    if matrix is None:
        raise BadInput(OMR_SHEET_NOT_FOUND, {"corner_marks": seen})
    size = round(layout.width * SCALE), round(layout.height * SCALE)
    straight = cv2.warpPerspective(picture, matrix, size, borderMode=cv2.BORDER_CONSTANT, borderValue=(255,))
    return layout, np.asarray(straight, np.uint8)


def measure(layout: Layout, straight: Pixels) -> Page:
    """Every bubble of a straightened page."""
    dark = _darkness(straight)
    # Of black print on this very picture: haze and blur make it less than 1.
    black = float(np.median([_mark_black(dark, mark.x, mark.y) for mark in layout.marks]))
    dark = np.clip(dark / max(black, 0.2), 0, 1).astype(np.float32)
    located = zip(layout.lines, locate(dark, layout.lines, SCALE), strict=True)
    lines = [_line(dark, line, moved) if moved else None for line, moved in located]
    bubbles = _labelled(lines, len(layout.questions))
    printed = iter(seen(bubbles))
    found = tuple(_as_found(line, printed) if line else None for line in lines)
    return Page(straight, found, tone(bubbles))


class Crop(NamedTuple):
    """A picture for people: a PNG, its size, and where the bubbles lie on it, line by line, all in pixels."""

    png: bytes
    size: tuple[int, int]
    bubbles: tuple[tuple[int, int], ...]


def crop(page: Page, lines: Sequence[Line], found: Sequence[Bubbles | None], above: float = 5) -> Crop:
    """The lines, with `above` mm over the first one."""
    centres = [
        centre
        for line, bubbles in zip(lines, found, strict=True)
        for centre in (bubbles.centres if bubbles else [(x * SCALE, y * SCALE) for x, y in line.bubbles])
    ]
    xs, ys = [x for x, _ in centres], [y for _, y in centres]
    left, top = max(0, int(min(xs) - 14 * SCALE)), max(0, int(min(ys) - above * SCALE))
    part = page.grey[top : int(max(ys) + 5 * SCALE), left : int(max(xs) + 7 * SCALE)]
    _, data = cv2.imencode(".png", part)
    places = tuple((round(x) - left, round(y) - top) for x, y in centres)
    return Crop(data.tobytes(), (part.shape[1], part.shape[0]), places)


def _marks(picture: Pixels, longest: int, blur: float) -> dict[int, list[Floats]]:
    """The corners (4 × 2, clockwise from the tag's upper left) of every tag, in the picture's pixels."""
    shrink = min(1.0, longest / max(picture.shape))
    high, wide = (max(1, round(side * shrink)) for side in picture.shape)  # a page can be a line
    small = cv2.resize(picture, (wide, high), interpolation=cv2.INTER_AREA)
    if blur:
        small = cv2.GaussianBlur(small, (0, 0), blur)
    parameters = cv2.aruco.DetectorParameters()
    parameters.minMarkerPerimeterRate = (
        0.05  # of the longer side; on a page that fills the picture it is 0.16
    )
    parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    corners, ids, _ = cv2.aruco.ArucoDetector(TAGS, parameters).detectMarkers(small)
    marks: dict[int, list[Floats]] = {}
    for number, quad in zip([] if ids is None else ids.ravel(), corners, strict=True):
        # Pixel centres are whole numbers, so the picture's corner is at -0.5.
        marks.setdefault(int(number), []).append(((quad[0] + 0.5) / shrink - 0.5).astype(np.float32))
    return marks


def _darkness(straight: Pixels) -> Floats:
    """0 for the paper around, 1 for black."""
    coarse = cv2.resize(straight, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    side = round(_CLOSED * SCALE / 4) | 1
    paper = cv2.morphologyEx(coarse, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    paper = cv2.blur(paper, (5, 5))
    paper = cv2.resize(paper, straight.shape[::-1], interpolation=cv2.INTER_LINEAR)
    soft = cv2.GaussianBlur(straight, (0, 0), 0.1 * SCALE)  # grain of sensors and of printed grey
    return np.asarray(1 - soft.astype(np.float32) / np.maximum(paper, 16), np.float32)


def _mark_black(dark: Floats, x: float, y: float) -> float:
    """The darkness of a corner mark's border, which is black all around."""
    half, border = round(MARK / 2 * SCALE), round(MARK / 8 * SCALE)
    column, row = round(x * SCALE), round(y * SCALE)
    square = dark[row - half : row + half, column - half : column + half].copy()
    square[border:-border, border:-border] = np.nan
    return float(np.nanmedian(square))


class _Bubble(NamedTuple):
    centre: tuple[float, float]
    fill: float
    stray: float
    print: Print


def _labelled(lines: Sequence[Sequence[_Bubble] | None], questions: int) -> list[Bubble]:
    """All bubbles that were found. The choices of a column have one sign in common, and the places of a
    digit."""
    return [
        Bubble(bubble.print, place if index < questions else -index, bubble.fill >= BLANK)
        for index, line in enumerate(lines)
        for place, bubble in enumerate(line or ())
    ]


def _as_found(line: Sequence[_Bubble], printed: Iterator[bool]) -> Bubbles:
    centres, fills, strays, _ = zip(*line, strict=True)
    return Bubbles(centres, fills, strays, tuple(next(printed) for _ in line))


def _line(dark: Floats, line: Line, moved: Moved) -> list[_Bubble]:
    (left_x, left_y), (right_x, right_y) = moved
    bubbles = []
    for x, y in line.bubbles:
        part = (x - line.left[0]) / (line.right[0] - line.left[0])
        across = x * SCALE + left_x + (right_x - left_x) * part
        down = y * SCALE + left_y + (right_y - left_y) * part
        bubbles.append(_bubble(dark, across, down))
    return bubbles


def _bubble(dark: Floats, x: float, y: float) -> _Bubble:
    inner, around = _masks()
    down, right = around.shape[0] // 2, around.shape[1] // 2
    column, row = round(x), round(y)
    cell = dark[row - down : row + down + 1, column - right : column + right + 1]
    if cell.shape != around.shape:  # out of the picture: as doubtful as it gets
        return _Bubble((x, y), 0.0, float(around.size) / SCALE**2, NO_PRINT)
    return _Bubble(
        (x, y),
        float(cell[inner].mean()),
        float((cell[around] > _INK).sum()) / SCALE**2,
        look(dark, cell[inner], (x, y), SCALE),
    )


@cache
def _masks() -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    right, down = (round(side * SCALE) for side in _CELL)
    y, x = np.mgrid[-down : down + 1, -right : right + 1] / SCALE
    distance = np.hypot(x, y)
    return distance <= _INNER, distance >= _OUTER
