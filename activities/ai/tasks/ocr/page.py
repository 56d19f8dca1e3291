"""One page read: by its own text where that can be relied on, else by the engine."""

from collections.abc import Container, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from activities.ai.pages import DPI, Pixels, is_pdf, load
from activities.ai.tasks.ocr import engine, layer, tesseract_cli
from activities.ai.tasks.ocr.engine import Upright
from activities.ai.tasks.ocr.order import Box, reading_order
from activities.ai.tasks.ocr.words import Line, Word, around

GREY = 12  # levels between the colours of a pixel that a scanner makes of black and white
COLOURED = 0.001  # of the pixels, at least, on a page in colour

Layer = Literal["none", "kept", "rejected"]


@dataclass(frozen=True)
class Page:
    """`picture` is upright, after a turn by `turned` degrees counter-clockwise; `detected` counts the lines
    seen; `layer` tells what became of the text that the file brought along."""

    picture: Pixels
    turned: int
    detected: int
    layer: Layer
    lines: list[Line]

    def result(self) -> dict[str, Any]:
        height, width = self.picture.shape[:2]
        return {
            "width": width,
            "height": height,
            "turned": self.turned,
            "detected": self.detected,
            "layer": self.layer,
            "engine": engine.fingerprint(),
            "lines": [
                {
                    "box": line.box,
                    "confidence": line.confidence,
                    "own": line.own,
                    "doubted": line.doubted,
                    "words": [asdict(word) for word in line.words],
                }
                for line in self.lines
            ],
        }


def picture_of(source: Path, index: int, turned: int) -> Pixels:
    """The page's picture upright at DPI: in colour where it has any."""
    picture = load(source, index, "L" if is_pdf(source) else "RGB", DPI)
    if picture.ndim == 3 and np.mean(np.ptp(picture[::7, ::7], axis=2) > GREY) < COLOURED:
        picture = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
    return np.ascontiguousarray(np.rot90(picture, turned // 90))


def read_page(source: Path, index: int, plain: bool = False) -> Page:
    """Page `index` (from 0); `plain` leaves finding the lines to Tesseract. Raises BadInput."""
    picture = picture_of(source, index, 0)
    grey = picture if picture.ndim == 2 else np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
    height, width = grey.shape
    words = layer.words_of(source, index, width, height) if is_pdf(source) else []
    found = engine.upright(grey)
    picture = np.ascontiguousarray(np.rot90(picture, found.degrees // 90))
    own = [
        Word(word.text, word.confidence, _turned(word.box, found.degrees, width, height)) for word in words
    ]
    kind: Layer = "rejected" if own else "none"
    lines: list[Line] | None = None
    if plain:
        lines = _plain(found)
    elif own:
        kind, lines = _with_layer(found, own)
    if lines is None:
        lines = list(_read(found, {}).values())
    order = reading_order([line.box for line in lines], picture.shape[1])
    return Page(picture, found.degrees, len(found.quads), kind, [lines[each] for each in order])


def _with_layer(found: Upright, words: list[Word]) -> tuple[Layer, list[Line] | None]:
    boxes = [around(quad) for quad in found.quads]
    placed = layer.by_place(words, boxes)
    own = {index: each for index, each in placed.items() if layer.covers(each, boxes[index])}
    if not placed:  # nothing to check it by
        return "kept", None
    longest = sorted(own or placed, key=lambda index: boxes[index][2] - boxes[index][0])[-engine.SAMPLE :]
    sample = _lines(found, longest)
    if not layer.agrees(
        [" ".join(word.text for word in placed[index]) for index in longest],
        [sample[index].text for index in longest],
    ):
        return "rejected", None
    return "kept", layer.merged(placed, boxes, _read(found, own), words)


def _lines(found: Upright, wanted: Iterable[int]) -> dict[int, Line]:
    """Lines by index, read unless they were before."""
    wanted = list(wanted)
    missing = [index for index in wanted if index not in found.read]
    read = dict(zip(missing, engine.read(found.page, [found.quads[each] for each in missing]), strict=True))
    return {index: found.read.get(index) or read[index] for index in wanted}


def _read(found: Upright, but: Container[int]) -> dict[int, Line]:
    return _lines(found, (index for index in range(len(found.quads)) if index not in but))


def _plain(found: Upright) -> list[Line]:
    """Tesseract's lines, and detected ones that it dropped as lines without words."""
    lines = tesseract_cli.read(found.page)
    placed = layer.by_place(
        [word for line in lines for word in line.words], [around(quad) for quad in found.quads]
    )
    dropped = (quad for index, quad in enumerate(found.quads) if index not in placed)
    return lines + [Line(around(quad), ()) for quad in dropped]


def _turned(box: Box, degrees: int, width: int, height: int) -> Box:
    """The box on a page of `width` × `height` after it was turned counter-clockwise."""
    left, top, right, bottom = box
    match degrees:
        case 90:
            return top, width - right, bottom, width - left
        case 180:
            return width - right, height - bottom, width - left, height - top
        case 270:
            return height - bottom, left, height - top, right
    return box
