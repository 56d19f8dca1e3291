"""What a second person must agree to is not committed before, whoever tries."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from activities.messaging.approving import ApprovalActivities
from activities.messaging.sending import SendActivities
from clients.database import approvals, messaging, messaging_groups
from clients.database.approvals import DecideAnswer
from clients.solapi import Solapi
from contracts.messaging import Approval, ApprovalState, ChunkRef, GroupRef, MessageJobRef, Stop, Verdict
from rules.messaging.groups import GroupState
from tests.messages import Mail, draft, phones, request

KIM, LEE = "staff kim", "staff lee"
APPROVED, REFUSED, WAITING = ApprovalState.APPROVED, ApprovalState.REFUSED, ApprovalState.WAITING


class Asked:
    """A job of kim's that waits, with a group that lacks nothing but the commit."""

    def __init__(self, mail: Mail, solapi: Solapi, now: Callable[[], datetime]) -> None:
        self._mail = mail
        self.sending = SendActivities(mail.lab.engine, mail.keys, solapi, now)
        self.approving = ApprovalActivities(mail.lab.engine, now)

    async def open(self, expires_at: datetime) -> None:
        self.tenant = await self._mail.account()
        asked = request(self.tenant, draft(), phones(1))
        await self._mail.submitter.accept([asked])
        self.job: UUID = asked.job_id
        self.ref = MessageJobRef(job_id=self.job, tenant_id=self.tenant)
        chunk = ChunkRef(**self.ref.model_dump(), chunk=0)
        self.group = GroupRef(**chunk.model_dump(), group_id=f"G{self.job.hex}")
        terms = {"expires_at": expires_at, "asked_by": KIM, "approval": WAITING}
        async with self._mail.lab.engine.begin() as connection:
            await messaging.lock_job(connection, self.job, self.tenant)
            await messaging.mark_prepared(connection, self.job, chunks=1, recipients=1, **terms)  # type: ignore[arg-type]
            await messaging_groups.replace_group(connection, chunk, self.group.group_id)
            for now, then in ((GroupState.OPEN, GroupState.ADDING), (GroupState.ADDING, GroupState.ADDED)):
                assert await messaging_groups.move(connection, self.group, now, then)

    async def decide(self, who: str, state: ApprovalState) -> DecideAnswer:
        async with self._mail.lab.engine.begin() as connection:
            return await approvals.decide(connection, self.job, self.tenant, who, state)

    async def stands(self) -> Approval:
        return await self.approving.approval(self.ref)


@pytest.fixture
async def asked(mail: Mail, solapi: Solapi) -> Asked:
    asked = Asked(mail, solapi, lambda: datetime.now(UTC))
    await asked.open(datetime.now(UTC) + timedelta(hours=1))
    return asked


async def test_who_asked_does_not_approve_and_nothing_is_committed_before(asked: Asked) -> None:
    """The gate holds a workflow that does not ask, too: one of the release before."""
    assert await asked.decide(KIM, APPROVED) is DecideAnswer.OWN
    assert await asked.decide(KIM, REFUSED) is DecideAnswer.OWN
    stands = await asked.stands()
    assert (stands.state, stands.stopped) == (WAITING, False) and stands.until
    held = await asked.sending.commit(asked.group)
    assert held.verdict is Verdict.CLOSED and held.until
    assert [await asked.decide(LEE, APPROVED) for _ in range(2)] == [DecideAnswer.DECIDED] * 2
    assert await asked.decide("staff park", APPROVED) is DecideAnswer.TOO_LATE
    assert await asked.decide(LEE, REFUSED) is DecideAnswer.TOO_LATE
    assert (await asked.stands()).state is APPROVED
    assert (await asked.sending.commit(asked.group)).verdict is Verdict.GO


async def test_what_is_refused_is_over(asked: Asked) -> None:
    assert await asked.decide(LEE, REFUSED) is DecideAnswer.DECIDED
    assert await asked.decide(LEE, APPROVED) is DecideAnswer.TOO_LATE
    assert (await asked.stands()).stopped
    assert (await asked.sending.commit(asked.group)).verdict is Verdict.STOP
    stop = Stop(**asked.ref.model_dump(), code="SEND_CANCELLED")
    assert (await asked.sending.stop(stop)).code == "NOT_APPROVED"


@pytest.mark.parametrize("how", ["cancelled", "expired"])
async def test_too_late_to_approve(mail: Mail, solapi: Solapi, how: str) -> None:
    asked, now = Asked(mail, solapi, lambda: datetime.now(UTC)), datetime.now(UTC)
    await asked.open(now - timedelta(seconds=1) if how == "expired" else now + timedelta(hours=1))
    if how == "cancelled":
        async with mail.lab.engine.begin() as connection:
            await messaging.request_cancel(connection, asked.job, asked.tenant)
    assert await asked.decide(LEE, APPROVED) is DecideAnswer.TOO_LATE
    assert (await asked.stands()).stopped
    assert (await asked.sending.commit(asked.group)).verdict is Verdict.STOP
