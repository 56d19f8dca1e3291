"""When advertising may be sent, in Korean time whatever the clock's zone."""

from datetime import UTC, datetime, time, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.quiet_hours import FALLBACK_MARGIN, GATE_MARGIN, KST, opens_at


def seoul(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=KST)


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("2026-03-02 07:59:59.999999", "2026-03-02 08:00"),
        ("2026-03-02 08:00", None),
        ("2026-03-02 20:49:59.999999", None),
        ("2026-03-02 20:50", "2026-03-03 08:00"),
        ("2026-03-02 20:59:59", "2026-03-03 08:00"),
        ("2026-03-02 21:00", "2026-03-03 08:00"),
        ("2026-12-31 23:59", "2027-01-01 08:00"),
        ("2027-01-01 00:00", "2027-01-01 08:00"),
    ],
)
def test_advertising_waits_for_eight(now: str, opens: str | None) -> None:
    expected = seoul(opens) if opens else None
    assert opens_at(seoul(now), advertising=True, fallback=False, night_consent=False) == expected


def test_a_possible_fallback_closes_earlier() -> None:
    now = seoul("2026-03-02 20:30")
    assert opens_at(now, advertising=True, fallback=False, night_consent=False) is None
    assert opens_at(now, advertising=True, fallback=True, night_consent=False) == seoul("2026-03-03 08:00")
    earlier = now - timedelta(microseconds=1)
    assert opens_at(earlier, advertising=True, fallback=True, night_consent=False) is None


zones = st.sampled_from([UTC, KST, timezone(timedelta(hours=-8)), timezone(timedelta(hours=14))])
moments = st.datetimes(datetime(2001, 1, 1), datetime(2100, 1, 1), timezones=zones)


@given(moments, st.booleans(), st.booleans())
def test_information_and_consent_never_wait(now: datetime, fallback: bool, consent: bool) -> None:
    assert opens_at(now, advertising=False, fallback=fallback, night_consent=consent) is None
    assert opens_at(now, advertising=True, fallback=fallback, night_consent=True) is None


@given(moments, st.booleans())
def test_advertising_never_starts_at_night(now: datetime, fallback: bool) -> None:
    opens = opens_at(now, advertising=True, fallback=fallback, night_consent=False)
    starts = (opens or now).astimezone(KST)
    arrives = starts + (FALLBACK_MARGIN if fallback else GATE_MARGIN)
    assert time(8) <= starts.time() < time(21)
    assert arrives <= starts.replace(hour=21, minute=0, second=0, microsecond=0)
    if opens:
        assert now < opens <= now + timedelta(hours=12)
        assert opens_at(opens, advertising=True, fallback=fallback, night_consent=False) is None


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        opens_at(datetime(2026, 3, 2, 22), advertising=True, fallback=False, night_consent=False)
