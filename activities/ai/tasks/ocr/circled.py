"""Circled numbers, which Tesseract reads as @, © or 0): found by their shape, read by the digits inside."""

from dataclasses import dataclass

import cv2
import numpy as np

from activities.ai.pages import Pixels

LOWEST = 0.35  # of the line's height: a ring below it is an accent or a full stop
ROUND = (0.8, 1.25)  # width to height
DISC = (0.7, 0.87)  # of the box filled by the outline; a circle has π / 4
OPEN = 0.6  # of the disc inside the ring
DIGIT = 0.35  # of the ring's height, at least, taken by what stands in it
READ_AT = 48  # pixels of the digits' height when they are read


@dataclass(frozen=True)
class Ring:
    """`box` is left, top, right, bottom in the strip; `inside` the digits alone, black on white."""

    box: tuple[int, int, int, int]
    inside: Pixels


def take_out(strip: Pixels) -> tuple[Pixels, list[Ring]]:
    """The line without its circled numbers, and those from left to right. The ring of a Hangul ㅇ holds
    nothing, and what @ and © hold is joined to them or open."""
    ink = cv2.threshold(strip, 0, 255, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)[1]
    contours, tree = cv2.findContours(ink, cv2.RETR_TREE, cv2.CHAIN_APPROX_NONE)
    rings: list[Ring] = []
    rest = strip.copy()
    for index, outline in enumerate(contours):
        left, top, width, height = cv2.boundingRect(outline)
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
        inside = cv2.copyMakeBorder(digit, 16, 16, 24, 24, cv2.BORDER_CONSTANT, value=255)
        rings.append(Ring((left, top, left + width, top + height), np.asarray(inside, np.uint8)))
        rest[max(top - 2, 0) : top + height + 2, max(left - 2, 0) : left + width + 2] = 255
    return rest, sorted(rings, key=lambda ring: ring.box[0])


def circled(digits: str) -> str | None:
    """`①` to `⑳` for the number, None for what is none of them."""
    return chr(0x245F + int(digits)) if digits.isdecimal() and 1 <= int(digits) <= 20 else None
