"""A code, the state that a job ends in by it, and its sentences."""

from typing import NamedTuple

from contracts.states import JobState


class Reason(NamedTuple):
    state: JobState
    ko: str
    en: str


REASONS: dict[str, Reason] = {}


def add(code: str, state: JobState, ko: str, en: str) -> str:
    REASONS[code] = Reason(state, ko, en)
    return code


def words_of(code: str) -> Reason | None:
    """The sentences of a code; of a mail server's own number, `SMTP550-5.1.1`, those of its refusal."""
    return REASONS.get("MAIL_REFUSED" if code.startswith("SMTP") else code)


F, R, C = JobState.FAILED, JobState.REJECTED_BAD_INPUT, JobState.CANCELLED
