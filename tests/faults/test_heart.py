"""The watchdog: work that nobody waits for any more stops before the server gives it to somebody else."""

import asyncio
import time
from datetime import timedelta

from temporalio import activity
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.worker import Worker

from activities.host.heartbeat import heartbeats
from devstack.stack import Stack
from tests.faults.proxy import Proxy

TIMEOUT = 6.0


class Work:
    """Makes progress five times a second for half a minute, and notes when and how it ended."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.began: list[float] = []
        self.ended: list[tuple[float, str]] = []

    @activity.defn(name="work")
    async def work(self) -> None:
        self.began.append(time.monotonic())
        try:
            async with heartbeats(self._client) as heartbeat:
                for step in range(150):
                    await asyncio.sleep(0.2)
                    heartbeat.advance(step)
        except BaseException as error:
            self.ended.append((time.monotonic(), f"{type(error).__name__} {getattr(error, 'type', '')}"))
            raise


async def test_a_worker_that_is_cut_off_stops_before_its_retry(stack: Stack) -> None:
    direct = await Client.connect(f"127.0.0.1:{stack.ports.temporal}")
    async with Proxy("127.0.0.1", stack.ports.temporal) as proxy:
        through = await Client.connect(f"127.0.0.1:{proxy.port}")
        work = Work(through)
        worker = Worker(
            through,
            task_queue="cut-off",
            activities=[work.work],
            max_heartbeat_throttle_interval=timedelta(seconds=1),
        )
        polling = asyncio.create_task(worker.run())
        await direct.start_activity(
            "work",
            id="cut-off",
            task_queue="cut-off",
            start_to_close_timeout=timedelta(minutes=2),
            heartbeat_timeout=timedelta(seconds=TIMEOUT),
            retry_policy=RetryPolicy(maximum_attempts=1),
        )
        while not work.began:
            await asyncio.sleep(0.1)
        await asyncio.sleep(2 * TIMEOUT)
        assert not work.ended, "acknowledged heartbeats keep it alive, well past the timeout"
        proxy.silence()
        cut = time.monotonic()
        while not work.ended and time.monotonic() - cut < 3 * TIMEOUT:
            await asyncio.sleep(0.1)
        proxy.speak()  # or the worker's end waits for answers
        await worker.shutdown()
        await polling
    ((ended, how),) = work.ended
    assert how == "ApplicationError CutOff"
    assert ended - cut < TIMEOUT
