"""Once a day: does the provider's list say what ours says?"""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.messaging import Day, Differences
    from rules.quiet_hours import KST
    from workflows.policies import PROVIDER


@workflow.defn(name="messages.compare")
class CompareDay:
    @workflow.run
    async def run(self) -> Differences:
        yesterday = (workflow.now().astimezone(KST) - timedelta(days=1)).date()
        return await workflow.execute_activity(
            "messages.compare_day",
            Day(day=yesterday),
            task_queue="messaging",
            result_type=Differences,
            start_to_close_timeout=timedelta(hours=2),
            schedule_to_close_timeout=timedelta(hours=12),
            heartbeat_timeout=timedelta(minutes=1),
            retry_policy=PROVIDER,
        )
