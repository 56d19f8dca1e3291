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
    r"attend|arriv|depart(s|ed|ing|ures?)?$|(check|clock)(in|out)|enter(s|ed|ing)?$|entry$|exit(s|ed|ing)?$|leaves?$"
    r"|leaving$|left$|late(ness|comers?)?$|tard|absen|pick(ed)?up|dropp?(ed)?off"
    r"|출결|출석|출입|등원|하원|등교|하교|입실|퇴실|입장|퇴장|귀가|조퇴|지각|결석"
)
_SCORES = re.compile(r"score|grade|exam|test|quiz|result|reportcard|성적|시험|점수|채점")
# What is about days or money is a notice, though it names attendance: `late_fee`, `attendance_monthly`.
_NOTICE = re.compile(r"fees?$|pay|tuition|month|week|summar|polic|request|homework|수강료|교습비|월간|주간")


def valid_for(draft: Draft) -> timedelta:
    """What the draft says, or what is usual for its kind of event."""
    if draft.valid_minutes is not None:
        return timedelta(minutes=draft.valid_minutes)
    words = [word.casefold() for word in _WORDS.findall(draft.event_type or "")]
    words += [first + second for first, second in pairwise(words)]  # check_in, report_card
    if any(map(_ATTENDANCE.match, words)) and not any(map(_NOTICE.match, words)):
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
