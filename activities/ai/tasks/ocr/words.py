"""Words and lines with their places on a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from activities.ai.tasks.ocr.order import Box

LONG = 5.0  # times as wide as high: a line that tells how a page lies
Quad = npt.NDArray[np.float32]  # 4 × (x, y), clockwise from the upper left


@dataclass(frozen=True)
class Word:
    """`box` is left, top, right, bottom in pixels of the page; `confidence` 0 to 100: how many of a hundred
    such words are right."""

    text: str
    confidence: float
    box: Box


@dataclass(frozen=True)
class Line:
    """`own`: not recognised, but the file's own text. `doubted`: a person should look at it."""

    box: Box
    words: tuple[Word, ...]
    own: bool = False
    doubted: bool = False

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    @property
    def confidence(self) -> float:
        """The mean over letters."""
        letters = sum(len(word.text) for word in self.words)
        total = sum(len(word.text) * word.confidence for word in self.words)
        return total / letters if letters else 0.0


def line_of(words: Sequence[Word]) -> Line:
    return Line(hull([word.box for word in words]), tuple(words))


def hull(boxes: Sequence[Box]) -> Box:
    """The smallest box around all."""
    left, top, right, bottom = zip(*boxes, strict=True)
    return min(left), min(top), max(right), max(bottom)


def around(points: npt.NDArray[Any]) -> Box:
    low, high = np.floor(points.min(axis=0)).astype(int), np.ceil(points.max(axis=0)).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def width(quad: Quad) -> float:
    return float(np.linalg.norm(quad[1] - quad[0]))


def height(quad: Quad) -> float:
    return float(np.linalg.norm(quad[3] - quad[0]))


def tilt_of(quads: Sequence[Quad]) -> float:
    """By how many degrees most lines fall to the right; the long ones tell."""
    long = [quad for quad in quads if width(quad) > LONG * height(quad)]
    falls = [np.degrees(np.arctan2(*(quad[1] - quad[0])[::-1])) for quad in long]
    return float(np.median(falls)) if falls else 0.0
