"""A job whose values no database takes ends with that as its reason, and is not tried again for days.

Nothing of the kind is accepted any more; what was accepted before, or read out of a file, still comes.
"""

from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from contracts.activities import messages, ops
from contracts.errors import REASONS, UNSTORABLE_TEXT
from intake.errors import is_unstorable


class RefusingInterceptor(Interceptor):
    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _RefusingInbound(next)


class _RefusingInbound(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        try:
            return await self.next.execute_activity(input)
        except Exception as error:
            if not is_unstorable(error) or not may_end_its_job(activity.info().activity_type):
                raise
        raise ApplicationError(REASONS[UNSTORABLE_TEXT].en, type=UNSTORABLE_TEXT, non_retryable=True)


def may_end_its_job(name: str) -> bool:
    """Not where money or messages may be on their way, and not the end itself: those are tried until a person
    has looked."""
    return name == messages.PREPARE.name or not (
        name.startswith("messages.") or name.startswith("ops.") or name == ops.FINISH.name
    )
