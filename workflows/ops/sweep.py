"""Every hour: what nobody needs any more goes."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows.policies import INFRASTRUCTURE

TIMEOUT = timedelta(minutes=30)


@workflow.defn(name="ops.sweep")
class Sweep:
    @workflow.run
    async def run(self) -> dict[str, int]:
        return await workflow.execute_activity(
            "ops.sweep",
            result_type=dict[str, int],
            start_to_close_timeout=TIMEOUT,
            schedule_to_close_timeout=TIMEOUT,
            retry_policy=INFRASTRUCTURE,
        )
