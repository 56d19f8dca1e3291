"""Around every attempt of an activity: it is counted by how it ended, and its log lines say what it is of."""

import asyncio
import re
from collections.abc import Sequence
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from clients import metrics
from contracts.errors import REASONS, ErrorType
from workers import log

# What else an error may be called is no label.
_CODES = frozenset(map(str, ErrorType)) | REASONS.keys()
_TENANT = re.compile(r"-t(\d+)-")  # in a workflow's ID (`contracts.catalog.workflow_id`)


class MeasuringInterceptor(Interceptor):
    """The first of a worker's, so that what the others make of an error is what counts."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _MeasuringInbound(next)


class _MeasuringInbound(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info = activity.info()
        outcome, code = "done", ""
        with log.about(**_fields(info, input.args)):
            try:
                return await self.next.execute_activity(input)
            except BaseException as error:
                outcome, code = _ended(error)
                raise
            finally:
                metrics.ACTIVITIES.labels(info.activity_type, outcome, code).inc()


def _ended(error: BaseException) -> tuple[str, str]:
    if isinstance(error, asyncio.CancelledError | CancelledError):
        return "cancelled", ""
    if isinstance(error, ApplicationError):
        return "failed", error.type if error.type in _CODES else "ApplicationError"
    return "failed", type(error).__name__


def _fields(info: activity.Info, args: Sequence[Any]) -> dict[str, object]:
    fields: dict[str, object] = {
        "activity": info.activity_type,
        "workflow": info.workflow_id,
        "attempt": info.attempt,
    }
    if tenant := _TENANT.search(info.workflow_id or ""):
        fields["tenant"] = int(tenant[1])
    given = args[0] if args else None
    if job_id := getattr(given, "job_id", None) or getattr(getattr(given, "job", None), "job_id", None):
        fields["job"] = job_id
    return fields
