"""The viewing policy over every combination of facts, against a table that was written from its text."""

from itertools import product
from typing import Any

import pytest

from rules.viewing import (
    BEAT_CREDIT,
    SEEK_SLACK,
    AccessMode,
    Facts,
    Watched,
    advance,
    decide,
    is_completed,
    preview,
)

ANY = object()
#   permission         blocked  attendance is  completed   access mode        reason
TABLE: list[tuple[Any, Any, Any, Any, str, str]] = [
    ("FREE_REVIEW", ANY, ANY, ANY, "FREE_REVIEW", "PERMISSION"),
    ("PROCTORED_CLASS", ANY, ANY, ANY, "PROCTORED_CLASS", "PERMISSION"),
    ("BLOCKED", ANY, ANY, ANY, "BLOCKED", "PERMISSION"),
    (None, True, ANY, ANY, "BLOCKED", "BLOCKED"),
    (None, False, False, ANY, "FREE_REVIEW", "NOT_ONLINE"),
    (None, False, True, True, "FREE_REVIEW", "COMPLETED"),
    (None, False, True, False, "PROCTORED_CLASS", "ONLINE"),
]
#   ready  enrolled  access mode        refusal
PLAYABLE: list[tuple[Any, Any, Any, str | None]] = [
    (False, ANY, ANY, "NOT_READY"),
    (True, False, ANY, "NOT_ENROLLED"),
    (True, True, "BLOCKED", "BLOCKED"),
    (True, True, "FREE_REVIEW", None),
    (True, True, "PROCTORED_CLASS", None),
]
BOOLS = (True, False)
COMBINATIONS = list(product(BOOLS, BOOLS, (None, *AccessMode), BOOLS, BOOLS, BOOLS))


def row_of(table: list[tuple[Any, ...]], *given: Any) -> tuple[Any, ...]:
    """The one row that fits: rows of a good table exclude each other."""
    fits = [
        row
        for row in table
        if all(cell is ANY or cell == value for cell, value in zip(row, given, strict=False))
    ]
    assert len(fits) == 1, (given, fits)
    return fits[0]


@pytest.mark.parametrize(("ready", "enrolled", "permission", "blocked", "online", "completed"), COMBINATIONS)
def test_every_combination(
    ready: bool, enrolled: bool, permission: AccessMode | None, blocked: bool, online: bool, completed: bool
) -> None:
    mode, reason = row_of(TABLE, permission, blocked, online, completed)[4:]
    (refusal,) = row_of(PLAYABLE, ready, enrolled, mode)[3:]
    decision = decide(Facts(ready, enrolled, permission, blocked, online, completed))
    assert (decision.access_mode, decision.reason, decision.refusal) == (mode, reason, refusal)


def test_no_two_sets_of_facts_share_a_version() -> None:
    every = [Facts(*facts, revision=revision) for facts in COMBINATIONS for revision in "ab"]
    versions = {decide(facts).version for facts in every}
    assert len(versions) == len(every) == 256


@pytest.mark.parametrize(
    ("progress", "proctored", "completed"),
    [(0, False, False), (0.8999, False, False), (0.9, False, True), (1, False, True), (0, True, True)],
)
def test_completed(progress: float, proctored: bool, completed: bool) -> None:
    assert is_completed(progress, proctored) is completed


@pytest.mark.parametrize("ready", BOOLS)
def test_staff_preview_what_is_ready(ready: bool) -> None:
    decision = preview(ready, "1")
    assert decision.access_mode == "FREE_REVIEW"
    assert decision.refusal == (None if ready else "NOT_READY")
    assert preview(ready, "2").version != decision.version


def test_a_player_comes_as_far_as_the_clock_and_three_seconds() -> None:
    start = Watched(100.0)
    assert advance(start, 10, 113.0) == Watched(113.0, 0.0)
    assert advance(start, 10, 113.1) is None
    assert advance(start, 0, 50.0) == Watched(100.0, SEEK_SLACK)  # back is always allowed
    assert advance(start, -5, 104.0) is None  # a clock that was set back gives nothing


def test_small_jumps_do_not_add_up() -> None:
    watched = Watched(0.0)
    for _ in range(1000):
        watched = advance(watched, 1, watched.furthest + 4) or advance(watched, 1, watched.furthest + 1)
        assert watched
    assert watched.furthest == 1000 + SEEK_SLACK


def test_a_long_silence_is_not_watching() -> None:
    assert advance(Watched(0.0), 3600, BEAT_CREDIT + SEEK_SLACK)
    assert advance(Watched(0.0), 3600, BEAT_CREDIT + SEEK_SLACK + 0.1) is None


def test_falling_behind_fills_the_slack_and_no_more() -> None:
    watched = advance(Watched(0.0, slack=0.0), 10, 8.0)
    assert watched == Watched(8.0, 2.0)
    watched = advance(watched, 30, 9.0)
    assert watched == Watched(9.0, SEEK_SLACK)
