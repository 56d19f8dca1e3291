"""No advertising at night: a real messaging worker, on a Temporal that skips time, with its clock.

What waits is a timer of the workflow, so the nights pass in moments; the activities take the time from their
own task, which is the skipped one.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from temporalio import activity
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.common import SearchAttributeKey
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.host.heartbeat import Heartbeats
from activities.jobs import JobActivities
from activities.messaging.mail_servers import MailServers
from activities.messaging.preparing import PrepareActivities
from activities.messaging.reporting import ReportActivities
from activities.messaging.sending import SendActivities
from clients.codec import converter
from clients.progress import ProgressBoard, connect
from clients.solapi import Solapi, Throttled
from clients.temporal import SEARCH_ATTRIBUTES
from contracts.jobs import JobOutcome, JobRef
from contracts.messaging import MessagesInput
from devstack import programs
from devstack.stack import Stack
from intake.reconcile import Reconciler
from intake.tombstones import Tombstones
from rules.quiet_hours import KST
from tests.lab import Lab
from tests.mails import mailing
from tests.messages import Mail, draft, phones, request
from workflows.messaging import send as story
from workflows.messaging.send import SendMessages

pytestmark = pytest.mark.asyncio(loop_scope="module")

BALANCE = 10_000_000
ADVERTISER = {"advertiser": "가나다학원", "opt_out_number": "0801234567"}
Handle = WorkflowHandle[Any, JobOutcome]
Call = Callable[[], Awaitable[None]]


@dataclass
class Night:
    """Temporal's time, and when each job's group really left."""

    env: WorkflowEnvironment
    mail: Mail
    # By workflow. The server skips no time while an activity waits for its next try: a test adds that.
    later: dict[str, timedelta] = field(default_factory=dict)
    before_send: dict[str, Call] = field(default_factory=dict)
    left: dict[str, datetime] = field(default_factory=dict)

    def now(self) -> datetime:
        info = activity.info()
        return info.current_attempt_scheduled_time + self.later.get(info.workflow_id or "", timedelta(0))

    async def send(
        self,
        at: datetime,
        people: list[str],
        advertising: bool = True,
        before_send: Call | None = None,
        **account: Any,
    ) -> tuple[UUID, Handle]:
        tenant = await self.mail.account(**ADVERTISER, **account)
        job_request = request(tenant, draft("겨울 특강", advertising=advertising, send_at=at), people)
        await self.mail.submitter.accept([job_request])
        workflow_id = f"messages-t{tenant}-{job_request.job_id.hex[:12]}"
        if before_send:
            self.before_send[workflow_id] = before_send
        handle = await self.env.client.start_workflow(
            "messages",
            MessagesInput(job=JobRef(job_id=job_request.job_id, job_type="messages.send", tenant_id=tenant)),
            id=workflow_id,
            task_queue="messaging",
            result_type=JobOutcome,
        )
        return job_request.job_id, handle


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def night(stack: Stack) -> AsyncIterator[Night]:
    lab = await Lab.open(stack)
    mail = Mail(lab)
    env = await WorkflowEnvironment.start_time_skipping_v2(
        data_converter=converter(mail.keys),
        dev_server_existing_path=programs.script("temporal"),
        dev_server_extra_args=[
            "--dynamic-config-value",
            "frontend.WorkflowTimeSkippingEnabled=true",
            "--dynamic-config-value",
            "limit.historyCount.suggestContinueAsNew=80",
        ],
        dev_server_log_level="error",
        search_attributes=[SearchAttributeKey.for_keyword(name) for name in SEARCH_ATTRIBUTES],
    )
    night = Night(env, mail)

    class Watched(Solapi):
        async def send(self, group_id: str) -> None:
            workflow_id = activity.info().workflow_id or ""
            if before := night.before_send.get(workflow_id):
                await before()
            await super().send(group_id)
            night.left[workflow_id] = night.now()

    async def turn() -> None:
        return None

    solapi = Watched(lab.settings, turn)
    board = ProgressBoard(connect(lab.settings))
    preparing = PrepareActivities(
        engine=lab.engine,
        vault=mail.vault,
        keys=mail.keys,
        objects=lab.objects,
        solapi=solapi,
        mail_servers=MailServers(lab.engine, mail.keys, None, None),
        board=board,
        submitter=mail.submitter,
        default_pf_id=None,
        default_template_id=None,
    )
    sending = SendActivities(lab.engine, mail.keys, solapi, night.now)
    reporting = ReportActivities(
        engine=lab.engine,
        solapi=solapi,
        board=board,
        sending=sending,
        mailing=mailing(mail, solapi, night.now),
        now=night.now,
    )
    endings = lab.endings()
    reconciler = Reconciler(lab.engine, env.client, mail.submitter, endings)
    jobs = JobActivities(endings, reconciler, Tombstones(lab.engine, lab.objects))
    steps = [sending.reserve, sending.open_group, sending.add, sending.commit, sending.send, sending.stop]
    reads = [preparing.prepare, reporting.poll, reporting.count, reporting.expire]
    async with (
        env,
        Worker(
            env.client,
            task_queue="messaging",
            workflows=[SendMessages],
            activities=[*steps, *reads],
            interceptors=[Heartbeats(env.client, 1)],
            workflow_runner=UnsandboxedWorkflowRunner(),
        ),
        Worker(env.client, task_queue="ops", activities=[jobs.finish]),
    ):
        yield night
    await solapi.aclose()
    await lab.close()


# Told once: midnight may pass between the collection of these tests and their run, or inside one.
FIRST = datetime.now(KST).date() + timedelta(days=1)


def at(hour: int, minute: int = 0, days: int = 1) -> datetime:
    """A time in Korea, in two days or later: it is still to come when the test is."""
    return datetime.combine(FIRST + timedelta(days=days), time(hour, minute), KST).astimezone(UTC)


@pytest.mark.parametrize(
    ("asked", "leaves"),
    [
        pytest.param(at(20), at(20), marks=pytest.mark.slow),
        (at(20, 48), at(20, 48)),
        (at(20, 50), at(8, days=2)),  # ten minutes are left for the provider and the carriers
        pytest.param(at(20, 59), at(8, days=2), marks=pytest.mark.slow),
        (at(21), at(8, days=2)),
        pytest.param(at(23, 59), at(8, days=2), marks=pytest.mark.slow),
        pytest.param(at(0, 1), at(8), marks=pytest.mark.slow),
        (at(7, 59), at(8)),
        (at(8), at(8)),
    ],
    ids=lambda moment: f"{(moment.astimezone(KST).date() - FIRST).days}-{moment.astimezone(KST):%H:%M}",
)
async def test_advertising_leaves_by_day(night: Night, asked: datetime, leaves: datetime) -> None:
    people = phones(2)
    job, handle = await night.send(asked, people)
    assert (await handle.result()).state == "DONE"
    assert timedelta(0) <= night.left[handle.id] - leaves < timedelta(minutes=1)
    assert night.mail.sent(job) == people


@pytest.mark.parametrize(("advertising", "consent"), [(False, False), (True, True)])
async def test_what_may_leave_at_night(night: Night, advertising: bool, consent: bool) -> None:
    job, handle = await night.send(at(22), phones(2), advertising, night_advertising=consent)
    assert (await handle.result()).state == "DONE"
    assert night.left[handle.id] - at(22) < timedelta(minutes=1)
    assert len(night.mail.sent(job)) == 2


async def left_in_the_morning(night: Night, job: UUID, handle: Handle, people: list[str]) -> None:
    assert (await handle.result()).state == "DONE"
    assert night.left[handle.id].astimezone(KST).strftime("%H:%M") in ("08:00", "08:02")
    assert night.mail.sent(job) == people
    assert len(night.mail.simulator.groups(job.hex)) == 1, "the group that was filled in the evening"


@pytest.mark.parametrize("step", ["add", "send"])
async def test_a_retry_is_too_late(night: Night, step: str) -> None:
    """The first try is in time, the provider says 429, and the next try is two minutes later."""
    people = phones(2)
    tries: list[str] = []

    async def throttled() -> None:
        tries.append("send")
        if len(tries) == 1:
            night.later[handle.id] = timedelta(minutes=2)
            raise Throttled(retry_after=1)

    job, handle = await night.send(at(20, 49), people, before_send=throttled if step == "send" else None)
    if step != "send":  # everything before is slow
        night.later[handle.id] = timedelta(minutes=2)
    await left_in_the_morning(night, job, handle, people)
    assert len(tries) == (2 if step == "send" else 0)


async def test_parked_without_balance_over_the_closing_time(night: Night) -> None:
    """Refused for want of balance at 20:49; by the next look, five minutes later, there is balance again."""
    people, simulator = phones(2), night.mail.simulator
    tries: list[datetime] = []

    async def empty_at_first() -> None:
        tries.append(night.now())
        simulator.settings(balance=0 if len(tries) == 1 else BALANCE)

    job, handle = await night.send(at(20, 49), people, before_send=empty_at_first)
    try:
        await left_in_the_morning(night, job, handle, people)
    finally:
        simulator.settings(balance=BALANCE)
    assert [moment.astimezone(KST).strftime("%H:%M") for moment in tries] == ["20:49", "08:00"]


async def test_advertising_never_falls_back_at_night(night: Night) -> None:
    """There is no advertising by Alimtalk, so there is none that KakaoTalk's refusal turns into an SMS."""
    tenant = await night.mail.account(**ADVERTISER)
    what = draft("특강", advertising=True, mode="both", template_id="TP01ARRIVAL", send_at=at(20, 49))
    job_request = request(tenant, what, phones(1, "40402"))
    await night.mail.submitter.accept([job_request])
    handle = await night.env.client.start_workflow(
        "messages",
        MessagesInput(job=JobRef(job_id=job_request.job_id, job_type="messages.send", tenant_id=tenant)),
        id=f"messages-t{tenant}-{job_request.job_id.hex[:12]}",
        task_queue="messaging",
        result_type=JobOutcome,
    )
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    row = await night.mail.ended(job_request.job_id)
    assert row.error_code in ("CHANNEL_NOT_CONFIGURED", "ADVERTISING_BY_ALIMTALK")
    assert night.mail.simulator.groups(job_request.job_id.hex) == []


@pytest.mark.slow
async def test_without_a_report_it_stays_unconfirmed_after_days(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through several runs: a long history is continued as new."""
    for limit in ("FIRST_POLL", "POLL_AT_MOST"):
        monkeypatch.setattr(story, limit, timedelta(hours=8))
    people = [*phones(2, "40404"), *phones(1)]
    job, handle = await night.send(at(12), people, advertising=False)
    outcome = await handle.result()
    assert (outcome.state, outcome.result["unconfirmed"], outcome.result["delivered"]) == ("DONE", 2, 1)
    assert await night.mail.states(job) == [("UNCONFIRMED", None)] * 2 + [("DELIVERED", None)]
    last = night.env.client.get_workflow_handle(handle.id)
    assert last.run_id != handle.result_run_id
    times = [event.event_time.ToDatetime(UTC) for event in (await last.fetch_history()).events]
    assert timedelta(days=3) < times[-1] - night.left[handle.id] < timedelta(days=3, hours=9)
    assert await night.mail.entries(job) == [(n, "RESERVE", -20) for n in range(3)]
