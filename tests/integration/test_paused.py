"""Of a queue that operators have paused nothing is handed out, and all of it once it is resumed."""

import asyncio

from api import fleet
from contracts.names import TaskQueue
from devstack.app import App
from tests.lab import eventually
from tests.messages import Mail, phones

QUEUE = TaskQueue.MESSAGING


async def test_what_waits_on_a_paused_queue_is_done_when_it_is_resumed(workers: App, mail: Mail) -> None:
    """Also where a worker could have taken the activity along with its workflow's task."""
    client, tenant = mail.lab.temporal, await mail.account()

    async def backlog() -> int:
        return (await fleet.waiting(client, QUEUE, "activity")).backlog

    await fleet.pause(client, QUEUE, paused=True)
    try:
        job = await mail.send(tenant, to := phones(1))
        await eventually(backlog, "it waits")
        await asyncio.sleep(1)
        assert await backlog() and mail.sent(job) == []
    finally:
        await fleet.pause(client, QUEUE, paused=False)
    await mail.ended(job)
    assert mail.sent(job) == to
    assert not (await fleet.waiting(client, QUEUE, "activity")).paused
