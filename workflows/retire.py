"""Objects that nobody may need any more go, after a while."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.video import EraseInput
    from workflows import steps


@workflow.defn(name="video.retire")
class RetireVersion:
    @workflow.run
    async def run(self, what: EraseInput) -> None:
        workflow.set_current_details(f"waiting {what.after} s, then erasing `{what.prefix}`")
        await workflow.sleep(what.after)
        await steps.erase(what)
