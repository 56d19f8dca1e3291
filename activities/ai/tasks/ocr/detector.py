"""Where lines of text are. A page is looked at small first; again larger where that cannot have seen all."""

from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from activities.ai.pages import Pixels
from activities.ai.tasks.ocr.strips import runs
from activities.ai.tasks.ocr.words import Quad, height, width

# Of a page at 300 dpi, and the least pixels of its longer side: the first finds all lines of 9 points and
# more, the second those of 6.
FIRST, AGAIN = (0.17, 600), (0.3, 960)
SMALLEST = 5.6  # pixels of the letters' height in the picture that is looked at: with less, lines are missed
# A piece of ink as large as a small letter, in parts of SMALLEST; so many that lie in no line are text.
LETTER = (0.25, 1.2)
UNSEEN = 12


def detect(page: Pixels) -> list[Quad]:
    """Quadrilaterals around lines of text, in no order."""
    scale = _scale(page, *FIRST)
    quads = _detect(page, scale)
    finer = _scale(page, *AGAIN)
    if scale < finer and _may_miss(page, quads, scale):
        return _detect(page, finer)
    return quads


def _scale(page: Pixels, scale: float, side: int) -> float:
    return min(1.0, max(scale, float(side / max(page.shape))))


def _detect(page: Pixels, scale: float) -> list[Quad]:
    small = cv2.resize(page, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else page
    colour = cv2.cvtColor(small, cv2.COLOR_GRAY2BGR)
    found: Any = _detector()(colour, use_det=True, use_cls=False, use_rec=False)
    return [] if found.boxes is None else [np.asarray(box, np.float32) / scale for box in found.boxes]


def _may_miss(page: Pixels, quads: list[Quad], scale: float) -> bool:
    """Whether small letters were seen, or ink like them where nothing was."""
    half = cv2.resize(page, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    ink = np.asarray(cv2.threshold(half, 0, 255, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)[1], np.uint8)
    smallest = SMALLEST / scale / 2
    if any(0 < _letters(ink, np.asarray(quad / 2, np.float32)) < smallest for quad in quads):
        return True
    for quad in quads:
        cv2.fillPoly(ink, [np.asarray(_grown(quad, 0.3) / 2, np.int32)], 0)
    _, _, found, _ = cv2.connectedComponentsWithStats(ink)
    tall, wide = found[1:, cv2.CC_STAT_HEIGHT], found[1:, cv2.CC_STAT_WIDTH]
    low, high = LETTER[0] * smallest, LETTER[1] * smallest
    return int(((tall >= low) & (tall <= high) & (wide <= 2 * high)).sum()) >= UNSEEN


def _letters(ink: Pixels, quad: Quad) -> float:
    """The height of a line's letters, by the ink in its middle; 0 where there is none to tell by."""
    high = min(height(quad), width(quad))
    lies = height(quad) > width(quad)
    long = max(height(quad), width(quad))
    if long < 4 * high:  # digits alone, say, which are lower than the syllables of their size
        return 0.0
    x, y = quad.mean(axis=0)
    across, along = 0.75 * high, min(2 * high, long / 2)
    dx, dy = (across, along) if lies else (along, across)
    part = ink[max(0, int(y - dy)) : int(y + dy) + 1, max(0, int(x - dx)) : int(x + dx) + 1]
    counts = (part > 0).sum(axis=0 if lies else 1)
    found = runs(counts > 1, 1.0)
    first, last = max(found, key=lambda run: int(counts[run[0] : run[1]].sum()), default=(0, 0))
    dashes = int(counts[first:last].max(initial=0)) > 0.8 * 2 * along
    return 0.0 if dashes else float(last - first)


def _grown(quad: Quad, heights: float) -> npt.NDArray[np.float32]:
    """The quadrilateral, wider by so many of its heights on each side."""
    centre = quad.mean(axis=0)
    extra = heights * min(height(quad), width(quad))
    outwards = np.sign(quad - centre) * extra
    return np.asarray(quad + outwards, np.float32)


@cache
def _detector() -> Any:
    # Imported where it is used: it reads a list of every model there is, for half a second, and unless what
    # was read is kept a second time. A child that plans or assembles has no use for it.
    from omegaconf import OmegaConf

    OmegaConf.load = cache(OmegaConf.load)  # type: ignore[method-assign]
    from rapidocr import RapidOCR

    one_thread = {"EngineConfig.onnxruntime.intra_op_num_threads": 1}
    side = {"Det.limit_type": "max", "Det.limit_side_len": 2000}  # pages come at their right size
    return RapidOCR(params={"Global.log_level": "error"} | one_thread | side)
