"""What the provider tells afterwards: differences that are found, and groups that lost their workflow."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text, update
from temporalio.exceptions import ApplicationError

from activities.messaging.reporting import REPORTS_WITHIN, ReportActivities
from activities.messaging.sending import SendActivities
from clients.database import credits, messaging, messaging_chunks, messaging_groups
from clients.database.credits import RecipientOutcome
from clients.database.messaging_models import MessageChunk, MessageGroup, MessageRecipient, ProviderDifference
from clients.progress import ProgressBoard, connect
from clients.solapi import Solapi
from contracts.messaging import Day, Differences, GroupRef, MessageJobRef, RecipientState
from devstack.app import App
from intake.reconcile import Reconciler
from rules.messaging.groups import ADDED, ADDING, COMMITTED, DONE, OPEN, SENT
from rules.quiet_hours import KST
from tests.lab import fresh_id
from tests.mails import mailing
from tests.messages import Mail, draft, phones, request

LONG_AGO = timedelta(hours=2)
BALANCE = 10_000_000
A_DAY = datetime(2001, 2, 3, tzinfo=UTC)  # on which no other test sends


@pytest.fixture
def reporting(mail: Mail, solapi: Solapi) -> ReportActivities:
    def now() -> datetime:
        return datetime.now(UTC)

    sending = SendActivities(mail.lab.engine, mail.keys, solapi, now)
    board = ProgressBoard(connect(mail.lab.settings))
    return ReportActivities(
        engine=mail.lab.engine,
        solapi=solapi,
        board=board,
        sending=sending,
        mailing=mailing(mail, solapi, now),
        now=now,
    )


BEGAN = datetime.now(KST).date()


async def compare(reporting: ReportActivities) -> list[Differences]:
    """Every day since these tests began: at midnight in Korea they are two."""
    days = sorted({BEGAN, datetime.now(KST).date()})
    return [await reporting.compare_day(Day(day=day)) for day in days]


async def plant(mail: Mail, job: UUID, **values: Any) -> None:
    async with mail.lab.engine.begin() as connection:
        rows = update(MessageRecipient).where(MessageRecipient.job_id == job)
        await connection.execute(rows.values(**values))


async def differences(mail: Mail, where: Any) -> list[tuple[str, str | None, str | None]]:
    async with mail.lab.engine.connect() as connection:
        rows = await connection.execute(select(ProviderDifference).where(where))
        return [(row.kind, row.ours, row.theirs) for row in rows]


# Numbers of a kind, what is planted in their rows, and the differences that are found.
LISTS: dict[str, tuple[str, dict[str, Any], list[tuple[str, str | None, str | None]]]] = {
    "same": ("2", {}, []),
    "same failure": ("40401", {}, []),
    "failed here": ("2", {"state": "FAILED", "code": "3042"}, [("other_end", "FAILED", "4000")]),
    "delivered here": (
        "40401",
        {"state": "DELIVERED", "code": None},
        [("other_end", "DELIVERED", "3042")],
    ),
    "cancelled here": ("2", {"state": "CANCELLED"}, [("unsent_by_us", "CANCELLED", "4000")]),
    "suppressed here": ("2", {"state": "SUPPRESSED"}, [("unsent_by_us", "SUPPRESSED", "4000")]),
}


async def test_the_two_lists_of_a_day(workers: App, mail: Mail, reporting: ReportActivities) -> None:
    jobs = {
        name: await mail.send(await mail.account(), phones(1, kind)) for name, (kind, *_) in LISTS.items()
    }
    for name, job in jobs.items():
        await mail.ended(job)
        if planted := LISTS[name][1]:
            await plant(mail, job, **planted)
    for _ in range(2):  # a second comparison writes nothing twice
        counted = sum((Counter(each.kinds) for each in await compare(reporting)), Counter[str]())
        assert counted["other_end"] >= 2 and counted["unsent_by_us"] >= 2
        for name, (_, _, wanted) in LISTS.items():
            found = await differences(mail, ProviderDifference.job_id == jobs[name])
            assert found == wanted, name


async def test_what_the_provider_does_not_know(workers: App, mail: Mail, reporting: ReportActivities) -> None:
    tenant = await mail.account()
    job = await mail.send(tenant, phones(1))
    await mail.ended(job)
    async with mail.lab.engine.begin() as connection:
        chunk = MessageChunk.job_id == job
        ((known,),) = (await connection.execute(select(MessageChunk.provider_ids).where(chunk))).scalars()
        await connection.execute(
            update(MessageChunk).where(chunk).values(provider_ids=["M4VNOBODYKNOWSTHIS"])
        )
    await compare(reporting)
    assert await differences(mail, ProviderDifference.job_id == job) == [
        ("missing_at_provider", "DELIVERED", None)
    ]
    theirs = ProviderDifference.provider_message_id == known
    assert await differences(mail, theirs) == [("unknown_to_us", None, "4000")]


async def test_what_was_sent_behind_our_back(
    workers: App, mail: Mail, solapi: Solapi, reporting: ReportActivities
) -> None:
    group = await solapi.create_group({"job": "nobody's"})
    body = b'{"to":"01029999999","from":"0212345678","text":"?","type":"SMS"}'
    (added,) = await solapi.add(group, body)
    await compare(reporting)
    theirs = ProviderDifference.provider_message_id == added["messageId"]
    assert await differences(mail, theirs) == []  # it was not sent yet
    await solapi.send(group)
    await compare(reporting)
    ((kind, _, _),) = await differences(mail, theirs)
    assert kind == "unknown_to_us"


async def left_behind(mail: Mail, tenant: int, job: UUID) -> None:
    """Terminated while its group was committed, and found by the reconciler some hours ago."""
    await mail.handle(tenant, job).terminate("operator")
    lab = mail.lab
    reconciler = Reconciler(lab.engine, lab.temporal, mail.submitter, lab.endings())
    await reconciler.run_once(timedelta(0))
    row = await mail.ended(job)
    assert (row.state, row.error_code) == ("FAILED", "TERMINATED")
    await mail.move_time(job, finished_at=datetime.now(UTC) - LONG_AGO)


async def test_terminated_before_it_was_sent(workers: App, mail: Mail, reporting: ReportActivities) -> None:
    tenant = await mail.account()
    mail.simulator.settings(balance=0)
    try:
        job = await mail.send(tenant, phones(3))
        await mail.stage(tenant, job, "waiting for the provider's balance")
        await left_behind(mail, tenant, job)
    finally:
        mail.simulator.settings(balance=BALANCE)
    assert [state for state, _ in await mail.states(job)] == ["PENDING"] * 3  # nobody knows yet
    assert sum(each.closed for each in await compare(reporting)) >= 1
    assert await mail.states(job) == [("CANCELLED", "SEND_CANCELLED")] * 3
    assert (await mail.balance(tenant), mail.sent(job)) == (1_000_000, [])
    await compare(reporting)  # the deleted group's messages are listed, and are no difference
    assert await differences(mail, ProviderDifference.job_id == job) == []


async def test_terminated_after_it_was_sent(workers: App, mail: Mail, reporting: ReportActivities) -> None:
    tenant, wanted = await mail.account(), phones(2)
    job_request = request(tenant, draft(), wanted)
    lost = mail.simulator.fault("send", "503_after", match=job_request.job_id.hex)
    await mail.submitter.submit(job_request)
    await mail.in_state(tenant, job_request.job_id, "COMMITTED")
    while not mail.simulator.fired(lost):
        await mail.group(tenant, job_request.job_id)
    mail.simulator.fault("get", "503_before", match=job_request.job_id.hex)  # no later try finds out
    await left_behind(mail, tenant, job_request.job_id)
    mail.simulator.clear_faults()
    mail.simulator.advance(1)
    for _ in range(2):  # today it is found that it was sent, tomorrow how it ended
        await compare(reporting)
    await mail.delivered_once(job_request.job_id, tenant, wanted, 40)


async def test_one_group_that_cannot_be_helped_does_not_hide_the_others(
    workers: App, mail: Mail, reporting: ReportActivities
) -> None:
    jobs = []
    mail.simulator.settings(balance=0)
    try:
        for _ in range(2):
            tenant = await mail.account()
            job = await mail.send(tenant, phones(1))
            await mail.stage(tenant, job, "waiting for the provider's balance")
            await left_behind(mail, tenant, job)
            jobs.append(job)
    finally:
        mail.simulator.settings(balance=BALANCE)
    mail.simulator.fault("get", "503_before", match=jobs[0].hex)
    await compare(reporting)
    assert [await mail.states(job) for job in jobs] == [
        [("PENDING", None)],
        [("CANCELLED", "SEND_CANCELLED")],
    ]


async def test_left_behind_and_never_reported(workers: App, mail: Mail, reporting: ReportActivities) -> None:
    tenant = await mail.account()
    job = await mail.send(tenant, phones(2, "40404"))
    await mail.in_state(tenant, job, "SENT")
    await left_behind(mail, tenant, job)
    await compare(reporting)
    assert [state for state, _ in await mail.states(job)] == ["ACCEPTED"] * 2
    async with mail.lab.engine.begin() as connection:
        group = update(MessageGroup).where(MessageGroup.job_id == job)
        await connection.execute(group.values(sent_at=datetime.now(UTC) - REPORTS_WITHIN))
    await compare(reporting)
    assert await mail.states(job) == [("UNCONFIRMED", None)] * 2
    assert await mail.balance(tenant) == 1_000_000 - 40  # it was sent, and nobody says that it failed


async def test_an_old_state_finalises_nobody(workers: App, mail: Mail, reporting: ReportActivities) -> None:
    """The first lists are from before there were any messages."""
    tenant, wanted = await mail.account(), phones(3)
    job_request = request(tenant, draft(), wanted)
    stale = mail.simulator.fault("messages", "stale", times=2, seconds=60, match=job_request.job_id.hex)
    await mail.submitter.submit(job_request)
    await mail.ended(job_request.job_id)
    assert mail.simulator.fired(stale) == 2
    await mail.delivered_once(job_request.job_id, tenant, wanted, 60)


async def test_a_new_job_of_many_is_not_compared_each_with_each(mail: Mail) -> None:
    """Statistics do not know its rows yet, so the planner takes them for one or two."""
    tenant, people = await mail.account(), 10_000
    job_request = request(tenant, draft(), phones(1))
    ref = GroupRef(job_id=job_request.job_id, tenant_id=tenant, chunk=0, group_id=f"G4V{fresh_id()}")
    ids = {n: f"M4V{job_request.job_id.hex}{n}" for n in range(people)}
    await mail.submitter.accept([job_request])
    async with mail.lab.engine.begin() as connection:
        await messaging.lock_job(connection, ref.job_id, tenant)
        rows = [messaging_chunks.NewRecipient(n, 0, str(n), b"", "", "SMS", None, None) for n in ids]
        await messaging_chunks.write_recipients(connection, ref.job_id, tenant, rows)
        await messaging_chunks.write_chunks(connection, ref.job_id, tenant, [b""])
        await messaging_chunks.register(connection, ref, ids)
        await messaging_groups.replace_group(connection, ref, ref.group_id)
        for old, new in pairwise((OPEN, ADDING, ADDED, COMMITTED, SENT, DONE)):
            assert await messaging_groups.move(connection, ref, old, new, sent_at=A_DAY)
    async with mail.lab.engine.begin() as connection:
        await connection.execute(text("SET LOCAL statement_timeout = '2s'"))
        assert len(await messaging_chunks.open_recipients(connection, ref)) == people
        ours = await messaging_chunks.by_provider_ids(connection, list(ids.values()), [ref.group_id])
        assert len(ours) == people
        sent = await messaging_chunks.sent_between(connection, A_DAY, A_DAY + timedelta(days=1))
        assert sent.keys() >= set(ids.values())
        outcomes = [RecipientOutcome(n, RecipientState.CANCELLED) for n in ids]
        assert await credits.settle(connection, tenant, ref.job_id, outcomes) == people


async def test_nobody_is_not_everybody(reporting: ReportActivities) -> None:
    """The database went back to before the recipients, while an activity ran: their job is not over."""
    job = MessageJobRef(job_id=uuid4(), tenant_id=fresh_id())
    for ask in (reporting.count, reporting.poll, reporting.expire):
        with pytest.raises(ApplicationError, match="from before the recipients"):
            await ask(job)
