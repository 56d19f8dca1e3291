"""How many instances: out at once, in when it was quiet for long, and never away from what works."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.enums.v1 import WorkerStatus
from temporalio.api.worker.v1 import WorkerHeartbeat, WorkerHostInfo, WorkerSlotsInfo

from clients.fleet import count
from rules.scaling import Decision, Policy, Reading, decide

POLICY = Policy(slots=2, task_seconds=100, target_seconds=600, quiet_ticks=3, most=20)


def reading(desired: int = 1, **values: int) -> Reading:
    there = {"backlog": 0, "used": 0, "in_service": desired, "busy": 0, "heard": desired}
    return Reading(desired=desired, **there | values)


@pytest.mark.parametrize(
    ("backlog", "used", "desired"),
    [
        (0, 0, 1),  # never none
        (0, 2, 1),
        (0, 3, 2),
        (12, 0, 1),  # 1,200 s of work are 600 s for an instance of two slots
        (13, 0, 2),
        (12, 2, 2),
        (10_000, 0, 20),
        (0, 10_000, 20),
    ],
)
def test_work_that_waits_and_work_that_runs(backlog: int, used: int, desired: int) -> None:
    assert decide(reading(backlog=backlog, used=used), POLICY, 0, 1).desired == desired


def test_out_at_once_and_in_after_quiet_readings() -> None:
    assert decide(reading(backlog=100), POLICY, 2, 1) == Decision(desired=9, quiet=0)
    quiet, sizes = 0, []
    for _ in range(4):
        decision = decide(reading(9), POLICY, quiet, 9)
        quiet = decision.quiet
        sizes.append(decision.desired)
    assert sizes == [9, 9, 1, 1]
    assert decide(reading(9, backlog=100), POLICY, 2, 9).quiet == 0, "one loud reading begins anew"


def test_nothing_read_changes_nothing() -> None:
    assert decide(None, POLICY, 2, 9) == Decision(desired=9, quiet=2)


def test_in_not_below_what_works_or_may_work() -> None:
    """Five tasks, one on each of five instances: three would do, and two of them would have to end."""
    assert decide(reading(9, used=5, busy=5), POLICY, 9, 9).desired == 5
    # Two of nine instances say nothing: they start, or their workers are cut off and go on.
    assert decide(reading(9, used=5, busy=5, heard=7), POLICY, 9, 9).desired == 7
    assert decide(reading(9, heard=0), POLICY, 9, 9).desired == 9


@given(
    backlog=st.integers(0, 10**6),
    used=st.integers(0, 10**4),
    desired=st.integers(0, 200),
    in_service=st.integers(0, 200),
    heard=st.integers(0, 200),
    busy=st.integers(0, 200),
    quiet=st.integers(0, 50),
    least=st.integers(1, 5),
    more=st.integers(0, 50),
)
def test_it_stays_between_and_never_takes_a_busy_one(
    backlog: int,
    used: int,
    desired: int,
    in_service: int,
    heard: int,
    busy: int,
    quiet: int,
    least: int,
    more: int,
) -> None:
    policy = Policy(slots=2, task_seconds=100, target_seconds=600, least=least, most=least + more)
    seen = Reading(backlog=backlog, used=used, desired=desired, in_service=in_service, busy=busy, heard=heard)
    decision = decide(seen, policy, quiet, desired)
    assert least <= decision.desired <= policy.most
    if decision.desired < min(desired, policy.most):
        assert decision.desired >= min(busy, policy.most, desired)
        assert quiet + 1 >= policy.quiet_ticks


@pytest.mark.parametrize(
    "wrong", [{"least": 0}, {"slots": 0}, {"most": 0}, {"task_seconds": 0}, {"target_seconds": float("nan")}]
)
def test_a_policy_without_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"slots|task_seconds"):
        Policy(**{"slots": 2, "task_seconds": 100, "target_seconds": 600} | wrong)  # type: ignore[arg-type]


def heard(host: str, used: int, age: float = 5, stopped: bool = False) -> WorkerHeartbeat:
    status = WorkerStatus.WORKER_STATUS_SHUTTING_DOWN if stopped else WorkerStatus.WORKER_STATUS_RUNNING
    worker = WorkerHeartbeat(
        host_info=WorkerHostInfo(host_name=host),
        status=status,
        activity_task_slots_info=WorkerSlotsInfo(current_used_slots=used, current_available_slots=2 - used),
    )
    worker.heartbeat_time.FromDatetime(datetime.now(UTC) - timedelta(seconds=age))
    return worker


def test_who_stopped_or_died_is_a_ghost() -> None:
    workers = [
        heard("a", 2),
        heard("a", 0),
        heard("b", 0),
        heard("dead", 2, age=200),
        heard("stopped", 0, stopped=True),
        heard("draining", 1, stopped=True),
    ]
    found = count(workers, datetime.now(UTC), timedelta(seconds=60))
    assert (found.used, found.heard, found.busy) == (3, {"a", "b", "draining"}, {"a", "draining"})
