"""Every minute: accepted jobs that no workflow carries are started, repaired or reported."""

from datetime import timedelta

from temporalio import workflow

TIMEOUT = timedelta(seconds=50)


@workflow.defn(name="ops.reconcile")
class Reconcile:
    @workflow.run
    async def run(self) -> dict[str, int]:
        return await workflow.execute_activity(
            "ops.reconcile",
            result_type=dict[str, int],
            start_to_close_timeout=TIMEOUT,
            schedule_to_close_timeout=TIMEOUT,
        )
