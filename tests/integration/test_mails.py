"""E-mails through a real mail server: each once, or told as unsure, whatever that does."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr
from uuid import UUID

import pytest
from sqlalchemy import func, select, update
from temporalio.service import RPCError

from clients.database.messaging_models import MailAttempt, MessageGroup, MessageJob
from contracts.messaging import Draft
from devstack.app import App, running
from devstack.producer import message_body
from tests.faults.test_restored_messages import is_back, lose
from tests.lab import eventually
from tests.mails import (
    CUT_AFTER_DATA,
    CUT_BEFORE_DATA,
    CUT_IN_DATA,
    SILENT,
    PostOffice,
    academy,
    e_mail,
    ends,
    people,
    to,
)
from tests.messages import Mail

TAKEN = ("UNCONFIRMED", None)
UNSURE = ("UNCONFIRMED", "MAIL_UNSURE")
SLOW = pytest.mark.slow  # of a kind of which another is quick


async def test_each_gets_one_of_their_own(workers: App, mail: Mail) -> None:
    with PostOffice() as office:
        tenant = await academy(mail, office.settings(sender_name="가나다 학원"))
        parents = people(3)
        job = await mail.send(tenant, parents, e_mail(subject="#{이름} 등원"))
        row = await mail.ended(job)
        assert (row.state, row.error_code, row.result["unconfirmed"]) == ("DONE", None, 3)
        assert await mail.states(job) == [TAKEN] * 3
        assert [each.rcpt_tos for each in office.post.got] == [[each] for each in to(parents)]
        for n, found in enumerate(office.post.mails()):
            assert found["Subject"] == f"김하늘{n} 등원"
            assert found.get_content().rstrip() == f"김하늘{n} 학생이 등원했습니다."
            assert (found["To"], parseaddr(found["From"])) == (
                parents[n].to,
                ("가나다 학원", "notice@academy.test"),
            )
            assert found["Message-ID"] == f"<{job.hex}.{n}@academy.test>"
        assert await mail.balance(tenant) == 1_000_000
        assert await mail.texts(job) == [None]


@pytest.mark.parametrize(
    ("fault", "end", "tries"),
    [
        ("RCPT 450 4.2.0 greylisted", TAKEN, 1),
        pytest.param("END 451 4.3.0 later", TAKEN, 1, marks=SLOW),
        pytest.param("END 421 4.3.2 closing", TAKEN, 1, marks=SLOW),
        pytest.param("RCPT 421 4.3.2 closing", TAKEN, 1, marks=SLOW),
        ("RCPT 550 5.1.1 no such user", ("REFUSED", "SMTP550-5.1.1"), 0),
        pytest.param("END 554 no", ("REFUSED", "SMTP554"), 0, marks=SLOW),
        pytest.param(CUT_BEFORE_DATA, TAKEN, 1, marks=SLOW),
        (CUT_IN_DATA, UNSURE, 0),
        (CUT_AFTER_DATA, UNSURE, 1),
    ],
)
async def test_what_a_server_may_do(
    workers: App, mail: Mail, fault: str, end: tuple[str, str | None], tries: int
) -> None:
    """The second of three; the others are not hurt, and whatever was taken was taken once."""
    with PostOffice() as office:
        tenant, parents = await academy(mail, office.settings()), people(3)
        office.post.faults[parents[1].to] = [fault]
        job = await mail.send(tenant, parents, e_mail())
        assert await ends(mail, job) == [TAKEN, end, TAKEN]
        got = [each.rcpt_tos[0] for each in office.post.got]
        assert sorted(got) == sorted([parents[0].to, parents[2].to] + [parents[1].to] * tries)
        assert office.post.faults[parents[1].to] == []


async def test_a_try_that_nobody_knows_the_end_of(workers: App, mail: Mail) -> None:
    """As a worker leaves it that dies between a mail's row and its answer."""
    with PostOffice() as office:
        tenant, parents = await academy(mail, office.settings()), people(2)
        office.post.faults[parents[1].to] = ["RCPT 450 4.2.0 later"] * 50
        job = await mail.send(tenant, parents, e_mail())
        await until(mail, tenant, job, "ProviderThrottled")
        async with mail.lab.engine.begin() as connection:
            tried = update(MailAttempt).where(MailAttempt.job_id == job)
            await connection.execute(tried.values(began_at=func.now(), again_at=None))
        office.post.faults.clear()
        assert await ends(mail, job) == [TAKEN, UNSURE]
        assert len(office.post.got) == 1
        row = await mail.ended(job)
        assert row.result["unconfirmed"] == 2


async def test_while_a_mail_is_on_its_way(workers: App, mail: Mail) -> None:
    """It is written before the server has it; a server that says nothing more has it, or not."""
    with PostOffice() as office:
        tenant, (parent,) = await academy(mail, office.settings()), people(1)
        office.post.faults[parent.to] = [SILENT]
        job = await mail.send(tenant, [parent], e_mail())
        await asyncio.to_thread(office.post.held.wait)
        async with mail.lab.engine.connect() as connection:
            begun = select(MailAttempt.began_at).where(MailAttempt.job_id == job)
            assert (await connection.execute(begun)).scalar_one() is not None
        assert await mail.cancel(tenant, job) == "UNKNOWN"
        office.hang_up()
        assert await ends(mail, job) == [UNSURE]
    assert len(office.post.got) == 1


@SLOW
async def test_a_server_that_comes_later(workers: App, mail: Mail) -> None:
    with PostOffice() as office:
        server = office.settings()
    tenant, parents = await academy(mail, server), people(1)
    job = await mail.send(tenant, parents, e_mail())
    await until(mail, tenant, job, "ProviderUnavailable")
    with PostOffice(port=server.port or 0) as office:
        assert await ends(mail, job) == [TAKEN]
        assert len(office.post.got) == 1


@pytest.mark.parametrize("end", ["cancelled", pytest.param("expired", marks=SLOW)])
async def test_what_is_still_to_be_sent_is_stopped(workers: App, mail: Mail, end: str) -> None:
    """One is sent, one is put off again and again."""
    with PostOffice() as office:
        tenant, parents = await academy(mail, office.settings()), people(2)
        office.post.faults[parents[1].to] = ["RCPT 450 4.2.0 later"] * 50
        job = await mail.send(tenant, parents, e_mail())
        await until(mail, tenant, job, "ProviderThrottled")
        if end == "cancelled":
            assert await mail.cancel(tenant, job) == "UNKNOWN"
        else:
            async with mail.lab.engine.begin() as connection:
                gone = datetime.now(UTC) - timedelta(seconds=1)
                mine = update(MessageJob).where(MessageJob.job_id == job)
                await connection.execute(mine.values(expires_at=gone))
        code = "SEND_CANCELLED" if end == "cancelled" else "MESSAGE_EXPIRED"
        assert await ends(mail, job) == [TAKEN, ("CANCELLED", code)]
        assert len(office.post.got) == 1


@SLOW
async def test_a_server_that_refuses_us_is_waited_for_until_it_is_too_late(workers: App, mail: Mail) -> None:
    with PostOffice(password="right") as office:
        tenant = await academy(mail, office.settings())
        job = await mail.send(tenant, people(1), e_mail())
        await until(mail, tenant, job, "ProviderRefusesCredentials")
        assert await mail.states(job) == [("PENDING", None)] and office.post.got == []
        await mail.handle(tenant, job).terminate("test")


@SLOW
async def test_siblings_are_told_in_one(workers: App, mail: Mail) -> None:
    with PostOffice() as office:
        tenant, (first, second) = await academy(mail, office.settings()), people(2)
        second = second.model_copy(update={"to": first.to.upper()})
        job = await mail.send(tenant, [first, second], e_mail(one_per_phone=True))
        assert await ends(mail, job) == [TAKEN, TAKEN]
        (found,) = office.post.mails()
        assert found.get_content().rstrip() == "김하늘0, 김하늘1 학생이 등원했습니다."


@pytest.mark.parametrize(
    ("what", "address", "code"),
    [
        (e_mail(), "kim@", "EMAIL_NOT_VALID"),
        pytest.param(e_mail(), "01012345678", "EMAIL_NOT_VALID", marks=SLOW),
        pytest.param(e_mail(), "kim@x.test\r\nBcc: lee@x.test", "EMAIL_NOT_VALID", marks=SLOW),
        pytest.param(e_mail("#{반}", "#{이름}"), "kim@x.test", "VARIABLE_MISSING", marks=SLOW),
        pytest.param(e_mail(subject=" "), "kim@x.test", "SUBJECT_MISSING", marks=SLOW),
        (e_mail(advertising=True), "kim@x.test", "NOT_BY_EMAIL"),
    ],
)
async def test_what_is_refused_before_anything_is_sent(
    workers: App, mail: Mail, what: Draft, address: str, code: str
) -> None:
    with PostOffice() as office:
        tenant, (good, bad) = await academy(mail, office.settings()), people(2)
        job = await mail.send(tenant, [good, bad.model_copy(update={"to": address})], what)
        row = await mail.ended(job)
        assert (row.state, row.error_code) == ("REJECTED_BAD_INPUT", code)
        assert office.post.got == []


async def test_without_a_server(workers: App, mail: Mail) -> None:
    job = await mail.send(await mail.account(), people(1), e_mail())
    row = await mail.ended(job)
    assert (row.state, row.error_code) == ("FAILED", "MAIL_NOT_CONFIGURED")


@SLOW
async def test_from_a_queue(workers: App, mail: Mail) -> None:
    with PostOffice() as office:
        tenant, (parent,) = await academy(mail, office.settings()), people(1)
        body = message_body(tenant, parent.to, "등원했습니다.", message_mode="email", subject="등원")
        async with running(mail.lab.stack, "bridge"):
            mail.lab.send("messaging", body)
            (job,) = await mail.lab.ended(tenant)
        assert (job.state, await mail.states(job.id)) == ("DONE", [TAKEN])
        (found,) = office.post.mails()
        assert (found["To"], found["Subject"]) == (parent.to, "등원")


async def test_a_database_that_went_back(workers: App, mail: Mail) -> None:
    """A standby was promoted in the middle: what it lacks may have been sent, so nothing is sent again."""
    with PostOffice() as office:
        tenant, parents = await academy(mail, office.settings()), people(3)
        office.post.faults[parents[1].to] = ["RCPT 450 4.2.0 later"] * 50
        job = await mail.send(tenant, parents, e_mail())
        await until(mail, tenant, job, "ProviderThrottled")
        async with mail.lab.engine.begin() as connection:
            group = update(MessageGroup).where(MessageGroup.job_id == job)
            await connection.execute(group.values(lineage="1:00000001:1"))
        office.post.faults.clear()
        assert await ends(mail, job) == [TAKEN, UNSURE, TAKEN]
        assert len(office.post.got) == 2


@pytest.mark.parametrize(
    "own_row",
    [
        pytest.param(True, id="from before the job", marks=SLOW),
        pytest.param(False, id="from when it was accepted"),
    ],
)
async def test_a_database_from_before(workers: App, mail: Mail, own_row: bool) -> None:
    with PostOffice() as office:
        tenant, parents = await academy(mail, office.settings()), people(2)
        office.post.faults[parents[1].to] = ["RCPT 450 4.2.0 later"] * 50
        job = await mail.send(tenant, parents, e_mail())
        await until(mail, tenant, job, "ProviderThrottled")
        await lose(mail, tenant, job, own_row)
        await eventually(lambda: is_back(mail, job))
        assert await ends(mail, job) == [UNSURE, UNSURE]
        assert len(office.post.got) == 1


async def until(mail: Mail, tenant: int, job: UUID, type: str) -> None:
    """A step of the job's workflow has failed so, and is tried again."""

    async def look() -> bool:
        with suppress(RPCError):
            found = (await mail.handle(tenant, job).describe()).raw_description.pending_activities
            return any(
                each.last_failure.application_failure_info.type == type
                or each.last_failure.cause.application_failure_info.type == type
                for each in found
            )
        return False

    await eventually(look, f"{type} of {job}", 0.3)
