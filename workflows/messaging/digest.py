"""Several notices to a phone as one text: nothing until no more join it, then a sending like any other."""

from typing import TypeVar

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.activities import Activity, messages
    from contracts.base import Contract
    from contracts.jobs import JobOutcome
    from contracts.messaging import MessagesInput, Prepared
    from contracts.names import WorkflowType
    from workflows import steps
    from workflows.messaging.send import SendMessages

In = TypeVar("In", bound=Contract)
Out = TypeVar("Out")


@workflow.defn(name=WorkflowType.DIGEST)
class SendDigest(SendMessages):
    def __init__(self) -> None:
        super().__init__()
        self._tells = False  # nobody asked for it: whose notices it has are told

    @workflow.run
    async def run(self, job: MessagesInput) -> JobOutcome:
        return await super().run(job)

    async def _step(self, activity: Activity[In, Out], what: In) -> Out:
        return await steps.run(messages.in_digest(activity), what)

    async def _prepare(self, job: MessagesInput) -> Prepared:
        assert job.closes_at is not None, "a digest has its time"
        await self._until(job.closes_at, "collecting")
        return await super()._prepare(job)
