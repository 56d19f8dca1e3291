"""The bridge: SQS messages of the existing producers become accepted jobs and running workflows.

A message is deleted only when its job is accepted in Postgres and its workflow started (or known to have
ended), or when it lies in the dead letter queue with a reason.
"""

import asyncio
import logging
from collections.abc import Collection, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from sqlalchemy.exc import DBAPIError

from clients import metrics, tracing
from clients.database.accepting import Acceptance, Accepted
from clients.queues import Queue, QueueMessage
from contracts.jobs import JobRequest
from contracts.queues import Poison, parse
from intake.errors import INFRASTRUCTURE_ERRORS, ErrorKind, classify, is_content
from intake.submit import Submitter
from workers.binding import UNCHECKED, TenantBindings
from workers.breaker import Breaker, Turn, jittered
from workers.dead_letters import TENANT_ERASED, DeadLetters
from workers.log import about
from workers.visibility import VisibilityLease

log = logging.getLogger(__name__)

BATCHES = 8  # of 10 messages each in hand at the most, of one queue: none waits for another
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0  # seconds until a batch that was not answered asks again
RECEIVE_AGAIN, RECEIVE_AGAIN_AT_LAST = 2.0, 60.0
T = TypeVar("T")


class Misconfigured(Exception):
    """Temporal refuses us for good: wrong or damaged namespace, or credentials. The messages stay queued."""


class Stopping(Exception):
    """We have to go before this batch is settled: its messages go back."""


@dataclass(eq=False)
class Pending:
    """A message of a batch, until its job is started or it is poison."""

    message: QueueMessage
    request: JobRequest
    accepted: Accepted | None = None


@dataclass
class Batch:
    """Messages that were received together, as far as they are not settled."""

    lease: VisibilityLease
    letters: DeadLetters
    pending: list[Pending]

    def bury(self, each: Pending, code: str, detail: str) -> None:
        self.pending.remove(each)
        self.letters.take(self.lease, each.message, code, detail)

    async def done(self, some: Sequence[Pending]) -> None:
        self.pending = [each for each in self.pending if each not in some]
        for each in some:
            assert each.accepted is not None
            metrics.SETTLED.labels(self.letters.name, each.accepted.status).inc()
        await self.lease.delete([each.message for each in some])


class Bridge:
    """Receives from every queue until `stop` is set, then settles what it holds."""

    def __init__(
        self,
        queues: dict[str, Queue],
        submitter: Submitter,
        breaker: Breaker,
        stop: asyncio.Event,
        external: Collection[str] = frozenset(),
        bindings: TenantBindings = UNCHECKED,
    ) -> None:
        """`external`: job types of the AI queues that others implement."""
        self._queues = queues
        self._submitter = submitter
        self._breaker = breaker
        self._stop = stop
        self._external = external
        self._bindings = bindings
        self._fatal: Misconfigured | None = None

    async def run(self) -> None:
        """Raises `Misconfigured` when Temporal refuses the configuration."""
        async with asyncio.TaskGroup() as receivers:
            for name, queue in self._queues.items():
                receivers.create_task(self._receive(name, queue), name=f"receive {name}")
        if self._fatal:
            raise self._fatal

    async def _receive(self, name: str, queue: Queue) -> None:
        permits = asyncio.Semaphore(BATCHES)
        pause = RECEIVE_AGAIN
        async with DeadLetters(name, queue, self._stop) as letters, asyncio.TaskGroup() as batches:
            while await self._may_receive(permits, letters):
                try:
                    messages = await asyncio.to_thread(queue.receive)
                except (BotoCoreError, ClientError) as error:
                    # It may have been answered, and the answer lost: then each call uses up a receive.
                    log.warning("cannot receive from %s: %s", name, type(error).__name__)
                    permits.release()
                    await self._sleep(jittered(pause))
                    pause = min(pause * 2, RECEIVE_AGAIN_AT_LAST)
                    continue
                pause = RECEIVE_AGAIN
                metrics.RECEIVED.labels(name).inc(len(messages))
                if messages:
                    batch = self._handle(name, queue, messages, letters)
                    batches.create_task(batch).add_done_callback(lambda _: permits.release())
                else:
                    permits.release()

    async def _may_receive(self, permits: asyncio.Semaphore, letters: DeadLetters) -> bool:
        """Take a permit once messages may be received. False when stopping."""
        try:
            await self._unless_stopped(letters.room())
            await self._unless_stopped(permits.acquire())
            # The wait for a permit may have been long; an outage may have begun.
            await self._unless_stopped(self._breaker.receivable())
        except Stopping:
            return False
        return True

    async def _handle(
        self, name: str, queue: Queue, messages: list[QueueMessage], letters: DeadLetters
    ) -> None:
        """See one received batch to its end."""
        try:
            async with VisibilityLease(queue, messages, self._stop) as lease:
                try:
                    await self._settle(
                        _parsed(name, messages, lease, letters, self._external, self._bindings)
                    )
                except Stopping:
                    log.info("giving back what is left of %d messages of %s", len(messages), name)
        except Exception:
            log.exception("a batch of %s could not be handled", name)

    async def _settle(self, batch: Batch) -> None:
        """Ask the servers, in turns with the other batches, until nothing is pending."""
        pause = FIRST_PAUSE
        while batch.pending:
            turn = await self._unless_stopped(self._breaker.enter())
            try:
                answered, errors = await self._try(batch)
                outage = self._tell(turn, answered, errors)
            finally:
                self._breaker.leave(turn)
            if batch.pending and not outage:
                await self._sleep(jittered(pause))
                pause = min(pause * 2, LONGEST_PAUSE)

    def _tell(self, turn: Turn, answered: bool, errors: Sequence[Exception]) -> bool:
        """Tell the breaker how it went; returns whether the servers are away. Raises Stopping for a wrong
        configuration, and what is a bug."""
        kinds = {classify(error): error for error in errors}
        outage = False
        if answered:
            self._breaker.worked(turn)
        elif error := kinds.get(ErrorKind.UNKNOWN):
            outage = self._breaker.lost(turn, type(error).__name__)
        if ErrorKind.BACK_OFF in kinds:
            self._breaker.busy(turn)
        if error := kinds.get(ErrorKind.FATAL):
            self._give_up(error)
            raise Stopping
        for bug in (None, ErrorKind.POISON):
            if error := kinds.get(bug):
                raise error
        return outage

    async def _try(self, batch: Batch) -> tuple[bool, list[Exception]]:
        """Accept and start what is pending. Returns whether any of it was answered, and what was not."""
        errors = await self._accept(batch, [each for each in batch.pending if each.accepted is None])
        accepted = [each for each in batch.pending if each.accepted]
        results = await asyncio.gather(
            *(self._start(batch, each) for each in accepted), return_exceptions=True
        )
        failed = [result for result in results if isinstance(result, Exception)]
        answered = len(failed) < len(accepted) if accepted else not errors
        started = [each for each, result in zip(accepted, results, strict=True) if result is None]
        await batch.done([each for each in started if each in batch.pending])
        return answered, errors + failed

    async def _accept(self, batch: Batch, some: Sequence[Pending]) -> list[Exception]:
        """All in one transaction; when that fails for what is in it, find out for which."""
        if not some:
            return []
        try:
            accepted = await self._submitter.accept([each.request for each in some])
        except Exception as error:  # noqa: BLE001 - a bug comes back too, without its neighbours
            if classify(error) is not None:
                return [error]
            if len(some) > 1:
                return [wrong for each in some for wrong in await self._accept(batch, [each])]
            if not (isinstance(error, DBAPIError) and is_content(error)):
                return [error]
            batch.bury(some[0], "REFUSED_BY_DATABASE", type(error.orig).__name__)
            return []
        for each, answer in zip(some, accepted, strict=True):
            each.accepted = answer
        return []

    async def _start(self, batch: Batch, each: Pending) -> None:
        """Start one job, where there is something to start."""
        accepted = each.accepted
        assert accepted is not None
        queue, request = batch.letters.name, each.request
        with (
            about(job=accepted.job_id, workflow=accepted.workflow_id, tenant=request.tenant_id),
            tracing.span(f"message {queue}", each.message.traceparent, job_type=request.job_type),
        ):
            await self._start_accepted(batch, each, accepted)

    async def _start_accepted(self, batch: Batch, each: Pending, accepted: Accepted) -> None:
        if accepted.status is Acceptance.MISMATCH:
            detail = f"the key was used before with other content, for job {accepted.job_id}"
            return batch.bury(each, "IDEMPOTENCY_MISMATCH", detail)
        if accepted.status is Acceptance.ERASED:
            return batch.bury(each, TENANT_ERASED, "its tenant was erased, so its body is not kept")
        if accepted.status in (Acceptance.FINAL, Acceptance.JOINED):
            return
        try:
            await self._submitter.start(accepted)
        except INFRASTRUCTURE_ERRORS as error:
            if classify(error) is not ErrorKind.POISON:
                raise
            await self._submitter.refuse(accepted)
            batch.bury(each, "START_REFUSED", f"Temporal refuses job {accepted.job_id}")

    async def _unless_stopped(self, waiting: Coroutine[Any, Any, T]) -> T:
        """Raises Stopping when the stop comes first, or when the breaker's probe finds what will not mend."""
        task = asyncio.ensure_future(waiting)
        stopped = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if self._stop.is_set():
            task.cancel()
            raise Stopping
        if error := task.exception():
            self._give_up(error)
            raise Stopping
        return task.result()

    def _give_up(self, error: BaseException) -> None:
        log.error("stopping, the messages stay in their queues: %s", error)
        self._fatal = self._fatal or Misconfigured(str(error))
        self._stop.set()

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            return


def _parsed(
    name: str,
    messages: Sequence[QueueMessage],
    lease: VisibilityLease,
    letters: DeadLetters,
    external: Collection[str],
    bindings: TenantBindings,
) -> Batch:
    """What can be a job; the rest is on its way to the dead letter queue."""
    batch = Batch(lease, letters, [])
    for message in messages:
        if message.body_is_gone:
            letters.take(lease, message, "BODY_GONE", "its body is not in the object store any more")
            continue
        try:
            asked = parse(name, message.body, message.id, external, bindings.of(name))
            batch.pending.append(Pending(message, asked))
        except Poison as poison:
            letters.take(lease, message, poison.code, poison.detail)
    return batch
