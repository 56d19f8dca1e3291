"""The bridge: SQS messages of the existing producers become accepted jobs and running workflows.

A message is deleted only when its job is accepted in Postgres and its workflow started (or known to have
ended), or when it lies in the dead letter queue with a reason.
"""

import asyncio
import logging
from collections.abc import Sequence

from botocore.exceptions import BotoCoreError, ClientError
from sqlalchemy.exc import DBAPIError

from clients.database.accepting import Acceptance, Accepted
from clients.queues import Queue, QueueMessage
from contracts.jobs import JobRequest
from contracts.queues import Poison, parse
from intake.errors import INFRASTRUCTURE_ERRORS, ErrorKind, classify, is_content
from intake.submit import Submitter
from workers.breaker import Breaker
from workers.visibility import VisibilityLease

log = logging.getLogger(__name__)

BATCHES = 16  # of 10 messages each in hand at the most, over all queues
BACK_OFF = 1.0
RECEIVE_AGAIN = 2.0


class Misconfigured(Exception):
    """Temporal refuses us for good: wrong or damaged namespace, or credentials. The messages stay queued."""


class Stopping(Exception):
    """We have to go before this batch is settled: its messages go back."""


class Bridge:
    """Receives from every queue until `stop` is set, then settles what it holds."""

    def __init__(
        self, queues: dict[str, Queue], submitter: Submitter, breaker: Breaker, stop: asyncio.Event
    ) -> None:
        self._queues = queues
        self._submitter = submitter
        self._breaker = breaker
        self._stop = stop
        self._permits = asyncio.Semaphore(BATCHES)
        self._fatal: Misconfigured | None = None

    async def run(self) -> None:
        """Raises `Misconfigured` when Temporal refuses the configuration."""
        async with asyncio.TaskGroup() as receivers:
            for name, queue in self._queues.items():
                receivers.create_task(self._receive(name, queue), name=f"receive {name}")
        if self._fatal:
            raise self._fatal

    async def _receive(self, name: str, queue: Queue) -> None:
        async with asyncio.TaskGroup() as batches:
            while await self._may_receive():
                try:
                    messages = await asyncio.to_thread(queue.receive)
                except (BotoCoreError, ClientError) as error:
                    log.warning("cannot receive from %s: %s", name, type(error).__name__)
                    self._permits.release()
                    await self._sleep(RECEIVE_AGAIN)
                    continue
                if messages:
                    batches.create_task(self._handle(name, queue, messages))
                else:
                    self._permits.release()

    async def _may_receive(self) -> bool:
        """Take a permit once the breaker is closed. False when stopping, without a permit."""
        try:
            await self._wait_well()
            await self._permits.acquire()
            # The wait for a permit may have been long; an outage may have begun.
            await self._wait_well()
        except Stopping:
            return False
        return True

    async def _handle(self, name: str, queue: Queue, messages: list[QueueMessage]) -> None:
        """See one received batch to its end."""
        try:
            async with VisibilityLease(queue, messages, self._stop) as lease:
                try:
                    await self._settle(name, messages, lease)
                except Stopping:
                    log.info("giving back what is left of %d messages of %s", len(messages), name)
        except Exception:
            log.exception("a batch of %s could not be handled", name)
        finally:
            self._permits.release()

    async def _settle(self, name: str, messages: list[QueueMessage], lease: VisibilityLease) -> None:
        parsed: list[tuple[QueueMessage, JobRequest]] = []
        for message in messages:
            try:
                parsed.append((message, parse(name, message.body, message.id)))
            except Poison as poison:
                await lease.dead_letter(message, poison.code, poison.detail)
        accepted = await self._accept(parsed, lease)
        started = await asyncio.gather(
            *(self._start(message, each, lease) for message, each in accepted), return_exceptions=True
        )
        await lease.delete([message for message in started if isinstance(message, QueueMessage)])
        for error in started:
            if isinstance(error, BaseException):
                raise error

    async def _accept(
        self, parsed: Sequence[tuple[QueueMessage, JobRequest]], lease: VisibilityLease
    ) -> list[tuple[QueueMessage, Accepted]]:
        """Accept all in one transaction; when the database refuses the content, find out whose."""
        if not parsed:
            return []
        while True:
            try:
                accepted = await self._submitter.accept([request for _, request in parsed])
                return [(message, each) for (message, _), each in zip(parsed, accepted, strict=True)]
            except INFRASTRUCTURE_ERRORS as error:
                if isinstance(error, DBAPIError) and is_content(error):
                    if len(parsed) == 1:
                        await lease.dead_letter(
                            parsed[0][0], "REFUSED_BY_DATABASE", type(error.orig).__name__
                        )
                        return []
                    return [pair for one in parsed for pair in await self._accept([one], lease)]
                await self._wait_out(error)

    async def _start(
        self, message: QueueMessage, accepted: Accepted, lease: VisibilityLease
    ) -> QueueMessage | None:
        """Start one job. Returns the message if it may be deleted now."""
        if accepted.status is Acceptance.MISMATCH:
            detail = f"the key was used before with other content, for job {accepted.job_id}"
            await lease.dead_letter(message, "IDEMPOTENCY_MISMATCH", detail)
            return None
        if accepted.status in (Acceptance.FINAL, Acceptance.JOINED):
            return message
        while True:
            try:
                await self._submitter.start(accepted)
                return message
            except INFRASTRUCTURE_ERRORS as error:
                if classify(error) is ErrorKind.POISON:
                    await self._submitter.refuse(accepted)
                    await lease.dead_letter(
                        message, "START_REFUSED", f"Temporal refuses job {accepted.job_id}"
                    )
                    return None
                await self._wait_out(error)

    async def _wait_out(self, error: Exception) -> None:
        """Wait until it makes sense to try again. Raises Stopping, or the error if it is a bug."""
        match classify(error):
            case ErrorKind.UNKNOWN:
                self._breaker.trip(type(error).__name__)
            case ErrorKind.BACK_OFF:
                await self._sleep(BACK_OFF)
            case ErrorKind.FATAL:
                self._give_up(error)
            case _:
                raise error
        await self._wait_well()

    async def _wait_well(self) -> None:
        """Wait for the breaker. Raises Stopping when the stop comes first."""
        if self._stop.is_set():
            raise Stopping
        closed = asyncio.ensure_future(self._breaker.closed())
        stopped = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait({closed, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not closed.done():
            closed.cancel()
            raise Stopping
        if error := closed.exception():
            self._give_up(error)
            raise Stopping

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
