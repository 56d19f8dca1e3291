"""A workflow of one activity, for a worker that traces."""

from datetime import timedelta

from temporalio import workflow


@workflow.defn(name="tests.traced")
class Traced:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity("tests.traced_send", start_to_close_timeout=timedelta(minutes=5))
