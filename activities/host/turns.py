"""Slots are used in turns. Temporal is fair between activities and not within them: what has many parts gives
its slot back after some seconds, and goes on when its tenant's turn comes again.

The next turn is a retry of the same activity, which finds the parts that are finished. So the workflow, and
workers of other releases, know nothing of it.
"""

import time
from datetime import timedelta

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from contracts.errors import ErrorType

SECONDS = 3.0  # and the part that was begun in them: one to three pages of an exam
_AT_ONCE = timedelta(milliseconds=1)


class Turn:
    """One attempt's. Asked between two parts, each of which is kept."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._until = self._begun + SECONDS
        self._prepared = False

    def prepared(self) -> None:
        """Said when what every turn does anew is done; the first time counts. The rest of the turn is at
        least twice as long, or it would do little else."""
        if not self._prepared:
            self._prepared, now = True, time.monotonic()
            self._until = now + max(SECONDS, 2 * (now - self._begun))

    @property
    def over(self) -> bool:
        return time.monotonic() >= self._until

    @staticmethod
    def ended() -> ApplicationError:
        """To be raised by an activity that has more to do. Nothing is wrong."""
        return ApplicationError(
            "its turn is over: it goes on with the next part",
            type=ErrorType.TURN_OVER,
            category=ApplicationErrorCategory.BENIGN,
            next_retry_delay=_AT_ONCE,
        )
