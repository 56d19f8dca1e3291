"""When a schedule is taken for one that stands still."""

from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import (
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionResult,
    ScheduleInfo,
)

from workers.schedules import LATE, is_late

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RUN = ScheduleActionExecutionStartWorkflow("reconcile", "1")


def info(last: datetime | None, interval: timedelta = MINUTE, running: bool = False) -> ScheduleInfo:
    """Made three days ago; its next times are counted from the last one or, after an outage, from now."""
    return ScheduleInfo(
        num_actions=1,
        num_actions_missed_catchup_window=0,
        num_actions_skipped_overlap=0,
        running_actions=[RUN] if running else [],
        recent_actions=[ScheduleActionResult(last, last, RUN)] if last else [],
        next_action_times=[NOW + interval, NOW + 2 * interval],
        created_at=NOW - timedelta(days=3),
        last_updated_at=None,
    )


@pytest.mark.parametrize(
    ("found", "late"),
    [
        (info(NOW - 5 * MINUTE), False),
        (info(NOW - 7 * MINUTE), True),
        (info(NOW - 7 * MINUTE, running=True), False),
        (info(NOW - 70 * MINUTE, running=True), True),
        (info(NOW - timedelta(hours=23), interval=timedelta(days=1)), False),
        (info(NOW - timedelta(hours=25), interval=timedelta(days=1)), True),
        (info(None), True),
        (info(None, interval=timedelta(days=7)), False),
    ],
)
def test_late(found: ScheduleInfo, late: bool) -> None:
    assert is_late(found, NOW, LATE) is late
