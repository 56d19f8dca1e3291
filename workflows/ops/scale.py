"""Every minute, where groups are named: how many workers there are."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.activities import ops
    from contracts.names import WorkflowType
    from workflows import steps


@workflow.defn(name=WorkflowType.SCALE)
class Scale:
    @workflow.run
    async def run(self) -> dict[str, int]:
        return await steps.run(ops.SCALE, None)
