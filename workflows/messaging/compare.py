"""Once a day: does the provider's list say what ours says?"""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.activities import messages
    from contracts.messaging import Day, Differences
    from contracts.names import WorkflowType
    from rules.quiet_hours import KST
    from workflows import steps


@workflow.defn(name=WorkflowType.COMPARE)
class CompareDay:
    @workflow.run
    async def run(self) -> Differences:
        yesterday = (workflow.now().astimezone(KST) - timedelta(days=1)).date()
        return await steps.run(messages.COMPARE_DAY, Day(day=yesterday))
