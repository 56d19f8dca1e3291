"""How long a message is worth sending. Pure."""

import re
from datetime import datetime, timedelta
from itertools import pairwise

from contracts.errors import SCHEDULE_PAST, SCHEDULE_TOO_FAR
from contracts.messaging import Draft
from rules.messaging.unsendable import Unsendable

ATTENDANCE, SCORES, NOTICES = timedelta(minutes=30), timedelta(days=1), timedelta(days=2)
NOW = timedelta(minutes=1)  # `send_at` so far back is still now: clocks differ, requests take a moment
MAX_AHEAD = timedelta(days=180)
# Words of an `event_type`. What has none of them is a notice.
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[가-힣]+")
_ATTENDANCE = re.compile(
    r"attend|arriv|depart|check(in|out)|enter|leave|leaving|left$|late$|absen|출결|출석|등원|하원|지각|결석"
)
_SCORES = re.compile(r"score|grade|exam|test|quiz|result|성적|시험|점수|채점")


def valid_for(draft: Draft) -> timedelta:
    """What the draft says, or what is usual for its kind of event."""
    if draft.valid_minutes is not None:
        return timedelta(minutes=draft.valid_minutes)
    words = [word.casefold() for word in _WORDS.findall(draft.event_type or "")]
    words += [first + second for first, second in pairwise(words)]  # check_in
    if any(map(_ATTENDANCE.match, words)):
        return ATTENDANCE
    return SCORES if any(map(_SCORES.match, words)) else NOTICES


def expires_at(draft: Draft, asked_at: datetime) -> datetime:
    """After this it is not sent any more. Counts from when it was to be sent."""
    return (draft.send_at or asked_at) + valid_for(draft)


def check_schedule(send_at: datetime | None, asked_at: datetime) -> None:
    """Raises Unsendable(SCHEDULE_TOO_FAR) or Unsendable(SCHEDULE_PAST)."""
    if send_at and send_at - asked_at > MAX_AHEAD:
        raise Unsendable(SCHEDULE_TOO_FAR, {"days": MAX_AHEAD.days})
    if send_at and asked_at - send_at > NOW:
        raise Unsendable(SCHEDULE_PAST)
