"""Several notices to one phone as one text, by the same steps as texts. What is other: what is sent is
gathered out of notices of other jobs, when no more join. Each of them may still be cancelled, or become too
late, until the text that says it has left; then it is taken out of it.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic_core import from_json
from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio.exceptions import ApplicationError

from activities.implements import implements
from activities.messaging.gate import is_off, why_off
from activities.messaging.provider import provider_errors
from activities.messaging.sending import SendActivities
from clients.database import credits, digests, jobs, messaging, messaging_chunks
from clients.database.credits import RecipientOutcome
from clients.database.digests import NoticeRow
from clients.database.messaging import MessageJobRow
from clients.database.messaging_chunks import NewRecipient
from clients.keys import Sealer
from clients.solapi import Refused
from contracts.activities import messages
from contracts.errors import PAYLOAD_LOST, REASONS, SEND_CANCELLED, ErrorType
from contracts.jobs import JobOutcome, JobRef
from contracts.messaging import (
    ChunkRef,
    Composed,
    Decided,
    GroupRef,
    Prepared,
    RecipientState,
    Reserved,
    Stop,
    Stopped,
    Verdict,
)
from rules.messaging.chunks import between, encode, message, pack, split, unpack_all
from rules.messaging.compose import by_size, masked, provider_message
from rules.messaging.digests import Notice, joined, shared
from rules.messaging.text import size

Place = tuple[UUID, int]  # a notice: its job, and its position there


@dataclass(frozen=True)
class _Told:
    """One message, at a position of the digest, and the notices that it says."""

    position: int
    to: str
    middle: bytes
    composed: Composed
    notices: list[Place]


@dataclass
class _Off:
    """Notices that are not sent, with their codes, by job."""

    codes: dict[UUID, dict[int, str]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, notice: NoticeRow, code: str) -> None:
        self.codes[notice.job_id][notice.position] = code


class DigestActivities(SendActivities):
    @implements(messages.PREPARE)
    async def prepare(self, ref: JobRef) -> Prepared:
        """Gather the notices that have joined, in texts of as many as fit. None joins from here on."""
        assert ref.tenant_id is not None
        async with self._engine.begin() as connection:
            job = await messaging.lock_job(connection, ref.job_id, ref.tenant_id)
            if job.chunks is None and job.cancel_requested_at is None:
                await self._gather(connection, ref.job_id, ref.tenant_id)
            known = await messaging.find_job(connection, ref.job_id)
            account = await credits.account(connection, ref.tenant_id)
        assert known is not None and account is not None, "who has joined has an account"
        if known.recipients == 0:  # all were cancelled meanwhile
            return Prepared(
                refusal=JobOutcome(state=REASONS[SEND_CANCELLED].state, error_code=SEND_CANCELLED)
            )
        return Prepared(
            chunks=1
            if known.chunks is None
            else known.chunks,  # one that was cancelled: the next step says so
            recipients=known.recipients or 0,
            waits_for_credit=account.waits_for_credit,
        )

    async def _gather(self, connection: AsyncConnection, digest_id: UUID, tenant_id: int) -> None:
        waiting = await digests.waiting(connection, digest_id)
        live, off = await self._looked_at(connection, tenant_id, waiting)
        sealer = await self._keys.sealer(tenant_id)
        opened, lost = await self._opened(connection, sealer, live)
        for each in lost:
            off.add(each, PAYLOAD_LOST)
        told = await asyncio.to_thread(lambda: list(_told(digest_id, opened)))
        rows, sealed = _chunks(sealer, digest_id, told)
        await messaging_chunks.write_recipients(connection, digest_id, tenant_id, rows)
        await messaging_chunks.write_chunks(connection, digest_id, tenant_id, sealed)
        carried: dict[Place, int | None] = {place: each.position for each in told for place in each.notices}
        await digests.carry(connection, digest_id, carried)
        await messaging.mark_prepared(
            connection,
            digest_id,
            recipients=len(rows),
            chunks=len(sealed),
            send_at=await jobs.now(connection),
            expires_at=await digests.last_expires(connection, {each.job_id for each in live}),
        )
        await _end(connection, tenant_id, off)

    async def _looked_at(
        self, connection: AsyncConnection, tenant_id: int, notices: Sequence[NoticeRow]
    ) -> tuple[list[NoticeRow], _Off]:
        """Those that are to be sent, with their jobs locked, and the others."""
        off, at = _Off(), self._now()
        why: dict[UUID, str | None] = {}
        for job_id in sorted({each.job_id for each in notices}):
            job = await messaging.lock_job(connection, job_id, tenant_id)
            stopped = await is_off(connection, job, at)
            why[job_id] = await why_off(connection, job, SEND_CANCELLED, at) if stopped else None
        live = []
        for each in notices:
            if code := why[each.job_id] or (SEND_CANCELLED if each.ended else None):
                off.add(each, code)
            else:
                live.append(each)
        return live, off

    async def _opened(
        self, connection: AsyncConnection, sealer: Sealer, notices: Sequence[NoticeRow]
    ) -> tuple[list[tuple[NoticeRow, dict[str, Any]]], list[NoticeRow]]:
        """Each notice with its message; and those whose message is gone."""
        pieces = await digests.texts(connection, notices)

        def read() -> dict[Place, dict[str, Any]]:
            return {
                (job_id, position): from_json(message)
                for (job_id, _), sealed in pieces.items()
                for position, _, message in unpack_all(sealer.open(each, job_id.bytes) for each in sealed)
            }

        known = await asyncio.to_thread(read)
        there = [(each, known[each.job_id, each.position]) for each in notices if _place(each) in known]
        return there, [each for each in notices if _place(each) not in known]

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
        live, off = await self._looked_at(connection, chunk.tenant_id, notices)
        if not off.codes:
            return True
        sealer = await self._keys.sealer(chunk.tenant_id)
        opened, lost = await self._opened(connection, sealer, live)
        for each in lost:
            off.add(each, PAYLOAD_LOST)
        told = [_one(chunk.job_id, position, some) for position, some in _by_message(opened).items()]
        emptied = {each.carried_at for each in notices} - {each.position for each in told}
        await messaging_chunks.rewrite(connection, chunk, _sealed(sealer, chunk.job_id, told))
        gone = {(job_id, position): None for job_id, codes in off.codes.items() for position in codes}
        await digests.carry(connection, chunk.job_id, gone)
        outcomes = [
            RecipientOutcome(position, RecipientState.CANCELLED, SEND_CANCELLED)
            for position in emptied
            if position is not None
        ]
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
        notices = await digests.carried(connection, group)
        return not (await self._looked_at(connection, group.tenant_id, notices))[1].codes

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
            code, off = await why_off(connection, job, what.code, self._now()), _Off()
            for each in await digests.waiting(connection, what.job_id):
                off.add(each, code)
            await _end(connection, what.tenant_id, off)
        return await super().stop(what)


async def _end(connection: AsyncConnection, tenant_id: int, off: _Off) -> None:
    for job_id, codes in off.codes.items():
        outcomes = [RecipientOutcome(each, RecipientState.CANCELLED, code) for each, code in codes.items()]
        await credits.settle(connection, tenant_id, job_id, outcomes)


def _place(notice: NoticeRow) -> Place:
    return notice.job_id, notice.position


def _by_message(
    opened: Sequence[tuple[NoticeRow, dict[str, Any]]],
) -> Mapping[int, list[tuple[NoticeRow, dict[str, Any]]]]:
    found: dict[int, list[tuple[NoticeRow, dict[str, Any]]]] = defaultdict(list)
    for notice, written in opened:
        assert notice.carried_at is not None, "a message says it"
        found[notice.carried_at].append((notice, written))
    return found


def _told(digest_id: UUID, opened: Sequence[tuple[NoticeRow, dict[str, Any]]]) -> Iterator[_Told]:
    """The messages to each phone from each sender, in the order of their first notices."""
    phones: dict[tuple[str, str], list[tuple[NoticeRow, dict[str, Any]]]] = {}
    for notice, written in opened:
        phones.setdefault((written["to"], written["from"]), []).append((notice, written))
    position = 0
    for some in phones.values():
        for indices in shared([_notice(written) for _, written in some]):
            yield _one(digest_id, position, [some[index] for index in indices])
            position += 1


def _one(digest_id: UUID, position: int, some: Sequence[tuple[NoticeRow, dict[str, Any]]]) -> _Told:
    said, first = joined([_notice(written) for _, written in some]), some[0][1]
    composed = Composed(
        to=first["to"],
        sender=first["from"],
        text=said.text,
        subject=said.subject,
        channel=by_size(size(said.text), said.subject),
    )
    encoded = encode(provider_message(composed, {"job": digest_id.hex, "n": str(position)}))
    middle = between(encoded, composed.to, position)
    return _Told(position, composed.to, middle, composed, [_place(notice) for notice, _ in some])


def _notice(written: dict[str, Any]) -> Notice:
    return Notice(written["text"], written.get("subject"))


def _chunks(sealer: Sealer, digest_id: UUID, told: Sequence[_Told]) -> tuple[list[NewRecipient], list[bytes]]:
    left, rows, sealed = iter(told), [], []
    for chunk, some in enumerate(split(message(each.middle, each.to, each.position) for each in told)):
        mine = [next(left) for _ in some]
        sealed.append(_sealed(sealer, digest_id, mine))
        rows += [
            NewRecipient(
                position=each.position,
                chunk=chunk,
                recipient_id="digest",
                phone_mac=sealer.mac(each.to),
                masked_phone=masked(each.composed.channel, each.to),
                channel=each.composed.channel,
                fallback=None,
                occurrence=None,
            )
            for each in mine
        ]
    return rows, sealed


def _sealed(sealer: Sealer, digest_id: UUID, told: Sequence[_Told]) -> bytes:
    return sealer.seal(pack((each.middle, each.to, each.position) for each in told), digest_id.bytes)
