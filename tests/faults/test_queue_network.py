"""Between SQS and us answers are lost: each is a receive that is used up, and none may bury a message."""

import asyncio
import itertools
import json
import random
from collections.abc import Iterator
from uuid import uuid4

import pytest

from clients.queues import RECEIVES, Queue
from clients.vault import Vault
from tests.faults.proxy import Proxy
from tests.faults.test_bridge import every_job_has_its_workflow
from tests.integration.test_bodies import for_tenant
from tests.lab import Lab, PatientSubmitter, eventually, fresh_id
from tests.unit.bodies import BODIES
from workers import bridge
from workers.breaker import Breaker
from workers.bridge import Bridge

pytestmark = pytest.mark.slow

MESSAGES = 100


def losing(share: float) -> Iterator[bool]:
    chance = random.Random(7)
    while True:
        yield chance.random() < share


async def test_answers_of_sqs_are_lost_and_nothing_is_buried(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = lab.stack.environment()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, environment[name])
    monkeypatch.setattr(bridge, "RECEIVE_AGAIN", 0.1)
    monkeypatch.setattr(bridge, "RECEIVE_AGAIN_AT_LAST", 0.5)
    sqs, tenant, name = lab.producer._sqs, fresh_id(), f"lost-{uuid4()}"
    dlq = sqs.create_queue(QueueName=f"{name}-dlq")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dlq, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": RECEIVES})
    url = sqs.create_queue(QueueName=name, Attributes={"RedrivePolicy": policy})["QueueUrl"]
    for number in range(MESSAGES):
        lab.producer.send(name, for_tenant(BODIES["ocr"][1] | {"job_id": f"job-{number}"}, tenant))
    stop = asyncio.Event()

    async def well() -> None:
        return

    async def drained() -> bool:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return not any(int(answer[each]) for each in names)

    async with Proxy("127.0.0.1", lab.stack.ports.sqs) as proxy:
        changed = {
            "sqs_wait_seconds": 0,
            "sqs_hold_seconds": 1,
            "sqs_endpoint_url": f"http://127.0.0.1:{proxy.port}",
        }
        queue = await asyncio.to_thread(Queue, lab.settings.model_copy(update=changed), name)
        assert await asyncio.to_thread(queue.receives) == RECEIVES
        proxy.lose(losing(0.4))
        submitter = PatientSubmitter(
            lab.engine, lab.temporal, Vault(lab.settings.payload_keys.get_secret_value())
        )
        running = asyncio.create_task(
            Bridge({"ai-lite": queue}, submitter, Breaker(well, lambda _: True), stop).run()
        )
        await every_job_has_its_workflow(lab, tenant, MESSAGES)
        proxy.lose(itertools.repeat(False))
        await eventually(drained, "drained")
        stop.set()
        await running
    assert proxy.lost >= 10, "the fault was fired"
    assert sqs.receive_message(QueueUrl=dlq).get("Messages", []) == []
