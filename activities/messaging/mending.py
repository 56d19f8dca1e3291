"""Messages that a restored database knows less of than the provider: their rows are written again from what
the workflow asked for and from what the provider has, before anything is concluded from their absence.

Every group that may have been sent stands in its workflow's history: it is asked for by name
(`messages.send`) after the commit and before the provider hears of it.
"""

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio import activity
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client
from temporalio.converter import WorkflowSerializationContext
from temporalio.exceptions import ApplicationError

from activities.implements import implements
from activities.messaging.digesting import DigestActivities
from activities.messaging.mailing import MailActivities
from activities.messaging.preparing import PrepareActivities
from activities.messaging.provider import provider_errors
from activities.messaging.reporting import ReportActivities
from activities.messaging.sending import NEVER_SENT, SENT_STATES, hand_over
from clients.database import credits, jobs, messaging, messaging_chunks, messaging_groups
from clients.database.credits import RecipientOutcome
from clients.database.messaging_groups import GroupRow
from clients.solapi import Group, Refused, Solapi
from contracts.activities import messages
from contracts.base import Contract
from contracts.errors import DIGEST_UNSURE, PAYLOAD_LOST, SEND_CANCELLED, ErrorType
from contracts.jobs import JobOutcome, JobRef, JobState
from contracts.messaging import (
    ChunkRef,
    Counts,
    GroupRef,
    LostMessages,
    MessageJobRef,
    Prepared,
    RecipientState,
)
from contracts.queues.messaging import DIGEST
from rules.messaging.groups import BINDING, HANDED_OVER, GroupState, is_mail
from rules.quiet_hours import KST

# Of these nothing is concluded before the database knows all that was sent.
CONCLUDING = frozenset({each.name for each in (messages.POLL, messages.COUNT, messages.EXPIRE)})

log = logging.getLogger(__name__)


class Mender:
    """Asked before each activity of messages; it does nothing where the database knows enough."""

    def __init__(
        self,
        *,
        engine: AsyncEngine,
        preparing: PrepareActivities,
        reporting: ReportActivities,
        solapi: Solapi,
        mailing: MailActivities,
        digesting: DigestActivities,
        now: Callable[[], datetime],
    ) -> None:
        self._engine = engine
        self._preparing = preparing
        self._reporting = reporting
        self._solapi = solapi
        self._mailing = mailing
        self._digesting = digesting
        self._now = now

    async def __call__(self, what: Contract | None) -> None:
        """Raises JobMissing, what `messages.prepare` raises, and the provider's errors."""
        if not isinstance(what, MessageJobRef) or not await self._is_behind(what):
            return
        workflow_id = activity.info().workflow_id
        assert workflow_id is not None, "every activity of ours belongs to a workflow"
        await self.mend(activity.client(), workflow_id, what)
        if activity.info().activity_type in CONCLUDING:
            await self.end_unsent(what, PAYLOAD_LOST)

    async def mend(
        self,
        temporal: Client,
        workflow_id: str,
        ref: MessageJobRef,
        ended: JobOutcome | None = None,
    ) -> None:
        """Prepare the job again if it was, and write down what the provider has sent of it. `ended`: how its
        workflow did, where it has."""
        where = WorkflowSerializationContext(namespace=temporal.namespace, workflow_id=workflow_id)
        converter = temporal.data_converter.with_context(where)
        began, joined, groups, preparing = False, False, [], set[int]()
        async for event in _history(temporal, workflow_id):
            asked = event.activity_task_scheduled_event_attributes
            if asked.activity_type.name == messages.SEND.name:
                groups += await converter.decode(asked.input.payloads, [GroupRef])
            if asked.activity_type.name == messages.PREPARE.name:
                preparing.add(event.event_id)
            began = began or asked.activity_type.name == messages.RESERVE.name
            answered = event.activity_task_completed_event_attributes
            if answered.scheduled_event_id in preparing:
                (prepared,) = await converter.decode(answered.result.payloads, [Prepared])
                joined = not prepared.refusal and not prepared.chunks
        if not began and not joined:
            return
        async with self._engine.connect() as connection:
            job = await jobs.get(connection, ref.job_id)
        what = JobRef(job_id=job.id, job_type=job.job_type, tenant_id=job.tenant_id)
        if not began:
            return await self._may_have_gone(what, ref, ended)
        if what.job_type == DIGEST:
            await self._gather_again(ref, groups)
        again = self._digesting if what.job_type == DIGEST else self._preparing
        refusal = (await again.prepare(what)).refusal
        if refusal:
            log.error("job %s cannot be prepared again: %s", ref.job_id, refusal.error_code)
            return
        for group in groups:
            await self._adopt(group)

    async def _may_have_gone(self, what: JobRef, ref: MessageJobRef, ended: JobOutcome | None) -> None:
        """Of notices that had joined digests, where a database has lost that they had: what those sent says
        nobody knows for sure. They are not sent again."""
        if refusal := (await self._preparing.again(what)).refusal:
            log.error("job %s cannot be prepared again: %s", ref.job_id, refusal.error_code)
            return
        state, code = RecipientState.UNCONFIRMED, DIGEST_UNSURE
        if ended and ended.state is JobState.CANCELLED:
            state, code = RecipientState.CANCELLED, ended.error_code or SEND_CANCELLED
        async with self._engine.begin() as connection:
            positions = await messaging.uncommitted_positions(connection, ref.job_id)
            outcomes = [RecipientOutcome(each, state, code) for each in positions]
            await credits.settle(connection, ref.tenant_id, ref.job_id, outcomes)

    async def _gather_again(self, ref: MessageJobRef, groups: Sequence[GroupRef]) -> None:
        """What a digest has sent, as the provider has it; nothing where it has sent nothing."""
        async with self._engine.connect() as connection:
            known = await messaging.find_job(connection, ref.job_id)
        if known and known.chunks is not None:
            return
        for group in groups:
            with provider_errors():
                found = await self._find(group.group_id)
            if found and (found.state in SENT_STATES or found.sent):
                sent = [each async for each in self._messages(group.group_id)]
                await self._digesting.write_sent(ref, sent)

    async def end_unsent(self, ref: MessageJobRef, code: str) -> None:
        """Who is in no group that may have been sent did not get it."""
        async with self._engine.begin() as connection:
            positions = await messaging.uncommitted_positions(connection, ref.job_id)
            outcomes = [RecipientOutcome(each, RecipientState.CANCELLED, code) for each in positions]
            await credits.settle(connection, ref.tenant_id, ref.job_id, outcomes)

    @implements(messages.RESTORE)
    async def restore(self, lost: LostMessages) -> Counts:
        """What became of the recipients of a job whose workflow has ended, from the provider. Raises
        ApplicationError as long as it has no report of some that had one."""
        ref = MessageJobRef(job_id=lost.job.job_id, tenant_id=lost.job.tenant_id or 0)
        await self.mend(activity.client(), lost.workflow_id, ref, lost.outcome)
        await self._reporting.read(ref)
        await self.end_unsent(ref, lost.outcome.error_code or SEND_CANCELLED)
        if not lost.outcome.result.get("unconfirmed"):
            counts = await self._reporting.standing(ref)
            if counts.open:
                raise ApplicationError(f"{counts.open} reports are missing", type=ErrorType.UNPROVEN)
        await self._reporting.give_up(ref)
        return await self._reporting.standing(ref)

    async def _is_behind(self, what: MessageJobRef) -> bool:
        asked = activity.info().activity_type
        async with self._engine.connect() as connection:
            job = await messaging.find_job(connection, what.job_id)
            if job is None or job.chunks is None or asked == messages.STOP.name:
                return True
            if asked == messages.SEND.name and isinstance(what, ChunkRef):
                group = await messaging_groups.group(connection, what)
                return group is None or group.state not in BINDING
            if asked in CONCLUDING:
                return bool(await messaging.uncommitted_positions(connection, what.job_id))
        return False

    async def _adopt(self, ref: GroupRef) -> None:
        """Give the chunk the group that the provider has sent, or may be asked to send by whoever committed
        it. One that it gave up unsent is nobody's, though the database may be from its commit. Doing it again
        changes nothing."""
        async with self._engine.connect() as connection:
            known = await messaging_groups.group(connection, ref)
        if known and known.state in HANDED_OVER:
            return
        if is_mail(ref.group_id):
            return await self._adopt_mails(ref, known)
        with provider_errors():
            found = await self._find(ref.group_id)
        if known and known.state == GroupState.COMMITTED:
            await self._follow(ref, found)
            return
        if found and found.state in NEVER_SENT and not found.sent:
            return
        # One that the provider has lost may have been sent as well.
        sent = found is None or found.state in SENT_STATES or bool(found.sent)
        ids = await self._registered(ref.group_id) if found else {}
        today = self._now().astimezone(KST).date()
        async with self._engine.begin() as connection:
            await messaging.lock_job(connection, ref.job_id, ref.tenant_id)
            state = GroupState.SENT if sent else GroupState.COMMITTED
            if not await messaging_groups.adopt(connection, ref, state, self._now() if sent else None):
                return
            await messaging_chunks.register(connection, ref, ids)
            if await credits.reserve_sent(connection, ref, today):
                await jobs.add_event(connection, ref.job_id, "sent without credit", {"chunk": ref.chunk})
                log.error("chunk %s of job %s was sent, and its credit is spent", ref.chunk, ref.job_id)
            if sent:
                await messaging_chunks.forget(connection, ref)
        log.error("the group of chunk %s of job %s was restored as %s", ref.chunk, ref.job_id, state)

    async def _adopt_mails(self, ref: GroupRef, known: GroupRow | None) -> None:
        """Nobody can be asked which of them were sent: those of a chunk that was to be sent may have been.
        One whose commit is known is left to who sends, and sees whether the database went back since."""
        if known and known.state == GroupState.COMMITTED:
            return
        today = self._now().astimezone(KST).date()
        async with self._engine.begin() as connection:
            await messaging.lock_job(connection, ref.job_id, ref.tenant_id)
            if not await messaging_groups.adopt(connection, ref, GroupState.COMMITTED, None):
                return
            await credits.reserve_sent(connection, ref, today)
        await self._mailing.may_have_been_sent(ref)
        log.error("the e-mails of chunk %s of job %s may have been sent", ref.chunk, ref.job_id)

    async def _follow(self, ref: GroupRef, found: Group | None) -> None:
        """From the commit, which the database knows, to what the provider has made of it since. A group that
        it does not know, or has not been asked to send, is left to whoever sends."""
        if found is None:
            return
        async with self._engine.begin() as connection:
            if found.state in SENT_STATES or found.sent:
                followed = await hand_over(connection, ref, self._now())
            else:
                unsent = found.state in NEVER_SENT
                followed = unsent and await messaging_groups.move(
                    connection, ref, GroupState.COMMITTED, GroupState.OPEN
                )
        if followed:
            log.error("the committed group of chunk %s of job %s is %s", ref.chunk, ref.job_id, found.state)

    async def _find(self, group_id: str) -> Group | None:
        try:
            return await self._solapi.group(group_id)
        except Refused as error:
            if error.status != 404 or not error.own:
                raise
        return None

    async def _registered(self, group_id: str) -> dict[int, str]:
        """Position → the provider's id, of all that it has in a group."""
        sent = [each async for each in self._messages(group_id)]
        return {int(each["customFields"]["n"]): str(each["messageId"]) for each in sent}

    async def _messages(self, group_id: str) -> AsyncIterator[dict[str, Any]]:
        start_key = None
        while True:
            with provider_errors():
                page, start_key = await self._solapi.messages(group_id, start_key)
            for each in page:
                yield each
            if not start_key or not page:
                return


async def _history(temporal: Client, workflow_id: str) -> AsyncIterator[HistoryEvent]:
    """Of all its runs: a large job goes on as new."""
    run_id: str | None = None
    while True:
        handle = temporal.get_workflow_handle(workflow_id, run_id=run_id)
        async for event in handle.fetch_history_events():
            started = event.workflow_execution_started_event_attributes
            if event.HasField("workflow_execution_started_event_attributes"):
                run_id = started.continued_execution_run_id or None
            yield event
        if run_id is None:
            return
