"""AI jobs. Premium ones are asked for on the queue `ai-gpu` instead, where the same methods work."""

from datetime import timedelta
from typing import TypeVar

from contracts.activities.reference import Activity, Retry
from contracts.ai import AiPlan, Delivery, PlannedJob, UnitsDone, UnitsInput
from contracts.base import Contract
from contracts.jobs import JobOutcome, JobRef
from contracts.names import TaskQueue

In = TypeVar("In", bound=Contract)
Out = TypeVar("Out")

HOUR, TEN_MINUTES = timedelta(hours=1), timedelta(minutes=10)


def _step(name: str, takes: type[In], returns: type[Out], one_try: timedelta = HOUR) -> Activity[In, Out]:
    return Activity(
        name=name,
        takes=takes,
        returns=returns,
        queue=TaskQueue.AI,
        start_to_close=one_try,
        schedule_to_close=timedelta(days=15),
        awaits_cancel=True,
    )


PLAN = _step("ai.plan", JobRef, AiPlan, TEN_MINUTES)
RUN_UNITS = _step("ai.run_units", UnitsInput, UnitsDone)
ASSEMBLE = _step("ai.assemble", PlannedJob, JobOutcome)
IMPORT_ROSTER = _step("ai.import_roster", JobRef, JobOutcome)
REQUIRE_MODEL = _step("ai.require_model", JobRef, type(None))
CALL = _step("ai.call", PlannedJob, JobOutcome)
ERASE = _step("ai.erase", PlannedJob, type(None), TEN_MINUTES)
DELIVER = Activity(
    name="ai.deliver",
    takes=Delivery,
    returns=bool,
    queue=TaskQueue.OPS,
    start_to_close=timedelta(seconds=60),
    schedule_to_close=timedelta(days=1),
    retry=Retry.PROVIDER,
)
