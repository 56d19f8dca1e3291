"""The watchdog: work that nobody waits for any more stops before the server gives it to somebody else."""

import asyncio
from datetime import timedelta

import pytest
from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from activities.host.heartbeat import Heartbeats
from devstack.stack import Stack
from tests.faults.proxy import Proxy
from tests.lab import eventually

TIMEOUT = 10.0


class Work:
    """Works for a minute, and notes what happened in which order."""

    def __init__(self) -> None:
        self.steps = 0
        self.seen: list[str] = []

    @activity.defn(name="work")
    async def work(self) -> None:
        self.seen.append("began")
        try:
            for self.steps in range(300):
                await asyncio.sleep(0.2)
        except BaseException as error:
            by = "the SDK" if activity.is_cancelled() else "us"  # which waits until the timeout is long over
            self.seen.append(f"{type(error).__name__} by {by}")
            raise


@pytest.mark.slow
async def test_a_worker_that_is_cut_off_stops_before_its_retry(stack: Stack) -> None:
    direct = await Client.connect(f"127.0.0.1:{stack.ports.temporal}")
    async with Proxy("127.0.0.1", stack.ports.temporal) as proxy:
        through = await Client.connect(f"127.0.0.1:{proxy.port}")
        work = Work()

        @activity.defn(name="work")
        async def again() -> None:
            work.seen.append("retried")

        worker = Worker(
            through,
            task_queue="cut-off",
            activities=[work.work],
            interceptors=[Heartbeats(through, 1)],
            max_concurrent_activity_task_polls=1,  # each poll that is cut off gets a retry that nobody does
            max_heartbeat_throttle_interval=timedelta(seconds=1),
        )
        polling = asyncio.create_task(worker.run())
        handle = await direct.start_activity(
            "work",
            id="cut-off",
            task_queue="cut-off",
            start_to_close_timeout=timedelta(minutes=10),
            heartbeat_timeout=timedelta(seconds=TIMEOUT),
        )

        async def past_the_timeout() -> bool:
            return work.steps * 0.2 > 2 * TIMEOUT

        await eventually(past_the_timeout)
        assert work.seen == ["began"], "acknowledged heartbeats keep it alive, well past the timeout"
        proxy.silence()
        async with Worker(direct, task_queue="cut-off", activities=[again]):
            await handle.result()  # the first retries may be given to polls that the silence cut off
        order = [*work.seen]
        proxy.speak()  # or the worker's end waits for answers
        await worker.shutdown()
        await polling
    assert order == ["began", "CancelledError by us", "retried"], "and nobody works beside its retry"
