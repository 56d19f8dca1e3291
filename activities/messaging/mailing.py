"""E-mails, by the same steps as texts. What is other: the group is ours, there is nothing to fill, and a
chunk is sent mail by mail.

A mail server knows no key and answers no question, so each mail has its own point of no return: a row that is
written after the server has agreed to take the mail and before a byte of it leaves. Whoever finds such a row
without an end does not know what became of the mail: it is never sent again, and its recipient is told as
MAIL_UNSURE (decision 91).
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime, timedelta
from typing import Any

from pydantic_core import from_json
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.host.turns import Turn
from activities.implements import implements
from activities.messaging.gate import may_go
from activities.messaging.mail_servers import MailServers
from activities.messaging.manifest import ambiguous
from activities.messaging.provider import CREDENTIALS_DELAY
from activities.messaging.sending import SendActivities
from clients.database import credits, mails, messaging, messaging_chunks, messaging_groups
from clients.database.credits import RecipientOutcome
from clients.database.messaging_groups import GroupRow
from clients.keys import TenantKeys
from clients.smtp import (
    Connection,
    Later,
    MailServerAway,
    MailServerRefuses,
    Refused,
    Unsure,
    connected,
)
from clients.solapi import Solapi
from contracts.activities import messages
from contracts.errors import MAIL_UNSURE, ErrorType
from contracts.mail import MailServer
from contracts.messaging import Added, ChunkRef, Decided, GroupRef, Opened, RecipientState, Verdict
from rules.messaging import emails
from rules.messaging.chunks import unpack_all
from rules.messaging.groups import HANDED_OVER, OPEN_STATES, GroupState, mail_group

TURN = 20.0  # seconds of sending until a slot is given back
AGAIN, AGAIN_AT_MOST = timedelta(seconds=5), timedelta(minutes=15)
LOOK_AGAIN = timedelta(minutes=1)  # whether it was cancelled meanwhile
WRITE_AGAIN = (0.5, 1, 2, 4, 8, 16)  # seconds: an end that is known is not lost for a moment without Postgres

log = logging.getLogger(__name__)


class MailActivities(SendActivities):
    def __init__(
        self,
        engine: AsyncEngine,
        keys: TenantKeys,
        solapi: Solapi,
        now: Callable[[], datetime],
        servers: MailServers,
    ) -> None:
        super().__init__(engine, keys, solapi, now)
        self._servers = servers

    @implements(messages.OPEN_GROUP)
    async def open_group(self, chunk: ChunkRef) -> Opened:
        """The chunk's own group: nobody else knows of it."""
        group_id = mail_group(chunk.job_id, chunk.chunk)
        async with self._engine.begin() as connection:
            replaced = await messaging_groups.replace_group(connection, chunk, group_id)
        return Opened(group_id=group_id, committed=not replaced)

    @implements(messages.ADD)
    async def add(self, group: GroupRef) -> Added:
        """There is nothing to fill: the mails lie in the chunk. Says how many."""
        async with self._engine.begin() as connection:
            left = await messaging_chunks.count_open(connection, group)
            sealed, _ = await messaging_chunks.pending(connection, group)
            if not left:
                return Added()
            if sealed:
                await messaging_groups.move(connection, group, GroupState.OPEN, GroupState.ADDING)
                await messaging_groups.move(connection, group, GroupState.ADDING, GroupState.ADDED)
                known = await messaging_groups.group(connection, group)
                return Added(accepted=left, fenced=known is None or known.state != GroupState.ADDED)
        if await self._lacks_reservation(group):
            raise ambiguous("the reservation is lost: the database is from before it")
        return Added()

    async def _marks(self, connection: AsyncConnection) -> dict[str, str]:
        return {"lineage": await mails.lineage(connection)}

    @implements(messages.SEND)
    async def send(self, group: GroupRef) -> Decided:
        """Send what has not been sent of the committed chunk. Raises ApplicationError where something is left
        that is tried again."""
        async with self._engine.begin() as connection:
            job = await messaging.lock_job(connection, group.job_id, group.tenant_id)
            known = await messaging_groups.group(connection, group)
            gate = await may_go(connection, job, self._now())
            lineage = await mails.lineage(connection)
        assert known is not None
        if known.state in OPEN_STATES:  # it was committed: the database has forgotten that
            return Decided(verdict=Verdict.DEAD)
        if known.state != GroupState.COMMITTED:
            return Decided(verdict=Verdict.STOP if known.state == GroupState.CANCELLED else Verdict.GO)
        if known.lineage != lineage:
            log.error("chunk %s of job %s: another database than it was begun in", group.chunk, group.job_id)
            await self.may_have_been_sent(group)
            return Decided(verdict=Verdict.GO)
        await self._end_begun(group)
        if gate.verdict is not Verdict.GO:
            return gate
        return await self._send(group, known)

    async def _send(self, group: GroupRef, known: GroupRow) -> Decided:
        async with self._engine.begin() as connection:
            sealed, ended = await messaging_chunks.pending(connection, group)
            tried = await mails.attempts(connection, group)
            if known.send_began_at is None:
                await messaging_groups.move(
                    connection, group, GroupState.COMMITTED, GroupState.COMMITTED, send_began_at=self._now()
                )
        sealer = await self._keys.sealer(group.tenant_id)
        pieces = [sealer.open(piece, group.job_id.bytes) for piece in sealed]
        waiting = {position: found.again_at for position, found in tried.items() if found.again_at}
        due = [
            (position, to, message)
            for position, to, message in unpack_all(pieces)
            if position not in ended and waiting.get(position, self._now()) <= self._now()
        ]
        if due and (stopped := await self._send_each(group, due)):
            return stopped
        return await self._close(group)

    async def _send_each(self, group: GroupRef, due: list[tuple[int, str, bytes]]) -> Decided | None:
        """One connection, one mail after the other; why no more of them may be sent, or None."""
        server = await self._servers.of(group.tenant_id)
        if server is None:
            raise _again(
                ErrorType.PROVIDER_REFUSES_CREDENTIALS, "no mail server is set up", CREDENTIALS_DELAY
            )
        until = time.monotonic() + TURN
        try:
            async with connected(server, self._servers.ca) as connection:
                for position, to, message in due:
                    if time.monotonic() >= until or (
                        activity.in_activity() and activity.is_worker_shutdown()
                    ):
                        raise Turn.ended()
                    mail = self._mail(group, server, position, to, from_json(message))
                    if stopped := await self._one(group, connection, position, to, mail):
                        return stopped
        except MailServerRefuses as error:
            log.error("the mail server of tenant %s refuses us: %s", group.tenant_id, error.code)
            raise _again(ErrorType.PROVIDER_REFUSES_CREDENTIALS, error.code, CREDENTIALS_DELAY) from None
        except MailServerAway as error:
            raise _again(ErrorType.PROVIDER_UNAVAILABLE, error.code, None) from None
        return None

    def _mail(
        self, group: GroupRef, server: MailServer, position: int, to: str, message: dict[str, Any]
    ) -> bytes:
        return emails.mail(
            to=to,
            sender=server.sender,
            sender_name=server.sender_name,
            subject=message["subject"],
            text=message["text"],
            message_id=f"{group.job_id.hex}.{position}@{server.domain}",
            at=self._now(),
        )

    async def _one(
        self, group: GroupRef, server: Connection, position: int, to: str, mail: bytes
    ) -> Decided | None:
        """One mail, once. Raises MailServerAway and MailServerRefuses, which nothing of it has left by."""
        began = None
        try:
            await server.accepts(to)
            async with self._engine.begin() as connection:
                job = await messaging.lock_job(connection, group.job_id, group.tenant_id)
                gate = await may_go(connection, job, self._now())
                known = await messaging_groups.group(connection, group)
                if gate.verdict is not Verdict.GO or known is None or known.state != GroupState.COMMITTED:
                    return gate if gate.verdict is not Verdict.GO else Decided(verdict=Verdict.GO)
                began = self._now()
                if not await mails.begin(connection, group, position, began):
                    raise _again(ErrorType.UNPROVEN, "somebody else sends it", None)
            await server.take(mail)
        except Later as error:
            log.info("position %s of job %s is tried again: %s", position, group.job_id, error.code)
            await self._again(group, position, began)
        except MailServerAway:
            if began:
                await self._again(group, position, began)
            raise
        except Refused as error:
            await self._end(group, [position], RecipientState.REFUSED, error.code)
        except Unsure as error:
            log.error("a mail of job %s may have been sent: %s", group.job_id, error.code)
            await self._end(group, [position], RecipientState.UNCONFIRMED, MAIL_UNSURE)
            raise MailServerAway(error.code) from None
        else:
            await self._end(group, [position], RecipientState.UNCONFIRMED, None)
        return None

    async def _again(self, group: GroupRef, position: int, began: datetime | None) -> None:
        async def write(connection: AsyncConnection) -> None:
            known = (await mails.attempts(connection, group)).get(position)
            before = (known.tries if known else 0) - (1 if began else 0)
            pause = min(AGAIN * 2 ** min(before, 20), AGAIN_AT_MOST)
            await mails.again(connection, group, position, began, self._now() + pause)

        await self._written(write)

    async def _end(
        self, group: GroupRef, positions: Collection[int], state: RecipientState, code: str | None
    ) -> None:
        async def write(connection: AsyncConnection) -> None:
            outcomes = [RecipientOutcome(position, state, code) for position in positions]
            await credits.settle(connection, group.tenant_id, group.job_id, outcomes)
            await mails.ended(connection, group, list(positions))

        await self._written(write)

    async def _written(self, write: Callable[[AsyncConnection], Awaitable[None]]) -> None:
        """What is known of a mail is written, though Postgres be away for a moment."""
        for pause in (*WRITE_AGAIN, None):
            try:
                async with self._engine.begin() as connection:
                    return await write(connection)
            except DBAPIError:
                if pause is None:
                    raise
                await asyncio.sleep(pause)

    async def _end_begun(self, group: GroupRef) -> None:
        """Those that an earlier try has begun: what became of them nobody knows."""
        async with self._engine.connect() as connection:
            tried = await mails.attempts(connection, group)
        if begun := [position for position, found in tried.items() if found.began_at]:
            log.error("%s mails of job %s may have been sent", len(begun), group.job_id)
            await self._end(group, begun, RecipientState.UNCONFIRMED, MAIL_UNSURE)

    async def _close(self, group: GroupRef) -> Decided:
        """Whether everybody of the chunk has an end. Raises ApplicationError while somebody waits."""
        async with self._engine.begin() as connection:
            left = await messaging_chunks.open_positions(connection, group)
            if not left:
                await messaging_groups.move(
                    connection, group, GroupState.COMMITTED, GroupState.DONE, sent_at=self._now()
                )
                await messaging_chunks.forget(connection, group)
                return Decided(verdict=Verdict.GO)
            tried = await mails.attempts(connection, group)
        times = [found.again_at for found in tried.values() if found.again_at]
        wait = max(min(times) - self._now(), timedelta(milliseconds=1)) if times else None
        wait = min(wait, LOOK_AGAIN) if wait else None
        raise _again(ErrorType.PROVIDER_THROTTLED, f"{len(left)} mails are tried again", wait)

    async def withdraw(self, group: GroupRef, code: str) -> bool:
        """End what was not sent of a committed chunk; False when something of it was, or may have been."""
        async with self._engine.begin() as connection:
            await messaging.lock_job(connection, group.job_id, group.tenant_id)  # nothing is begun meanwhile
            known = await messaging_groups.group(connection, group, lock=True)
            assert known is not None, "a committed group stays the chunk's"
            if known.state != GroupState.COMMITTED:
                return known.state not in HANDED_OVER
            tried = await mails.attempts(connection, group)
            begun = {position for position, found in tried.items() if found.began_at}
            left = await messaging_chunks.open_positions(connection, group)
            outcomes = [
                RecipientOutcome(position, RecipientState.UNCONFIRMED, MAIL_UNSURE)
                if position in begun
                else RecipientOutcome(position, RecipientState.CANCELLED, code)
                for position in left
            ]
            await credits.settle(connection, group.tenant_id, group.job_id, outcomes)
            await mails.ended(connection, group, left)
            sent = await messaging_chunks.any_sent(connection, group)
            if sent:
                await messaging_groups.move(
                    connection, group, GroupState.COMMITTED, GroupState.DONE, sent_at=self._now()
                )
            else:
                await messaging_groups.move(connection, group, GroupState.COMMITTED, GroupState.CANCELLED)
        return not sent

    async def may_have_been_sent(self, group: GroupRef) -> None:
        """Of a chunk whose records may be lost with a database: who has no end may have got it."""
        async with self._engine.connect() as connection:
            left = await messaging_chunks.open_positions(connection, group)
        await self._end(group, left, RecipientState.UNCONFIRMED, MAIL_UNSURE)
        await self._close(group)

    async def _discard(self, group_id: str) -> None:
        """Nobody else knows of it."""


def _again(type_: ErrorType, why: str, wait: timedelta | None) -> ApplicationError:
    return ApplicationError(f"SMTP: {why}", type=type_, next_retry_delay=wait)
