"""One message to each parent: prepare, then for each chunk reserve, fill a group, commit, send; then read
the reports until everybody's end is known.

Every step finds in Postgres what an earlier try of it did, so a reset, a retry or a second start of this
workflow sends nothing again.
"""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from contracts.activities import Activity, messages
    from contracts.base import Contract
    from contracts.errors import (
        INSUFFICIENT_CREDIT,
        NOT_DELIVERED,
        NOTHING_TO_SEND,
        PAYLOAD_LOST,
        PROVIDER_NOT_UNDERSTOOD,
        REASONS,
        SEND_CANCELLED,
        ErrorType,
    )
    from contracts.jobs import JobOutcome, JobState
    from contracts.messaging import (
        NOT_UNDERSTOOD,
        Added,
        ApprovalState,
        ChunkRef,
        Counts,
        GroupRef,
        MessageJobRef,
        MessagesInput,
        Prepared,
        Stop,
        Telling,
        Verdict,
    )
    from contracts.names import TaskQueue, WorkflowType
    from contracts.progress import Progress, messages_progress
    from workflows import steps

In = TypeVar("In", bound=Contract)
Out = TypeVar("Out")
CREDIT_CHECK = timedelta(minutes=5)
APPROVAL_CHECK = timedelta(minutes=1)
APPROVAL_CHECK_AT_MOST = timedelta(hours=1)
REBUILD_AFTER = timedelta(seconds=5)
REBUILD_AT_MOST = timedelta(minutes=5)
PUZZLED_AT_MOST = 4  # with the pauses between, half a minute
FIRST_POLL = timedelta(seconds=1)
POLL_AT_MOST = timedelta(minutes=10)
POLL_AFTER_HINT = timedelta(seconds=1)
REPORTS_WITHIN = timedelta(days=3)


class Stopping(Exception):
    """Nothing more is to be sent; `code` says why."""

    def __init__(self, code: str = SEND_CANCELLED) -> None:
        super().__init__(code)
        self.code = code


@workflow.defn(name=WorkflowType.MESSAGES)
class SendMessages:
    def __init__(self) -> None:
        self._cancelled = False
        self._hint = False
        self._credit = False
        self._decided = False
        self._by_mail = workflow.info().task_queue == TaskQueue.MAIL
        self._tells: bool | None = None  # not known before it is prepared
        self._puzzled = 0
        self._progress = messages_progress("prepare", 0)

    @workflow.signal
    def cancel(self) -> None:
        """Somebody has asked to send nothing more; what that proves stands in Postgres."""
        self._cancelled = True

    @workflow.signal
    def report(self) -> None:
        """The provider has news. A hint: what is true is read from it."""
        self._hint = True

    @workflow.signal
    def credit(self) -> None:
        """The tenant's balance has grown."""
        self._credit = True

    @workflow.signal
    def approval(self) -> None:
        """Somebody has approved or refused the job."""
        self._decided = True

    @workflow.query
    def progress(self) -> Progress:
        return self._progress

    @workflow.run
    async def run(self, job: MessagesInput) -> JobOutcome:
        self._input = job
        self._job = MessageJobRef(job_id=job.job.job_id, tenant_id=job.job.tenant_id or 0)
        try:
            prepared = job.prepared or await self._prepare(job)
            self._tells, self._by_mail = prepared.tells, self._by_mail or prepared.by_mail
            if prepared.refusal:
                return await self._finish(prepared.refusal)
            await self._send_all(job, prepared)
        except Stopping as stopping:
            return await steps.shielded(self._stop(stopping.code))
        except (ActivityError, asyncio.CancelledError) as error:
            return await steps.shielded(self._stop(steps.code_of(error)))
        return await steps.shielded(self._report())

    async def _step(self, activity: Activity[In, Out], what: In) -> Out:
        """Those of e-mails have a queue of their own."""
        return await steps.run(messages.by_mail(activity) if self._by_mail else activity, what)

    async def _prepare(self, job: MessagesInput) -> Prepared:
        steps.stage("preparing")
        return await self._step(messages.PREPARE, job.job)

    async def _approved(self) -> None:
        """Waits until a second person has agreed, however long its validity lets it."""
        pause = APPROVAL_CHECK
        while True:
            self._decided = False
            approval = await self._step(messages.APPROVAL, self._job)
            if approval.stopped:
                raise Stopping
            if approval.state is ApprovalState.APPROVED:
                return
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(self._input)
            steps.stage("waiting for approval")
            # Whoever agrees may not reach us: half of what is left is kept for what they have agreed to.
            left = (approval.until - workflow.now()) / 2 if approval.until else pause
            await self._wait(lambda: self._decided, max(min(pause, left), timedelta(seconds=1)))
            pause = min(pause * 2, APPROVAL_CHECK_AT_MOST)

    async def _send_all(self, job: MessagesInput, prepared: Prepared) -> None:
        if prepared.needs_approval and not job.prepared:
            await self._approved()
        if prepared.send_at:
            await self._until(prepared.send_at, "scheduled")
        for chunk in range(job.next_chunk, prepared.chunks):
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(job.model_copy(update={"prepared": prepared, "next_chunk": chunk}))
            self._show("send", chunk / prepared.chunks)
            steps.stage(
                "sending", f"{prepared.recipients} recipients, group {chunk + 1} of {prepared.chunks}"
            )
            ref = ChunkRef(**self._job.model_dump(), chunk=chunk)
            if await self._reserve(ref, prepared):
                await self._send_chunk(ref)

    async def _reserve(self, chunk: ChunkRef, prepared: Prepared) -> int:
        """Waits for credit where the tenant wants that; returns how many are left to send to."""
        while True:
            self._credit = False
            reserved = await self._step(messages.RESERVE, chunk)
            if reserved.stopped:
                raise Stopping
            if reserved.enough:
                return reserved.sendable
            if not prepared.waits_for_credit:
                raise Stopping(INSUFFICIENT_CREDIT)
            steps.stage("waiting for credit")
            await self._wait(lambda: self._credit, CREDIT_CHECK)

    async def _send_chunk(self, chunk: ChunkRef) -> None:
        group = await self._committed(chunk)
        pause = REBUILD_AFTER
        while group:
            decided = await self._step(messages.SEND, group)
            match decided.verdict:
                case Verdict.GO:
                    return
                case Verdict.STOP:
                    raise Stopping
                case Verdict.CLOSED if decided.until:
                    await self._until(decided.until, "waiting for the morning")
                case Verdict.NO_BALANCE:
                    steps.stage("waiting for the provider's balance")
                    await self._wait(lambda: self._credit, CREDIT_CHECK)
                case _:
                    if workflow.patched("pause-when-given-up"):
                        steps.stage("given up by the provider", "building the group anew")
                        await self._wait(lambda: False, pause)
                        pause = min(pause * 2, REBUILD_AT_MOST)
                    group = await self._committed(chunk)

    async def _committed(self, chunk: ChunkRef) -> GroupRef | None:
        """A filled and committed group for the chunk; None when the provider refused all of it."""
        pause = REBUILD_AFTER
        while True:
            opened = await self._step(messages.OPEN_GROUP, chunk)
            group = GroupRef(**chunk.model_dump(), group_id=opened.group_id)
            if opened.committed:
                return group
            added = await self._fill(group)
            if added and not added.fenced:
                if not added.accepted:
                    return None
                if await self._commit(group):
                    return group
            await self._wait(lambda: False, pause)
            pause = min(pause * 2, REBUILD_AT_MOST)

    async def _fill(self, group: GroupRef) -> Added | None:
        """None when nobody knows what the group holds. Answers that are not understood, and nothing else in a
        row, end the job: no group is committed."""
        try:
            added = await self._step(messages.ADD, group)
        except ActivityError as error:
            cause = error.cause
            if not isinstance(cause, ApplicationError) or cause.type != ErrorType.AMBIGUOUS_ADD:
                raise
            self._puzzled = self._puzzled + 1 if NOT_UNDERSTOOD in cause.details else 0
            if self._puzzled == PUZZLED_AT_MOST and workflow.patched("end-when-not-understood"):
                raise Stopping(PROVIDER_NOT_UNDERSTOOD) from None
            return None
        self._puzzled = 0
        return added

    async def _commit(self, group: GroupRef) -> bool:
        while True:
            decided = await self._step(messages.COMMIT, group)
            match decided.verdict:
                case Verdict.CLOSED if decided.until:
                    await self._until(decided.until, "waiting for the morning")
                case Verdict.STOP:
                    raise Stopping
                case verdict:
                    return verdict is Verdict.GO

    async def _stop(self, code: str) -> JobOutcome:
        """Bring the rest to an end, and tell the truth about what had been sent before."""
        steps.stage("stopping")
        stopped = await self._step(messages.STOP, Stop(**self._job.model_dump(), code=code))
        if self._tells is None:
            self._tells = stopped.tells
        if stopped.sent:
            return await self._report()
        return await self._finish(steps.outcome_of(stopped.code))

    async def _report(self) -> JobOutcome:
        """Poll until everybody has an end, sooner when the provider says that there is news."""
        sent_at, pause = self._input.sent_at or workflow.now(), FIRST_POLL
        counts = await self._step(messages.COUNT, self._job)
        while counts.open:
            if workflow.info().is_continue_as_new_suggested():
                everything = Prepared(
                    chunks=0, recipients=counts.total, tells=bool(self._tells), by_mail=self._by_mail
                )
                workflow.continue_as_new(
                    self._input.model_copy(update={"prepared": everything, "sent_at": sent_at})
                )
            self._show("reports", (counts.total - counts.open) / counts.total)
            steps.stage("waiting for reports", f"{counts.open} of {counts.total} open")
            try:
                await workflow.wait_condition(lambda: self._hint, timeout=pause)
                await workflow.sleep(POLL_AFTER_HINT)
            except TimeoutError:
                pause = min(pause * 2, POLL_AT_MOST)
            self._hint = False
            if workflow.now() - sent_at > REPORTS_WITHIN:
                counts = await self._step(messages.EXPIRE, self._job)
            else:
                counts = await self._step(messages.POLL, self._job)
        return await self._finish(_outcome(counts))

    async def _finish(self, outcome: JobOutcome) -> JobOutcome:
        standing = await steps.shielded(steps.finish(self._job.job_id, outcome))
        if self._tells:
            await steps.shielded(self._tell(standing))
        return steps.raise_unless_done(standing)

    async def _tell(self, standing: JobOutcome) -> None:
        """Who got what, to the tenant's system, part by part. The job has ended, whether or not that can be
        reached within a day."""
        telling = Telling(**self._job.model_dump(), outcome=standing)
        try:
            while (told := await steps.run(messages.TELL, telling)).next is not None:
                telling = telling.model_copy(update={"part": telling.part + 1, "after": told.next})
        except ActivityError:
            workflow.logger.warning("nobody took part %d of what became of a message", telling.part)

    async def _until(self, when: datetime, why: str) -> None:
        steps.stage(why, f"until {when.isoformat()}")
        while (left := when - workflow.now()) > timedelta(0):
            await self._wait(lambda: False, left)

    async def _wait(self, awaited: Any, timeout: timedelta) -> None:
        """Wait for something or for the time to pass. Raises Stopping when the job is cancelled meanwhile."""
        with suppress(TimeoutError):
            await workflow.wait_condition(lambda: self._cancelled or awaited(), timeout=timeout)
        if self._cancelled:
            raise Stopping

    def _show(self, step: str, done: float) -> None:
        self._progress = messages_progress(step, done)


def _outcome(counts: Counts) -> JobOutcome:
    """DONE when somebody got it; the counts tell the rest."""
    if not counts.total:  # somebody was to get it, and the database has lost who
        return steps.outcome_of(PAYLOAD_LOST)
    result = counts.model_dump(mode="json", exclude={"open", "code", "notes"})
    if counts.notes:
        result["notes"] = [note.model_dump(mode="json") for note in counts.notes]
    if counts.delivered or counts.unconfirmed:
        return JobOutcome(state=JobState.DONE, result=result)
    code = NOT_DELIVERED
    if counts.total in (counts.suppressed, counts.cancelled):
        why = NOTHING_TO_SEND if counts.suppressed else SEND_CANCELLED
        code = counts.code if counts.code in REASONS else why
    return steps.outcome_of(code).model_copy(update={"result": result})
