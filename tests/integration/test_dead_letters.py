"""Dead letters on a real queue: looked at, and sent back as what they were."""

import asyncio
from uuid import uuid4

import pytest

from clients.queues import DeadLetter, Queue, QueueMessage
from devstack.stack import Stack
from tests.lab import Lab, eventually


@pytest.fixture
def queue(stack: Stack, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Queue:
    """A queue that nobody receives from but this test."""
    environment = stack.environment()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, environment[name])
    name = f"dead-letters-{uuid4()}"
    for each in (name, f"{name}-dlq"):
        lab.producer._sqs.create_queue(QueueName=each)
    return Queue(lab.settings.model_copy(update={"sqs_wait_seconds": 0}), name)


def dead_letter(queue: Queue, count: int) -> None:
    for number in range(count):
        queue.dead_letter(
            QueueMessage(f"first-{number}", "", f"body {number}"), "NOT_JSON", "body is not JSON"
        )


async def look(queue: Queue, limit: int = 100) -> list[DeadLetter]:
    return await asyncio.to_thread(queue.dead_letters, limit)


async def test_looking_takes_nothing_away(queue: Queue) -> None:
    dead_letter(queue, 23)
    for _ in range(2):  # given back at once: the second look finds them too
        found = await look(queue)
        assert {each.body for each in found} == {f"body {number}" for number in range(23)}
        assert {(each.reason, each.detail) for each in found} == {("NOT_JSON", "body is not JSON")}
    assert len(await look(queue, limit=5)) == 5
    assert len(await look(queue)) == 23


async def test_one_goes_back_and_the_others_stay(queue: Queue) -> None:
    dead_letter(queue, 12)
    chosen = (await look(queue))[7]
    assert await asyncio.to_thread(queue.redrive, [chosen.dead_id]) == 1
    (back,) = await eventually(lambda: asyncio.to_thread(queue.receive))
    assert (back.id, back.body) == (chosen.id, chosen.body)
    assert chosen.id.startswith("first-") and chosen.id != chosen.dead_id
    assert len(left := await look(queue)) == 11
    assert chosen.dead_id not in {each.dead_id for each in left}


async def test_all_go_back_with_the_attributes_they_came_with(queue: Queue, lab: Lab) -> None:
    own = {"Shard": {"DataType": "String", "StringValue": "7"}}
    lab.producer._sqs.send_message(
        QueueUrl=queue._dlq_url, MessageBody="given up by SQS", MessageAttributes=own
    )
    (letter,) = await look(queue)
    assert (letter.reason, letter.id) == (None, letter.dead_id)
    assert await asyncio.to_thread(queue.redrive) == 1
    assert await look(queue) == []
    answer = lab.producer._sqs.receive_message(QueueUrl=queue._url, MessageAttributeNames=["All"])
    (message,) = answer["Messages"]
    given = {name: each["StringValue"] for name, each in message["MessageAttributes"].items()}
    assert given == {"Shard": "7", "OriginalMessageId": letter.id}
