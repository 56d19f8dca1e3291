"""Messages to parents."""

from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from contracts.activities.reference import Activity, Retry
from contracts.alimtalk import Synced
from contracts.base import Contract
from contracts.jobs import JobRef
from contracts.messaging import (
    Added,
    Approval,
    ChunkRef,
    Counts,
    Day,
    Decided,
    Differences,
    GroupRef,
    LostMessages,
    MessageJobRef,
    Opened,
    Prepared,
    Reserved,
    Stop,
    Stopped,
    Telling,
    Told,
)
from contracts.names import TaskQueue

In = TypeVar("In", bound=Contract)
Out = TypeVar("Out")

STEP_TIMEOUT = timedelta(seconds=90)  # a group of 15 MB takes the provider most of a minute
LONG_STEP_TIMEOUT = timedelta(minutes=10)
BEFORE_COMMIT = timedelta(days=2)  # until then nothing is sent, and giving up hurts nobody twice


def _step(
    name: str,
    takes: type[In],
    returns: type[Out],
    *,
    within: timedelta | None,
    one_try: timedelta = STEP_TIMEOUT,
) -> Activity[In, Out]:
    """Retried until it answers; before the commit for two days at most.

    A cancel does not wait for it: what still runs meets the fence that `messages.stop` leaves. And the
    server's own word on an activity that is cancelled between two tries comes in the clear, which
    `clients.codec` refuses.
    """
    return Activity(
        name=name,
        takes=takes,
        returns=returns,
        queue=TaskQueue.MESSAGING,
        start_to_close=one_try,
        schedule_to_close=within,
        retry=Retry.PROVIDER,
    )


def by_mail(step: Activity[In, Out]) -> Activity[In, Out]:
    """The same of e-mails: a mail server may take minutes for the answer that says whose a mail is now."""
    return replace(step, queue=TaskQueue.MAIL, start_to_close=LONG_STEP_TIMEOUT)


def in_digest(step: Activity[In, Out]) -> Activity[In, Out]:
    """The same of several notices in one text."""
    return replace(step, queue=TaskQueue.DIGEST)


PREPARE = _step("messages.prepare", JobRef, Prepared, within=BEFORE_COMMIT, one_try=LONG_STEP_TIMEOUT)
APPROVAL = _step("messages.approval", MessageJobRef, Approval, within=None)
RESERVE = _step("messages.reserve", ChunkRef, Reserved, within=BEFORE_COMMIT)
OPEN_GROUP = _step("messages.open_group", ChunkRef, Opened, within=BEFORE_COMMIT)
ADD = _step("messages.add", GroupRef, Added, within=BEFORE_COMMIT)
COMMIT = _step("messages.commit", GroupRef, Decided, within=BEFORE_COMMIT)
SEND = _step("messages.send", GroupRef, Decided, within=None)
STOP = _step("messages.stop", Stop, Stopped, within=None)
POLL = _step("messages.poll", MessageJobRef, Counts, within=None, one_try=LONG_STEP_TIMEOUT)
COUNT = _step("messages.count", MessageJobRef, Counts, within=None)
EXPIRE = _step("messages.expire", MessageJobRef, Counts, within=None)
# What one sending asks for: on the queue of texts, `by_mail`, and all but an approval `in_digest`.
OF_A_SENDING = (PREPARE, APPROVAL, RESERVE, OPEN_GROUP, ADD, COMMIT, SEND, STOP, POLL, COUNT, EXPIRE)
RESTORE = _step("messages.restore", LostMessages, Counts, within=None, one_try=LONG_STEP_TIMEOUT)
COMPARE_DAY = Activity(
    name="messages.compare_day",
    takes=Day,
    returns=Differences,
    queue=TaskQueue.MESSAGING,
    start_to_close=timedelta(hours=2),
    schedule_to_close=timedelta(hours=12),
    retry=Retry.PROVIDER,
)
SYNC_TEMPLATES = Activity(
    name="messages.sync_templates",
    takes=type(None),
    returns=Synced,
    queue=TaskQueue.MESSAGING,
    start_to_close=LONG_STEP_TIMEOUT,
    schedule_to_close=timedelta(minutes=25),
    retry=Retry.PROVIDER,
)
TELL = Activity(
    name="messages.tell",
    takes=Telling,
    returns=Told,
    queue=TaskQueue.OPS,
    start_to_close=timedelta(seconds=60),
    schedule_to_close=timedelta(days=1),
    retry=Retry.PROVIDER,
)
