"""From reserved credit to a sent group. The order of these steps is what makes a message arrive once.

There is no idempotency key at the provider; the group is the key. It is filled by exactly one request,
compared with what was asked for, committed in our database, and only then sent: always that same group.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from temporalio.exceptions import ApplicationError

from activities.implements import implements
from activities.messaging.as_text import refused_as_alimtalk, turn_to_text
from activities.messaging.gate import is_expired, is_off, may_go, why_off
from activities.messaging.manifest import ambiguous, compared, manifest
from activities.messaging.provider import provider_errors, refused
from clients.database import callbacks, credits, digests, messaging, messaging_chunks, messaging_groups
from clients.database.credits import RecipientOutcome
from clients.database.messaging import MessageJobRow
from clients.database.messaging_groups import GroupRow
from clients.keys import Sealer, TenantKeys
from clients.solapi import (
    Ambiguous,
    Group,
    NotUnderstood,
    Refused,
    Solapi,
    SolapiError,
    Throttled,
    Unreachable,
)
from contracts.activities import messages
from contracts.errors import GROUP_LOST, ErrorType
from contracts.messaging import (
    Added,
    ChunkRef,
    Decided,
    GroupRef,
    Opened,
    RecipientState,
    Reserved,
    Stop,
    Stopped,
    Verdict,
)
from rules.messaging.groups import HANDED_OVER, OPEN_STATES, GroupState, is_digest
from rules.quiet_hours import KST

SENT_BEFORE = ("GroupInProcessing", "AlreadySent", "ScheduledGroup")
GIVEN_UP = ("FailedGroup", "DeletedGroup", "InvalidStatus", "GroupNotFound", "ResourceNotFound")
SENT_STATES = ("SENDING", "COMPLETE", "SCHEDULED")
NEVER_SENT = ("DELETED", "FAILED")  # when its count of sent messages is 0
LOST_AFTER = timedelta(days=1)  # of answers that there is no such group

log = logging.getLogger(__name__)


class SendActivities:
    def __init__(
        self, engine: AsyncEngine, keys: TenantKeys, solapi: Solapi, now: Callable[[], datetime]
    ) -> None:
        self._engine = engine
        self._keys = keys
        self._solapi = solapi
        self._now = now

    @implements(messages.RESERVE)
    async def reserve(self, chunk: ChunkRef) -> Reserved:
        """Reserve the credit of this chunk and of all that follow, or say that it is not there: a job begins
        when all of it can be paid for."""
        today = self._now().astimezone(KST).date()
        try:
            async with self._engine.begin() as connection:
                job = await messaging.lock_job(connection, chunk.job_id, chunk.tenant_id)
                if await is_off(connection, job, self._now()):
                    return Reserved(enough=False, stopped=True)
                for each in range(chunk.chunk, job.chunks or 0):
                    which = chunk.model_copy(update={"chunk": each})
                    if await credits.reserve(connection, which, job.advertising, today):
                        raise _NotEnough
                return Reserved(enough=True, sendable=await messaging_chunks.count_open(connection, chunk))
        except _NotEnough:  # and nothing of it is reserved
            return Reserved(enough=False)

    @implements(messages.OPEN_GROUP)
    async def open_group(self, chunk: ChunkRef) -> Opened:
        """An empty group for the chunk, unless one is committed. Groups that nobody sends hurt nobody."""
        async with self._engine.connect() as connection:
            known = await messaging_groups.group(connection, chunk)
        if known and known.state not in OPEN_STATES:
            return Opened(group_id=known.ref.group_id, committed=True)
        if known:
            await self._discard(known.ref.group_id)
        with provider_errors(ends=True):
            group_id = await self._solapi.create_group({"job": chunk.job_id.hex, "chunk": str(chunk.chunk)})
        async with self._engine.begin() as connection:
            if await messaging_groups.replace_group(connection, chunk, group_id):
                return Opened(group_id=group_id)
            known = await messaging_groups.group(connection, chunk)
        await self._discard(group_id)
        assert known is not None
        return Opened(group_id=known.ref.group_id, committed=True)

    @implements(messages.ADD)
    async def add(self, group: GroupRef) -> Added:
        """Put the chunk's messages into the group, by one request that is never repeated.

        Raises ApplicationError `AmbiguousAdd` when it cannot be known what the group holds: it must be
        thrown away, which is safe, because it was never sent.
        """
        async with self._engine.begin() as connection:
            if not await messaging_groups.move(connection, group, GroupState.OPEN, GroupState.ADDING):
                known = await messaging_groups.group(connection, group)
                if known and known.group_id == group.group_id and known.state == GroupState.ADDING:
                    raise ambiguous("an earlier try ended in the middle")
                return Added(fenced=True)
            sealed, ended = await messaging_chunks.pending(connection, group)
        if not sealed and await self._lacks_reservation(group):
            raise ambiguous("the reservation is lost: the database is from before it")
        sealer = await self._keys.sealer(group.tenant_id)
        pieces = [sealer.open(piece, group.job_id.bytes) for piece in sealed]
        body, wanted = manifest(pieces, ended)
        if not wanted:  # an earlier try was refused for everybody, and its answer got lost
            return Added()
        try:
            results = await self._solapi.add(group.group_id, body)
        except (Throttled, Unreachable):
            async with self._engine.begin() as connection:
                await messaging_groups.move(connection, group, GroupState.ADDING, GroupState.OPEN)
            with provider_errors():
                raise
        except NotUnderstood as error:
            raise ambiguous(error.code, understood=False) from None
        except Refused as error:
            # Nothing was added, and would be by asking again: it is the messages. A group can be in a wrong
            # state, or not be found yet.
            if error.own and error.status in (400, 413, 422) and error.code not in GIVEN_UP:
                raise refused(error.code) from None
            raise ambiguous(error.code) from None
        except Ambiguous as error:
            raise ambiguous(error.code) from None
        registered, outcomes = compared(wanted, results)
        codes = refused_as_alimtalk(pieces, outcomes)
        if codes and await self._turn_to_text(sealer, group, codes):
            raise ambiguous("it lacks the Alimtalk that goes as text now")
        async with self._engine.begin() as connection:
            if not await messaging_groups.move(connection, group, GroupState.ADDING, GroupState.ADDED):
                return Added(fenced=True)
            await messaging_chunks.register(connection, group, registered)
            await credits.settle(connection, group.tenant_id, group.job_id, outcomes)
        return Added(accepted=len(registered))

    async def _turn_to_text(self, sealer: Sealer, group: GroupRef, codes: Mapping[int, str | None]) -> bool:
        """Whether another group must take this one's place, which is never sent."""
        async with self._engine.begin() as connection:
            job = await messaging.lock_job(connection, group.job_id, group.tenant_id)
            known = await messaging_groups.group(connection, group, lock=True)
            if known and (known.group_id, known.state) == (group.group_id, GroupState.ADDING):
                return await turn_to_text(connection, sealer, job, group, codes)
            return True

    async def _lacks_reservation(self, chunk: ChunkRef) -> bool:
        """Reserve again what was reserved before this was asked for; False if nothing is left to reserve for.
        Raises ApplicationError while there is no credit."""
        reserved = await self.reserve(chunk)
        if not reserved.enough and not reserved.stopped:
            raise _unproven("the reservation is lost, and there is no credit for another")
        return reserved.sendable > 0

    @implements(messages.COMMIT)
    async def commit(self, group: GroupRef) -> Decided:
        """The point of no return: from here on this group, and no other, is sent."""
        async with self._engine.begin() as connection:
            job = await messaging.lock_job(connection, group.job_id, group.tenant_id)
            known = await messaging_groups.group(connection, group, lock=True)
            if known is None or known.group_id != group.group_id:
                return Decided(verdict=Verdict.FENCED)
            if known.state not in OPEN_STATES:
                return Decided(verdict=Verdict.GO)
            if (gate := await may_go(connection, job, self._now())).verdict is not Verdict.GO:
                return gate
            if not await self._stands(connection, group):
                return Decided(verdict=Verdict.FENCED)
            moved = await messaging_groups.move(
                connection, group, GroupState.ADDED, GroupState.COMMITTED, **await self._marks(connection)
            )
            return Decided(verdict=Verdict.GO if moved else Verdict.FENCED)

    async def _stands(self, connection: AsyncConnection, group: GroupRef) -> bool:
        """Whether what the group holds is what is to be sent, still."""
        return True

    async def _is_late(
        self, connection: AsyncConnection, job: MessageJobRow, group: GroupRef, at: datetime
    ) -> bool:
        """The last look at a committed group's validity."""
        return is_expired(job, at)

    async def _marks(self, connection: AsyncConnection) -> dict[str, str]:
        """What is noted of a group with its commit."""
        return {}

    @implements(messages.SEND)
    async def send(self, group: GroupRef) -> Decided:
        """Send the committed group. May be done again at any time: the provider sends a group once."""
        async with self._engine.begin() as connection:
            job = await messaging.lock_job(connection, group.job_id, group.tenant_id)
            known = await messaging_groups.group(connection, group)
            gate = await may_go(connection, job, self._now())
        assert known is not None
        if known.group_id != group.group_id or known.state in OPEN_STATES:
            # It was committed; so another execution, or a try whose answer got lost, has found it dead.
            return Decided(verdict=Verdict.DEAD)
        if known.state != GroupState.COMMITTED:
            return Decided(verdict=Verdict.STOP if known.state == GroupState.CANCELLED else Verdict.GO)
        if known.send_began_at:
            with provider_errors():
                found = await self._look(known)
            if found is None:
                return await self._lost(group)
            if found.state in SENT_STATES:
                return await self._sent(group)
        if gate.verdict is not Verdict.GO:
            return gate
        async with self._engine.begin() as connection:
            began = self._now()
            # The last look: what came before may have taken its time.
            if await self._is_late(connection, job, group, began):
                return Decided(verdict=Verdict.STOP)
            if not await messaging_groups.move(
                connection, group, GroupState.COMMITTED, GroupState.COMMITTED, send_began_at=began
            ):
                raise _unproven("the group changed meanwhile")
        with provider_errors():
            try:
                await self._solapi.send(group.group_id)
            except Refused as error:
                if error.code == "NotEnoughBalance":
                    return Decided(verdict=Verdict.NO_BALANCE)
                if error.code in GIVEN_UP and await self._is_dead(group):
                    return Decided(verdict=Verdict.DEAD)
                if error.code not in SENT_BEFORE:
                    raise
        return await self._sent(group)

    @implements(messages.STOP)
    async def stop(self, what: Stop) -> Stopped:
        """End what has not been sent of a job; says how many groups were sent before.

        What is proven when this returns: every recipient of a group that was not sent is CANCELLED.
        """
        async with self._engine.begin() as connection:
            job = await messaging.lock_job(connection, what.job_id, what.tenant_id)
            await messaging.request_cancel(connection, what.job_id, what.tenant_id)
            code = await why_off(connection, job, what.code, self._now())
            open_groups = await messaging_groups.groups(connection, what.job_id, OPEN_STATES)
            for row in open_groups:
                await messaging_groups.move(connection, row.ref, row.state, GroupState.CANCELLED)
            positions = await messaging.uncommitted_positions(connection, what.job_id)
            positions += await digests.unsent(connection, what.job_id)
            outcomes = [RecipientOutcome(position, RecipientState.CANCELLED, code) for position in positions]
            await credits.settle(connection, what.tenant_id, what.job_id, outcomes)
            committed = await messaging_groups.groups(connection, what.job_id, {GroupState.COMMITTED})
            sent = [
                row
                for row in await messaging_groups.groups(connection, what.job_id, HANDED_OVER)
                if not is_digest(row.ref.group_id) or await messaging_chunks.any_left(connection, row.ref)
            ]
            hears = await callbacks.hears_of_messages(connection, what.tenant_id)
        for row in open_groups:
            await self._discard(row.ref.group_id)
        withdrawn = [await self.withdraw(row.ref, code) for row in committed]
        return Stopped(sent=len(sent) + withdrawn.count(False), code=code, tells=hears)

    async def withdraw(self, group: GroupRef, code: str) -> bool:
        """Take a committed group back from the provider; False when it had been sent. Raises until it is
        known which."""
        async with self._engine.connect() as connection:
            known = await messaging_groups.group(connection, group)
        assert known is not None and known.group_id == group.group_id, "a committed group stays the chunk's"
        with provider_errors():
            try:
                await self._solapi.delete(group.group_id)
            except Refused as error:
                log.info("group of chunk %s cannot be deleted: %s", group.chunk, error.code)
            found = await self._look(known)
        if found is None and known.send_began_at:
            await self._lost(group)
            return False
        if found and found.state in SENT_STATES:
            await self._sent(group)
            return False
        if found and (found.state not in NEVER_SENT or found.sent):
            raise _unproven(f"the group is {found.state}, neither sent nor deleted")
        async with self._engine.begin() as connection:
            for state in (GroupState.COMMITTED, GroupState.OPEN):  # OPEN: a send met the deleted group first
                await messaging_groups.move(connection, group, state, GroupState.CANCELLED)
            known = await messaging_groups.group(connection, group)
            asked_meanwhile = found is None and known is not None and known.send_began_at
            if known is None or known.state != GroupState.CANCELLED or asked_meanwhile:
                raise _unproven("the group changed meanwhile")
            positions = await messaging_chunks.open_positions(connection, group)
            outcomes = [RecipientOutcome(position, RecipientState.CANCELLED, code) for position in positions]
            await credits.settle(connection, group.tenant_id, group.job_id, outcomes)
        return True

    async def _sent(self, group: GroupRef) -> Decided:
        async with self._engine.begin() as connection:
            await hand_over(connection, group, self._now())
        return Decided(verdict=Verdict.GO)

    async def _look(self, row: GroupRow) -> Group | None:
        """The committed group as the provider has it. None when it knows of no such group, and we never asked
        it to send it, or did so long ago: a 404 alone proves nothing, for reads can be stale."""
        try:
            return await self._solapi.group(row.ref.group_id)
        except Refused as error:
            asked = row.send_began_at
            if error.status != 404 or not error.own or (asked and self._now() - asked < LOST_AFTER):
                raise
        return None

    async def _lost(self, group: GroupRef) -> Decided:
        """Nobody will ever know what became of it. It may have been sent, so it is never sent again."""
        log.error("the provider has lost the group of chunk %s of job %s", group.chunk, group.job_id)
        async with self._engine.begin() as connection:
            if await messaging_groups.move(connection, group, GroupState.COMMITTED, GroupState.DONE):
                positions = await messaging_chunks.open_positions(connection, group)
                outcomes = [
                    RecipientOutcome(position, RecipientState.UNCONFIRMED, GROUP_LOST)
                    for position in positions
                ]
                await credits.settle(connection, group.tenant_id, group.job_id, outcomes)
        return Decided(verdict=Verdict.GO)

    async def _is_dead(self, group: GroupRef) -> bool:
        """Given up by the provider, and nothing of it sent. Then, and only then, may another take over."""
        found = await self._solapi.group(group.group_id)
        if found.state not in NEVER_SENT or found.sent:
            return False
        async with self._engine.begin() as connection:
            return await messaging_groups.move(connection, group, GroupState.COMMITTED, GroupState.OPEN)

    async def _discard(self, group_id: str) -> None:
        """Best effort: a PENDING group that stays behind is never sent by anybody."""
        try:
            await self._solapi.delete(group_id)
        except SolapiError as error:
            log.info("an unused group stays at the provider: %s", error.code)


async def hand_over(connection: AsyncConnection, group: GroupRef, at: datetime) -> bool:
    """The provider has a committed group for good: nobody needs its texts. False if it is not committed."""
    if moved := await messaging_groups.move(
        connection, group, GroupState.COMMITTED, GroupState.SENT, sent_at=at
    ):
        await messaging_chunks.forget(connection, group)
    return moved


class _NotEnough(Exception):
    """Roll back what was reserved."""


def _unproven(why: str) -> ApplicationError:
    return ApplicationError(why, type=ErrorType.UNPROVEN)
