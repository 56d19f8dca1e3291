"""Several notices to one phone as one text, by the same steps as texts. What is other: what is sent is
gathered out of notices of other jobs, when no more join. Each of them may still be cancelled, or become too
late, until the text that says it has left; then it is taken out of it.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic_core import from_json
from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio.exceptions import ApplicationError

from activities.implements import implements
from activities.messaging.gate import is_off, why_off
from activities.messaging.gathering import Opened, Place, gathered, gathered_anew, recipient, sealed
from activities.messaging.provider import provider_errors
from activities.messaging.sending import SendActivities
from clients.database import credits, digests, jobs, messaging, messaging_chunks
from clients.database.credits import RecipientOutcome
from clients.database.digests import NoticeRow
from clients.database.messaging import MessageJobRow
from clients.solapi import Refused
from contracts.activities import messages
from contracts.errors import PAYLOAD_LOST, REASONS, SEND_CANCELLED, ErrorType
from contracts.jobs import JobOutcome, JobRef
from contracts.messaging import (
    ChunkRef,
    Decided,
    GroupRef,
    MessageJobRef,
    Prepared,
    RecipientState,
    Reserved,
    Stop,
    Stopped,
    Verdict,
)
from rules.messaging.chunks import unpack_all

NOBODY = JobOutcome(state=REASONS[SEND_CANCELLED].state, error_code=SEND_CANCELLED)
Off = dict[UUID, list[RecipientOutcome]]
"""Ends of notices that are not sent, by their jobs."""


class DigestActivities(SendActivities):
    @implements(messages.PREPARE)
    async def prepare(self, ref: JobRef) -> Prepared:
        """Gather the notices that have joined, in texts of as many as fit. None joins from here on."""
        assert ref.tenant_id is not None
        digest = MessageJobRef(job_id=ref.job_id, tenant_id=ref.tenant_id)
        async with self._engine.begin() as connection:
            job = await messaging.lock_job(connection, digest.job_id, digest.tenant_id)
            if job.chunks is None and job.cancel_requested_at is None:
                await self._gather(connection, digest)
            known = await messaging.find_job(connection, digest.job_id)
            account = await credits.account(connection, digest.tenant_id)
        assert known is not None and account is not None, "who has joined has an account"
        if known.recipients == 0:  # all were cancelled meanwhile
            return Prepared(refusal=NOBODY)
        # One that was cancelled meanwhile has gathered nothing; the next step says so.
        return Prepared(chunks=1, recipients=known.recipients or 0, waits_for_credit=account.waits_for_credit)

    async def _gather(self, connection: AsyncConnection, digest: MessageJobRef) -> None:
        waiting = await digests.waiting(connection, digest.job_id)
        opened, off = await self._opened(connection, digest, waiting)
        told = await asyncio.to_thread(lambda: list(gathered(digest.job_id, opened)))
        sealer = await self._keys.sealer(digest.tenant_id)
        rows = [recipient(sealer, each.position, each.to, each.channel) for each in told]
        await messaging_chunks.write_recipients(connection, digest.job_id, digest.tenant_id, rows)
        pieces = [sealed(sealer, digest.job_id, told)] if told else []
        await messaging_chunks.write_chunks(connection, digest.job_id, digest.tenant_id, pieces)
        carried: dict[Place, int | None] = {place: each.position for each in told for place in each.notices}
        await digests.carry(connection, carried)
        await messaging.mark_prepared(
            connection,
            digest.job_id,
            recipients=len(rows),
            chunks=len(pieces),
            send_at=await jobs.now(connection),
            expires_at=await digests.last_expires(connection, {each.notice.job_id for each in opened}),
        )
        await _end(connection, digest.tenant_id, off)

    async def write_sent(self, digest: MessageJobRef, sent: Sequence[dict[str, Any]]) -> None:
        """What the provider has of a sent group, where a database has lost what was gathered: which notices
        it says is read in its texts."""
        async with self._engine.begin() as connection:
            await messaging.lock_job(connection, digest.job_id, digest.tenant_id)
            waiting = await digests.waiting(connection, digest.job_id)
            messages_of = {int(each["customFields"]["n"]): each for each in sent}
            carried: dict[Place, int | None] = {
                each.place: position
                for each in await self._read(connection, digest, waiting)
                for position, message in messages_of.items()
                if each.is_in(message)
            }
            sealer = await self._keys.sealer(digest.tenant_id)
            rows = [recipient(sealer, n, each["to"], each["type"]) for n, each in messages_of.items()]
            await messaging_chunks.write_recipients(connection, digest.job_id, digest.tenant_id, rows)
            pieces = [sealed(sealer, digest.job_id, [])]
            await messaging_chunks.write_chunks(connection, digest.job_id, digest.tenant_id, pieces)
            await digests.carry(connection, carried)
            await messaging.mark_prepared(connection, digest.job_id, recipients=len(rows), chunks=1)
            unsaid = [each for each in waiting if (each.job_id, each.position) not in carried]
            await _end(connection, digest.tenant_id, _ends(dict.fromkeys(unsaid, PAYLOAD_LOST)))

    async def _opened(
        self, connection: AsyncConnection, digest: MessageJobRef, notices: Sequence[NoticeRow]
    ) -> tuple[list[Opened], Off]:
        """Those that are to be sent, with their jobs locked; and the ends of the others."""
        codes = await self._off(connection, notices)
        opened = await self._read(connection, digest, [each for each in notices if each not in codes])
        there = {each.notice for each in opened}
        lost = {each: PAYLOAD_LOST for each in notices if each not in codes and each not in there}
        return opened, _ends(codes | lost)

    async def _off(self, connection: AsyncConnection, notices: Sequence[NoticeRow]) -> dict[NoticeRow, str]:
        """Those that are not to be sent, and why. The jobs of all are locked from here on."""
        at, codes = self._now(), dict[UUID, str]()
        for job in await messaging.lock_jobs(connection, {each.job_id for each in notices}):
            if await is_off(connection, job, at):
                codes[job.job_id] = await why_off(connection, job, SEND_CANCELLED, at)
        return {
            each: codes.get(each.job_id, SEND_CANCELLED)
            for each in notices
            if each.ended or each.job_id in codes
        }

    async def _read(
        self, connection: AsyncConnection, digest: MessageJobRef, notices: Sequence[NoticeRow]
    ) -> list[Opened]:
        """In their order, but for those whose message is gone."""
        pieces = await digests.texts(connection, notices)
        sealer = await self._keys.sealer(digest.tenant_id)

        def read() -> dict[Place, dict[str, Any]]:
            return {
                (job_id, position): from_json(message)
                for (job_id, _), sealed in pieces.items()
                for position, _, message in unpack_all(sealer.open(each, job_id.bytes) for each in sealed)
            }

        known = await asyncio.to_thread(read)
        found = ((each, known.get((each.job_id, each.position))) for each in notices)
        return [Opened(each, message) for each, message in found if message is not None]

    @implements(messages.RESERVE)
    async def reserve(self, chunk: ChunkRef) -> Reserved:
        """As of any chunk; what was cancelled meanwhile costs nothing."""
        async with self._engine.begin() as connection:
            await messaging.lock_job(connection, chunk.job_id, chunk.tenant_id)
            await self._stands(connection, chunk)
        return await super().reserve(chunk)

    async def _stands(self, connection: AsyncConnection, chunk: ChunkRef) -> bool:
        """Whether all that the chunk's messages say is to be sent. What is not is taken out of them, and a
        group that was filled with it is not committed: another one takes its place."""
        notices = await digests.carried(connection, chunk)
        opened, off = await self._opened(connection, chunk, notices)
        if not off:
            return True
        sealer = await self._keys.sealer(chunk.tenant_id)
        told = gathered_anew(chunk.job_id, opened)
        await messaging_chunks.rewrite(connection, chunk, sealed(sealer, chunk.job_id, told))
        gone = {(job_id, end.position): None for job_id, ends in off.items() for end in ends}
        await digests.carry(connection, gone)
        empty = {each.carried_at for each in notices} - {each.position for each in told}
        outcomes = [_cancelled(each, SEND_CANCELLED) for each in empty if each is not None]
        await credits.settle(connection, chunk.tenant_id, chunk.job_id, outcomes)
        await _end(connection, chunk.tenant_id, off)
        return False

    async def _is_late(
        self, connection: AsyncConnection, job: MessageJobRow, group: GroupRef, at: datetime
    ) -> bool:
        late = await super()._is_late(connection, job, group, at)
        return late or not await self._is_wanted(connection, group)

    async def _is_wanted(self, connection: AsyncConnection, group: GroupRef) -> bool:
        """Whether nothing that a committed group says was cancelled, or has become too late."""
        return not await self._off(connection, await digests.carried(connection, group))

    @implements(messages.SEND)
    async def send(self, group: GroupRef) -> Decided:
        """As of any group. One that says something which is not to be said any more is taken back, and
        another, without that, takes its place."""
        decided = await super().send(group)
        if decided.verdict is not Verdict.STOP:
            return decided
        async with self._engine.begin() as connection:
            job = await messaging.find_job(connection, group.job_id)
            wanted = await self._is_wanted(connection, group)
        if job is None or job.cancel_requested_at or wanted:
            return decided
        with provider_errors():
            with suppress(Refused):  # what became of it is asked for
                await self._solapi.delete(group.group_id)
            if await self._is_dead(group):
                return Decided(verdict=Verdict.DEAD)
        raise ApplicationError("the group is neither deleted nor sent", type=ErrorType.UNPROVEN)

    @implements(messages.STOP)
    async def stop(self, what: Stop) -> Stopped:
        """As of any job; notices that have joined and were not gathered end with it."""
        async with self._engine.begin() as connection:
            job = await messaging.lock_job(connection, what.job_id, what.tenant_id)
            await messaging.request_cancel(connection, what.job_id, what.tenant_id)
            code = await why_off(connection, job, what.code, self._now())
            waiting = await digests.waiting(connection, what.job_id)
            await _end(connection, what.tenant_id, _ends(dict.fromkeys(waiting, code)))
        return await super().stop(what)


def _cancelled(position: int, code: str) -> RecipientOutcome:
    return RecipientOutcome(position, RecipientState.CANCELLED, code)


def _ends(codes: dict[NoticeRow, str]) -> Off:
    off: Off = defaultdict(list)
    for notice, code in codes.items():
        off[notice.job_id].append(_cancelled(notice.position, code))
    return off


async def _end(connection: AsyncConnection, tenant_id: int, off: Off) -> None:
    for job_id, outcomes in off.items():
        await credits.settle(connection, tenant_id, job_id, outcomes)
