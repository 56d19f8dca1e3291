"""A committed group that the provider does not know any more: perhaps sent, and never sent again."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update
from temporalio.exceptions import ApplicationError

from activities.messaging.sending import LOST_AFTER, SendActivities
from clients.database.messaging_models import MessageGroup
from clients.solapi import Solapi
from contracts.messaging import GroupRef, Stop, Verdict
from devstack.app import App
from tests.integration.test_messages_reports import BALANCE
from tests.lab import fresh_id
from tests.messages import Mail, phones

PEOPLE = 2


class Clock:
    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sending(mail: Mail, solapi: Solapi, clock: Clock) -> SendActivities:
    return SendActivities(mail.lab.engine, mail.keys, solapi, clock)


@pytest.fixture
async def lost(workers: App, mail: Mail) -> GroupRef:
    """The provider was asked to send it, answered that there is no balance, and forgot it."""
    tenant = await mail.account()
    mail.simulator.settings(balance=0)
    try:
        job = await mail.send(tenant, phones(PEOPLE))
        await mail.stage(tenant, job, "waiting for the provider's balance")
        await mail.handle(tenant, job).terminate("test")
    finally:
        mail.simulator.settings(balance=BALANCE)
    ref = GroupRef(job_id=job, tenant_id=tenant, chunk=0, group_id=f"G4VLOST{fresh_id()}")
    await plant(mail, ref, group_id=ref.group_id)
    return ref


async def plant(mail: Mail, ref: GroupRef, **values: Any) -> None:
    async with mail.lab.engine.begin() as connection:
        group = update(MessageGroup).where(MessageGroup.job_id == ref.job_id)
        await connection.execute(group.values(**values))


def stop(ref: GroupRef) -> Stop:
    return Stop(job_id=ref.job_id, tenant_id=ref.tenant_id, code="SEND_CANCELLED")


async def test_it_is_asked_for_again_and_then_given_up(
    mail: Mail, lost: GroupRef, sending: SendActivities, clock: Clock
) -> None:
    with pytest.raises(ApplicationError) as error:
        await sending.send(lost)
    assert (error.value.type, error.value.non_retryable) == ("ProviderRefuses", False)
    assert await mail.states(lost.job_id) == [("PENDING", None)] * PEOPLE
    clock.ahead = LOST_AFTER
    for _ in range(2):
        assert (await sending.send(lost)).verdict is Verdict.GO
        assert await mail.states(lost.job_id) == [("UNCONFIRMED", "GROUP_LOST")] * PEOPLE
        assert await mail.balance(lost.tenant_id) == 1_000_000 - PEOPLE * 20
    assert (mail.sent(lost.job_id), await mail.texts(lost.job_id)) == ([], [None])


async def test_a_cancel_does_not_say_that_nothing_was_sent(
    mail: Mail, lost: GroupRef, sending: SendActivities, clock: Clock
) -> None:
    with pytest.raises(ApplicationError):
        await sending.stop(stop(lost))
    assert await mail.states(lost.job_id) == [("PENDING", None)] * PEOPLE
    clock.ahead = LOST_AFTER
    assert (await sending.stop(stop(lost))).sent == 1
    assert await mail.states(lost.job_id) == [("UNCONFIRMED", "GROUP_LOST")] * PEOPLE


async def test_one_that_nobody_asked_to_send_was_not_sent(
    mail: Mail, lost: GroupRef, sending: SendActivities
) -> None:
    await plant(mail, lost, send_began_at=None)
    assert (await sending.stop(stop(lost))).sent == 0
    assert await mail.states(lost.job_id) == [("CANCELLED", "SEND_CANCELLED")] * PEOPLE
    assert (mail.sent(lost.job_id), await mail.balance(lost.tenant_id)) == ([], 1_000_000)
