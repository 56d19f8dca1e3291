"""What any job needs, and what runs on a schedule."""

from datetime import timedelta

from contracts.activities.reference import Activity
from contracts.jobs import FinishInput, JobOutcome
from contracts.names import TaskQueue

RECONCILE_LONGEST = timedelta(minutes=9)  # then it leaves the rest to the next one; none begins meanwhile
RECONCILE_TIMEOUT = timedelta(minutes=10)
INDEX_LONGEST = timedelta(minutes=4)  # likewise
INDEX_TIMEOUT = timedelta(minutes=10)
SWEEP_TIMEOUT = timedelta(minutes=30)
SCALE_TIMEOUT = timedelta(seconds=50)  # the next look begins a minute after this one
SWEEP_OBJECTS_TIMEOUT = timedelta(hours=12)  # a listing of the whole bucket

FINISH = Activity(
    name="jobs.finish",
    takes=FinishInput,
    returns=JobOutcome,
    queue=TaskQueue.OPS,
    start_to_close=timedelta(seconds=30),
)
RECONCILE = Activity(
    name="ops.reconcile",
    takes=type(None),
    returns=dict[str, int],
    queue=TaskQueue.OPS,
    start_to_close=RECONCILE_TIMEOUT,
    schedule_to_close=RECONCILE_TIMEOUT,
    retry=None,
)
INDEX = Activity(
    name="ops.index",
    takes=type(None),
    returns=dict[str, int],
    queue=TaskQueue.OPS,
    start_to_close=INDEX_TIMEOUT,
    schedule_to_close=INDEX_TIMEOUT,
    retry=None,  # a minute later it goes on
)
SWEEP = Activity(
    name="ops.sweep",
    takes=type(None),
    returns=dict[str, int],
    queue=TaskQueue.OPS,
    start_to_close=SWEEP_TIMEOUT,
    schedule_to_close=SWEEP_TIMEOUT,
)
SWEEP_OBJECTS = Activity(
    name="ops.sweep_objects",
    takes=type(None),
    returns=dict[str, int],
    queue=TaskQueue.OPS,
    start_to_close=SWEEP_OBJECTS_TIMEOUT,
    schedule_to_close=SWEEP_OBJECTS_TIMEOUT,
)
SCALE = Activity(
    name="ops.scale",
    takes=type(None),
    returns=dict[str, int],
    queue=TaskQueue.OPS,
    start_to_close=SCALE_TIMEOUT,
    schedule_to_close=SCALE_TIMEOUT,
    retry=None,  # a minute later it is looked at anew
)
RETAIN = Activity(
    name="ops.retain",
    takes=type(None),
    returns=dict[str, int],
    queue=TaskQueue.OPS,
    start_to_close=SWEEP_OBJECTS_TIMEOUT,
    schedule_to_close=SWEEP_OBJECTS_TIMEOUT,
)
