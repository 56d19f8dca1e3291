"""The messages workflow alone: what follows which answer. Activities only note what they were asked."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner

from contracts.jobs import JobOutcome, JobRef, JobState
from contracts.messaging import (
    Added,
    Approval,
    ApprovalState,
    Counts,
    Decided,
    MessagesInput,
    Opened,
    Prepared,
    Reserved,
    Stopped,
    Told,
    Verdict,
)
from tests.workflows.world import Gate, Handle, World, begun, ended, start, worker, written
from workflows.messaging import send

pytestmark = pytest.mark.asyncio(loop_scope="package")

SENDS = ["messages.reserve", "messages.open_group", "messages.add", "messages.commit", "messages.send"]
REPORTS = ["messages.count", "messages.poll", "jobs.finish"]


async def story(env: WorkflowEnvironment, queue: str = "messaging") -> Handle:
    job = JobRef(job_id=uuid4(), job_type="messages.send", tenant_id=7)
    return await start(env, "messages", MessagesInput(job=job), queue)


def in_turn(*answers: Any) -> Callable[[Any], Any]:
    """Each answer once, the last one for ever. An exception is raised."""
    left: Iterator[Any] = iter(answers)
    now: list[Any] = []

    def answer(_what: Any) -> Any:
        now[:] = [next(left, *now[-1:])]
        if isinstance(now[0], Exception):
            raise now[0]
        return now[0]

    return answer


def decided(verdict: Verdict) -> Decided:
    return Decided(verdict=verdict)


async def test_from_the_wish_to_the_reports(env: WorkflowEnvironment, world: World) -> None:
    outcome = await ended(await story(env))
    assert isinstance(outcome, JobOutcome)
    assert (outcome.state, outcome.result["delivered"]) == (JobState.DONE, 2)
    assert world.names() == ["messages.prepare", *SENDS, *REPORTS]


@pytest.mark.parametrize("begun_by", ["this release", "the release before"])
async def test_steps_of_e_mails_are_of_their_own_queue(
    env: WorkflowEnvironment, world: World, begun_by: str
) -> None:
    """A worker of the release before would refuse them, or give them to the provider of texts. It may have
    started one that another has accepted, on the queue of texts."""
    queue = "mail" if begun_by == "this release" else "messaging"
    world.answers["messages.prepare"] = in_turn(Prepared(chunks=1, recipients=2, by_mail=True))
    assert isinstance(await ended(await story(env, queue)), JobOutcome)
    assert world.names() == ["messages.prepare", *SENDS, *REPORTS]
    assert world.queues == [queue, *["mail"] * 7, "ops"]


async def test_what_has_joined_a_digest_waits_for_its_end(env: WorkflowEnvironment, world: World) -> None:
    """By the steps that the release before takes, too: it sends nothing itself, and reads how it ended."""
    closes_at = datetime.now(UTC) + timedelta(seconds=1)
    world.answers["messages.prepare"] = in_turn(Prepared(chunks=0, recipients=2, send_at=closes_at))
    handle = await story(env)
    assert isinstance(await ended(handle), JobOutcome)
    assert world.names() == ["messages.prepare", *REPORTS]
    history = await handle.fetch_history()
    asked = [each for each in history.events if each.HasField("activity_task_scheduled_event_attributes")]
    assert asked[1].event_time.ToDatetime(UTC) >= closes_at


async def test_a_digest_is_sent_when_nothing_more_joins(env: WorkflowEnvironment, world: World) -> None:
    closes_at = datetime.now(UTC) + timedelta(seconds=1)
    prepared: list[datetime] = []

    def prepare(_: Any) -> Prepared:
        prepared.append(datetime.now(UTC))
        return Prepared(chunks=1, recipients=2)

    world.answers["messages.prepare"] = prepare
    job = JobRef(job_id=uuid4(), job_type="messages.digest", tenant_id=7)
    handle = await start(env, "messages.digest", MessagesInput(job=job, closes_at=closes_at), "digest")
    assert isinstance(await ended(handle), JobOutcome)
    assert prepared[0] >= closes_at
    assert world.names() == ["messages.prepare", *SENDS, *REPORTS]
    assert world.queues == [*["digest"] * 8, "ops"]


async def test_a_digest_is_cancelled_before_its_time(env: WorkflowEnvironment, world: World) -> None:
    closes_at = datetime.now(UTC) + timedelta(hours=1)
    world.answers["messages.stop"] = in_turn(Stopped(sent=0, code="SEND_CANCELLED", tells=True))
    job = JobRef(job_id=uuid4(), job_type="messages.digest", tenant_id=7)
    handle = await start(env, "messages.digest", MessagesInput(job=job, closes_at=closes_at), "digest")
    await handle.signal("cancel")
    assert await ended(handle) == "SEND_CANCELLED"
    assert world.names() == ["messages.stop", "jobs.finish"]


async def test_three_groups_one_after_the_other(env: WorkflowEnvironment, world: World) -> None:
    world.answers["messages.prepare"] = in_turn(Prepared(chunks=3, recipients=25_000))
    world.answers["messages.reserve"] = in_turn(
        Reserved(enough=True, sendable=9),
        Reserved(enough=True, sendable=0),
        Reserved(enough=True, sendable=9),
    )
    assert isinstance(await ended(await story(env)), JobOutcome)
    assert [ref.chunk for ref in world.asked("messages.reserve")] == [0, 1, 2]
    assert [ref.chunk for ref in world.asked("messages.send")] == [0, 2]  # nobody is left in the second


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("messages.add", ApplicationError("x", type="AmbiguousAdd", non_retryable=True)),
        ("messages.add", Added(fenced=True)),
        ("messages.commit", decided(Verdict.FENCED)),
        ("messages.send", decided(Verdict.DEAD)),
    ],
    ids=["ambiguous", "fenced", "fenced at the commit", "given up by the provider"],
)
async def test_what_cannot_be_sent_is_built_anew(
    env: WorkflowEnvironment, world: World, name: str, answer: Any
) -> None:
    world.answers["messages.open_group"] = in_turn(Opened(group_id="G1"), Opened(group_id="G2"))
    world.answers[name] = in_turn(
        answer, *([decided(Verdict.GO)] if name != "messages.add" else [Added(accepted=2)])
    )
    assert isinstance(await ended(await story(env)), JobOutcome)
    assert world.names().count("messages.open_group") == 2
    assert world.asked("messages.send")[-1].group_id == "G2"


async def test_answers_that_nobody_understands_end_a_job(env: WorkflowEnvironment, world: World) -> None:
    """Before, it built groups for ever. A lost answer between them is another matter."""
    odd = ApplicationError("x", "not understood", type="AmbiguousAdd", non_retryable=True)
    lost = ApplicationError("x", type="AmbiguousAdd", non_retryable=True)
    world.answers["messages.add"] = in_turn(odd, odd, odd, lost, odd)
    assert await ended(await story(env)) == "PROVIDER_NOT_UNDERSTOOD"
    assert world.names().count("messages.open_group") == 8
    assert [stop.code for stop in world.asked("messages.stop")] == ["PROVIDER_NOT_UNDERSTOOD"]
    assert {"messages.commit", "messages.send"}.isdisjoint(world.names())


async def test_a_provider_that_gives_up_every_group_is_not_hurried(
    env: WorkflowEnvironment, world: World
) -> None:
    opened: list[datetime] = []

    def open_group(_: Any) -> Opened:
        opened.append(activity.info().scheduled_time)
        return Opened(group_id=f"G{len(opened)}")

    world.answers["messages.open_group"] = open_group
    dead = decided(Verdict.DEAD)
    world.answers["messages.send"] = in_turn(dead, dead, dead, decided(Verdict.GO))
    assert isinstance(await ended(await story(env)), JobOutcome)
    pauses = [(later - earlier).total_seconds() for earlier, later in pairwise(opened)]
    assert all(pause >= least for pause, least in zip(pauses, (5, 10, 20), strict=True))


async def test_a_committed_group_is_sent_and_not_filled(env: WorkflowEnvironment, world: World) -> None:
    world.answers["messages.open_group"] = in_turn(Opened(group_id="G0", committed=True))
    assert isinstance(await ended(await story(env)), JobOutcome)
    assert {"messages.add", "messages.commit"}.isdisjoint(world.names())
    assert [group.group_id for group in world.asked("messages.send")] == ["G0"]


async def test_the_provider_refuses_everybody(env: WorkflowEnvironment, world: World) -> None:
    world.answers["messages.add"] = in_turn(Added(accepted=0))
    world.answers["messages.count"] = in_turn(Counts(total=2, refused=2, code="1061"))
    assert await ended(await story(env)) == "NOT_DELIVERED"
    assert {"messages.commit", "messages.send"}.isdisjoint(world.names())


@pytest.mark.parametrize(
    ("counts", "end"),
    [
        (Counts(total=2, delivered=1, failed=1), "DONE"),
        (Counts(total=2, unconfirmed=2), "DONE"),
        (Counts(total=2, failed=1, suppressed=1), "NOT_DELIVERED"),
        (Counts(total=2, suppressed=2), "NOTHING_TO_SEND"),
        (Counts(total=2, suppressed=2, code="OPTED_OUT"), "OPTED_OUT"),
        (Counts(total=1, suppressed=1, code="DUPLICATE_MESSAGE"), "DUPLICATE_MESSAGE"),
        (Counts(total=1, suppressed=1, code="DAILY_CAP"), "DAILY_CAP"),
        (Counts(total=2, cancelled=2, code="SEND_CANCELLED"), "SEND_CANCELLED"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_how_a_job_ends(env: WorkflowEnvironment, world: World, counts: Counts, end: str) -> None:
    world.answers["messages.count"] = in_turn(counts)
    outcome = await ended(await story(env))
    assert (outcome if isinstance(outcome, str) else outcome.state) == end
    assert written(world)[0].result["total"] == counts.total


async def test_nothing_is_done_before_somebody_agrees(env: WorkflowEnvironment, world: World) -> None:
    """Told at once, looked at with growing pauses, and once again after a word of it."""
    waiting = Approval(state=ApprovalState.WAITING)
    world.answers["messages.prepare"] = in_turn(Prepared(chunks=1, recipients=2, needs_approval=True))
    world.answers["messages.approval"] = in_turn(waiting, waiting, Approval(state=ApprovalState.APPROVED))
    assert isinstance(await ended(await story(env)), JobOutcome)
    assert world.names() == ["messages.prepare", *["messages.approval"] * 3, *SENDS, *REPORTS]


@pytest.mark.slow
async def test_what_nobody_agreed_to_in_time_is_not_sent(env: WorkflowEnvironment, world: World) -> None:
    """It looks when its time is over, and not an hour later."""
    late = Approval(state=ApprovalState.WAITING, stopped=True)
    asked: list[datetime] = []

    def answer(_what: Any) -> Approval:
        asked.append(activity.info().scheduled_time)
        until = asked[0] + timedelta(hours=3, minutes=7)
        return Approval(state=ApprovalState.WAITING, until=until) if asked[-1] < until else late

    world.answers["messages.prepare"] = in_turn(Prepared(chunks=1, recipients=2, needs_approval=True))
    world.answers["messages.approval"] = answer
    assert await ended(await story(env)) == "SEND_CANCELLED"
    assert asked[-1] - asked[0] < timedelta(hours=3, minutes=8) and len(asked) < 25
    left = [asked[0] + timedelta(hours=3, minutes=7) - each for each in asked]
    for before, after in pairwise(left[:-1]):
        # Who agrees and whose word is lost has agreed in time.
        assert after >= before * 0.4 or after < timedelta(seconds=5)
    assert set(world.names()) == {"messages.prepare", "messages.approval", "messages.stop", "jobs.finish"}


@pytest.mark.parametrize(
    ("name", "answer", "code"),
    [
        ("messages.reserve", Reserved(enough=False, stopped=True), "SEND_CANCELLED"),
        ("messages.commit", decided(Verdict.STOP), "SEND_CANCELLED"),
        ("messages.send", decided(Verdict.STOP), "SEND_CANCELLED"),
        ("messages.send", ApplicationError("x", type="KeyError", non_retryable=True), "INTERNAL"),
    ],
)
async def test_what_stops_a_job(
    env: WorkflowEnvironment, world: World, name: str, answer: Any, code: str
) -> None:
    world.answers[name] = in_turn(answer)
    assert await ended(await story(env)) == code
    (stop,) = world.asked("messages.stop")
    assert stop.code == code


async def test_the_reason_that_was_found_is_the_jobs(env: WorkflowEnvironment, world: World) -> None:
    world.answers["messages.commit"] = in_turn(decided(Verdict.STOP))
    world.answers["messages.stop"] = in_turn(Stopped(sent=0, code="RESERVATION_CANCELLED"))
    assert await ended(await story(env)) == "RESERVATION_CANCELLED"


async def test_stopped_too_late_tells_what_was_sent(env: WorkflowEnvironment, world: World) -> None:
    world.answers["messages.commit"] = in_turn(decided(Verdict.STOP))
    world.answers["messages.stop"] = in_turn(Stopped(sent=1, code="SEND_CANCELLED"))
    outcome = await ended(await story(env))
    assert isinstance(outcome, JobOutcome) and outcome.state is JobState.DONE
    assert "messages.poll" in world.names()


async def test_a_cancel_while_a_step_fails_over_and_over(env: WorkflowEnvironment, world: World) -> None:
    world.answers["messages.open_group"] = in_turn(ApplicationError("x", type="ProviderUnavailable"))
    handle = await story(env)
    await begun(world, "messages.open_group")
    await handle.cancel()
    assert await ended(handle) == "Cancelled"
    assert [stop.code for stop in world.asked("messages.stop")] == ["CANCELLED"]


async def test_a_hint_is_looked_at_soon(
    env: WorkflowEnvironment, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the next look would come in a month, and the job would expire."""
    monkeypatch.setattr(send, "FIRST_POLL", timedelta(days=30))
    counting = Gate(lambda _what: Counts(total=2, open=2))
    world.answers["messages.count"] = counting
    async with worker(env.client, "impatient", world, workflow_runner=UnsandboxedWorkflowRunner()):
        job = JobRef(job_id=uuid4(), job_type="messages.send", tenant_id=7)
        handle = await start(env, "messages", MessagesInput(job=job), "impatient")
        await begun(world, "messages.count")
        await handle.signal("report")
        counting.open.set()
        assert isinstance(await ended(handle), JobOutcome)
    assert world.names()[-2:] == ["messages.poll", "jobs.finish"]


async def test_nobody_ever_reports(
    env: WorkflowEnvironment, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real limit is three days: `tests/integration/test_messages_night.py` waits for it."""
    for limit in ("FIRST_POLL", "POLL_AT_MOST"):
        monkeypatch.setattr(send, limit, timedelta(days=1))
    world.answers["messages.poll"] = in_turn(Counts(total=2, open=1, delivered=1))
    async with worker(env.client, "impatient", world, workflow_runner=UnsandboxedWorkflowRunner()):
        job = JobRef(job_id=uuid4(), job_type="messages.send", tenant_id=7)
        handle = await start(env, "messages", MessagesInput(job=job), "impatient")
        outcome = await ended(handle)
    assert isinstance(outcome, JobOutcome) and outcome.result["unconfirmed"] == 1
    assert world.names()[-2:] == ["messages.expire", "jobs.finish"]
    assert world.names().count("messages.expire") == 1


@pytest.mark.parametrize("deaf", [False, True])
async def test_the_tenants_system_is_told_part_by_part_once_the_job_has_ended(
    env: WorkflowEnvironment, world: World, deaf: bool
) -> None:
    """And the job has ended as it has, whoever listens."""
    nobody = ApplicationError("x", type="NotDelivered", non_retryable=True)
    world.answers["messages.prepare"] = in_turn(Prepared(chunks=1, recipients=2, tells=True))
    world.answers["messages.tell"] = in_turn(Told(next=499), nobody if deaf else Told())
    assert isinstance(await ended(await story(env)), JobOutcome)
    told = world.asked("messages.tell")
    assert [(each.part, each.after, each.outcome.state) for each in told] == [
        (1, -1, "DONE"),
        (2, 499, "DONE"),
    ]
    assert world.names().index("jobs.finish") < world.names().index("messages.tell")


async def test_a_refused_job_is_told_too_and_others_are_not(env: WorkflowEnvironment, world: World) -> None:
    refused = JobOutcome(state=JobState.REJECTED_BAD_INPUT, error_code="PHONE_NOT_MOBILE")
    world.answers["messages.prepare"] = in_turn(
        Prepared(refusal=refused, tells=True), Prepared(refusal=refused)
    )
    world.answers["jobs.finish"] = in_turn(refused)
    for _ in range(2):
        assert await ended(await story(env)) == "PHONE_NOT_MOBILE"
    (told,) = world.asked("messages.tell")
    assert told.outcome == refused


async def test_a_job_that_ended_before_it_was_prepared_is_told_too(
    env: WorkflowEnvironment, world: World
) -> None:
    """Whether it is to be told is in the answer of who stops it."""
    broken = ApplicationError("x", type="INTERNAL", non_retryable=True)
    world.answers["messages.prepare"] = in_turn(broken, broken)
    wanted = Stopped(sent=0, code="INTERNAL", tells=True)
    world.answers["messages.stop"] = in_turn(wanted, Stopped(sent=0, code="INTERNAL"))
    failed = JobOutcome(state=JobState.FAILED, error_code="INTERNAL")
    world.answers["jobs.finish"] = in_turn(failed, failed)
    for _ in range(2):
        assert await ended(await story(env)) == "INTERNAL"
    (told,) = world.asked("messages.tell")
    assert (told.part, told.outcome) == (1, failed)
