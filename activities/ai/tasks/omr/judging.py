"""What a row of bubbles says, and when only a person may say it.

The thresholds lie in the gaps between what was measured on synthetic sheets (docs/omr.md): a printed bubble
reaches 0.08, the rest of an erased mark begins at 0.10; a filled one is 0.55 or more. What lies between is
never decided here.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

State = Literal["answered", "blank", "double", "faint", "stray", "unreadable"]

BLANK = 0.10  # of a bubble's fill: below it nobody has touched the bubble
MARKED = 0.45  # at or above it somebody meant it
_NEAR_BLANK = 0.6  # mm² of ink around untouched bubbles: a ring, a tick beside
_NEAR_OTHERS = 1.5  # mm² around the bubbles that are not the answer
_NEAR_ANSWER = 4.0  # mm² around the answer: overshooting is less, crossing out is more


class Mark(NamedTuple):
    """`answered` has the choice's place from 0. All but `answered` and `blank` are for a person to see."""

    state: State
    choice: int | None = None

    @property
    def doubtful(self) -> bool:
        return self.state not in ("answered", "blank")


UNREADABLE = Mark("unreadable")


def judge(fills: Sequence[float], strays: Sequence[float]) -> Mark:
    """Of one row of at least two bubbles: each one's fill (0 to 1) and the ink around it in mm²."""
    top = max(range(len(fills)), key=lambda place: fills[place])
    second = max(fill for place, fill in enumerate(fills) if place != top)
    if fills[top] < BLANK:
        return Mark("stray" if sum(strays) > _NEAR_BLANK else "blank")
    if second >= BLANK:
        return Mark("double")
    if fills[top] < MARKED:
        return Mark("faint")
    if strays[top] > _NEAR_ANSWER or sum(strays) - strays[top] > _NEAR_OTHERS:
        return Mark("stray")
    return Mark("answered", top)
