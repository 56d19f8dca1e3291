"""What lies over answer sheets, or takes away from them, with the corner marks still in view."""

from collections.abc import Callable
from random import Random

import cv2
import numpy as np

from activities.ai.pages import Pixels
from tests.unit.omr import PX, Pen

Box = tuple[float, float, float, float]  # millimetres: left, upper, right, lower
Cover = Callable[[Pixels, Box, Random], None]


def _part(page: Pixels, box: Box) -> Pixels:
    left, upper, right, lower = (round(side * PX) for side in box)
    return page[max(0, upper) : lower, max(0, left) : right]


def _glare(strength: float, soft: float) -> Cover:
    def cover(page: Pixels, box: Box, random: Random) -> None:
        light = np.zeros(page.shape, np.float32)
        _part(light, box)[:] = strength  # type: ignore[arg-type]
        light = cv2.GaussianBlur(light, (0, 0), soft * PX)
        page[:] = np.clip(page + light, 0, 255).astype(np.uint8)

    return cover


def _paper(level: int, grain: float = 0) -> Cover:
    def cover(page: Pixels, box: Box, random: Random) -> None:
        part = _part(page, box)
        noise = np.random.default_rng(random.randrange(2**32)).normal(0, grain, part.shape) if grain else 0
        part[:] = np.clip(level + noise, 0, 255)

    return cover


def _film(covering: float, level: int = 240) -> Cover:
    """Tape that is not clear, tracing paper: what is below is seen through it, paler."""

    def cover(page: Pixels, box: Box, random: Random) -> None:
        part = _part(page, box)
        part[:] = part * (1 - covering) + level * covering

    return cover


def _shade(page: Pixels, box: Box, random: Random) -> None:
    part = _part(page, box)
    part[:] = part * 0.12


def _blur(page: Pixels, box: Box, random: Random) -> None:
    part = _part(page, box)
    part[:] = cv2.GaussianBlur(part, (0, 0), 2.2 * PX)


def _moved(down: float) -> Cover:
    """A strip of the sheet that lies elsewhere: cut out and glued, or crumpled."""

    def cover(page: Pixels, box: Box, random: Random) -> None:
        part = _part(page, box)
        part[:] = np.roll(part, round(down * PX), axis=0)

    return cover


def _pressed(page: Pixels, box: Box, random: Random) -> None:
    """A scanner that stands still for a moment, and paper that slips: lines are drawn out."""
    part = _part(page, box)
    part[:] = part[len(part) // 2]


def _stamp(page: Pixels, box: Box, random: Random) -> None:
    left, upper, right, lower = box
    pen = Pen(page, random)
    x, y = random.uniform(left, right), (upper + lower) / 2
    for radius in (5.0, 7.0):
        ring = [(x + radius * np.cos(a), y + radius * np.sin(a)) for a in np.linspace(0, 6.3, 60)]
        pen.stroke(ring, 0.9, 90, 10)
    pen.stroke([(x - 3, y - 3), (x + 3, y + 3), (x - 3, y + 3), (x + 3, y - 3)], 1.0, 90, 10)


def _line(width: float, level: int) -> Cover:
    def cover(page: Pixels, box: Box, random: Random) -> None:
        left, upper, right, lower = box
        y = (upper + lower) / 2 + random.uniform(-1, 1)
        Pen(page, random).stroke([(left, y), (right, y + random.uniform(-1, 1))], width, level)

    return cover


def _scrawl(page: Pixels, box: Box, random: Random) -> None:
    left, upper, right, lower = box
    points = [(random.uniform(left, right), random.uniform(upper, lower)) for _ in range(30)]
    Pen(page, random).stroke(points, 0.6, 40)


def _grid(page: Pixels, box: Box, random: Random) -> None:
    """Print of something else: a sticker, another form's table."""
    part = _part(page, box)
    part[:] = 250
    part[:: 4 * PX] = 30
    part[:, :: 6 * PX] = 30


def _stain(page: Pixels, box: Box, random: Random) -> None:
    left, upper, right, lower = box
    Pen(page, random).blob((left + right) / 2, (upper + lower) / 2, (lower - upper) / 2 + 3, 150, 12)


COVERS: dict[str, Cover] = {
    "glare": _glare(250, 1.5),
    "soft glare": _glare(220, 4),
    "half glare": _glare(140, 2),
    "weak glare": _glare(100, 3),
    "white tape": _paper(252),
    "sticky note": _paper(215),
    "grey sticker": _paper(150, 6),
    "dark card": _paper(40, 5),
    "finger": _paper(120, 12),
    "matte tape": _film(0.7),
    "tracing paper": _film(0.5),
    "clear tape": _film(0.15),
    "brown tape": _film(0.6, 150),
    "deep shadow": _shade,
    "out of focus": _blur,
    "drawn out": _pressed,
    "moved by 2 mm": _moved(2),
    "moved by 4 mm": _moved(4),
    "moved by a row": _moved(11),
    "stamp": _stamp,
    "thin line": _line(0.25, 60),
    "pen line": _line(0.6, 30),
    "marker line": _line(2.5, 20),
    "highlighter": _line(6, 190),
    "scrawl": _scrawl,
    "printed sticker": _grid,
    "stain": _stain,
}
