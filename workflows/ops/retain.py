"""Every day: what was kept long enough goes."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.activities import ops
    from contracts.names import WorkflowType
    from workflows import steps


@workflow.defn(name=WorkflowType.RETAIN)
class Retain:
    @workflow.run
    async def run(self) -> dict[str, int]:
        return await steps.run(ops.RETAIN, None)
