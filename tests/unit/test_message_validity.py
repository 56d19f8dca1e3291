"""Until when a message is worth sending."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.messaging import Draft
from rules.messaging.validity import ATTENDANCE, NOTICES, SCORES, expires_at, valid_for

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def draft(**more: Any) -> Draft:
    return Draft(text="안내", **more)


@pytest.mark.parametrize(
    ("event", "wanted"),
    [
        ("attendance.checked", ATTENDANCE),
        ("arrival", ATTENDANCE),
        ("student_check_in", ATTENDANCE),
        ("studentDeparted", ATTENDANCE),
        ("LATE", ATTENDANCE),
        ("하원", ATTENDANCE),
        ("score_published", SCORES),
        ("examResult", SCORES),
        ("template.changed", NOTICES),
        ("center-news", NOTICES),
        ("latest_news", NOTICES),
        ("clinic.reminder", NOTICES),
        ("clock_out", ATTENDANCE),
        ("student.tardy", ATTENDANCE),
        ("귀가", ATTENDANCE),
        ("report_card", SCORES),
        ("entertainment", NOTICES),
        ("departments", NOTICES),
        ("late_fee_due", NOTICES),
        ("attendance_monthly", NOTICES),
        ("", NOTICES),
        (None, NOTICES),
    ],
)
def test_by_its_kind(event: str | None, wanted: timedelta) -> None:
    assert valid_for(draft(event_type=event)) == wanted


def test_the_draft_may_say() -> None:
    assert expires_at(draft(valid_minutes=5, event_type="arrival"), NOW) == NOW + timedelta(minutes=5)


def test_it_begins_when_it_was_to_be_sent() -> None:
    later = NOW + timedelta(days=30)
    assert expires_at(draft(send_at=later), NOW) == later + NOTICES
