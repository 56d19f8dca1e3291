"""Heartbeats for short activities that wait for others: they tell that the process lives, no more.

What these activities wait for has its own time limits, and `start_to_close` bounds the whole, so beating
without progress hides no stall. A killed worker is noticed in seconds, and a cancel arrives.
"""

import asyncio
from typing import Any

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

BEATS_PER_TIMEOUT = 3
BEAT_AT_LEAST = 1.0  # seconds: a beat's answer is what brings a cancel


class HeartbeatInterceptor(Interceptor):
    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _HeartbeatInbound(next)


class _HeartbeatInbound(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        beating = asyncio.create_task(_beat())
        try:
            return await self.next.execute_activity(input)
        finally:
            beating.cancel()


async def _beat() -> None:
    timeout = activity.info().heartbeat_timeout
    while timeout:
        activity.heartbeat()
        await asyncio.sleep(min(timeout.total_seconds() / BEATS_PER_TIMEOUT, BEAT_AT_LEAST))
