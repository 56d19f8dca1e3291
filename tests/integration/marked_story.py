"""A workflow that has a marked value on every way into its history."""

from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

from contracts.base import Contract

STEP = timedelta(seconds=20)
ROUTES = (
    "input",
    "memo",
    "summary",
    "details",
    "heartbeat",
    "attempt",
    "activity-in",
    "activity-out",
    "activity-note",
    "timer",
    "signal",
    "update-in",
    "update-out",
    "child-in",
    "child-out",
    "cause",
    "failed",
    "failure-data",
)


class Note(Contract):
    text: str


def marked(route: str) -> str:
    return f"canary <{route}>"


@activity.defn(name="codec.act")
async def act(note: Note) -> Note:
    assert note.text == marked("activity-in")
    if activity.info().attempt == 1:
        activity.heartbeat(Note(text=marked("heartbeat")))
        raise ApplicationError(marked("attempt"))
    (kept,) = activity.info().heartbeat_details
    assert kept["text"] == marked("heartbeat")
    return Note(text=marked("activity-out"))


@activity.defn(name="codec.fail")
async def fail() -> None:
    try:
        raise ValueError(marked("cause"))
    except ValueError as error:
        raise ApplicationError(marked("failed"), marked("failure-data"), non_retryable=True) from error


@workflow.defn(name="codec.child", sandboxed=False)
class Child:
    @workflow.run
    async def run(self, note: Note) -> Note:
        assert note.text == marked("child-in")
        return Note(text=marked("child-out"))


@workflow.defn(name="codec.parent", sandboxed=False)
class Parent:
    """Every way in which a payload enters a history."""

    def __init__(self) -> None:
        self._told = ""

    @workflow.run
    async def run(self, note: Note, succeed: bool) -> Note:
        assert note.text == marked("input")
        retry = RetryPolicy(initial_interval=timedelta(seconds=1))
        done = await workflow.execute_activity(
            act,
            Note(text=marked("activity-in")),
            start_to_close_timeout=STEP,
            summary=marked("activity-note"),
            retry_policy=retry,
        )
        assert done.text == marked("activity-out")
        await workflow.sleep(0.001, summary=marked("timer"))
        child = await workflow.execute_child_workflow(
            Child.run, Note(text=marked("child-in")), id=f"{workflow.info().workflow_id}-child"
        )
        assert child.text == marked("child-out")
        await workflow.wait_condition(lambda: self._told != "")
        if not succeed:
            await workflow.execute_activity(fail, start_to_close_timeout=STEP)
        return Note(text=self._told)

    @workflow.signal
    async def tell(self, note: Note) -> None:
        self._told = note.text

    @workflow.query
    def told(self, note: Note) -> Note:
        return Note(text=f"{note.text}: {self._told}")

    @workflow.update
    async def change(self, note: Note) -> Note:
        assert note.text == marked("update-in")
        return Note(text=marked("update-out"))
