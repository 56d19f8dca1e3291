"""An activity that finds its job's row lost has it restored, and goes on."""

from collections.abc import Awaitable, Callable
from typing import Any

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from clients.database.jobs import JobMissing
from intake.restore import Restorer

Before = Callable[[Any], Awaitable[None]]


class RestoringInterceptor(Interceptor):
    """`before` gets an activity's input first, to restore more than the job's row."""

    def __init__(self, restorer: Restorer, before: Before | None = None) -> None:
        self._restorer = restorer
        self._before = before

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _RestoringInbound(next, self._restorer, self._before)


class _RestoringInbound(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, restorer: Restorer, before: Before | None) -> None:
        super().__init__(next)
        self._restorer = restorer
        self._before = before

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        try:
            return await self._execute(input)
        except JobMissing as missing:
            workflow_id = activity.info().workflow_id
            assert workflow_id is not None, "every activity of ours belongs to a workflow"
            await self._restorer.restore(activity.client(), workflow_id, missing.job_id)
        return await self._execute(input)

    async def _execute(self, input: ExecuteActivityInput) -> Any:
        if self._before and input.args:
            await self._before(input.args[0])
        return await self.next.execute_activity(input)
