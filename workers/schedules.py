"""What runs on a schedule, kept there by who works on it."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleInfo,
)
from temporalio.service import RPCError, RPCStatusCode

LOOK_EVERY = 60.0  # seconds
LATE = timedelta(minutes=5)
LONGEST_ACTION = timedelta(hours=1)  # those with SKIP wait for the one before
OFTEN = timedelta(minutes=5)  # what runs so often would fill the list of jobs
KEPT, AT_ONCE = 2, 100  # runs that stay, and that go in one look
RPC_TIMEOUT = timedelta(seconds=10)

log = logging.getLogger(__name__)


async def make_schedules(client: Client, schedules: Mapping[str, Schedule]) -> None:
    """Make those that are not there. One that operators have paused or changed stays as it is."""
    for name, schedule in schedules.items():
        try:
            await client.create_schedule(name, schedule)
        except ScheduleAlreadyRunningError:
            continue
        log.info("schedule %s was made", name)


async def keep_schedules(
    client: Client,
    schedules: Mapping[str, Schedule],
    stop: asyncio.Event,
    every: float = LOOK_EVERY,
    late: timedelta = LATE,
) -> None:
    """Look after them until `stop`: a Temporal whose database was lost or restored has none, one that lost a
    timer has one that stands still, and without the reconciler nothing else heals."""
    while not stop.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(every):
                await stop.wait()
        for name, schedule in schedules.items():
            try:
                await make_schedules(client, {name: schedule})
                await _make_anew_if_late(client, name, schedule, late)
                await forget_ended(client, schedule)
            except RPCError as error:
                log.warning("schedule %s cannot be looked after: %s", name, error.status.name)


async def _make_anew_if_late(client: Client, name: str, ours: Schedule, late: timedelta) -> None:
    """The server may lose the timer that wakes a schedule: it stands still for ever, and its description
    looks well (temporalio/temporal #11869). Another one has a timer of its own."""
    handle = client.get_schedule_handle(name)
    try:
        found = await handle.describe(rpc_timeout=RPC_TIMEOUT)
    except RPCError:  # so does one that was at work when its timers were lost: only the list knows it
        standing = await _late_in_list(client, name, ours, late)
    else:
        well = found.schedule.state.paused or not is_late(found.info, datetime.now(UTC), late)
        standing = None if well else found.schedule
    if standing is None:
        return
    log.error("schedule %s stands still; it is made anew", name)
    await handle.delete()
    with suppress(ScheduleAlreadyRunningError):  # by another process that looks after it
        await client.create_schedule(name, standing)


async def _late_in_list(client: Client, name: str, ours: Schedule, late: timedelta) -> Schedule | None:
    """One that does not answer, if the turn that the list names as its next is past by `late`: ours, at the
    times that operators have given it."""
    async for each in await client.list_schedules(rpc_timeout=RPC_TIMEOUT):
        if each.id == name and each.schedule and each.info and not each.schedule.state.paused:
            turns = each.info.next_action_times
            if turns and turns[0] + late < datetime.now(UTC):
                return replace(ours, spec=each.schedule.spec)
    return None


async def forget_ended(client: Client, schedule: Schedule) -> None:
    """Of what runs often and ended well only the newest runs stay (decision 96): when one last ran is asked
    of them (`api.standing`). What ended badly stays as long as every other workflow. Raises RPCError."""
    action = schedule.action
    often = any(each.every <= OFTEN for each in schedule.spec.intervals)
    if not often or not isinstance(action, ScheduleActionStartWorkflow):
        return
    well = f"WorkflowType = '{action.workflow}' AND ExecutionStatus = 'Completed'"
    found = client.list_workflows(well, limit=KEPT + AT_ONCE, rpc_timeout=RPC_TIMEOUT)
    for old in [each async for each in found][KEPT:]:
        execution = WorkflowExecution(workflow_id=old.id, run_id=old.run_id)
        asked = DeleteWorkflowExecutionRequest(namespace=client.namespace, workflow_execution=execution)
        try:
            await client.workflow_service.delete_workflow_execution(asked, timeout=RPC_TIMEOUT)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:  # another process was first
                raise


def is_late(info: ScheduleInfo, now: datetime, late: timedelta) -> bool:
    """Whether it has begun nothing for longer than lies between two of its turns, and `late` beyond."""
    if len(info.next_action_times) < 2:
        return False
    last = max((each.started_at for each in info.recent_actions), default=info.created_at)
    last = max(last, info.last_updated_at or last)
    first, second = info.next_action_times[:2]
    return now - last > second - first + late + (LONGEST_ACTION if info.running_actions else timedelta())
