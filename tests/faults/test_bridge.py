"""The bridge dies, or what it needs is away: no message is lost, none is done twice, none is buried."""

import asyncio
import os
import signal
from contextlib import suppress
from typing import Any

import pytest
from temporalio.service import RPCError

from devstack.app import App
from tests.faults.killed_bridge import POINTS
from tests.integration.test_bodies import for_tenant
from tests.lab import PATIENCE, Lab, eventually, fresh_id, log_lines
from tests.unit.bodies import BODIES

MESSAGES = 25


def send_many(lab: Lab, tenant: int, start: int = 0) -> None:
    _, body = BODIES["ocr"]
    for number in range(start, start + MESSAGES):
        lab.send("ai-lite", for_tenant(body | {"job_id": f"job-{number}"}, tenant))


async def every_job_has_its_workflow(lab: Lab, tenant: int, count: int) -> None:
    async def look() -> bool:
        workflows = [each.id for each in await lab.workflows(tenant)]
        jobs = [job.workflow_id for job in await lab.jobs(tenant)]
        return len(jobs) == count and sorted(workflows) == sorted(jobs)

    await eventually(look, what=f"{count} jobs with one workflow each", every=0.4)


@pytest.mark.parametrize("point", POINTS)
async def test_killed_while_it_handles_messages(own_lab: Lab, point: str) -> None:
    lab, tenant = own_lab, fresh_id()
    doomed = lab.stack.python("doomed", "-m", "tests.faults.killed_bridge", point, SQS_HOLD_SECONDS="5")
    send_many(lab, tenant)
    doomed.start()
    assert await asyncio.to_thread(doomed.wait, PATIENCE) == -signal.SIGKILL
    accepted = len(await lab.jobs(tenant))
    assert accepted == 0 if point == "before-accept" else accepted > 0
    with App(lab.stack, "bridge", "ops", SQS_HOLD_SECONDS="5"):
        await every_job_has_its_workflow(lab, tenant, MESSAGES)
        await lab.drained("ai-lite")
    assert lab.dead_letters("ai-lite") == []


@pytest.mark.parametrize("server", ["temporal", pytest.param("postgres", marks=pytest.mark.slow)])
async def test_a_server_is_away_for_a_while(own_lab: Lab, server: str) -> None:
    lab, tenant = own_lab, fresh_id()
    with App(lab.stack, "bridge", "ops", SQS_HOLD_SECONDS="5"):
        await asyncio.to_thread(lab.stack.kill, server)
        send_many(lab, tenant)
        # Longer than the hold time by far: without extending it, three receives would bury the messages.
        await asyncio.sleep(17)
        send_many(lab, tenant, start=MESSAGES)
        assert await asyncio.to_thread(lab.depth, "ai-lite") == 2 * MESSAGES
        await asyncio.to_thread(lab.stack.restart, server)
        await every_job_has_its_workflow(lab, tenant, 2 * MESSAGES)
        await lab.drained("ai-lite")
    assert lab.dead_letters("ai-lite") == []


async def test_sigterm_gives_the_messages_back_at_once(own_lab: Lab) -> None:
    lab, tenant = own_lab, fresh_id()
    with App(lab.stack, "bridge", SQS_HOLD_SECONDS="600") as app:
        await asyncio.to_thread(lab.stack.suspend, "temporal")
        send_many(lab, tenant)

        async def held() -> bool:
            return bool(await lab.jobs(tenant))

        await eventually(held)
        bridge = app.processes["bridge"]
        os.kill(bridge.pid, signal.SIGTERM)
        assert await asyncio.to_thread(bridge.wait, PATIENCE) == 0
        # Nobody has to wait for the end of the hold time, which is longer than this test has patience.
        assert lab.depth("ai-lite", held=False) == MESSAGES
    await asyncio.to_thread(lab.stack.resume, "temporal")
    with App(lab.stack, "bridge", "ops"):
        await every_job_has_its_workflow(lab, tenant, MESSAGES)
        await lab.drained("ai-lite")
    assert lab.dead_letters("ai-lite") == []


async def test_a_wrong_namespace_stops_the_bridge_and_leaves_the_messages(own_lab: Lab) -> None:
    lab, tenant = own_lab, fresh_id()
    send_many(lab, tenant)
    misled = lab.stack.python("misled", "-m", "workers", "bridge", TEMPORAL_NAMESPACE="nowhere")
    misled.start()
    assert await asyncio.to_thread(misled.wait, PATIENCE) == 1
    assert lab.depth("ai-lite") == MESSAGES
    assert lab.dead_letters("ai-lite") == []


async def test_an_accepted_job_without_a_workflow_is_started_by_the_reconciler(own_lab: Lab) -> None:
    lab, tenant = own_lab, fresh_id()
    # No long poll: the queue would answer one after its receiver's death, with messages of the next test.
    doomed = lab.stack.python(
        "doomed", "-m", "tests.faults.killed_bridge", "after-accept", SQS_WAIT_SECONDS="0"
    )
    lab.send(*_one(tenant))
    doomed.start()
    await asyncio.to_thread(doomed.wait, PATIENCE)
    job = await lab.only_job(tenant)

    async def started() -> Any:
        with suppress(RPCError):  # the schedule is made when the worker starts
            await lab.temporal.get_schedule_handle("reconcile").trigger()
        return await lab.workflows(tenant)

    async with lab.engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE jobs SET accepted_at = accepted_at - interval '5 minutes'")
    with App(lab.stack, "ops"):  # and no bridge: the message is still invisible
        (workflow,) = await eventually(started, what="started by the reconciler")
    assert workflow.id == job.workflow_id


def _one(tenant: int) -> tuple[str, dict[str, Any]]:
    queue, body = BODIES["ocr"]
    return queue, for_tenant(body, tenant)


@pytest.mark.slow
async def test_a_supervisor_that_repeats_its_sigterm_loses_no_time(own_lab: Lab) -> None:
    """A bridge that ended inside its receive would leave the messages of it invisible for the hold time."""
    lab, tenant = own_lab, fresh_id()
    with App(lab.stack, "bridge", "ops", SQS_HOLD_SECONDS="600", SQS_WAIT_SECONDS="10") as app:
        lab.send(*_one(tenant))
        await lab.only_job(tenant)  # so that its queue's next receive has only just begun
        bridge = app.processes["bridge"]
        for _ in range(3):
            os.kill(bridge.pid, signal.SIGTERM)
            await asyncio.sleep(0.1)
        send_many(lab, tenant)  # arrive in the receive that is still open
        assert await asyncio.to_thread(bridge.wait, PATIENCE) == 0
        await asyncio.to_thread(app.restart, "bridge")
        await every_job_has_its_workflow(lab, tenant, 1 + MESSAGES)
        await lab.drained("ai-lite")


@pytest.mark.slow
async def test_a_dead_letter_queue_that_cannot_be_written_holds_up_nobody(own_lab: Lab) -> None:
    lab, tenant = own_lab, fresh_id()
    sqs = lab.producer._sqs
    dlq = sqs.get_queue_url(QueueName=f"{lab.settings.ai_sqs_queue_name_lite}-dlq")["QueueUrl"]
    sqs.delete_queue(QueueUrl=dlq)
    poison = [f"nonsense {number}" for number in range(120)]  # more than all batches in hand
    for body in poison:
        lab.send("ai-lite", body)
    send_many(lab, tenant)  # behind it, in the same queue
    other = fresh_id()
    queue, body = BODIES["homework_video_analysis"]
    lab.send(queue, for_tenant(body, other))
    with App(lab.stack, "bridge", "ops", SQS_HOLD_SECONDS="5"):
        await every_job_has_its_workflow(lab, tenant, MESSAGES)
        await every_job_has_its_workflow(lab, other, 1)
        await asyncio.sleep(6)  # longer than they were hidden for at first
        assert lab.depth("ai-lite", held=False) == 0
        assert lab.depth("ai-lite") == len(poison)
        assert any("cannot be written" in line["message"] for line in log_lines(lab.stack, "bridge"))
        sqs.create_queue(QueueName=dlq.rpartition("/")[2])
        await lab.drained("ai-lite")
    assert sorted(each["body"] for each in lab.dead_letters("ai-lite")) == sorted(poison)
