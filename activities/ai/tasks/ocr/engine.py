"""Lines found by a detector, read one by one by Tesseract, which by itself mixes columns and drops lines.

Loaded once in a child process.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from itertools import groupby
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import tesserocr
from PIL import Image

from activities.ai.pages import Pixels
from activities.ai.tasks.ocr.circled import Ring, circled, take_out
from activities.ai.tasks.ocr.models import BOTH, FIRST, MODELS, tessdata
from activities.ai.tasks.ocr.order import Box

DETECT_SIDE = 960  # pixels of the longer side that the detector looks at, at least
DETECT_SCALE = 0.3  # of a larger page: letters of 6 points at 300 dpi are found
MARGIN = 0.12  # of a line's height around it
HEIGHT = 52  # pixels of a line, at most, when it is read: with more, more is read wrongly
LOOK_AGAIN = 80.0  # percent: a word below it is read in both languages too
AROUND = 20  # pixels on both sides of what is read again, as far as no sure word stands there
BETTER = 10.0  # percent by which that must be surer
SAMPLE = 5  # of the longest lines tell whether a page is upside down
UPRIGHT_ENOUGH = 60.0  # mean confidence, in percent, below which a page is tried upside down

Quad = npt.NDArray[np.float32]  # 4 × (x, y), clockwise from the upper left


@dataclass(frozen=True)
class Word:
    """`box` is left, top, right, bottom in pixels of the page; `confidence` 0 to 100."""

    text: str
    confidence: float
    box: Box


@dataclass(frozen=True)
class Line:
    """`own`: not recognised, but the file's own text."""

    box: Box
    words: tuple[Word, ...]
    own: bool = False

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    @property
    def confidence(self) -> float:
        return _confidence(self.words)


@dataclass(frozen=True)
class Upright:
    """A page turned counter-clockwise by `degrees` so that its text stands, and what was found on the way:
    the outlines of its lines, and some of them read, by index."""

    page: Pixels
    degrees: int
    quads: list[Quad]
    read: Mapping[int, Line]


def fingerprint() -> str:
    models = ", ".join(
        f"{path.name.split('.')[0]} {path.stat().st_size}" for path in sorted(MODELS.glob("*.gz"))
    )
    return f"tesseract {tesserocr.tesseract_version().split()[1]}, rapidocr {version('rapidocr')}, {models}"


def detect(page: Pixels) -> list[Quad]:
    """Quadrilaterals around lines of text, in no order."""
    scale = min(1.0, max(DETECT_SCALE, DETECT_SIDE / max(page.shape)))
    small = cv2.resize(page, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else page
    colour = cv2.cvtColor(small, cv2.COLOR_GRAY2BGR)
    found: Any = _detector()(colour, use_det=True, use_cls=False, use_rec=False)
    return [] if found.boxes is None else [np.asarray(box, np.float32) / scale for box in found.boxes]


def read(page: Pixels, quad: Quad) -> Line:
    """The words of one line; none if nothing in it can be read."""
    strip, back = _straight(page, quad)
    rest, rings = take_out(strip)
    words = surer(_recognised(rest, FIRST), lambda left, right: _recognised(rest[:, left:right], BOTH, left))
    words += [_number(ring) for ring in rings]
    words.sort(key=lambda word: word.box[0])
    words = [replace(word, box=_on_page(word.box, back)) for word in words]
    return Line(around(quad), tuple(words))


def surer(first: Sequence[Word], again: Callable[[int, int], list[Word]]) -> list[Word]:
    """`first`, with runs of unsure words replaced by what `again` reads between two places in the line, left
    and right of them, if that is surer."""
    words: list[Word] = []
    done = 0
    for unsure, run in groupby(first, lambda word: word.confidence < LOOK_AGAIN):
        here = list(run)
        before, after = first[:done], first[done + len(here) :]
        done += len(here)
        if unsure:
            left, right = here[0].box[0], here[-1].box[2]
            there = again(
                min(left, max(left - AROUND, before[-1].box[2] if before else 0)),
                max(right, min(right + AROUND, after[0].box[0])) if after else right + AROUND,
            )
            better = there and _confidence(there) > _confidence(here) + BETTER
            words += there if better else here
        else:
            words += here
    return words


def _recognised(strip: Pixels, languages: str, left: int = 0) -> list[Word]:
    """The words of a strip that begins `left` pixels from the line's beginning."""
    words = (word for words in _read(_tesseract(languages), strip) for word in words)
    return [
        replace(word, box=(word.box[0] + left, word.box[1], word.box[2] + left, word.box[3]))
        for word in words
    ]


def _read(api: tesserocr.PyTessBaseAPI, picture: Pixels) -> Iterator[list[Word]]:
    api.SetImage(Image.fromarray(picture))
    text = api.GetUTF8Text()  # recognises
    pieces: deque[Word] = deque()
    iterator = api.GetIterator()
    if iterator and not iterator.Empty(tesserocr.RIL.BLOCK):
        for each in tesserocr.iterate_level(iterator, tesserocr.RIL.WORD):
            piece, box = each.GetUTF8Text(tesserocr.RIL.WORD).strip(), each.BoundingBox(tesserocr.RIL.WORD)
            if piece and box:
                pieces.append(Word(piece, each.Confidence(tesserocr.RIL.WORD), box))
    yield from lines_of(text, pieces)


def lines_of(text: str, pieces: deque[Word]) -> Iterator[list[Word]]:
    """The words of each line of Tesseract's text, as people write them: its own `pieces` are single syllables
    wherever the writing is Korean, but its text has the spaces right."""
    for line in text.splitlines():
        yield list(_joined(line.split(), pieces))


def line_of(words: Sequence[Word]) -> Line:
    return Line(hull([word.box for word in words]), tuple(words))


def _joined(texts: Sequence[str], pieces: deque[Word]) -> Iterator[Word]:
    for text in texts:
        parts: list[Word] = []
        while pieces and sum(len(part.text) for part in parts) < len(text):
            parts.append(pieces.popleft())
        if parts:
            yield Word(text, min(part.confidence for part in parts), hull([part.box for part in parts]))


def _number(ring: Ring) -> Word:
    """What stands in the ring; ○ with no confidence where that is no number."""
    api = _tesseract(FIRST)
    api.SetPageSegMode(tesserocr.PSM.SINGLE_WORD)
    api.SetVariable("tessedit_char_whitelist", "0123456789")
    api.SetImage(Image.fromarray(ring.inside))
    text, confidence = circled(api.GetUTF8Text().strip()), float(api.MeanTextConf())
    api.SetVariable("tessedit_char_whitelist", "")
    api.SetPageSegMode(tesserocr.PSM.SINGLE_LINE)
    return Word(text or "○", confidence if text else 0.0, ring.box)


def upright(page: Pixels) -> Upright:
    """The page as people hold it: in whichever direction its longest lines are read with most confidence."""
    quads = detect(page)
    lying = sum(_height(quad) > _width(quad) for quad in quads) > len(quads) / 2
    chosen, best = Upright(page, 0, quads, {}), -1.0
    for degrees in (90, 270) if lying else (0, 180):
        turned = np.ascontiguousarray(np.rot90(page, degrees // 90))
        if degrees == 90:
            quads = detect(turned)
        # Finding lines takes longer than reading some: upside down they are where they were.
        found = quads if degrees < 180 else [_upside_down(quad, turned) for quad in quads]
        longest = sorted(range(len(found)), key=lambda each: _width(found[each]))[-SAMPLE:]
        lines = {index: read(turned, found[index]) for index in longest}
        confidence = sum(line.confidence for line in lines.values()) / len(lines) if lines else 0.0
        if confidence > best:
            chosen, best = Upright(turned, degrees, found, lines), confidence
        if not quads or (best >= UPRIGHT_ENOUGH and not lying):
            break
    return chosen


def _upside_down(quad: Quad, page: Pixels) -> Quad:
    """Where it is on `page`, after that was turned by 180 degrees."""
    height, width = page.shape
    return np.asarray((np.array([width - 1, height - 1]) - quad)[[2, 3, 0, 1]], np.float32)


def _straight(page: Pixels, quad: Quad) -> tuple[Pixels, npt.NDArray[Any]]:
    """The line cut out and put straight, and the way back from it to the page."""
    width, height = _width(quad), _height(quad)
    margin = MARGIN * height
    target = np.array(
        [
            [margin, margin],
            [margin + width, margin],
            [margin + width, margin + height],
            [margin, margin + height],
        ],
        np.float32,
    )
    forth = cv2.getPerspectiveTransform(quad, target)
    size = (max(1, round(width + 2 * margin)), max(1, round(height + 2 * margin)))
    strip = cv2.warpPerspective(page, forth, size, flags=cv2.INTER_CUBIC, borderValue=255)
    scale = min(1.0, HEIGHT / size[1])
    small = cv2.resize(strip, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else strip
    return np.asarray(small, np.uint8), np.linalg.inv(forth) @ np.diag([1 / scale, 1 / scale, 1])


def _on_page(box: Box, back: npt.NDArray[Any]) -> Box:
    left, top, right, bottom = box
    corners = np.array([[[left, top], [right, top], [right, bottom], [left, bottom]]], np.float64)
    return around(cv2.perspectiveTransform(corners, back)[0])


def hull(boxes: Sequence[Box]) -> Box:
    """The smallest box around all."""
    left, top, right, bottom = zip(*boxes, strict=True)
    return min(left), min(top), max(right), max(bottom)


def around(points: npt.NDArray[Any]) -> Box:
    low, high = np.floor(points.min(axis=0)).astype(int), np.ceil(points.max(axis=0)).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _confidence(words: Sequence[Word]) -> float:
    """The mean over letters."""
    letters = sum(len(word.text) for word in words)
    return sum(len(word.text) * word.confidence for word in words) / letters if letters else 0.0


def _width(quad: Quad) -> float:
    return float(np.linalg.norm(quad[1] - quad[0]))


def _height(quad: Quad) -> float:
    return float(np.linalg.norm(quad[3] - quad[0]))


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


@cache
def _tesseract(languages: str) -> tesserocr.PyTessBaseAPI:
    api = tesserocr.PyTessBaseAPI(path=str(tessdata()), lang=languages, psm=tesserocr.PSM.SINGLE_LINE)
    api.SetVariable("preserve_interword_spaces", "1")  # or the model puts spaces between syllables
    return api
