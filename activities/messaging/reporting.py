"""What became of each recipient: read from the provider until it is final, and compared once a day."""

import logging
import re
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.exceptions import ApplicationError

from activities.implements import implements
from activities.messaging.mailing import MailActivities
from activities.messaging.provider import provider_errors
from activities.messaging.sending import SENT_STATES, SendActivities
from clients import metrics
from clients.database import credits, digests, messaging, messaging_chunks, messaging_groups
from clients.database.credits import RecipientOutcome
from clients.database.messaging_chunks import Difference, Registered
from clients.database.messaging_groups import GroupRow
from clients.progress import ProgressBoard
from clients.solapi import Group, Refused, Solapi
from contracts.activities import messages
from contracts.errors import SEND_CANCELLED, ErrorType
from contracts.messaging import (
    WITHOUT_END,
    Channel,
    Counts,
    Day,
    Differences,
    MessageJobRef,
    RecipientState,
)
from contracts.progress import messages_progress
from rules.messaging.groups import GroupState, is_digest, is_mail
from rules.quiet_hours import KST

DELIVERED = "4000"
REGISTERED = "2000"  # put into a group, sent or not
ON_ITS_WAY = (REGISTERED, "3000")
_CODE = re.compile(r"[1-9][0-9]{3}")
ASK_AT_ONCE = 100  # ids in one address
LEFT_ALONE_FOR = timedelta(hours=1)
REPORTS_WITHIN = timedelta(days=3)  # for groups whose workflow is over; the others' waits itself

log = logging.getLogger(__name__)


class ReportActivities:
    def __init__(
        self,
        *,
        engine: AsyncEngine,
        solapi: Solapi,
        board: ProgressBoard,
        sending: SendActivities,
        mailing: MailActivities,
        now: Callable[[], datetime],
    ) -> None:
        self._engine = engine
        self._solapi = solapi
        self._board = board
        self._sending = sending
        self._mailing = mailing
        self._now = now

    @implements(messages.POLL)
    async def poll(self, job: MessageJobRef) -> Counts:
        """Read the reports of a job's sent groups once; returns where its recipients stand."""
        await self.read(job)
        return await self.count(job)

    @implements(messages.COUNT)
    async def count(self, job: MessageJobRef) -> Counts:
        """Recipients of a job by state, also shown as progress. Raises ApplicationError when there are none:
        the database went back while this was asked, and nobody is not everybody."""
        counted = await self.standing(job)
        if not counted.total and not await self._has_nobody(job):
            raise ApplicationError("the database is from before the recipients", type=ErrorType.UNPROVEN)
        return counted

    async def _has_nobody(self, job: MessageJobRef) -> bool:
        """Of a digest whose notices are all lost."""
        async with self._engine.connect() as connection:
            known = await messaging.find_job(connection, job.job_id)
        return known is not None and known.recipients == 0

    @implements(messages.EXPIRE)
    async def expire(self, job: MessageJobRef) -> Counts:
        """Reports take days at most: who has none by now was sent to, and stays unconfirmed."""
        await self.give_up(job)
        return await self.count(job)

    async def read(self, job: MessageJobRef) -> None:
        for row in await self._sent_groups(job):
            await self._read_group(row)
        await self._end_mails(job)

    async def give_up(self, job: MessageJobRef) -> None:
        for row in await self._sent_groups(job):
            await self._expire_group(row)
        await self._end_mails(job)

    async def _end_mails(self, job: MessageJobRef) -> None:
        """Nobody reports of e-mails: when reports are read all have their end, unless a database has
        forgotten it."""
        async with self._engine.connect() as connection:
            committed = await messaging_groups.groups(connection, job.job_id, {GroupState.COMMITTED})
        for row in committed:
            if is_mail(row.ref.group_id):
                await self._mailing.may_have_been_sent(row.ref)

    async def standing(self, job: MessageJobRef) -> Counts:
        async with self._engine.connect() as connection:
            codes = await messaging.codes(connection, job.job_id)
            counted = as_counts(await messaging.counts(connection, job.job_id), codes)
            known = await messaging.find_job(connection, job.job_id)
        if known and (notes := messaging.notes_of(known)):
            counted = counted.model_copy(update={"notes": tuple(notes)})
        progress = messages_progress("reports", (counted.total - counted.open) / max(counted.total, 1))
        await self._board.show_job(job.tenant_id, job.job_id, progress)
        return counted

    async def _sent_groups(self, job: MessageJobRef) -> Sequence[GroupRow]:
        async with self._engine.connect() as connection:
            return await messaging_groups.groups(connection, job.job_id, {GroupState.SENT})

    @implements(messages.COMPARE_DAY)
    async def compare_day(self, what: Day) -> Differences:
        """Compare the provider's list of a day with ours, and write down every difference.

        `unknown_to_us`: the provider sent a message that we never registered. `unsent_by_us`: it was sent,
        and our row says that it was not. `other_end`: both have an end, and not the same.
        `missing_at_provider`: our row says sent, and the provider knows of no such message.
        Groups of jobs that ended without their workflow (terminated) are brought to an end first.
        """
        closed = await self._close_left_behind()
        start = datetime.combine(what.day, datetime.min.time(), KST)
        end = start + timedelta(days=1)
        found: list[Difference] = []
        compared = 0
        async with self._engine.connect() as connection:
            ours = await messaging_chunks.sent_between(connection, start, end)
        async for page in self._listed(start, end):
            compared += len(page)
            found += await self._differences(what, page)
            for message in page:
                ours.pop(str(message.get("messageId")), None)
        found += await self._missing(what, ours)
        if found:
            async with self._engine.begin() as connection:
                await messaging_chunks.write_differences(connection, found)
            log.error("provider and database disagree about %s messages of %s", len(found), what.day)
        kinds: dict[str, int] = {}
        for each in found:
            kinds[each.kind] = kinds.get(each.kind, 0) + 1
        return Differences(compared=compared, closed=closed, kinds=kinds)

    async def _read_group(self, row: GroupRow) -> None:
        ref = row.ref
        if is_digest(ref.group_id):
            async with self._engine.begin() as connection:
                outcomes = await digests.ended(connection, ref)
                await credits.settle(connection, ref.tenant_id, ref.job_id, outcomes)
        async with self._engine.connect() as connection:
            waiting = await messaging_chunks.open_recipients(connection, ref)
            noticed = await messaging.noticed_at(connection, ref.job_id) if waiting else None
        if waiting:
            with provider_errors():
                group = await self._solapi.group(ref.group_id)
            async for page in self._pages(ref.group_id):
                outcomes = [
                    end
                    for message in page
                    if (position := waiting.get(str(message.get("messageId")))) is not None
                    and (end := outcome_of(position, message, group))
                ]
                async with self._engine.begin() as connection:
                    await credits.settle(connection, ref.tenant_id, ref.job_id, outcomes)
                if noticed:
                    self._measure(noticed, outcomes)
        async with self._engine.begin() as connection:
            if not await messaging_chunks.open_positions(connection, ref):
                await messaging_groups.move(connection, ref, GroupState.SENT, GroupState.DONE)

    def _measure(self, noticed: datetime, outcomes: Sequence[RecipientOutcome]) -> None:
        seconds = max((self._now() - noticed).total_seconds(), 0)
        for each in outcomes:
            if each.state is RecipientState.DELIVERED:
                metrics.DELIVERED.observe(seconds)

    async def _expire_group(self, row: GroupRow) -> None:
        if is_digest(row.ref.group_id):  # the digest gives up by itself
            return await self._read_group(row)
        async with self._engine.begin() as connection:
            positions = await messaging_chunks.open_positions(connection, row.ref)
            outcomes = [RecipientOutcome(position, RecipientState.UNCONFIRMED) for position in positions]
            await credits.settle(connection, row.tenant_id, row.job_id, outcomes)
            await messaging_groups.move(connection, row.ref, GroupState.SENT, GroupState.DONE)

    async def _pages(self, group_id: str) -> AsyncIterator[list[dict[str, Any]]]:
        start_key = None
        while True:
            with provider_errors():
                page, start_key = await self._solapi.messages(group_id, start_key)
            yield page
            if not start_key or not page:
                return

    async def _listed(self, start: datetime, end: datetime) -> AsyncIterator[list[dict[str, Any]]]:
        start_key = None
        while True:
            with provider_errors():
                page, start_key = await self._solapi.sent_between(start, end, start_key)
            yield page
            if not start_key or not page:
                return

    async def _differences(self, what: Day, page: list[dict[str, Any]]) -> list[Difference]:
        by_id = {str(message.get("messageId")): message for message in page}
        async with self._engine.connect() as connection:
            groups = {str(message.get("groupId")) for message in page}
            rows = await messaging_chunks.by_provider_ids(connection, list(by_id), list(groups))
        ours = {row.provider_message_id: row for row in rows}
        found: list[Difference] = []
        asked: dict[str, bool] = {}
        for message_id, message in by_id.items():
            row, status = ours.get(message_id), str(message.get("statusCode"))
            kind = difference(row.state if row else None, status)
            if kind and (status != REGISTERED or await self._was_sent(str(message.get("groupId")), asked)):
                found.append(
                    Difference(
                        day=what.day,
                        kind=kind,
                        provider_message_id=message_id,
                        tenant_id=row.tenant_id if row else None,
                        job_id=row.job_id if row else None,
                        position=row.position if row else None,
                        ours=row.state if row else None,
                        theirs=status,
                    )
                )
        return found

    async def _was_sent(self, group_id: str, asked: dict[str, bool]) -> bool:
        """Whether a group has left: what was only put into one that was thrown away has the same code as
        what is on its way. Of a group that cannot be had, yes: somebody should look."""
        if group_id not in asked:
            with provider_errors():
                try:
                    group = await self._solapi.group(group_id)
                    asked[group_id] = group.sent > 0 or group.state in SENT_STATES
                except Refused:
                    asked[group_id] = True
        return asked[group_id]

    async def _missing(self, what: Day, ours: dict[str, Registered]) -> list[Difference]:
        """Those that one list did not show, asked for by id: they may be of a group made the day before."""
        ids = list(ours)
        for begin in range(0, len(ids), ASK_AT_ONCE):
            with provider_errors():
                known = await self._solapi.find(ids[begin : begin + ASK_AT_ONCE])
            for message in known:
                ours.pop(str(message.get("messageId")), None)
        return [
            Difference(
                day=what.day,
                kind="missing_at_provider",
                provider_message_id=each.provider_message_id,
                tenant_id=each.tenant_id,
                job_id=each.job_id,
                position=each.position,
                ours=each.state,
                theirs=None,
            )
            for each in ours.values()
        ]

    async def _close_left_behind(self) -> int:
        """Committed groups of jobs that are over: taken back if unsent, read if sent."""
        async with self._engine.connect() as connection:
            rows = await messaging_groups.left_behind(connection, self._now() - LEFT_ALONE_FOR)
        closed = 0
        for row in rows:
            try:
                if row.state is GroupState.COMMITTED:
                    sending = self._mailing if is_mail(row.ref.group_id) else self._sending
                    await sending.withdraw(row.ref, SEND_CANCELLED)
                else:
                    await self._read_group(row)
            except ApplicationError as error:  # one that cannot be helped today must not hide the others
                log.error("a group of job %s stays open: %s", row.job_id, error.type)
                continue
            if row.sent_at and self._now() - row.sent_at > REPORTS_WITHIN:
                await self._expire_group(row)
            closed += 1
        return closed


def outcome_of(position: int, message: dict[str, Any], group: Group) -> RecipientOutcome | None:
    """The final state that a report tells, None while it is on its way.

    A failed Alimtalk is replaced by its fallback a moment later, unless the whole group is complete.
    """
    status, kakao = str(message.get("statusCode")), message.get("kakaoOptions")
    # Of a type that we do not know, the charge is that of the channel that was asked for.
    sent_as = next((each for each in Channel if each == message.get("type")), None)
    if status == DELIVERED:
        return RecipientOutcome(position, RecipientState.DELIVERED, None, sent_as)
    if status in ON_ITS_WAY or not _CODE.fullmatch(status):
        return None
    disabled = isinstance(kakao, dict) and kakao.get("disableSms", False)
    falls_back = sent_as == Channel.ATA and not disabled
    if falls_back and group.state != "COMPLETE":
        return None
    state = RecipientState.REFUSED if status.startswith("1") else RecipientState.FAILED
    return RecipientOutcome(position, state, status, sent_as)


def difference(ours: str | None, status: str) -> str | None:
    """The name of a disagreement between our state and the provider's status, None if there is none."""
    sent = status in (*ON_ITS_WAY, DELIVERED) or status[:1] in ("2", "3")
    if ours is None:
        return "unknown_to_us" if sent else None
    if ours in (RecipientState.CANCELLED, RecipientState.SUPPRESSED):
        return "unsent_by_us" if sent else None
    if status == DELIVERED and ours in (RecipientState.FAILED, RecipientState.REFUSED):
        return "other_end"
    if status not in (*ON_ITS_WAY, DELIVERED) and ours == RecipientState.DELIVERED:
        return "other_end"
    return None


def as_counts(states: dict[str, int], codes: dict[str, int]) -> Counts:
    outcomes = {state.lower(): count for state, count in states.items()}
    still_open = sum(outcomes.pop(each.lower(), 0) for each in WITHOUT_END)
    code = next(iter(codes)) if len(codes) == 1 else None
    return Counts(total=sum(states.values()), open=still_open, code=code, **outcomes)
