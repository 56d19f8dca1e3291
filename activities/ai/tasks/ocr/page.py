"""One page read: by its own text where that can be relied on, else by the engine."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from activities.ai.pages import DPI, Pixels, is_pdf, load
from activities.ai.tasks.ocr import engine, formulas, layer, tesseract_cli
from activities.ai.tasks.ocr.engine import Upright
from activities.ai.tasks.ocr.order import Box, reading_order
from activities.ai.tasks.ocr.tables import Table, tables_of
from activities.ai.tasks.ocr.words import Line, Quad, Word, around, tilt_of

GREY = 12  # levels between the colours of a pixel that a scanner makes of black and white
COLOURED = 0.001  # of the pixels, at least, on a page in colour

Layer = Literal["none", "kept", "rejected", "skipped"]
Mode = Literal["auto", "redo", "force", "skip"]


@dataclass(frozen=True)
class Page:
    """`picture` is upright, after a turn by `turned` degrees counter-clockwise; `detected` counts the lines
    seen; `layer` tells what became of the text that the file brought along, and `left_out` counts its words
    that nobody sees; `order_doubted`: the lines could be read in another order; `formulas` counts those that
    lines cannot say."""

    picture: Pixels
    turned: int
    detected: int
    layer: Layer
    lines: list[Line]
    left_out: int = 0
    order_doubted: bool = False
    tables: tuple[Table, ...] = ()
    formulas: int = 0

    def result(self) -> dict[str, Any]:
        height, width = self.picture.shape[:2]
        return {
            "width": width,
            "height": height,
            "turned": self.turned,
            "detected": self.detected,
            "layer": self.layer,
            "left_out": self.left_out,
            "order_doubted": self.order_doubted,
            "tables": [asdict(table) for table in self.tables],
            "formulas": self.formulas,
            "engine": engine.fingerprint(),
            "lines": [
                {
                    "box": line.box,
                    "confidence": line.confidence,
                    "own": line.own,
                    "doubted": line.doubted,
                    "words": [
                        {"text": word.text, "confidence": word.confidence, "box": word.box}
                        for word in line.words
                    ],
                }
                for line in self.lines
            ],
        }


def picture_of(source: Path, index: int, turned: int) -> Pixels:
    """The page's picture upright at DPI: in colour where it has any."""
    picture = load(source, index, "own", DPI)
    if picture.ndim == 3 and np.mean(np.ptp(picture[::7, ::7], axis=2) > GREY) < COLOURED:
        picture = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
    return np.ascontiguousarray(np.rot90(picture, turned // 90))


def read_page(source: Path, index: int, plain: bool = False, mode: Mode = "auto") -> Page:
    """Page `index` (from 0); `plain` leaves finding the lines to Tesseract. `mode` is for the text that a PDF
    brings along: `auto` uses what agrees with what is seen, `redo` but that of other scanners, `force` none,
    `skip` all that is seen without reading the page. Raises BadInput."""
    picture = picture_of(source, index, 0)
    grey = picture if picture.ndim == 2 else np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
    height, width = grey.shape
    own = layer.words_of(source, index, width, height) if is_pdf(source) else []
    guessed = any(each.hidden for each in own)
    if mode == "skip" and own:
        seen = [each.word for each in own if layer.visible(each.word, grey)]
        return _ordered(
            Upright(grey, 0, [], {}), picture, "skipped", layer.lines_of(seen), len(own) - len(seen)
        )
    found = engine.upright(grey)
    picture = np.ascontiguousarray(np.rot90(picture, found.degrees // 90))
    if plain:
        return _ordered(found, picture, "rejected" if own else "none", _plain(found))
    kind: Layer = "rejected" if own else "none"
    read = _lines(found, range(len(found.quads)))
    lines, left_out = list(read.values()), 0
    usable = [each for each in own if mode == "auto" or (mode == "redo" and not each.hidden)]
    if usable:
        seen = [each.word for each in usable if layer.visible(each.word, grey)]
        words = [replace(word, box=_turned(word.box, found.degrees, width, height)) for word in seen]
        lines, unread, kept = _with_layer(found, words, read, guessed)
        left_out = len(usable) - len(seen) + unread
        kind = "kept" if kept and len(usable) == len(own) else kind
    return _ordered(found, picture, kind, lines, left_out)


def _ordered(found: Upright, picture: Pixels, kind: Layer, lines: list[Line], left_out: int = 0) -> Page:
    tilt = tilt_of(found.quads)
    order = reading_order([line.box for line in lines], tilt)
    ordered, several = formulas.doubted(found.page, [lines[each] for each in order.indices])
    return Page(
        picture=picture,
        turned=found.degrees,
        detected=len(found.quads) or len(lines),
        layer=kind,
        lines=ordered,
        left_out=left_out,
        order_doubted=order.doubted,
        tables=tuple(tables_of(found.page, ordered, tilt)),
        formulas=several,
    )


def _with_layer(
    found: Upright, words: list[Word], read: Mapping[int, Line], guessed: bool
) -> tuple[list[Line], int, bool]:
    """The lines, how many of the words stand where something else is read, and whether they may be kept."""
    boxes = [around(quad) for quad in found.quads]
    placed = layer.by_place(words, boxes)
    agreeing = [
        layer.agrees(" ".join(word.text for word in each), read[index], layer.covers(each, boxes[index]))
        for index, each in placed.items()
    ]
    if not layer.trusted(agreeing, guessed):
        return list(read.values()), 0, False
    lines = list(layer.merged(placed, read, boxes))
    there = {word for each in placed.values() for word in each}
    others = layer.lines_of([word for word in words if word not in there])
    again = engine.read(found.page, [_outline(line.box) for line in others])
    same = [layer.agrees(line.text, seen) for line, seen in zip(others, again, strict=True)]
    unread = sum(len(line.words) for line, is_same in zip(others, same, strict=True) if not is_same)
    return lines + [line for line, is_same in zip(others, same, strict=True) if is_same], unread, True


def _outline(box: Box) -> Quad:
    left, top, right, bottom = box
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float32)


def _lines(found: Upright, wanted: Iterable[int]) -> dict[int, Line]:
    """Lines by index, read unless they were before."""
    wanted = list(wanted)
    missing = [index for index in wanted if index not in found.read]
    read = dict(zip(missing, engine.read(found.page, [found.quads[each] for each in missing]), strict=True))
    return {index: found.read.get(index) or read[index] for index in wanted}


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
