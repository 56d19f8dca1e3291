"""Small steps that several stories share."""

import asyncio
from collections.abc import Coroutine, Sequence
from contextvars import ContextVar
from typing import Any, TypeVar
from uuid import UUID

from temporalio import workflow
from temporalio.common import Priority, SearchAttributeKey
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    TimeoutError,
    TimeoutType,
    is_cancelled_exception,
)
from temporalio.workflow import ActivityCancellationType

with workflow.unsafe.imports_passed_through():
    from contracts.activities import Activity, ops, video
    from contracts.base import Contract
    from contracts.errors import CANCELLED, INTERNAL, NO_WORKER, REASONS, TIMED_OUT
    from contracts.jobs import FinishInput, JobOutcome, JobState
    from contracts.video import EraseInput
    from workflows.policies import POLICIES

T = TypeVar("T")
In = TypeVar("In", bound=Contract | None)
Out = TypeVar("Out")
STAGE = SearchAttributeKey.for_keyword("Stage")
_too_late_for_a_cancel = ContextVar("_too_late_for_a_cancel", default=False)


async def run(
    activity: Activity[In, Out],
    what: In,
    *,
    summary: str | None = None,
    priority: Priority = Priority.default,
) -> Out:
    """Ask for an activity and wait for its answer. The only way that workflows ask for one.

    Raises CancelledError where a cancel was asked for and this or the step before it has not heard of it in
    time: it finished, failed or missed its heartbeat, which the SDK hands on, and forgets the cancel.
    """
    heed_cancel()
    cancel = ActivityCancellationType
    try:
        answer: Out = await workflow.execute_activity(
            activity.name,
            args=[] if what is None else [what],
            task_queue=activity.queue,
            result_type=activity.returns,
            schedule_to_start_timeout=activity.schedule_to_start,
            start_to_close_timeout=activity.start_to_close,
            schedule_to_close_timeout=activity.schedule_to_close,
            heartbeat_timeout=activity.heartbeat,
            cancellation_type=(
                cancel.WAIT_CANCELLATION_COMPLETED if activity.awaits_cancel else cancel.TRY_CANCEL
            ),
            retry_policy=activity.retry and POLICIES[activity.retry],
            summary=summary,
            priority=priority,
        )
    except ActivityError as error:
        if is_cancelled_exception(error) or not _cancel_asked():
            raise
        raise asyncio.CancelledError from error
    return answer


def heed_cancel() -> None:
    """Before what a cancel comes too late for. Raises CancelledError where one was asked for and the step
    before has not heard of it."""
    if _cancel_asked():
        raise asyncio.CancelledError


def _cancel_asked() -> bool:
    """Whether the workflow was asked to stop, and is not at what comes after that."""
    asked = workflow.cancellation_reason() is not None and not _too_late_for_a_cancel.get()
    return asked and workflow.patched("a-cancel-is-kept")


def stage(name: str, details: str = "") -> None:
    """Show operators where the workflow stands: search attribute, and details in the Web UI."""
    if workflow.info().typed_search_attributes.get(STAGE) != name:
        workflow.upsert_search_attributes([STAGE.value_set(name)])
    workflow.set_current_details(f"**{name}** {details}".strip())


async def shielded(step: Coroutine[Any, Any, T]) -> T:
    """A step that a cancel comes too late for: half of it would be worse than all of it."""

    async def to_its_end() -> T:
        _too_late_for_a_cancel.set(True)
        return await step

    task = asyncio.create_task(to_its_end())
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        return await task


async def gather_or_stop(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Wait for all. When one fails, or we are cancelled, stop the others and wait until they have stopped:
    what comes next must not run beside an activity that still writes."""
    try:
        await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await shielded(workflow.wait(tasks))
        raise


def code_of(error: BaseException) -> str:
    """The error code of a failed step: its type where that is one of ours, never its text."""
    if is_cancelled_exception(error):
        return CANCELLED
    cause = error.cause if isinstance(error, ActivityError) else error
    if isinstance(cause, ApplicationError) and cause.type in REASONS:
        return str(cause.type)
    if isinstance(cause, TimeoutError):
        return NO_WORKER if cause.type == TimeoutType.SCHEDULE_TO_START else TIMED_OUT
    return INTERNAL


def outcome_of(code: str) -> JobOutcome:
    return JobOutcome(state=REASONS[code].state, error_code=code)


async def finish(job_id: UUID, outcome: JobOutcome) -> JobOutcome:
    """Write the final state, however long the database is away; returns the state that stands."""
    what = FinishInput(job_id=job_id, outcome=outcome)
    standing = await run(ops.FINISH, what, summary=outcome.error_code or outcome.state)
    stage(standing.state, REASONS[standing.error_code].en if standing.error_code in REASONS else "")
    return standing


def raise_unless_done(standing: JobOutcome) -> JobOutcome:
    """End the workflow as the database says the job ended, so that both lists tell the same."""
    if standing.state in (JobState.DONE, JobState.REVIEW_REQUIRED):
        return standing
    if standing.error_code == CANCELLED and workflow.cancellation_reason() is not None:
        raise asyncio.CancelledError
    code = standing.error_code or INTERNAL
    text = REASONS[code].en if code in REASONS else code
    raise ApplicationError(text, type=code, non_retryable=True)


async def erase(what: EraseInput) -> None:
    """Remove objects, however long the store is away."""
    await run(video.ERASE, what, summary=what.prefix)
