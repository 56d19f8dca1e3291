"""Jobs that the release before has begun, with a row of everything for each recipient, end rightly."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from alembic import command
from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from clients.database import credits, messaging, messaging_chunks
from clients.database.credits import RecipientOutcome
from clients.database.messaging_models import MessageChunk
from contracts.messaging import ChunkRef, RecipientState
from devstack.app import App
from rules.messaging.chunks import unpack
from tests.integration.test_schema import ALEMBIC
from tests.lab import Lab
from tests.messages import Mail, phones

TENANT, TODAY = 1, date(2026, 3, 2)
WAITING, FILLED, SENT = (ChunkRef(job_id=uuid4(), tenant_id=TENANT, chunk=0) for _ in range(3))

# Of each job person 0 is open. FILLED's person 1 was refused, SENT's person 1 got it.
BEFORE = f"""
CREATE TEMPORARY TABLE w ON COMMIT DROP AS SELECT
    '{WAITING.job_id}'::uuid AS waiting, '{FILLED.job_id}'::uuid AS filled, '{SENT.job_id}'::uuid AS sent;
INSERT INTO tenants (id) VALUES (1);
INSERT INTO messaging_accounts (tenant_id, credit_balance, price_sms, price_lms, price_mms, price_ata)
VALUES (1, 920, 20, 50, 110, 13);
INSERT INTO jobs (id, tenant_id, job_type, idempotency_key, external_id, workflow_id, payload_sha256, source)
SELECT id, 1, 'messages.send', id::text, id::text, id::text, '', 'test'
FROM w, unnest(ARRAY[waiting, filled, sent]) AS id;
INSERT INTO message_jobs (job_id, tenant_id, recipients, chunks) SELECT id, 1, 2, 1 FROM jobs;
INSERT INTO message_recipients (job_id, position, tenant_id, chunk, recipient_id, phone_mac, masked_phone,
    channel, sealed, state, code, provider_message_id)
SELECT waiting, 0, 1, 0, 'a', 'a'::bytea, '', 'SMS', 'A0'::bytea, 'PENDING', NULL, NULL FROM w UNION ALL
SELECT waiting, 1, 1, 0, 'b', 'b', '', 'SMS', 'A1', 'PENDING', NULL, NULL FROM w UNION ALL
SELECT filled, 0, 1, 0, 'a', 'a', '', 'SMS', 'B0', 'PENDING', NULL, 'MB0' FROM w UNION ALL
SELECT filled, 1, 1, 0, 'b', 'b', '', 'SMS', NULL, 'REFUSED', '1061', NULL FROM w UNION ALL
SELECT sent, 0, 1, 0, 'a', 'a', '', 'SMS', 'C0', 'ACCEPTED', NULL, 'MC0' FROM w UNION ALL
SELECT sent, 1, 1, 0, 'b', 'b', '', 'SMS', NULL, 'DELIVERED', NULL, 'MC1' FROM w;
UPDATE message_recipients SET final_at = now() WHERE sealed IS NULL;
UPDATE message_recipients SET reserved = 20, reserved_on = '{TODAY}' FROM w WHERE job_id <> waiting;
INSERT INTO message_groups (tenant_id, job_id, chunk, state, group_id, sent_at)
SELECT 1, filled, 0, 'COMMITTED', 'GB', NULL FROM w UNION ALL SELECT 1, sent, 0, 'SENT', 'GC', now() FROM w;
INSERT INTO credit_entries (tenant_id, kind, amount, reference) VALUES (1, 'TOP_UP', 980, 'start');
INSERT INTO credit_entries (tenant_id, kind, amount, job_id, position)
SELECT 1, 'RESERVE', -20, job_id, position FROM message_recipients WHERE reserved = 20 UNION ALL
SELECT 1, 'REFUND', 20, filled, 1 FROM w;
"""


@pytest.fixture
async def old(scratch: str, lab: Lab) -> AsyncIterator[AsyncEngine]:
    """A database of the release before, with those three jobs."""
    await asyncio.to_thread(command.upgrade, ALEMBIC, "0007")
    engine = create_async_engine(lab.settings.database_url().set(database=scratch))
    try:
        async with engine.begin() as connection:
            await connection.exec_driver_sql(BEFORE)
        yield engine
    finally:
        await engine.dispose()


async def money(connection: AsyncConnection) -> int:
    account = await credits.account(connection, TENANT)
    assert account is not None
    assert account.credit_balance == await credits.ledger_sum(connection, TENANT)
    return int(account.credit_balance)


async def test_what_was_begun_before_the_upgrade(old: AsyncEngine) -> None:
    await asyncio.to_thread(command.upgrade, ALEMBIC, "head")
    async with old.begin() as connection:
        assert await messaging_chunks.pending(connection, WAITING) == ([], set())  # nothing is reserved yet
        assert await messaging_chunks.pending(connection, FILLED) == ([b"B0"], {1})
        for chunk, balance in ((FILLED, 920), (WAITING, 880), (WAITING, 880)):
            assert await credits.reserve(connection, chunk, False, TODAY) == 0
            assert await money(connection) == balance
        assert await messaging_chunks.pending(connection, WAITING) == ([b"A0", b"A1"], set())
        assert await messaging_chunks.open_recipients(connection, FILLED) == {"MB0": 0}
        assert await messaging_chunks.open_recipients(connection, SENT) == {"MC0": 0}
        assert await messaging.counts(connection, SENT.job_id) == {"ACCEPTED": 1, "DELIVERED": 1}
        rows = await messaging_chunks.by_provider_ids(connection, ["MC0", "MC1", "MB0"], ["GC"])
        assert {(row.provider_message_id, row.position) for row in rows} == {("MC0", 0), ("MC1", 1)}
        now = datetime.now(UTC)
        sent = await messaging_chunks.sent_between(connection, now - timedelta(hours=1), now)
        assert sent.keys() == {"MC0", "MC1"}
        for chunk, state, balance in (
            (FILLED, RecipientState.CANCELLED, 900),
            (SENT, RecipientState.FAILED, 920),
            (SENT, RecipientState.DELIVERED, 920),  # the first end stands
        ):
            await credits.settle(
                connection, TENANT, chunk.job_id, [RecipientOutcome(0, state), RecipientOutcome(1, state)]
            )
            assert await money(connection) == balance


async def test_a_cap_counts_what_was_reserved_before_the_upgrade(old: AsyncEngine) -> None:
    await asyncio.to_thread(command.upgrade, ALEMBIC, "head")
    async with old.begin() as connection:
        await connection.execute(text("UPDATE messaging_accounts SET daily_cap = 5, daily_cap_per_phone = 3"))
        await credits.reserve(connection, WAITING, False, TODAY)
        assert await messaging.counts(connection, WAITING.job_id) == {"PENDING": 1, "SUPPRESSED": 1}


async def test_back_to_the_release_before(old: AsyncEngine) -> None:
    columns = text("""
        SELECT job_id, position, reserved, reserved_on, provider_message_id FROM message_recipients
        ORDER BY job_id, position""")
    async with old.connect() as connection:
        before = (await connection.execute(columns)).all()
    await asyncio.to_thread(command.upgrade, ALEMBIC, "head")
    await asyncio.to_thread(command.downgrade, ALEMBIC, "0007")
    async with old.connect() as connection:
        assert (await connection.execute(columns)).all() == before


async def test_texts_that_were_sealed_one_by_one_are_sent(workers: App, mail: Mail) -> None:
    tenant, wanted = await mail.account(0), phones(3)
    job = await mail.send(tenant, wanted)
    await mail.stage(tenant, job, "waiting for credit")
    sealer, aad = await mail.keys.sealer(tenant), job.bytes
    ((together,),) = await mail.texts(job)
    each = [sealer.seal(message, aad) for _, _, message in unpack(sealer.open(together, aad))]
    async with mail.lab.engine.begin() as connection:
        await connection.execute(update(MessageChunk).where(MessageChunk.job_id == job).values(sealed=each))
        await credits.top_up(connection, tenant, Decimal(1_000_000), "late")
    await mail.handle(tenant, job).signal("credit")
    assert (await mail.ended(job)).state == "DONE"
    await mail.delivered_once(job, tenant, wanted, 60)
    assert await mail.texts(job) == [None]
