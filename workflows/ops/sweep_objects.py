"""Every day: what nobody owns in the store is named, and goes."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.activities import ops
    from contracts.names import WorkflowType
    from workflows import steps


@workflow.defn(name=WorkflowType.SWEEP_OBJECTS)
class SweepObjects:
    @workflow.run
    async def run(self) -> dict[str, int]:
        return await steps.run(ops.SWEEP_OBJECTS, None)
