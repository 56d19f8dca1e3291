"""Several notices to one phone as one text: which wait for others, and how they are joined. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts.messaging import Draft
from rules.messaging.compose import LMS_BYTES
from rules.messaging.text import size

BETWEEN = "\n\n"
MOST_RECIPIENTS = 1_000  # what goes to more is an announcement, and goes by itself
MOST_NOTICES = 4_000  # of a digest: so many are one group, whatever they say
SENT_WITHIN = timedelta(minutes=5)  # of its window's end, if nothing keeps it
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Notice:
    text: str
    subject: str | None

    def __repr__(self) -> str:  # a text is about somebody
        return "Notice()"


def closes_at(now: datetime, minutes: int) -> datetime:
    """When a window that opens now closes: at a full minute, so that one sending carries those of many."""
    ends = now + timedelta(minutes=minutes)
    whole = ends.replace(second=0, microsecond=0)
    return whole if whole == ends else whole + MINUTE


def may_wait(draft: Draft, recipients: int, closes: datetime, expires: datetime | None) -> bool:
    """Whether messages of a draft, as it can be sent, wait for others: plain texts, and none that would be
    too late then."""
    plain = draft.mode == "sms" and not draft.image_key and not draft.advertising
    at_any_time = draft.send_at is None and not draft.at_once and recipients <= MOST_RECIPIENTS
    return plain and at_any_time and (expires is None or expires >= closes + SENT_WITHIN)


def shared(notices: Sequence[Notice]) -> list[list[int]]:
    """Which of `notices`, in their order, go in one message: as many as a text holds. What says the same is
    said once."""
    messages: list[list[int]] = []
    for index, notice in enumerate(notices):
        same = next((each for each in messages if notice in (notices[at] for at in each)), None)
        if same is not None:
            same.append(index)
        elif messages and _fits([notices[at] for at in messages[-1]], notice):
            messages[-1].append(index)
        else:
            messages.append([index])
    return messages


def joined(notices: Sequence[Notice]) -> Notice:
    """What says all of them. One alone is as it was written; a subject among several is a line of its own."""
    different = list(dict.fromkeys(notices))
    if len(different) == 1:
        return different[0]
    texts = (f"{each.subject}\n{each.text}" if each.subject else each.text for each in different)
    return Notice(BETWEEN.join(texts), None)


def _fits(there: Sequence[Notice], notice: Notice) -> bool:
    return size(joined([*there, notice]).text) <= LMS_BYTES
