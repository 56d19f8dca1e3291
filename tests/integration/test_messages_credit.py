"""The credit of a whole job is reserved before the first of its messages is sent, or none of it."""

from datetime import UTC, datetime
from decimal import Decimal

from activities.messaging.sending import SendActivities
from clients.database import credits, messaging, messaging_chunks
from clients.database.messaging_chunks import NewRecipient
from clients.solapi import Solapi
from contracts.messaging import ChunkRef, Stop
from tests.messages import Mail, draft, phones, request

CHUNKS = 3


def person(position: int) -> NewRecipient:
    return NewRecipient(
        position, position, f"s{position}", b"mac%d" % position, "****", "SMS", None, None, None
    )


async def prepared(mail: Mail, tenant: int) -> ChunkRef:
    """A job of three chunks with one recipient each, of 20 won."""
    asked = request(tenant, draft(), phones(CHUNKS))
    await mail.submitter.accept([asked])
    async with mail.lab.engine.begin() as connection:
        await messaging.lock_job(connection, asked.job_id, tenant)
        people = [person(position) for position in range(CHUNKS)]
        await messaging_chunks.write_recipients(connection, asked.job_id, tenant, people)
        await messaging_chunks.write_chunks(connection, asked.job_id, tenant, [b"x"] * CHUNKS)
        await messaging.mark_prepared(connection, asked.job_id, chunks=CHUNKS, recipients=CHUNKS)
    return ChunkRef(job_id=asked.job_id, tenant_id=tenant, chunk=0)


async def test_all_of_a_job_or_nothing(mail: Mail, solapi: Solapi) -> None:
    """Before, two thirds were sent, and the rest waited for credit."""
    sending = SendActivities(mail.lab.engine, mail.keys, solapi, lambda: datetime.now(UTC))
    tenant = await mail.account(credit=59)
    first = await prepared(mail, tenant)
    assert not (await sending.reserve(first)).enough
    assert (await mail.balance(tenant), await mail.entries(first.job_id)) == (59, [])
    async with mail.lab.engine.begin() as connection:
        await credits.top_up(connection, tenant, Decimal(1), f"one-{tenant}")
    for chunk in (0, 0, 1, 2):  # again, and for those that follow: nothing more
        reserved = await sending.reserve(first.model_copy(update={"chunk": chunk}))
        assert (reserved.enough, reserved.sendable) == (True, 1)
        assert await mail.balance(tenant) == 0
    await sending.stop(Stop(job_id=first.job_id, tenant_id=tenant, code="SEND_CANCELLED"))
    assert await mail.balance(tenant) == 60
