"""The night in which advertising may not arrive: 21:00 to 08:00 KST (정보통신망법 제50조 제3항). Pure.

Workflows import this, so the time zone is a fixed offset: Korea has had no other since 1988.
"""

from datetime import datetime, time, timedelta, timezone

KST = timezone(timedelta(hours=9), "KST")
OPENS = time(8)
CLOSES = time(21)

# What is let through must have arrived by 21:00: the provider takes minutes for a full group, and its own
# clock decides. A fallback comes later still, once KakaoTalk's refusal is known.
GATE_MARGIN = timedelta(minutes=10)
FALLBACK_MARGIN = timedelta(minutes=30)


def opens_at(now: datetime, advertising: bool, fallback: bool, night_consent: bool) -> datetime | None:
    """None when sending may start at `now`, otherwise when it may (08:00 KST, today or tomorrow).

    Only advertising without separate night consent waits: from `GATE_MARGIN` before 21:00, or from
    `FALLBACK_MARGIN` where the provider may fall back to another channel. Raises ValueError for a `now`
    without time zone.
    """
    if now.tzinfo is None:
        raise ValueError("now must be aware")
    if not advertising or night_consent:
        return None
    here = now.astimezone(KST)
    opens = datetime.combine(here, OPENS, KST)
    closes = datetime.combine(here, CLOSES, KST) - (FALLBACK_MARGIN if fallback else GATE_MARGIN)
    if here < opens:
        return opens
    return None if here < closes else opens + timedelta(days=1)
