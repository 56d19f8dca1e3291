"""Whether what is printed under the marks is still to be seen.

A bubble without its outline or its pale sign is not blank: glare, tape, a fold or another paper lies over it,
or it is looked for beside its place. Both are measured against the same print elsewhere on the page, so
that pale printers and cheap cameras count as what they are.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Place = tuple[float, float]

SECTORS = 16  # of an outline
_TURNS = 3 * SECTORS  # directions that are looked into
_STEPS = 32  # to each direction, 0.1 mm each
_BAND = slice(20, 30)  # where the outline is looked for: 2 to 3 mm, it lies at 2.5
_WEAKEST = 0.2  # of black: outlines of a page that has any; measured from 0.37
_AS_DARK = 0.65  # of the page's outlines: what a sector needs; measured on photos from 0.88
_AS_WHOLE = 0.75  # of the page's usual number of sectors: what a bubble needs
_PALEST = 0.03  # of black: a page whose signs stand out less shows no grey; measured from 0.076
_AS_CLEAR = 0.4  # of the same sign elsewhere on the page; measured on photos from 0.71


class Print(NamedTuple):
    """Of one bubble: the darkest place of each sector of its outline, and how far its sign stands out."""

    outline: tuple[float, ...]
    sign: float


NO_PRINT = Print((0.0,) * SECTORS, 0.0)


class Bubble(NamedTuple):
    """`label` numbers the sign that is printed in it. One that is `touched` hides its sign."""

    print: Print
    label: int
    touched: bool


def look(dark: Floats, inside: Floats, place: Place, scale: int) -> Print:
    """At the bubble whose centre is `place` (pixels, `scale` for a millimetre); `inside` are the values
    within its outline."""
    rays = cv2.warpPolar(dark, (_STEPS, _TURNS), place, _STEPS / 10 * scale, cv2.INTER_LINEAR)
    sectors = rays[:, _BAND].reshape(SECTORS, _TURNS // SECTORS, -1).mean(axis=1).max(axis=1)
    values = np.sort(inside)
    count = len(values)
    paper = values[count // 5 : count * 3 // 5].mean()
    return Print(tuple(float(value) for value in sectors), float(values[count * 93 // 100 :].mean() - paper))


def seen(bubbles: Sequence[Bubble]) -> list[bool]:
    """Of all bubbles of a page: whether the print of each is there."""
    outlines = [bubble.print.outline for bubble in bubbles if not bubble.touched]
    usual = float(np.percentile(outlines, 75)) if outlines else 0.0
    if usual < _WEAKEST:
        return [False] * len(bubbles)
    whole = float(np.median([_sectors(outline, usual) for outline in outlines]))
    signs: dict[int, list[float]] = {}
    for bubble in bubbles:
        if not bubble.touched:
            signs.setdefault(bubble.label, []).append(bubble.print.sign)
    clear = {label: float(np.percentile(found, 75)) for label, found in signs.items()}

    def is_seen(bubble: Bubble) -> bool:
        if _sectors(bubble.print.outline, usual) < _AS_WHOLE * whole:
            return False
        sign = clear.get(bubble.label, 0.0)
        return bubble.touched or sign < _PALEST or bubble.print.sign >= _AS_CLEAR * sign

    return [is_seen(bubble) for bubble in bubbles]


def tone(bubbles: Sequence[Bubble]) -> float:
    """How far the pale signs of a page stand out: 0.10 to 0.14 as printed, more on a page that was made
    darker."""
    signs = [bubble.print.sign for bubble in bubbles if not bubble.touched]
    return float(np.median(signs)) if signs else 0.0


def _sectors(outline: Sequence[float], usual: float) -> int:
    return sum(value >= _AS_DARK * usual for value in outline)
