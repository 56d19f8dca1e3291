"""Answer sheets as students and cameras leave them, with what the student meant."""

import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random

import cv2
import numpy as np

from activities.ai.pages import Pixels, load
from activities.ai.tasks.omr.layout import SHEETS, Layout
from activities.ai.tasks.omr.sheet import VERSION, sheet

PX = 6  # pixels per millimetre of a filled sheet

# How often a student does what. The first three are what the sheet asks for.
HABITS = {
    "pen": 30,
    "pencil": 25,
    "sloppy": 15,
    "blank": 12,
    "faint": 3,
    "half": 3,
    "dot": 2,
    "tick": 3,
    "cross": 2,
    "ring": 2,
    "erased": 4,
    "double": 3,
    "crossed out": 3,
    "between": 1,
    "beside": 1,
    "erased to blank": 1,
}
CLEAR = ("pen", "pencil", "sloppy", "blank")


@dataclass
class Filled:
    """`meant` has a choice (from 1), None for blank, or "unclear" where only a person may decide."""

    layout: Layout
    grey: Pixels
    habits: list[str] = field(default_factory=list)
    meant: list[int | str | None] = field(default_factory=list)
    identifier: str = ""


@cache
def printed(question_count: int) -> Pixels:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "sheet.pdf")
        path.write_bytes(sheet(question_count))
        grey = load(path, 0, dpi=round(PX * 25.4))
    return cv2.resize(grey, (210 * PX, 297 * PX), interpolation=cv2.INTER_AREA)


class Pen:
    """Ink that darkens the paper: it never makes it lighter."""

    def __init__(self, grey: Pixels, random: Random) -> None:
        self.grey = grey
        self.random = random
        self.noise = np.random.default_rng(random.randrange(2**32))

    def _shape(self, points: list[tuple[float, float]], width: float) -> tuple[Pixels, Pixels, np.ndarray]:
        """The paper around `points`, an empty mask of its size, and the points on it in 1/16 of a pixel."""
        corner = np.floor((np.min(points, axis=0) - width - 1) * PX).astype(int).clip(0)
        end = np.ceil((np.max(points, axis=0) + width + 1) * PX).astype(int)
        part = self.grey[corner[1] : end[1], corner[0] : end[0]]
        return part, np.zeros_like(part), ((np.array(points) * PX - corner) * 16).round().astype(np.int32)

    def _ink(self, part: Pixels, mask: Pixels, level: float, grain: float) -> None:
        cover = mask / 255
        texture = cv2.GaussianBlur(self.noise.normal(0, 1, part.shape).astype(np.float32), (0, 0), 1.5)
        ink = np.clip(level + grain * 3 * texture, 0, 255)
        part[:] = np.minimum(part, part * (1 - cover) + ink * cover).astype(np.uint8)

    def stroke(self, points: list[tuple[float, float]], width: float, level: float, grain: float = 0) -> None:
        part, mask, path = self._shape(points, width)
        cv2.polylines(mask, [path], False, 255, max(1, round(width * PX)), cv2.LINE_AA, 4)
        self._ink(part, mask, level, grain)

    def blob(self, x: float, y: float, radius: float, level: float, grain: float = 0, cut: float = 9) -> None:
        """A filled shape; `cut` below 1 leaves out its right part."""
        outline = []
        phase, wobble = self.random.uniform(0, 6.3), self.random.uniform(0, 0.06)
        for angle in np.linspace(0, 2 * np.pi, 40):
            r = radius * (1 + wobble * np.sin(3 * angle + phase))
            outline.append((min(x + r * np.cos(angle), x - radius + 2 * radius * cut), y + r * np.sin(angle)))
        part, mask, path = self._shape(outline, 0)
        cv2.fillPoly(mask, [path], 255, cv2.LINE_AA, 4)
        self._ink(part, mask, level, grain)

    def fill(self, x: float, y: float, habit: str) -> None:
        r = self.random.uniform
        if habit == "pen":
            self.blob(x + r(-0.2, 0.2), y + r(-0.2, 0.2), r(2.2, 2.6), r(15, 60))
        elif habit == "pencil":
            self.blob(x + r(-0.2, 0.2), y + r(-0.2, 0.2), r(2.2, 2.6), r(70, 115), 12)
        elif habit == "sloppy":
            self.blob(x + r(-0.6, 0.6), y + r(-0.6, 0.6), r(2.1, 2.9), r(30, 100), 10)
        elif habit == "faint":
            self.blob(x, y, r(2, 2.5), r(150, 205), 8)
        elif habit == "half":
            self.blob(x, y, 2.4, r(30, 90), 8, r(0.35, 0.65))
        elif habit == "dot":
            self.blob(x + r(-0.6, 0.6), y + r(-0.6, 0.6), r(0.9, 1.4), r(20, 80))
        elif habit == "tick":
            self.stroke([(x - 1.5, y), (x, y + 1.6), (x + r(1.5, 3), y - r(2, 4))], r(0.4, 0.8), r(20, 80))
        elif habit == "cross":
            side = r(1.4, 2.4)
            self.stroke([(x - side, y - side), (x + side, y + side)], r(0.4, 0.8), r(20, 80))
            self.stroke([(x - side, y + side), (x + side, y - side)], r(0.4, 0.8), r(20, 80))
        elif habit == "ring":
            radius = r(2.8, 4.2)
            turn = [
                (x + radius * np.cos(angle), y + radius * np.sin(angle)) for angle in np.linspace(0, 6, 40)
            ]
            self.stroke(turn, r(0.4, 0.7), r(20, 80))
        elif habit == "rubbed":
            self.blob(x, y, r(2.3, 3), r(185, 235), 10)


def fill(question_count: int, random: Random, habits: dict[str, int] | None = None) -> Filled:
    layout = SHEETS[question_count, VERSION]
    filled = Filled(layout, printed(question_count).copy())
    pen = Pen(filled.grey, random)
    habits = habits or HABITS
    for line in layout.questions:
        habit = random.choices(list(habits), list(habits.values()))[0]
        choice, other = random.sample(range(5), 2)
        x, y = line.bubbles[choice]
        ox, oy = line.bubbles[other]
        meant: int | str | None = choice + 1
        usual = random.choice(["pen", "pencil", "sloppy"])
        if habit in ("blank", "beside", "erased to blank"):
            meant = None
        if habit == "erased":
            pen.fill(ox, oy, "rubbed")
            pen.fill(x, y, usual)
        elif habit == "erased to blank":
            pen.fill(x, y, "rubbed")
        elif habit == "double":
            pen.fill(x, y, usual)
            pen.fill(ox, oy, usual)
            meant = "unclear"
        elif habit == "crossed out":
            pen.fill(ox, oy, usual)
            for slant in (-1, 1):
                pen.stroke([(ox - 3.5, oy - 3.2 * slant), (ox + 3.5, oy + 3.2 * slant)], 0.6, 30)
            if random.random() < 0.7:
                pen.fill(x, y, usual)
            else:
                meant = None
        elif habit == "between":
            left = random.randrange(4)
            x, y = line.bubbles[left]
            pen.blob(x + random.uniform(3, 5), y, 2.4, 40)
            meant = "unclear"
        elif habit == "beside":
            pen.stroke([(x + 3.4, y - 3), (x + 3.4, y + 3)], 0.5, 40)
            meant = "unclear"
        elif habit != "blank":
            pen.fill(x, y, habit)
        filled.habits.append(habit)
        filled.meant.append(meant)
    places = len(layout.digits[0].bubbles)
    filled.identifier = "".join(random.choice("0123456789") for _ in range(places))
    usual = random.choice(["pen", "pencil"])
    for place, digit in enumerate(filled.identifier):
        pen.fill(*layout.digits[int(digit)].bubbles[place], usual)
    return filled


def scan(grey: Pixels, random: Random) -> Pixels:
    """A flatbed's page: a little askew, moved, in any of four directions, with grain."""
    height, width = grey.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), random.uniform(-3, 3), random.uniform(0.97, 1))
    turn[:, 2] += random.uniform(-12, 12), random.uniform(-12, 12)
    page = cv2.warpAffine(grey, turn, (width, height), borderValue=(250,))
    page = cv2.resize(
        page, None, fx=(scale := random.choice([0.74, 0.98])), fy=scale, interpolation=cv2.INTER_AREA
    )
    page = _grain(page, random, random.uniform(1, 5))
    return np.ascontiguousarray(np.rot90(page, random.choice([0, 0, 2, 1, 3])))


def bent(grey: Pixels, random: Random, most: float = 2.0) -> Pixels:
    """Paper that does not lie flat: up to `most` millimetres out of its plane's place."""
    height, width = grey.shape
    y, x = (grid.astype(np.float32) for grid in np.ogrid[0:height, 0:width])
    a, b = (np.float32(random.uniform(-most, most) * PX) for _ in range(2))
    dx, dy = a * np.sin(np.pi * y / height), b * np.sin(np.pi * x / width)
    return cv2.remap(grey, x + dx, y + dy, cv2.INTER_LINEAR, borderValue=(255,))


def photo(grey: Pixels, random: Random, harshness: float = 1) -> Pixels:
    """A phone's picture on a table: perspective, bent paper, a gradient and a shadow, blur, noise, JPEG."""
    r = random.uniform
    grey = bent(grey, random, 1.5 * harshness)
    height, width = grey.shape
    long = random.choice([1700, 2000, 2400])
    size = round(long * 0.8), long
    inset = 0.05
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float32) * (1 - 2 * inset) + inset
    corners += np.array([(r(-0.04, 0.04), r(-0.04, 0.04)) for _ in range(4)], np.float32) * harshness
    matrix = cv2.getPerspectiveTransform(
        np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32),
        (corners * np.array(size)).astype(np.float32),
    )
    noise = np.random.default_rng(random.randrange(2**32))
    table = cv2.resize(
        noise.integers(40, 140, (40, 30)).astype(np.uint8), size, interpolation=cv2.INTER_CUBIC
    )
    inside = cv2.warpPerspective(np.full_like(grey, 255), matrix, size) > 127
    page = np.where(inside, cv2.warpPerspective(grey, matrix, size), table)
    y, x = (grid.astype(np.float32) / long for grid in np.ogrid[0 : size[1] : 4, 0 : size[0] : 4])
    light = 0.85 + r(-0.25, 0.25) * harshness * (x - 0.4) + r(-0.25, 0.25) * harshness * (y - 0.5)
    edge = np.cos(r(0, 6.3)) * (x - r(0.2, 0.6)) + np.sin(r(0, 6.3)) * (y - r(0.2, 0.8))
    shade = (1 - r(0.55, 0.9)) * harshness
    light = light * (1 - shade / (1 + np.exp(-edge * random.choice([30, 100, 300]))))
    light = cv2.resize(np.float32(light), size, interpolation=cv2.INTER_LINEAR)
    page = cv2.multiply(page, light, dtype=cv2.CV_8U)
    page = cv2.GaussianBlur(page, (0, 0), r(0.5, 1.4))
    page = _grain(page, random, r(2, 7))
    _, jpeg = cv2.imencode(".jpg", page, [cv2.IMWRITE_JPEG_QUALITY, random.randrange(55, 92)])
    page = cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE)
    return np.ascontiguousarray(np.rot90(page, random.choice([0, 0, 1, 2, 3])))


def _grain(page: Pixels, random: Random, sigma: float) -> Pixels:
    noise = np.empty(page.shape, np.int16)
    cv2.setRNGSeed(random.randrange(2**31))
    cv2.randn(noise, (0,), (sigma,))
    return cv2.add(page, noise, dtype=cv2.CV_8U)
