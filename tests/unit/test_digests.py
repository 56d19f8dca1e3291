"""Several notices as one text: which wait, when they go, and how they are joined."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.messaging import Draft
from rules.messaging.compose import LMS_BYTES
from rules.messaging.digests import (
    BETWEEN,
    MOST_RECIPIENTS,
    SENT_WITHIN,
    Notice,
    closes_at,
    joined,
    may_wait,
    shared,
)
from rules.messaging.text import size

NOW = datetime(2026, 12, 1, 9, 0, 20, tzinfo=UTC)
CLOSES = closes_at(NOW, 10)


@pytest.mark.parametrize(
    ("second", "minute"),
    [(0, 10), (1, 11), (59, 11)],
)
def test_a_window_closes_at_the_next_full_minute(second: int, minute: int) -> None:
    assert closes_at(NOW.replace(second=second), 10) == NOW.replace(minute=minute, second=0)


@pytest.mark.parametrize(
    "more",
    [
        {"mode": "alimtalk"},
        {"mode": "both"},
        {"mode": "email"},
        {"advertising": True},
        {"image_key": "tenants/7/a.jpg"},
        {"send_at": NOW},
        {"at_once": True},
    ],
)
def test_what_does_not_wait(more: dict[str, Any]) -> None:
    assert may_wait(Draft(text="가"), 1, CLOSES, None)
    assert not may_wait(Draft(text="가", **more), 1, CLOSES, None)


def test_what_is_too_late_then_or_for_too_many_does_not_wait() -> None:
    draft, just = Draft(text="가"), CLOSES + SENT_WITHIN
    assert may_wait(draft, MOST_RECIPIENTS, CLOSES, just)
    assert not may_wait(draft, MOST_RECIPIENTS, CLOSES, just - timedelta(seconds=1))
    assert not may_wait(draft, MOST_RECIPIENTS + 1, CLOSES, just)


def test_one_alone_is_as_it_was_written() -> None:
    one = Notice("가" * 1000, "제목")  # with its subject more than a text holds, and yet it is one
    assert shared([one]) == [[0]] and joined([one, one]) == one


def test_a_subject_among_several_is_a_line() -> None:
    assert joined([Notice("32쪽", "숙제"), Notice("95점", None)]) == Notice("숙제\n32쪽\n\n95점", None)


def test_the_same_is_said_once_wherever_it_stands() -> None:
    long = [Notice(each * 600, None) for each in "가나"]
    assert shared([*long, long[0], Notice("다", None)]) == [[0, 2], [1, 3]]


TEXTS = st.lists(st.builds(Notice, st.text("가나다a ", min_size=1, max_size=1000), st.none()), max_size=12)


@given(TEXTS)
def test_each_is_said_once_in_texts_that_fit(notices: list[Notice]) -> None:
    messages = shared(notices)
    assert sorted(index for each in messages for index in each) == list(range(len(notices)))
    for each in messages:
        text = joined([notices[index] for index in each]).text
        assert size(text) <= LMS_BYTES
        assert text == BETWEEN.join(dict.fromkeys(notices[index].text for index in each))
    said = [notice for each in messages for notice in dict.fromkeys(notices[index] for index in each)]
    assert len(said) == len(set(said)), "nothing twice to one phone"


def test_a_text_is_not_printed() -> None:
    assert "김하늘" not in repr(Notice("김하늘", "김하늘"))
