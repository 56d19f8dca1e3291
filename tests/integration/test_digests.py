"""Several notices to one parent as one text: paid once, each with an end of its own, none lost or doubled."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from activities.messaging.digesting import DigestActivities
from activities.messaging.mail_servers import MailServers
from activities.messaging.preparing import PrepareActivities
from clients.database import costs, digests, messaging, messaging_groups
from clients.database.messaging_models import MessageDigest, MessageJob
from clients.progress import ProgressBoard, connect
from clients.solapi import Solapi
from contracts.jobs import JobRef
from contracts.messaging import Draft, GroupRef, Recipient, Verdict
from devstack.app import App
from rules.messaging.groups import ADDED, ADDING, OPEN
from tests import canary
from tests.digests import Window
from tests.messages import PRICES, Mail, draft, phones, request

CREDIT = 1_000_000
ARRIVED, HOMEWORK = "김하늘 학생이 등원했습니다.", "김하늘 학생 숙제: 수학 익힘책 32쪽부터 38쪽"
SCORE = "김하늘 학생 점수: 95점"
NOTICES = (ARRIVED, HOMEWORK, SCORE)


async def academy(mail: Mail, minutes: int = 10, **more: object) -> int:
    return await mail.account(CREDIT, digest_minutes=minutes, **more)


async def test_three_notices_are_one_text_and_paid_once(workers: App, mail: Mail) -> None:
    tenant, (parent, other) = await academy(mail), phones(2)
    window = await Window.of(mail, tenant, [parent, other])
    jobs = [await mail.send(tenant, [parent], draft(text)) for text in NOTICES]
    alone = await mail.send(tenant, [other], draft(SCORE))
    await window.joined(*jobs, alone)
    for job in (*jobs, alone):
        assert await mail.states(job) == [("PENDING", None)]
    for job in (*jobs, alone):
        assert (await mail.ended(job)).state == "DONE"
        assert await mail.states(job) == [("DELIVERED", None)]
        assert (mail.sent(job), await mail.entries(job)) == ([], [])
        assert [each.amount_deducted for each in await mail.log(job)] == [0]
    assert (await mail.ended(window.digest)).state == "DONE"
    assert window.texts() == sorted([(parent, "LMS", "\n\n".join(NOTICES)), (other, "SMS", SCORE)])
    assert await mail.balance(tenant) == CREDIT - PRICES["price_lms"] - PRICES["price_sms"]
    async with mail.lab.engine.connect() as connection:
        assert [await digests.count_shared(connection, job) for job in (*jobs, alone)] == [1, 1, 1, 0]
        now = datetime.now(UTC)
        rows = await costs.between(connection, tenant, now - timedelta(days=1), now + timedelta(days=1))
    assert {(each.sent_to, each.channel, each.messages) for each in rows} == {
        ("digest", "LMS", 1),
        ("digest", "SMS", 1),
    }
    assert sum(each.won for each in rows) == Decimal(CREDIT) - await mail.balance(tenant)
    assert await mail.texts(jobs[0]) == [None]
    assert canary.find(mail.lab.stack, parent, HOMEWORK) == []


async def test_one_of_three_is_cancelled(workers: App, mail: Mail) -> None:
    tenant, (parent,) = await academy(mail), phones(1)
    window = await Window.of(mail, tenant, [parent])
    jobs = [await mail.send(tenant, [parent], draft(text)) for text in NOTICES]
    await window.joined(*jobs)
    assert await mail.cancel(tenant, jobs[1]) == "CANCELLED"
    row = await mail.ended(jobs[1])
    assert (row.state, row.error_code) == ("CANCELLED", "SEND_CANCELLED")
    assert await mail.states(jobs[1]) == [("CANCELLED", "SEND_CANCELLED")]
    for job in (jobs[0], jobs[2]):
        assert (await mail.ended(job)).state == "DONE"
    assert window.texts() == [(parent, "SMS", f"{ARRIVED}\n\n{SCORE}")]
    assert await mail.balance(tenant) == CREDIT - PRICES["price_sms"]
    async with mail.lab.engine.begin() as connection:
        assert await messaging.request_cancel(connection, jobs[0], tenant) == "TOO_LATE"


@pytest.mark.parametrize("what", ["cancelled", pytest.param("too late", marks=pytest.mark.slow)])
async def test_what_is_off_after_the_commit_is_taken_out(
    workers: App, mail: Mail, full_again: None, what: str
) -> None:
    """The digest is committed and waits for the provider's balance: it is taken back and made anew."""
    tenant, (parent, only) = await academy(mail), phones(2)
    window = await Window.of(mail, tenant, [parent, only])
    mail.simulator.settings(balance=0)
    jobs = [await mail.send(tenant, [parent], draft(text)) for text in NOTICES]
    jobs.append(await mail.send(tenant, [only], draft(ARRIVED)))
    await window.joined(*jobs)
    await mail.stage(tenant, window.digest, "waiting for the provider's balance")
    off = (jobs[0], jobs[3])
    if what == "cancelled":
        assert await mail.cancel(tenant, off[0]) == await mail.cancel(tenant, off[1]) == "UNKNOWN"
    else:
        async with mail.lab.engine.begin() as connection:
            past = update(MessageJob).where(MessageJob.job_id.in_(off))
            await connection.execute(past.values(expires_at=datetime.now(UTC)))
    mail.simulator.settings(balance=10_000_000)
    await mail.handle(tenant, window.digest).signal("credit")
    code = "SEND_CANCELLED" if what == "cancelled" else "MESSAGE_EXPIRED"
    for job in off:
        assert (await mail.ended(job)).error_code == code
        assert await mail.states(job) == [("CANCELLED", code)]
    for job in jobs[1:3]:
        assert (await mail.ended(job)).state == "DONE"
    assert window.texts() == [(parent, "SMS", f"{HOMEWORK}\n\n{SCORE}")]
    assert await mail.balance(tenant) == CREDIT - PRICES["price_sms"]
    statuses = [group["status"] for group in mail.simulator.groups(window.digest.hex)]
    assert statuses.count("COMPLETE") == 1 and set(statuses) == {"COMPLETE", "DELETED"}


async def test_what_is_too_late_when_it_is_gathered_is_not_said(workers: App, mail: Mail) -> None:
    tenant, (parent,) = await academy(mail), phones(1)
    window = await Window.of(mail, tenant, [parent])
    jobs = [await mail.send(tenant, [parent], draft(text)) for text in NOTICES]
    await window.joined(*jobs)
    async with mail.lab.engine.begin() as connection:
        late = update(MessageJob).where(MessageJob.job_id == jobs[2])
        await connection.execute(late.values(expires_at=window.closes_at))
    row = await mail.ended(jobs[2])
    assert (row.state, row.error_code) == ("FAILED", "MESSAGE_EXPIRED")
    for job in jobs[:2]:
        assert (await mail.ended(job)).state == "DONE"
    assert [text for _, _, text in window.texts()] == ["\n\n".join(NOTICES[:2])]


async def test_who_comes_after_it_has_gathered_opens_a_window(workers: App, mail: Mail) -> None:
    """A clock may be behind: what decides is whether the digest has gathered."""
    tenant, (parent,) = await academy(mail), phones(1)
    window = await Window.of(mail, tenant, [parent], 60)
    async with mail.lab.engine.begin() as connection:
        gathered = update(MessageJob).where(MessageJob.job_id == window.digest)
        await connection.execute(gathered.values(chunks=0, recipients=0))
    job = await mail.send(tenant, [parent], draft(ARRIVED))
    await mail.stage(tenant, job, "scheduled")
    assert not await window.has(job)
    for each in (job, window.digest):
        assert await mail.cancel(tenant, each) == "CANCELLED"
        assert (await mail.ended(each)).state == "CANCELLED"


async def test_what_does_not_fit_begins_a_further_message(workers: App, mail: Mail) -> None:
    tenant, (parent,) = await academy(mail), phones(1)
    window = await Window.of(mail, tenant, [parent])
    long = [each * 400 for each in "가나다라"]  # 800 bytes each
    jobs = [await mail.send(tenant, [parent], draft(text)) for text in (*long, long[0])]
    await window.joined(*jobs)
    for job in jobs:
        assert (await mail.ended(job)).state == "DONE"
    assert [text for _, _, text in window.texts()] == [
        f"{long[0]}\n\n{long[1]}",
        f"{long[2]}\n\n{long[3]}",
    ]
    assert await mail.balance(tenant) == CREDIT - 2 * PRICES["price_lms"]


async def test_the_whole_digest_is_cancelled(workers: App, mail: Mail) -> None:
    tenant, (parent,) = await academy(mail), phones(1)
    window = await Window.of(mail, tenant, [parent])
    jobs = [await mail.send(tenant, [parent], draft(text)) for text in NOTICES]
    await window.joined(*jobs)
    assert await mail.cancel(tenant, window.digest) == "CANCELLED"
    for job in jobs:
        assert (await mail.ended(job)).state == "CANCELLED"
        assert await mail.states(job) == [("CANCELLED", "SEND_CANCELLED")]
    assert (window.texts(), await mail.balance(tenant)) == ([], CREDIT)


async def test_a_number_that_is_refused_ends_its_notices(workers: App, mail: Mail) -> None:
    tenant, parents = await academy(mail), [*phones(1), *phones(1, "40403")]
    window = await Window.of(mail, tenant, parents)
    jobs = [await mail.send(tenant, parents, draft(text)) for text in NOTICES[:2]]
    await window.joined(*jobs)
    for job in jobs:
        assert (await mail.ended(job)).state == "DONE"
        assert await mail.states(job) == [("DELIVERED", None), ("REFUSED", "1061")]
    assert await mail.balance(tenant) == CREDIT - PRICES["price_sms"]


BY_ITSELF = {
    "off": (0, {}),
    "at once": (10, {"at_once": True}),
    "too short for it": (10, {"valid_minutes": 12}),
    "an advertisement": (10, {"advertising": True}),
}


@pytest.mark.parametrize("why", BY_ITSELF)
async def test_what_waits_for_nobody(workers: App, mail: Mail, why: str) -> None:
    minutes, more = BY_ITSELF[why]
    named = {"advertiser": "한빛학원", "opt_out_number": "0801234567", "night_advertising": True}
    tenant, (parent,) = await academy(mail, minutes, **named), phones(1)
    job = await mail.send(tenant, [parent], draft(ARRIVED, **more))
    assert (await mail.ended(job)).state == "DONE"
    assert mail.sent(job) == [parent]
    async with mail.lab.engine.connect() as connection:
        query = select(func.count()).where(MessageDigest.tenant_id == tenant)
        assert await connection.scalar(query) == 0


async def test_a_window_opens_with_the_first_notice(workers: App, mail: Mail) -> None:
    """At a full minute, for all phones whose window opens in the same one."""
    tenant, parents = await academy(mail, 30), phones(3)
    before = datetime.now(UTC)
    shared = enumerate([*parents, parents[0]])
    people = [Recipient(id=str(n), to=to, variables={"이름": f"가{n}"}) for n, to in shared]
    job = await mail.send(tenant, people, Draft(text="#{이름}", one_per_phone=True))
    await mail.stage(tenant, job, "scheduled")
    async with mail.lab.engine.connect() as connection:
        query = select(MessageDigest.closes_at, MessageDigest.digest_id).where(MessageDigest.job_id == job)
        found = (await connection.execute(query)).all()
    assert len(found) == 3 and len({digest for _, digest in found}) == 1
    closes_at = found[0].closes_at
    assert (closes_at.second, closes_at.microsecond) == (0, 0)
    assert timedelta(minutes=30) <= closes_at - before <= timedelta(minutes=31, seconds=30)
    assert await mail.cancel(tenant, job) == "CANCELLED"
    assert (await mail.ended(job)).state == "CANCELLED"
    assert await mail.states(job) == [("CANCELLED", "SEND_CANCELLED")] * 4


@pytest.fixture
async def acting(mail: Mail, solapi: Solapi) -> tuple[PrepareActivities, DigestActivities]:
    """What prepares notices, and what gathers and commits them."""
    lab, keys = mail.lab, mail.keys
    preparing = PrepareActivities(
        engine=lab.engine,
        vault=mail.vault,
        keys=keys,
        objects=lab.objects,
        solapi=solapi,
        mail_servers=MailServers(lab.engine, keys, None, None),
        board=ProgressBoard(connect(lab.settings)),
        submitter=mail.submitter,
        default_pf_id=None,
        default_template_id=None,
    )
    return preparing, DigestActivities(lab.engine, keys, solapi, lambda: datetime.now(UTC))


def of(tenant: int, job: UUID, kind: str = "messages.send") -> JobRef:
    return JobRef(job_id=job, job_type=kind, tenant_id=tenant)


async def test_who_joins_while_it_gathers_is_in_it_or_in_another(
    mail: Mail, acting: tuple[PrepareActivities, DigestActivities]
) -> None:
    preparing, digesting = acting
    seen = set()
    for number in range(12):
        tenant, (parent,) = await academy(mail), phones(1)
        window = await Window.of(mail, tenant, [parent], 3600)
        first, second = request(tenant, draft(ARRIVED), [parent]), request(tenant, draft(SCORE), [parent])
        await mail.submitter.accept([first, second])
        await preparing.prepare(of(tenant, first.job_id))

        async def gathers(window: Window = window, number: int = number) -> None:
            await asyncio.sleep(number % 6 * 0.004)
            await digesting.prepare(of(window.tenant, window.digest, "messages.digest"))

        await asyncio.gather(preparing.prepare(of(tenant, second.job_id)), gathers())
        async with mail.lab.engine.connect() as connection:
            mine = select(MessageDigest.digest_id, MessageDigest.carried_at)
            ((digest, carried_at),) = await connection.execute(
                mine.where(MessageDigest.job_id == second.job_id)
            )
        seen.add((digest == window.digest, carried_at is not None))
    assert seen <= {(True, True), (False, False)}, "in it and not said: lost"


async def test_a_cancel_and_a_commit_at_once_agree(
    mail: Mail, acting: tuple[PrepareActivities, DigestActivities]
) -> None:
    """What a cancel of one of two proves holds for whoever commits the text."""
    preparing, digesting = acting
    seen = set()
    for number in range(12):
        tenant, (parent,) = await academy(mail), phones(1)
        window = await Window.of(mail, tenant, [parent], 3600)
        both = [request(tenant, draft(text), [parent]) for text in (ARRIVED, SCORE)]
        await mail.submitter.accept(both)
        for each in both:
            await preparing.prepare(of(tenant, each.job_id))
        await digesting.prepare(of(tenant, window.digest, "messages.digest"))
        group = GroupRef(job_id=window.digest, tenant_id=tenant, chunk=0, group_id=f"G{tenant}")
        async with mail.lab.engine.begin() as connection:
            await messaging_groups.replace_group(connection, group, group.group_id)
            for old, new in ((OPEN, ADDING), (ADDING, ADDED)):
                await messaging_groups.move(connection, group, old, new)

        async def cancel(tenant: int = tenant, job: UUID = both[0].job_id, number: int = number) -> str:
            await asyncio.sleep(number % 6 * 0.004)
            async with mail.lab.engine.begin() as connection:
                return await messaging.request_cancel(connection, job, tenant)

        decided, proven = await asyncio.gather(digesting.commit(group), cancel())
        seen.add((proven, decided.verdict))
    assert seen <= {("CANCELLED", Verdict.FENCED), ("UNKNOWN", Verdict.GO)}
