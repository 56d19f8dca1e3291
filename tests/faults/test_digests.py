"""Notices that share a text, while workers die, the database goes back, or the release before works: each is
told once, or it is told that nobody knows."""

import asyncio
import json
import signal
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import delete, update

from clients.database.messaging_models import (
    MessageChunk,
    MessageDigest,
    MessageGroup,
    MessageJob,
    MessageRecipient,
    NotificationLog,
)
from devstack.app import App, running
from tests.digests import Window
from tests.faults.killed_messaging import DIGEST_POINTS, NOTICE_POINTS
from tests.faults.test_restored_messages import lose, unpay
from tests.faults.test_two_releases import (
    fleet,
    last_release,  # noqa: F401 - a fixture
)
from tests.lab import PATIENCE, Lab
from tests.messages import FAST, PRICES, Mail, draft, phones, request

CREDIT = 1_000_000
NOTICES = [f"김하늘 학생 {what} 알림: 오늘 수업에 관한 안내입니다." for what in ("등원", "숙제", "점수")]
SMS, LMS = PRICES["price_sms"], PRICES["price_lms"]


def told(mail: Mail, phone: str) -> list[str]:
    """All that a phone was sent, notice by notice."""
    texts = [each["text"] for each in mail.simulator.ledger() if each["to"] == phone]
    return sorted(notice for text in texts for notice in text.split("\n\n"))


@pytest.mark.slow
async def test_kill_9_at_every_point(lab: Lab, tmp_path: Path) -> None:
    mail, plan, jobs = Mail(lab), {}, {}
    points = [(each, True) for each in DIGEST_POINTS] + [(each, False) for each in NOTICE_POINTS]
    for point, of_digest in points:
        tenant, (phone,) = await mail.account(CREDIT, digest_minutes=1), phones(1)
        asked = [request(tenant, draft(text), [phone]) for text in NOTICES]
        window = await Window.of(mail, tenant, [phone], 45)
        held = window.digest if of_digest else asked[1].job_id
        plan[f"messages-t{tenant}-{held.hex[:12]}"] = point
        jobs[point, of_digest] = tenant, phone, asked
    doomed = lab.stack.python(
        "doomed", "-m", "tests.faults.killed_messaging", "kill", str(tmp_path), json.dumps(plan),
        **FAST, DB_POOL_SIZE="60",
    )  # fmt: skip
    async with running(lab.stack, "ops"):
        doomed.start()
        for _, _, asked in jobs.values():
            await asyncio.gather(*map(mail.submitter.submit, asked))
        assert await asyncio.to_thread(doomed.wait, PATIENCE) == -signal.SIGKILL
        async with running(lab.stack, "messaging", **FAST):
            for point, (tenant, phone, asked) in jobs.items():
                for each in asked:
                    assert (await mail.ended(each.job_id, every=2)).state == "DONE", point
                    assert await mail.states(each.job_id) == [("DELIVERED", None)], point
                assert told(mail, phone) == sorted(NOTICES), point
                sent = [each for each in mail.simulator.ledger() if each["to"] == phone]
                spent = sum(SMS if each["type"] == "SMS" else LMS for each in sent)
                assert await mail.balance(tenant) == CREDIT - spent, point


async def ungathered(mail: Mail, tenant: int, digest: UUID) -> None:
    """A digest as it was before its time; notices have joined it, so its job is known."""
    async with mail.lab.engine.begin() as connection:
        await unpay(mail, tenant, digest)
        for table in (NotificationLog, MessageRecipient, MessageChunk, MessageGroup):
            await connection.execute(delete(table).where(table.job_id == digest))
        known = update(MessageJob).where(MessageJob.job_id == digest)
        await connection.execute(known.values(chunks=None, recipients=None, expires_at=None))


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["the digest", "the digest's commit", "a notice", "all"])
async def test_the_database_goes_back(workers: App, mail: Mail, lost: str) -> None:
    """From when the text had left and its report was waited for, to before that."""
    tenant, (phone,) = await mail.account(CREDIT, digest_minutes=10), phones(1, "40405")  # it reports late
    window = await Window.of(mail, tenant, [phone])
    jobs = [await mail.send(tenant, [phone], draft(text)) for text in NOTICES]
    await window.joined(*jobs)
    await mail.stage(tenant, window.digest, "waiting for reports")
    async with mail.lab.engine.begin() as connection:
        if lost == "the digest's commit":
            group = update(MessageGroup).where(MessageGroup.job_id == window.digest)
            await connection.execute(group.values(state="ADDED", sent_at=None, send_began_at=None))
        mine = MessageDigest.digest_id == window.digest
        if lost == "the digest":
            await connection.execute(update(MessageDigest).where(mine).values(carried_at=None))
        if lost == "a notice":
            mine = MessageDigest.job_id == jobs[0]
        if lost in ("a notice", "all"):
            await connection.execute(delete(MessageDigest).where(mine))
    if lost == "the digest":
        await ungathered(mail, tenant, window.digest)
    for job in {"a notice": jobs[:1], "all": [*jobs, window.digest]}.get(lost, []):
        await lose(mail, tenant, job, own_row=False)
    known, unsure = ("DELIVERED", None), ("UNCONFIRMED", "DIGEST_UNSURE")
    wanted = {"a notice": [unsure, known, known], "all": [unsure] * 3}.get(lost, [known] * 3)
    for job, end in zip(jobs, wanted, strict=True):
        assert (await mail.ended(job)).state == "DONE"
        assert await mail.states(job) == [end]
    assert (await mail.ended(window.digest)).state == "DONE"
    assert told(mail, phone) == sorted(NOTICES)
    assert await mail.balance(tenant) == CREDIT - LMS


@pytest.mark.slow
async def test_workers_of_the_release_before_send_nothing_twice(
    own_lab: Lab,
    last_release: Path,  # noqa: F811
) -> None:
    """They meet notices that have joined: they wait as for reports, and a cancel is kept. What they prepare
    themselves goes alone and at once."""
    lab, mail = own_lab, Mail(own_lab)
    old = fleet(lab.stack, "old", last_release)
    old.processes = {kind: each for kind, each in old.processes.items() if kind in ("messaging", "ops")}
    tenant, (phone, other) = await mail.account(CREDIT, digest_minutes=10), phones(2)
    async with running(lab.stack, "messaging", "ops", **FAST):
        window = await Window.of(mail, tenant, [phone], 30)
        jobs = [await mail.send(tenant, [phone], draft(text)) for text in NOTICES]
        await window.joined(*jobs)
        for job in jobs:
            await mail.stage(tenant, job, "scheduled")
    await asyncio.to_thread(old.start)
    try:
        alone = await mail.send(tenant, [other], draft(NOTICES[0]))
        assert (await mail.ended(alone)).state == "DONE"
        assert mail.sent(alone) == [other]
        assert await mail.cancel(tenant, jobs[1]) == "CANCELLED"
        await mail.stage(tenant, jobs[0], "waiting for reports")
        assert datetime.now(UTC) >= window.closes_at and told(mail, phone) == []
    finally:
        await asyncio.to_thread(old.stop)
    async with running(lab.stack, "messaging", "ops", **FAST):
        for job in (jobs[0], jobs[2]):
            assert (await mail.ended(job)).state == "DONE"
            assert await mail.states(job) == [("DELIVERED", None)]
        row = await mail.ended(jobs[1])
        assert (row.state, await mail.states(jobs[1])) == ("CANCELLED", [("CANCELLED", "SEND_CANCELLED")])
    assert told(mail, phone) == sorted((NOTICES[0], NOTICES[2]))
    assert await mail.balance(tenant) == CREDIT - LMS - mail_price(NOTICES[0])


def mail_price(text: str) -> int:
    return SMS if len(text.encode("cp949")) <= 90 else LMS
