"""A line of text as it comes out of a scan: drawn, spoilt, and cut into a strip."""

import random
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from activities.ai.pages import Pixels
from activities.ai.tasks.ocr.reader import ROWS
from training.fonts import Fonts

SIZES = (22, 26, 30, 34, 38, 42, 46, 52)
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Sample:
    """`strip` has ROWS rows and is filled up with its paper on the right, behind the first `used` columns."""

    strip: Pixels
    text: str
    used: int


def sample(chance: random.Random, fonts: Fonts, text: str, columns: int) -> Sample | None:
    """None where it does not fit into so many columns."""
    size = chance.choice(SIZES)
    face, text = fonts.choose(chance, text)
    font = fonts.at(face, size)
    tracking = chance.choice([0, 0, -1, -2, 1, 2, 3]) if chance.random() < 0.4 else 0
    squeeze = chance.choice([1, 1, 1, 0.95, 0.9, 0.85, 0.8, 1.1]) if chance.random() < 0.6 else 1.0
    advances = [font.getlength(letter) + tracking for letter in text]
    wide = int(sum(advances) if tracking else font.getlength(text)) + 2
    ascent, descent = font.getmetrics()
    sheet = Image.new("L", (wide + 2 * size, ascent + descent + 2 * size), 255)
    pen = ImageDraw.Draw(sheet)
    stroke = int(chance.random() < 0.06 and size > 30)
    if tracking:
        x = float(size)
        for letter, advance in zip(text, advances, strict=True):
            pen.text((x, size), letter, fill=0, font=font, stroke_width=stroke)
            x += advance
    else:
        pen.text((size, size), text, fill=0, font=font, stroke_width=stroke)
    inked = np.argwhere(np.asarray(sheet) < 128)
    if not len(inked):
        return None
    (top, left), (bottom, right) = inked.min(axis=0), inked.max(axis=0) + 1
    box = pen.textbbox((size, size), text, font=font)
    top, bottom = min(box[1], top), max(box[3], bottom)
    if bottom - top < 0.55 * size:  # marks alone: they keep their place in the line
        top, bottom = min(top, size + 0.27 * size), max(bottom, size + ascent + 0.05 * size)
    _rules(chance, pen, (left, top, right, bottom), sheet.size)
    corners = _corners(chance, (left, top, right, bottom))
    used = round((corners[1][0] - corners[0][0]) / (corners[3][1] - corners[0][1]) * ROWS * squeeze)
    if not 8 <= used <= columns:
        return None
    strip = _paper(chance, _scanned(chance, np.asarray(sheet), corners, bottom - top, used))
    whole = np.full((ROWS, columns), int(np.median(strip[:, -3:])), np.uint8)
    whole[:, :used] = strip
    return Sample(whole, text, used)


def _rules(
    chance: random.Random,
    pen: ImageDraw.ImageDraw,
    box: tuple[float, float, float, float],
    size: tuple[int, int],
) -> None:
    """An underline, a rule above or below, one at the side."""
    left, top, right, bottom = box
    kind = chance.random()
    if kind < 0.05:
        y = bottom + chance.randint(1, 5)
        pen.line((left, y, right, y), fill=chance.randint(0, 120), width=chance.choice([1, 2, 3]))
    elif kind < 0.08:
        y = chance.choice([top - chance.randint(2, 12), bottom + chance.randint(2, 12)])
        pen.line((0, y, size[0], y), fill=0, width=chance.choice([1, 2, 3]))
    if chance.random() < 0.05:
        x = chance.choice([left - chance.randint(3, 14), right + chance.randint(3, 14)])
        pen.line((x, 0, x, size[1]), fill=0, width=chance.choice([2, 3]))


def _corners(chance: random.Random, box: tuple[float, float, float, float]) -> Floats:
    """A slightly wrong quadrilateral around the line."""
    left, top, right, bottom = box
    high = bottom - top
    above, below = chance.uniform(0, 0.28) * high, chance.uniform(0, 0.28) * high
    before, behind = chance.uniform(0.02, 0.6) * high, chance.uniform(0.02, 0.6) * high
    loose = (0.05 if chance.random() < 0.5 else 0.015) * high
    tilt = chance.gauss(0, 0.4) * high * 0.12 if chance.random() < 0.5 else 0.0
    places = [
        (left - before, top - above + tilt),
        (right + behind, top - above - tilt),
        (right + behind, bottom + below - tilt),
        (left - before, bottom + below + tilt),
    ]
    moved = [(x + chance.gauss(0, loose), y + chance.gauss(0, loose)) for x, y in places]
    corners = np.array(moved, np.float32)
    if chance.random() < 0.15:
        corners[:2, 0] += chance.gauss(0, 0.12) * high
    return corners


def _scanned(chance: random.Random, sheet: Pixels, corners: Floats, high: float, used: int) -> Floats:
    """Spoilt at the scan's resolution, then made a strip."""
    page, corners = sheet, corners.copy()
    if chance.random() < 0.5 and high > 22:
        scale = chance.uniform(0.45, 1.0) * min(1, 44 / high)
        page = np.asarray(cv2.resize(page, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        corners *= scale
    if chance.random() < 0.10:
        change = cv2.erode if chance.random() < 0.6 else cv2.dilate
        page = np.asarray(change(page, np.ones((2, 2), np.uint8)), np.uint8)
    if chance.random() < 0.55:
        blur = chance.uniform(0.3, 1.5) * max(0.5, page.shape[0] / 110)
        page = np.asarray(cv2.GaussianBlur(page, (0, 0), blur), np.uint8)
    if chance.random() < 0.06:  # moved while it was taken
        count = chance.choice([3, 5])
        kernel = np.zeros((count, count), np.float32)
        kernel[count // 2] = 1 / count
        page = np.asarray(cv2.filter2D(page, -1, kernel.T if chance.random() < 0.5 else kernel), np.uint8)
    target = np.array([(0, 0), (used, 0), (used, ROWS), (0, ROWS)], np.float32)
    how = chance.choice([cv2.INTER_LINEAR, cv2.INTER_AREA, cv2.INTER_CUBIC])
    forth = cv2.getPerspectiveTransform(corners, target)
    return cv2.warpPerspective(page, forth, (used, ROWS), flags=how, borderValue=255).astype(np.float32)


def _paper(chance: random.Random, strip: Floats) -> Pixels:
    """Ink and paper of some grey, uneven light, noise, specks, JPEG, light on dark."""
    low = chance.choice([0, 0, chance.uniform(0, 110)])
    high = chance.choice([255, 255, chance.uniform(150, 255)])
    low = min(low, max(0, high - 60))
    strip = low + strip * ((high - low) / 255)
    dice = np.random.default_rng(chance.getrandbits(32))
    if chance.random() < 0.25:
        across = np.linspace(chance.uniform(0.75, 1), chance.uniform(0.75, 1), strip.shape[1])
        down = np.linspace(chance.uniform(0.8, 1), chance.uniform(0.8, 1), ROWS)
        strip = strip * across[None] * down[:, None]
    if chance.random() < 0.5:
        strip = strip + dice.normal(0, chance.uniform(1, 14), strip.shape)
    if chance.random() < 0.08:
        strip[dice.random(strip.shape) < chance.uniform(0.0005, 0.01)] = chance.choice([0, 40, 255])
    pixels = strip.clip(0, 255).astype(np.uint8)
    if chance.random() < 0.25:
        quality = [cv2.IMWRITE_JPEG_QUALITY, chance.randint(20, 90)]
        pixels = np.asarray(cv2.imdecode(cv2.imencode(".jpg", pixels, quality)[1], 0), np.uint8)
    return 255 - pixels if chance.random() < 0.04 else pixels
