"""Every minute: captions and read documents that a search does not know yet are read for it."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.activities import ops
    from contracts.names import WorkflowType
    from workflows import steps


@workflow.defn(name=WorkflowType.INDEX)
class IndexTexts:
    @workflow.run
    async def run(self) -> dict[str, int]:
        return await steps.run(ops.INDEX, None)
