"""Objects that nobody may need any more go, after a while."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.names import WorkflowType
    from contracts.video import EraseInput
    from workflows import steps

NO_WORKER_WRITES_AFTER = 900  # seconds; one that is cut off from Temporal has stopped long before


@workflow.defn(name=WorkflowType.RETIRE)
class RetireVersion:
    @workflow.run
    async def run(self, what: EraseInput) -> None:
        workflow.set_current_details(f"waiting {what.after} s, then erasing `{what.prefix}`")
        await workflow.sleep(what.after)
        await steps.erase(what)
