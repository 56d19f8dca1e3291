"""An activity that finds its job's row lost has it restored, and goes on."""

from typing import Any

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from clients.database.jobs import JobMissing
from intake.restore import Restorer


class RestoringInterceptor(Interceptor):
    def __init__(self, restorer: Restorer) -> None:
        self._restorer = restorer

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _RestoringInbound(next, self._restorer)


class _RestoringInbound(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, restorer: Restorer) -> None:
        super().__init__(next)
        self._restorer = restorer

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        try:
            return await self.next.execute_activity(input)
        except JobMissing as missing:
            workflow_id = activity.info().workflow_id
            assert workflow_id is not None, "every activity of ours belongs to a workflow"
            await self._restorer.restore(activity.client(), workflow_id, missing.job_id)
        return await self.next.execute_activity(input)
