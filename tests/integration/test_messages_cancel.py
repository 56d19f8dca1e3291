"""A cancel, at every moment: what it proves, who gets the credit back, and what comes too late."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from activities.messaging.sending import SendActivities
from clients.database import messaging, messaging_groups
from clients.solapi import Solapi
from contracts.messaging import Draft, GroupRef, Verdict
from devstack.app import App
from intake.reconcile import Reconciler
from rules.messaging.groups import ADDED, ADDING, OPEN
from tests.lab import eventually
from tests.messages import Mail, draft, phones, request

CREDIT = 1_000_000
PEOPLE = 3
RESERVATION = 77


async def nothing_was_sent(mail: Mail, tenant: int, job: UUID, code: str = "SEND_CANCELLED") -> None:
    """The job is cancelled, everybody in it too, all credit is back, and no group can be sent any more."""
    row = await mail.ended(job)
    assert row.state == "CANCELLED"
    assert await mail.states(job) == [("CANCELLED", code)] * PEOPLE
    assert mail.sent(job) == []
    assert await mail.balance(tenant) == CREDIT
    assert {each.state for each in await mail.groups(tenant, job)} <= {"CANCELLED"}


async def held_at(mail: Mail, step: str, kind: str, what: Draft | None = None) -> tuple[int, UUID, int]:
    """A job that is held at a step by a fault: tenant, job, fault."""
    tenant = await mail.account(CREDIT)
    job_request = request(tenant, what or draft(), phones(PEOPLE))
    fault = mail.simulator.fault(step, kind, match=job_request.job_id.hex)
    await mail.submitter.submit(job_request)

    async def held() -> bool:
        return mail.simulator.fired(fault) > 0

    await eventually(held, what=f"held at {step}")
    return tenant, job_request.job_id, fault


@pytest.mark.parametrize(
    ("step", "kind"), [("create", "429"), ("add", "429"), ("add", "reset_after"), ("add", "503_before")]
)
@pytest.mark.parametrize("how", ["signal", "temporal"])
async def test_before_the_commit(workers: App, mail: Mail, step: str, kind: str, how: str) -> None:
    tenant, job, fault = await held_at(mail, step, kind)
    if how == "signal":
        assert await mail.cancel(tenant, job) == "CANCELLED"
    else:
        await mail.handle(tenant, job).cancel()
    mail.simulator.remove_fault(fault)
    await nothing_was_sent(mail, tenant, job, "SEND_CANCELLED" if how == "signal" else "CANCELLED")


async def test_while_it_is_scheduled(workers: App, mail: Mail) -> None:
    tenant = await mail.account(CREDIT)
    later = draft(send_at=datetime.now(UTC) + timedelta(days=1))
    job = await mail.send(tenant, phones(PEOPLE), later)
    await mail.stage(tenant, job, "scheduled")
    assert await mail.cancel(tenant, job) == "CANCELLED"
    await nothing_was_sent(mail, tenant, job)


async def test_before_it_is_prepared(workers: App, mail: Mail) -> None:
    tenant = await mail.account(CREDIT)
    job_request = request(tenant, draft(), phones(PEOPLE))
    (accepted,) = await mail.submitter.accept([job_request])
    async with mail.lab.engine.begin() as connection:
        assert await messaging.request_cancel(connection, job_request.job_id, tenant) == "CANCELLED"
    await mail.submitter.start(accepted)
    row = await mail.ended(job_request.job_id)
    assert (row.state, row.error_code) == ("CANCELLED", "SEND_CANCELLED")
    assert (mail.sent(job_request.job_id), await mail.states(job_request.job_id)) == ([], [])


@pytest.mark.parametrize("how", ["signal", "temporal"])
async def test_a_committed_group_is_taken_back(workers: App, mail: Mail, full_again: None, how: str) -> None:
    tenant, job = await mail.parked(PEOPLE)
    if how == "signal":
        assert await mail.cancel(tenant, job) == "UNKNOWN"
    else:
        await mail.handle(tenant, job).cancel()
    await nothing_was_sent(mail, tenant, job, "SEND_CANCELLED" if how == "signal" else "CANCELLED")
    assert [group["status"] for group in mail.simulator.groups(job.hex)] == ["DELETED"]


@pytest.mark.parametrize("when", ["before the commit", "parked", "without credit"])
async def test_what_it_announces_is_cancelled(workers: App, mail: Mail, full_again: None, when: str) -> None:
    what = draft(reservation_id=RESERVATION)
    fault = 0
    if when == "parked":
        tenant, job = await mail.parked(PEOPLE, what)
    elif when == "without credit":
        tenant = await mail.account(1)
        job = await mail.send(tenant, phones(PEOPLE), what)
        await mail.stage(tenant, job, "waiting for credit")
    else:
        tenant, job, fault = await held_at(mail, "add", "429", what)
    async with mail.lab.engine.begin() as connection:
        await messaging.cancel_reservation(connection, tenant, RESERVATION)
    if fault:
        mail.simulator.remove_fault(fault)
    else:
        await mail.handle(tenant, job).signal("credit")  # it looks now, and not in five minutes
    row = await mail.ended(job)
    assert row.state == "CANCELLED"
    assert await mail.states(job) == [("CANCELLED", "RESERVATION_CANCELLED")] * PEOPLE
    assert mail.sent(job) == []
    assert await mail.balance(tenant) == (1 if when == "without credit" else CREDIT)


async def test_another_tenants_reservation_of_that_number_is_another(workers: App, mail: Mail) -> None:
    stranger, tenant, wanted = await mail.account(), await mail.account(), phones(PEOPLE)
    async with mail.lab.engine.begin() as connection:
        await messaging.cancel_reservation(connection, stranger, RESERVATION)
    job = await mail.send(tenant, wanted, draft(reservation_id=RESERVATION))
    await mail.ended(job)
    await mail.delivered_once(job, tenant, wanted, PEOPLE * 20)


@pytest.mark.parametrize("how", ["signal", "temporal"])
async def test_after_sending_it_is_too_late(workers: App, mail: Mail, how: str) -> None:
    tenant, wanted = await mail.account(CREDIT), phones(PEOPLE, "40405")  # reports come late
    job = await mail.send(tenant, wanted)
    await mail.in_state(tenant, job, "SENT")
    if how == "signal":
        assert await mail.cancel(tenant, job) == "TOO_LATE"
    else:
        await mail.handle(tenant, job).cancel()
    assert (await mail.ended(job)).state == "DONE"
    await mail.delivered_once(job, tenant, wanted, PEOPLE * 20)


@pytest.mark.parametrize("reads", ["503_before", "stale"])
async def test_cancelled_while_nobody_knows_whether_it_is_sent(workers: App, mail: Mail, reads: str) -> None:
    """The answer to the send is lost, and what is read is an error or old. It was sent: that is what the job
    must say in the end."""
    tenant, wanted = await mail.account(CREDIT), phones(PEOPLE)
    job_request = request(tenant, draft(), wanted)
    lost = mail.simulator.fault("send", "reset_after", match=job_request.job_id.hex)
    blind = mail.simulator.fault("get", reads, match=job_request.job_id.hex, seconds=1.0)
    await mail.submitter.submit(job_request)

    async def sent() -> bool:
        return mail.simulator.fired(lost) > 0

    await eventually(sent)
    await mail.handle(tenant, job_request.job_id).cancel()

    async def asked() -> bool:
        return mail.simulator.fired(blind) > 1

    await eventually(asked)
    mail.simulator.clear_faults()
    assert (await mail.ended(job_request.job_id)).state == "DONE"
    await mail.delivered_once(job_request.job_id, tenant, wanted, PEOPLE * 20)


async def test_a_cancel_and_a_commit_at_once_agree(mail: Mail) -> None:
    """What the API tells at once ("nothing was sent, and nothing will be") holds for whoever commits."""
    solapi = Solapi(mail.lab.settings, no_turn)
    sending = SendActivities(mail.lab.engine, mail.keys, solapi, lambda: datetime.now(UTC))

    async def cancel(job: UUID, tenant: int) -> str:
        async with mail.lab.engine.begin() as connection:
            return await messaging.request_cancel(connection, job, tenant)

    seen = set()
    for number in range(20):
        tenant = await mail.account()
        job_request = request(tenant, draft(), phones(1))
        await mail.submitter.accept([job_request])
        group = GroupRef(job_id=job_request.job_id, tenant_id=tenant, chunk=0, group_id=f"G{tenant}")
        async with mail.lab.engine.begin() as connection:
            await messaging.lock_job(connection, job_request.job_id, tenant)
            await messaging.mark_prepared(connection, job_request.job_id, chunks=1, recipients=1)
            await messaging_groups.replace_group(connection, group, group.group_id)
            for old, new in ((OPEN, ADDING), (ADDING, ADDED)):
                await messaging_groups.move(connection, group, old, new)
        if number == 0:  # one after the other, whatever the races below do
            seen.add((await cancel(job_request.job_id, tenant), (await sending.commit(group)).verdict))
            continue
        decided, proven = await asyncio.gather(sending.commit(group), cancel(job_request.job_id, tenant))
        seen.add((proven, decided.verdict))
    assert ("CANCELLED", Verdict.STOP) in seen
    assert seen <= {("CANCELLED", Verdict.STOP), ("UNKNOWN", Verdict.GO)}
    await solapi.aclose()


async def no_turn() -> None:
    return None


NOW = timedelta(0)


def reconciler(mail: Mail) -> Reconciler:
    return Reconciler(mail.lab.engine, mail.lab.temporal, mail.submitter, mail.lab.endings())


async def terminated(mail: Mail, tenant: int, job: UUID) -> None:
    """The operator's last resort; the reconciler finds it."""
    await mail.handle(tenant, job).terminate("operator")
    await reconciler(mail).run_once(NOW)
    row = await mail.ended(job)
    assert (row.state, row.error_code) == ("FAILED", "TERMINATED")


@pytest.mark.parametrize(("step", "kind"), [("create", "429"), ("add", "429"), ("add", "reset_after")])
async def test_terminated_before_the_commit(workers: App, mail: Mail, step: str, kind: str) -> None:
    tenant, job, fault = await held_at(mail, step, kind)
    await terminated(mail, tenant, job)
    mail.simulator.remove_fault(fault)
    assert await mail.states(job) == [("CANCELLED", "TERMINATED")] * PEOPLE
    assert (await mail.balance(tenant), mail.sent(job)) == (CREDIT, [])
    assert await reconciler(mail).run_once(NOW) is not None  # twice does no harm
    assert await mail.balance(tenant) == CREDIT


async def test_terminated_before_it_is_prepared(workers: App, mail: Mail) -> None:
    """An activity that is still on its way afterwards writes nobody, and commits nothing."""
    tenant = await mail.account(CREDIT)
    job = await mail.send(tenant, phones(PEOPLE), draft(send_at=datetime.now(UTC) + timedelta(days=1)))
    await mail.stage(tenant, job, "scheduled")
    await terminated(mail, tenant, job)
    assert await mail.states(job) == [("CANCELLED", "TERMINATED")] * PEOPLE
