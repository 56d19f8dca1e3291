"""What a row of bubbles says, and when only a person may say it.

The thresholds lie in the gaps between what was measured on synthetic sheets (docs/omr.md): a printed bubble
reaches 0.08, the rest of an erased mark begins at 0.10; a filled one is 0.55 or more. What lies between is
never decided here, unless the whole page was filled in as palely.
"""

from collections.abc import Sequence
from statistics import median
from typing import Literal, NamedTuple

State = Literal["answered", "blank", "double", "faint", "stray", "unreadable"]

BLANK = 0.10  # of a bubble's fill: below it nobody has touched the bubble
MARKED = 0.45  # at or above it somebody meant it
_NEAR_BLANK = 0.6  # mm² of ink around untouched bubbles: a ring, a tick beside
_NEAR_OTHERS = 1.5  # mm² around the bubbles that are not the answer
_NEAR_ANSWER = 4.0  # mm² around the answer: overshooting is less, crossing out is more

_TOUCHED = 0.03  # more than the same sign has untouched elsewhere; on photos that differs by 0.016
_PALE_ROWS = 5  # and half of all: fewer say nothing about the hand that filled the page in
_PALEST = 0.2  # of the page's usual mark: what is paler may as well be what an eraser left
_ALIKE = 0.65, 1.5  # of the usual mark: what the same pencil does
_MOST = 0.8  # of the rows


class Row(NamedTuple):
    """At least two bubbles: each one's fill (0 to 1), the ink around it in mm², and whether its print is
    seen."""

    fills: Sequence[float]
    strays: Sequence[float]
    printed: Sequence[bool]


class Mark(NamedTuple):
    """`answered` has the choice's place from 0. All but `answered` and `blank` are for a person to see."""

    state: State
    choice: int | None = None

    @property
    def doubtful(self) -> bool:
        return self.state not in ("answered", "blank")


class Levels(NamedTuple):
    """Below `blank` nobody has touched a bubble, from `marked` on somebody meant it."""

    blank: float = BLANK
    marked: float = MARKED


# A page that a scanner or an app has made darker shows pale print darker too, and what an eraser left.
# Measured: at a tone of 0.14 that reaches 0.28 and pencil begins at 0.57, at 0.30 it is 0.54 and 0.86.
_AS_PRINTED, _BY_TONE, _DARKEST = 0.15, 1.6, 0.9

UNREADABLE = Mark("unreadable")
USUAL = Levels()


def levels(rows: Sequence[Row], tone: float = 0.0) -> Levels:
    """Of a page, whose rows have the same signs in the same places: lower ones if all of it was filled in
    with the same faint pencil."""
    usually = Levels(marked=min(_DARKEST, MARKED + _BY_TONE * max(0.0, tone - _AS_PRINTED)))
    bare: dict[int, list[float]] = {}
    for row in rows:
        for place, fill in enumerate(row.fills):
            bare.setdefault(place, []).extend([fill] if fill < BLANK else [])
    usual = {place: median(fills) if fills else BLANK for place, fills in bare.items()}
    touched = [
        fill
        for row in rows
        for lift, fill in [max((fill - usual[place], fill) for place, fill in enumerate(row.fills))]
        if lift >= _TOUCHED
    ]
    if len(touched) < _PALE_ROWS or 2 * len(touched) < len(rows):
        return usually
    mark = median(touched)
    least, most = (part * mark for part in _ALIKE)
    if mark >= MARKED or sum(fill < MARKED for fill in touched) < _MOST * len(touched):
        return usually
    untouched = max(usual.values())
    blank = min(BLANK, untouched + max(_TOUCHED, 0.3 * (mark - untouched)))
    alike = sum(least <= fill <= most for fill in touched) >= _MOST * len(touched)
    return Levels(blank, min(MARKED, least) if alike and mark >= _PALEST else MARKED)


def judge(row: Row, level: Levels = USUAL) -> Mark:
    fills, strays, printed = row
    if not all(printed):  # what hides print may hide a mark
        return UNREADABLE
    top = max(range(len(fills)), key=lambda place: fills[place])
    second = max(fill for place, fill in enumerate(fills) if place != top)
    if fills[top] < level.blank:
        return Mark("stray" if sum(strays) > _NEAR_BLANK else "blank")
    if second >= level.blank:
        return Mark("double")
    if fills[top] < level.marked:
        return Mark("faint")
    if strays[top] > _NEAR_ANSWER or sum(strays) - strays[top] > _NEAR_OTHERS:
        return Mark("stray")
    return Mark("answered", top)


def judge_several(row: Row, level: Levels = USUAL) -> tuple[Mark, tuple[int, ...]]:
    """Of a question that has several right answers: also all that are marked. They are clear if each bubble
    is either marked or untouched."""
    marked = tuple(place for place, fill in enumerate(row.fills) if fill >= level.marked)
    if len(marked) < 2 or not all(row.printed):
        mark = judge(row, level)
        return mark, () if mark.choice is None else (mark.choice,)
    if any(level.blank <= fill < level.marked for fill in row.fills):
        return Mark("faint"), ()
    beside = sum(stray for place, stray in enumerate(row.strays) if place not in marked)
    if beside > _NEAR_OTHERS or max(row.strays[place] for place in marked) > _NEAR_ANSWER:
        return Mark("stray"), ()
    return Mark("answered"), marked
