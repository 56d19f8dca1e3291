"""Postgres comes back from before a text was sent: nobody gets it twice, and ends and credit are as the
provider knows them."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import delete, func, select, update

from clients import temporal
from clients.database.keys import TenantKey
from clients.database.messaging_models import (
    CreditEntry,
    MailAttempt,
    MessageChunk,
    MessageGroup,
    MessageJob,
    MessageOccurrence,
    MessageRecipient,
    MessagingAccount,
    NotificationLog,
)
from clients.database.models import Job, JobEvent
from clients.vault import Vault
from devstack.app import App
from intake.reconcile import Reconciler
from intake.submit import Submitter
from tests.integration.test_reconcile import closed
from tests.lab import eventually
from tests.messages import PRICES, Mail, draft, phones, request
from workers.after_restore import AfterRestore

PEOPLE = 3
SPENT = PEOPLE * PRICES["price_sms"]


# Each step of a text, those before the commit in the long run only.
EARLY = [pytest.param(each, marks=pytest.mark.slow) for each in ("OPEN", "ADDING", "ADDED")]


async def lose(mail: Mail, tenant: int, job: UUID, own_row: bool = True) -> None:
    """As a database from before the job, or from when it was accepted; the account is as it was then."""
    async with mail.lab.engine.begin() as connection:
        await unpay(mail, tenant, job)
        for table in (
            NotificationLog,
            MessageOccurrence,
            MailAttempt,
            MessageRecipient,
            MessageChunk,
            MessageGroup,
            MessageJob,
        ):
            await connection.execute(delete(table).where(table.job_id == job))
        if own_row:
            await connection.execute(delete(JobEvent).where(JobEvent.job_id == job))
            await connection.execute(delete(Job).where(Job.id == job))


async def unpay(mail: Mail, tenant: int, job: UUID) -> None:
    async with mail.lab.engine.begin() as connection:
        entries = select(func.coalesce(func.sum(CreditEntry.amount), 0)).where(CreditEntry.job_id == job)
        taken = (await connection.execute(entries)).scalar_one()
        account = update(MessagingAccount).where(MessagingAccount.tenant_id == tenant)
        await connection.execute(account.values(credit_balance=MessagingAccount.credit_balance - taken))
        await connection.execute(delete(CreditEntry).where(CreditEntry.job_id == job))


@pytest.fixture
def reconciler(mail: Mail) -> Reconciler:
    return Reconciler(mail.lab.engine, mail.lab.temporal, mail.submitter, mail.lab.endings())


@pytest.mark.parametrize(
    "own_row",
    [
        pytest.param(True, id="from before the job", marks=pytest.mark.slow),
        pytest.param(False, id="from when it was accepted"),
    ],
)
async def test_a_text_that_waits_for_its_reports(workers: App, mail: Mail, own_row: bool) -> None:
    tenant, people = await mail.account(), phones(PEOPLE, "40405")  # reports come late
    job = await mail.send(tenant, people)
    await mail.stage(tenant, job, "waiting for reports")
    await lose(mail, tenant, job, own_row)
    await eventually(lambda: is_back(mail, job))
    row = await mail.ended(job)
    assert (row.state, row.result["delivered"]) == ("DONE", PEOPLE)
    assert (row.restored_at is not None) == own_row
    await mail.delivered_once(job, tenant, people, SPENT)


async def is_back(mail: Mail, job: UUID) -> bool:
    async with mail.lab.engine.connect() as connection:
        return (await connection.execute(select(Job.id).where(Job.id == job))).one_or_none() is not None


async def test_a_text_that_was_delivered_and_is_asked_for_again(
    workers: App, mail: Mail, reconciler: Reconciler
) -> None:
    tenant, people = await mail.account(), phones(PEOPLE)
    job = await mail.send(tenant, people, key="again")
    before = await mail.ended(job)
    await closed(mail.lab, before.workflow_id)
    await lose(mail, tenant, job)
    assert await mail.send(tenant, people, key="again") == job
    assert await mail.lab.stays_open(before)
    await reconciler.run_once(timedelta(0))
    row = await mail.ended(job)
    assert (row.state, row.result) == (before.state, before.result)
    await mail.delivered_once(job, tenant, people, SPENT)


async def test_what_a_lost_key_has_sealed_is_named_and_ends(
    workers: App, mail: Mail, reconciler: Reconciler
) -> None:
    """The tenant's first key is younger than the backup; a producer asks again for what was delivered."""
    lab, tenant, people = mail.lab, await mail.account(), phones(PEOPLE)
    job = await mail.send(tenant, people, key="again")
    before = await mail.ended(job)
    await closed(lab, before.workflow_id)
    await lose(mail, tenant, job)
    async with lab.engine.begin() as connection:
        await connection.execute(delete(TenantKey).where(TenantKey.tenant_id == tenant))
    client = await temporal.connect(lab.settings, lab.engine)  # no process knows the key any more
    again = Submitter(lab.engine, client, Vault(lab.settings.payload_keys.get_secret_value()))
    await again.submit(request(tenant, draft(), people, key="again"))
    found = [each async for each in AfterRestore(lab.settings, lab.engine, client, False)._locked()]
    assert [(each.kind, each.what) for each in found] == [("sealed by a lost key", before.workflow_id)]
    await Reconciler(lab.engine, client, again, lab.endings()).run_once(timedelta(0))
    row = await mail.ended(job)
    assert (row.state, row.error_code) == ("FAILED", "KEY_LOST")
    assert mail.sent(job) == people, "once"


async def test_a_group_whose_commit_was_lost_is_not_sent_again(workers: App, mail: Mail) -> None:
    """The provider has sent it and the answer got lost; meanwhile the database went back."""
    tenant, people = await mail.account(), phones(PEOPLE)
    slow = mail.simulator.fault("send", "reset_after", times=3)
    job = await mail.send(tenant, people)

    async def sent() -> bool:
        return bool(mail.simulator.fired(slow))

    await eventually(sent, every=0.02)
    async with mail.lab.engine.begin() as connection:
        group = update(MessageGroup).where(MessageGroup.job_id == job)
        await connection.execute(group.values(state="ADDED", sent_at=None, send_began_at=None))
    row = await mail.ended(job)
    assert row.state == "DONE"
    await mail.delivered_once(job, tenant, people, SPENT)
    assert {each.state for each in await mail.groups(tenant, job)} == {"DONE"}


@pytest.mark.slow
async def test_a_lost_reservation_is_made_again(workers: App, mail: Mail) -> None:
    tenant, people = await mail.account(), phones(PEOPLE)
    slow = mail.simulator.fault("create", "reset_before", times=3)
    job = await mail.send(tenant, people)

    async def asked() -> bool:
        return bool(mail.simulator.fired(slow))

    await eventually(asked, every=0.02)
    await unpay(mail, tenant, job)
    async with mail.lab.engine.begin() as connection:
        chunk = update(MessageChunk).where(MessageChunk.job_id == job)
        await connection.execute(chunk.values(reserved_on=None, reserved=0))
    assert (await mail.ended(job)).state == "DONE"
    await mail.delivered_once(job, tenant, people, SPENT)


@pytest.mark.parametrize("state", [*EARLY, "COMMITTED", "SENT"])
async def test_a_backup_from_any_step_of_a_text_that_was_delivered(
    workers: App, mail: Mail, reconciler: Reconciler, state: str
) -> None:
    """Its workflow has ended, so nobody else goes on. One from between commit and send had no end at all."""
    tenant, people = await mail.account(), phones(PEOPLE)
    job = await mail.send(tenant, people)
    before = await mail.ended(job)
    await closed(mail.lab, before.workflow_id)
    async with mail.lab.engine.begin() as connection:
        mine = (MessageRecipient, MessageRecipient.job_id == job), (MessageGroup, MessageGroup.job_id == job)
        (people_of, theirs), (groups, of_job) = mine
        await connection.execute(delete(NotificationLog).where(NotificationLog.job_id == job))
        await connection.execute(update(people_of).where(theirs).values(state="PENDING", final_at=None))
        sent = func.now() if state == "SENT" else None
        await connection.execute(
            update(groups).where(of_job).values(state=state, sent_at=sent, send_began_at=sent)
        )
    await mail.lab.reopen(before)
    assert await mail.lab.stays_open(before)
    await reconciler.run_once(timedelta(0))
    row = await mail.ended(job)
    assert (row.state, row.result["delivered"]) == ("DONE", PEOPLE)
    assert {each.state for each in await mail.groups(tenant, job)} == {"DONE"}
    await mail.delivered_once(job, tenant, people, SPENT)


@pytest.mark.parametrize("state", [*EARLY, "COMMITTED"])
async def test_a_backup_from_any_step_of_a_text_that_was_taken_back(
    workers: App, mail: Mail, reconciler: Reconciler, full_again: None, state: str
) -> None:
    """It was committed, cancelled and deleted at the provider; the backup knows of no cancel and no credit
    that went back. Nobody gets it, and all of the credit is there again."""
    tenant, job = await mail.parked(PEOPLE)
    await mail.cancel(tenant, job)
    before = await mail.ended(job)
    await closed(mail.lab, before.workflow_id)
    async with mail.lab.engine.begin() as connection:
        await connection.execute(delete(NotificationLog).where(NotificationLog.job_id == job))
        of_job, returned = CreditEntry.job_id == job, CreditEntry.amount > 0
        back = await connection.execute(
            delete(CreditEntry).where(of_job, returned).returning(CreditEntry.amount)
        )
        account = update(MessagingAccount).where(MessagingAccount.tenant_id == tenant)
        less = MessagingAccount.credit_balance - sum(each.amount for each in back)
        await connection.execute(account.values(credit_balance=less))
        pending = {"state": "PENDING", "code": None, "final_at": None}
        await connection.execute(
            update(MessageRecipient).where(MessageRecipient.job_id == job).values(pending)
        )
        group = {"state": state, "send_began_at": func.now() if state == "COMMITTED" else None}
        await connection.execute(update(MessageGroup).where(MessageGroup.job_id == job).values(group))
        known = update(MessageJob).where(MessageJob.job_id == job)
        await connection.execute(known.values(cancel_requested_at=None))
    await mail.lab.reopen(before)
    assert await mail.lab.stays_open(before)
    await reconciler.run_once(timedelta(0))
    assert (await mail.ended(job)).state == before.state == "CANCELLED"
    assert {each for each, _ in await mail.states(job)} == {"CANCELLED"}
    assert mail.sent(job) == []
    assert await mail.balance(tenant) == 1_000_000
