"""Every minute: accepted jobs that no workflow carries are started, repaired or reported."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.activities import ops
    from contracts.names import WorkflowType
    from workflows import steps


@workflow.defn(name=WorkflowType.RECONCILE)
class Reconcile:
    @workflow.run
    async def run(self) -> dict[str, int]:
        return await steps.run(ops.RECONCILE, None)
