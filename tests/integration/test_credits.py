"""Credit is never negative, never taken twice, and comes back for whoever was not reached."""

import asyncio
from collections import Counter
from datetime import date
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import insert, update
from sqlalchemy.exc import IntegrityError

from clients.database import credits, messaging, messaging_chunks
from clients.database.credits import RecipientOutcome
from clients.database.messaging_models import CreditEntry, MessageChunk, MessagingAccount
from contracts.messaging import ChunkRef, Recipient, RecipientState
from devstack.app import App
from tests.messages import Mail, draft, phones, request

TODAY = date(2026, 3, 2)
ALIMTALK = {"mode": "both", "template_id": "TP01ARRIVAL"}
VARIABLES = {"학원": "가나다학원", "이름": "김하늘", "시각": "16:05"}


async def written(mail: Mail, tenant: int, people: int) -> ChunkRef:
    """A prepared job of one chunk, without a workflow."""
    job_request = request(tenant, draft(), phones(people))
    await mail.submitter.accept([job_request])
    recipients = [
        messaging_chunks.NewRecipient(n, 0, str(n), bytes([n]), "****", "SMS", None, None)
        for n in range(people)
    ]
    async with mail.lab.engine.begin() as connection:
        await messaging.lock_job(connection, job_request.job_id, tenant)
        await messaging_chunks.write_recipients(connection, job_request.job_id, tenant, recipients)
        await messaging_chunks.write_chunks(connection, job_request.job_id, tenant, [b"sealed"])
    return ChunkRef(job_id=job_request.job_id, tenant_id=tenant, chunk=0)


async def reserve(mail: Mail, chunk: ChunkRef) -> Decimal:
    async with mail.lab.engine.begin() as connection:
        return await credits.reserve(connection, chunk, False, TODAY)


async def settle(mail: Mail, chunk: ChunkRef, *outcomes: RecipientOutcome) -> int:
    async with mail.lab.engine.begin() as connection:
        return await credits.settle(connection, chunk.tenant_id, chunk.job_id, outcomes)


async def test_many_at_once_on_a_small_balance(mail: Mail) -> None:
    tenant = await mail.account(500)  # for eight of twenty chunks of 60 won
    chunks = [await written(mail, tenant, 3) for _ in range(20)]
    missing = await asyncio.gather(*(reserve(mail, chunk) for chunk in chunks for _ in range(2)))
    assert Counter(bool(each) for each in missing) == {False: 16, True: 24}
    assert await mail.balance(tenant) == 20
    reserved = [chunk for chunk, lacks in zip(chunks, missing[::2], strict=True) if not lacks]
    end = [RecipientOutcome(n, RecipientState.FAILED, "3042") for n in range(3)]
    done = await asyncio.gather(*(settle(mail, chunk, *end) for chunk in reserved for _ in range(3)))
    assert sum(done) == 8 * 3
    assert await mail.balance(tenant) == 500


async def test_reserving_again_takes_nothing(mail: Mail) -> None:
    tenant = await mail.account(1_000)
    chunk = await written(mail, tenant, 3)
    assert [await reserve(mail, chunk) for _ in range(3)] == [0, 0, 0]
    assert await mail.balance(tenant) == 940
    assert await mail.entries(chunk.job_id) == [(n, "RESERVE", -20) for n in range(3)]


async def test_the_first_end_of_a_person_stands(mail: Mail) -> None:
    tenant = await mail.account(1_000)
    chunk = await written(mail, tenant, 2)
    await reserve(mail, chunk)
    assert (
        await settle(
            mail,
            chunk,
            RecipientOutcome(0, RecipientState.DELIVERED),
            RecipientOutcome(1, RecipientState.FAILED),
        )
        == 2
    )
    for state in (RecipientState.CANCELLED, RecipientState.DELIVERED, RecipientState.UNCONFIRMED):
        assert await settle(mail, chunk, RecipientOutcome(0, state), RecipientOutcome(1, state)) == 0
    assert await mail.states(chunk.job_id) == [("DELIVERED", None), ("FAILED", None)]
    assert await mail.entries(chunk.job_id) == [(0, "RESERVE", -20), (1, "REFUND", 20), (1, "RESERVE", -20)]
    assert await mail.balance(tenant) == 980


async def test_texts_are_gone_when_nobody_is_left_to_send_to(mail: Mail) -> None:
    tenant = await mail.account(1_000)
    chunk = await written(mail, tenant, 2)
    await settle(mail, chunk, RecipientOutcome(0, RecipientState.SUPPRESSED))
    assert await mail.texts(chunk.job_id) == [[b"sealed"]]
    await settle(mail, chunk, RecipientOutcome(1, RecipientState.CANCELLED))
    assert await mail.texts(chunk.job_id) == [None]


async def test_the_ledger_takes_no_second_entry_of_a_kind(mail: Mail) -> None:
    """Whatever the code above it does: a second charge of the same person is refused by the table."""
    tenant = await mail.account(1_000)
    chunk = await written(mail, tenant, 1)
    await reserve(mail, chunk)
    async with mail.lab.engine.begin() as connection:
        forgotten = update(MessageChunk).where(MessageChunk.job_id == chunk.job_id)
        await connection.execute(forgotten.values(reserved_on=None))
    with pytest.raises(IntegrityError):
        await reserve(mail, chunk)
    assert await mail.balance(tenant) == 980
    entry = {"tenant_id": tenant, "kind": "TOP_UP", "amount": 5, "reference": "payment-1"}
    with pytest.raises(IntegrityError):
        async with mail.lab.engine.begin() as connection:
            for _ in range(2):
                await connection.execute(insert(CreditEntry).values(entry))


async def test_the_balance_cannot_be_written_negative(mail: Mail) -> None:
    tenant = await mail.account(10)
    with pytest.raises(IntegrityError):
        async with mail.lab.engine.begin() as connection:
            account = update(MessagingAccount).where(MessagingAccount.tenant_id == tenant)
            await connection.execute(account.values(credit_balance=MessagingAccount.credit_balance - 11))


async def test_a_payment_counts_once(mail: Mail) -> None:
    tenant = await mail.account(0)

    async def pay() -> bool:
        async with mail.lab.engine.begin() as connection:
            return await credits.top_up(connection, tenant, Decimal(100), "payment-7")

    assert Counter(await asyncio.gather(*(pay() for _ in range(5)))) == {True: 1, False: 4}
    assert await mail.balance(tenant) == 100


async def test_jobs_that_race_for_the_last_credit(workers: App, mail: Mail) -> None:
    tenant = await mail.account(180, waits_for_credit=False)  # for three of seven
    jobs = await asyncio.gather(*(mail.send(tenant, phones(3)) for _ in range(7)))
    outcomes = [await mail.ended(job) for job in jobs]
    assert Counter((end.state, end.error_code) for end in outcomes) == {
        ("DONE", None): 3,
        ("FAILED", "INSUFFICIENT_CREDIT"): 4,
    }
    assert await mail.balance(tenant) == 0
    assert sum(len(mail.sent(job)) for job in jobs) == 9
    for job, end in zip(jobs, outcomes, strict=True):
        if end.state == "FAILED":
            assert await mail.states(job) == [("CANCELLED", "INSUFFICIENT_CREDIT")] * 3
            assert await mail.entries(job) == []


async def test_waiting_for_credit_goes_on_when_it_comes(workers: App, mail: Mail) -> None:
    tenant, wanted = await mail.account(50), phones(3)
    job = await mail.send(tenant, wanted)
    await mail.stage(tenant, job, "waiting for credit")
    assert (await mail.balance(tenant), mail.sent(job)) == (50, [])
    async with mail.lab.engine.begin() as connection:
        await credits.top_up(connection, tenant, Decimal(10), "more")
    await mail.handle(tenant, job).signal("credit")
    assert (await mail.ended(job)).state == "DONE"
    assert (await mail.balance(tenant), mail.sent(job)) == (0, sorted(wanted))


async def test_who_was_not_reached_costs_nothing(workers: App, mail: Mail) -> None:
    tenant = await mail.account(1_000)
    kinds = ("2", "40401", "40403", "40407")  # arrives, fails, refused at once, opted out
    job = await mail.send(tenant, [phones(1, kind)[0] for kind in kinds])
    assert (await mail.ended(job)).state == "DONE"
    assert await mail.states(job) == [
        ("DELIVERED", None),
        ("FAILED", "3042"),
        ("REFUSED", "1061"),
        ("FAILED", "2061"),
    ]
    assert await mail.balance(tenant) == 980
    assert [(each.success, each.amount_deducted, each.failure_reason) for each in await mail.log(job)] == [
        (True, 20, None),
        (False, 0, "3042"),
        (False, 0, "1061"),
        (False, 0, "2061"),
    ]


async def test_everybody_refused(workers: App, mail: Mail) -> None:
    tenant = await mail.account(1_000)
    job = await mail.send(tenant, phones(3, "40403"))
    row = await mail.ended(job)
    assert (row.state, row.error_code) == ("FAILED", "NOT_DELIVERED")
    assert await mail.states(job) == [("REFUSED", "1061")] * 3
    assert (await mail.balance(tenant), mail.sent(job)) == (1_000, [])


async def test_an_alimtalk_is_charged_as_what_it_arrived_as(workers: App, mail: Mail) -> None:
    """Reserved is the dearer of both: 20 for the SMS. An Alimtalk costs 13."""
    tenant = await mail.account(1_000)
    people = [
        Recipient(id=kind, to=phones(1, kind)[0], variables=VARIABLES) for kind in ("2", "40402", "40401")
    ]
    job = await mail.send(tenant, people, draft(**ALIMTALK))
    assert (await mail.ended(job)).state == "DONE"
    assert [(each.state, each.sent_as) for each in await mail.recipients(job)] == [
        ("DELIVERED", "ATA"),
        ("DELIVERED", "SMS"),
        ("FAILED", "SMS"),
    ]
    assert await mail.entries(job) == [
        (0, "REFUND", 7),
        (0, "RESERVE", -20),
        (1, "RESERVE", -20),
        (2, "REFUND", 20),
        (2, "RESERVE", -20),
    ]
    assert await mail.balance(tenant) == 1_000 - 13 - 20


async def suppressed(mail: Mail, job: UUID) -> list[str | None]:
    await mail.ended(job)
    rows = await mail.recipients(job)
    assert {row.state for row in rows} <= {"DELIVERED", "SUPPRESSED"}
    delivered = [row for row in rows if row.state == "DELIVERED"]
    assert len(mail.sent(job)) == len(delivered)
    return [row.code for row in rows]


async def test_daily_caps(workers: App, mail: Mail) -> None:
    tenant = await mail.account(1_000, daily_cap=5, daily_cap_per_phone=2)
    one, two = phones(2)
    people = [Recipient(id=str(n), to=to) for n, to in enumerate((one, one, one, two))]
    assert await suppressed(mail, await mail.send(tenant, people)) == [None, None, "DAILY_CAP", None]
    # Three of five are gone, and `one` has had both of its own.
    again = [Recipient(id=str(n), to=to) for n, to in enumerate((one, two, *phones(3)))]
    assert await suppressed(mail, await mail.send(tenant, again)) == [
        "DAILY_CAP",
        None,
        None,
        "DAILY_CAP",
        "DAILY_CAP",
    ]
    full = await mail.send(tenant, phones(1))
    row = await mail.ended(full)
    assert (row.state, row.error_code) == ("CANCELLED", "DAILY_CAP")
    assert await mail.balance(tenant) == 1_000 - 5 * 20


async def test_opt_outs_are_of_advertising_only(workers: App, mail: Mail) -> None:
    tenant = await mail.account(
        1_000, advertiser="가나다학원", opt_out_number="0801234567", night_advertising=True
    )
    out, other = phones(2)
    sealer = await mail.keys.sealer(tenant)
    async with mail.lab.engine.begin() as connection:
        await messaging.opt_out(connection, tenant, sealer.mac(out))
    advertising = await mail.send(tenant, [out, other], draft("겨울 특강", advertising=True))
    assert await suppressed(mail, advertising) == ["OPTED_OUT", None]
    notice = await mail.send(tenant, [out, other])
    assert await suppressed(mail, notice) == [None, None]
    (sent,) = mail.simulator.ledger(advertising.hex)
    assert sent["text"].startswith("(광고)가나다학원") and sent["text"].endswith("무료수신거부 0801234567")
