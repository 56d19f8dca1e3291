"""Circled signs, which a reader of lines takes for others when it does not know them: found by their shape,
and told by what stands inside, be that a number, a Latin or a Korean letter."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from activities.ai.pages import Pixels

LOWEST = 0.35  # of the line's height: a ring below it is an accent or a full stop
ROUND = (0.8, 1.25)  # width to height
DISC = (0.7, 0.87)  # of the box filled by the outline; a circle has π / 4
OPEN = 0.6  # of the disc inside the ring
DIGIT = 0.2  # of the ring's height, at least, taken by what stands in it
READ_AT = 48  # pixels of its height when it is read
AROUND = 6, 12  # pixels above and below it, and beside it


def _signs() -> Iterator[tuple[str, str]]:
    """What stands inside, and the sign, of all that Unicode calls a circled something."""
    for block in (range(0x2460, 0x2500), range(0x3250, 0x32C0)):
        for code in block:
            if unicodedata.decomposition(chr(code)).startswith("<circle>"):
                inside = unicodedata.normalize("NFKC", chr(code))
                yield _COMPATIBLE.get(inside, inside), chr(code)


# Single letters as people write them, for those that syllables are made of.
_COMPATIBLE = {unicodedata.normalize("NFKC", chr(code)): chr(code) for code in range(0x3131, 0x314F)}
SIGNS = dict(_signs())
NUMBERS = frozenset(SIGNS[str(number)] for number in range(10, 51))
ALL = frozenset(SIGNS.values())
ALIKE = frozenset("lIi|!oO")  # inside a ring they may be a 1 or a 0


@dataclass(frozen=True)
class Ring:
    """`left` to `right` in the strip; `inside`: what stands in it alone, black on white."""

    left: int
    right: int
    inside: Pixels


def rings(strip: Pixels) -> list[Ring]:
    """The circled signs of a line, from left to right. The ring of a Hangul ㅇ holds nothing, and what @ and
    © hold is joined to them or open."""
    ink = cv2.threshold(strip, 0, 255, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)[1]
    contours, tree = cv2.findContours(ink, cv2.RETR_TREE, cv2.CHAIN_APPROX_NONE)
    found: list[Ring] = []
    for index, outline in enumerate(contours):
        left, _, width, height = cv2.boundingRect(outline)
        disc = cv2.contourArea(outline)
        if height < LOWEST * strip.shape[0] or not ROUND[0] < width / height < ROUND[1]:
            continue
        if not DISC[0] < disc / (width * height) < DISC[1]:
            continue
        holes = [each for each in range(len(contours)) if tree[0][each][3] == index]
        hole = max(holes, key=lambda each: cv2.contourArea(contours[each]), default=None)
        if hole is None or cv2.contourArea(contours[hole]) < OPEN * disc:
            continue
        digits = [each for each in range(len(contours)) if tree[0][each][3] == hole]
        if not any(cv2.boundingRect(contours[each])[3] > DIGIT * height for each in digits):
            continue
        mask = np.zeros_like(strip)
        for each in digits:
            cv2.drawContours(mask, contours, each, 255, cv2.FILLED)
        grown = cv2.dilate(mask, np.ones((3, 3), np.uint8))
        alone = np.where(grown > 0, strip, 255).astype(np.uint8)
        x, y, w, h = cv2.boundingRect(grown)
        scale = READ_AT / h
        digit = cv2.resize(
            alone[y : y + h, x : x + w], None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC
        )
        above, beside = AROUND
        inside = cv2.copyMakeBorder(digit, above, above, beside, beside, cv2.BORDER_CONSTANT, value=255)
        found.append(Ring(left, left + width, np.asarray(inside, np.uint8)))
    return sorted(found, key=lambda ring: ring.left)


def sign(inside: str) -> str | None:
    """`①` for 1, `㉠` for ㄱ, `ⓐ` for a; None where there is no such sign."""
    return SIGNS.get(inside.strip())
