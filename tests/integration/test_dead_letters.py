"""Dead letters on a real queue: written whatever their size, looked at, and sent back as what they were."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from clients import stored_bodies
from clients.queues import LARGEST, DeadLetter, Queue, QueueMessage
from clients.stored_bodies import PREFIX
from clients.vault import Vault
from devstack.stack import Stack
from tests.integration.test_bodies import for_tenant
from tests.lab import Lab, PatientSubmitter, eventually, fresh_id
from tests.unit.bodies import BODIES
from workers import dead_letters
from workers.breaker import Breaker
from workers.bridge import Bridge


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


async def test_a_message_that_is_deleted_already_is_not_deleted_for_ever(queue: Queue) -> None:
    """The answer to the first try was lost; the handle of the second means nothing any more."""
    queue._sqs.send_message(QueueUrl=queue._url, MessageBody="{}")
    messages = await asyncio.to_thread(queue.receive)
    assert len(messages) == 1
    for _ in range(2):
        assert await asyncio.to_thread(queue.delete, messages) == []
    assert await asyncio.to_thread(queue.receive) == []


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
    assert datetime.fromisoformat(given.pop("SentBack").split()[0]) == letter.sent_at
    assert given == {"Shard": "7", "OriginalMessageId": letter.id}


@asynccontextmanager
async def bridging(lab: Lab, queue: Queue) -> AsyncIterator[None]:
    """A bridge that receives AI jobs from this queue."""

    async def well() -> None:
        return

    submitter = PatientSubmitter(
        lab.engine, lab.temporal, Vault(lab.settings.payload_keys.get_secret_value())
    )
    stop = asyncio.Event()
    bridge = Bridge({"ai-lite": queue}, submitter, Breaker(well, lambda _: True), stop)
    running = asyncio.create_task(bridge.run())
    yield
    stop.set()
    await running


def healthy(tenant: int) -> str:
    return json.dumps(for_tenant(BODIES["ocr"][1] | {"job_id": f"job-{uuid4()}"}, tenant))


async def found(queue: Queue, count: int) -> list[DeadLetter]:
    async def letters() -> list[DeadLetter]:
        there = await look(queue, 1000)
        return there if len(there) >= count else []

    return await eventually(letters, f"{count} dead letters")


def attributes(lab: Lab, url: str, **given: str) -> None:
    lab.producer._sqs.set_queue_attributes(QueueUrl=url, Attributes=given)


@pytest.mark.parametrize("refused", ["by its size", "by the queue"])
async def test_a_body_that_fits_no_letter_comes_back_whole(queue: Queue, lab: Lab, refused: str) -> None:
    tenant = fresh_id()
    body = healthy(tenant)
    if refused == "by its size":
        body += " " * (LARGEST - len(body))  # still JSON
    else:
        body += " " * 2000
        attributes(lab, queue._dlq_url, MaximumMessageSize="1024")
    before = set(lab.keys(PREFIX))
    queue.dead_letter(QueueMessage("first", "", body), "REFUSED_BY_DATABASE", "x" * 1000)
    (key,) = set(lab.keys(PREFIX)) - before
    sealed = lab.objects.get(key)
    assert body.strip().encode() not in sealed and b"job_id" not in sealed
    (letter,) = await look(queue)
    assert (letter.body, letter.id, letter.reason) == (body, "first", "REFUSED_BY_DATABASE")
    assert await asyncio.to_thread(queue.redrive) == 1
    async with bridging(lab, queue):
        job = await lab.only_job(tenant)
        assert job.external_id in body

        async def erased() -> bool:
            return key not in lab.keys(PREFIX)

        await eventually(erased, "its object is erased")
    assert await look(queue) == []


async def test_what_sqs_itself_gave_up_on_comes_back_even_with_the_largest_body(
    queue: Queue, lab: Lab
) -> None:
    body = "x" * LARGEST
    lab.producer._sqs.send_message(QueueUrl=queue._dlq_url, MessageBody=body)
    (letter,) = await look(queue)
    assert await asyncio.to_thread(queue.redrive) == 1
    (back,) = await eventually(lambda: asyncio.to_thread(queue.receive))
    assert (back.id, back.body) == (letter.id, body)


async def test_a_stored_body_that_is_gone_is_a_letter_that_says_so(queue: Queue, lab: Lab) -> None:
    queue.dead_letter(QueueMessage("first", "", "x" * LARGEST), "NOT_JSON", "-")
    assert stored_bodies.sweep(lab.objects) == 0  # it is young
    assert stored_bodies.sweep(lab.objects, timedelta(days=-1)) >= 1
    (letter,) = await look(queue)
    assert letter.body_is_gone
    assert await asyncio.to_thread(queue.redrive) == 1
    async with bridging(lab, queue):
        (letter,) = await found(queue, 1)
    assert (letter.reason, letter.id) == ("BODY_GONE", "first")


async def test_letters_that_cannot_be_written_are_parked_in_bounded_number(
    queue: Queue, lab: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(dead_letters, "ROOM", 15)
    sqs, url = lab.producer._sqs, queue._url
    sqs.delete_queue(QueueUrl=queue._dlq_url)
    for number in range(60):
        sqs.send_message(QueueUrl=url, MessageBody=f"nonsense {number}")

    async def refuses() -> bool:
        return "is not received from" in caplog.text

    async with bridging(lab, queue):
        await eventually(refuses, "full")
        assert "cannot be written" in caplog.text
        held = await counts(lab, url)
        assert held["ApproximateNumberOfMessagesNotVisible"] <= 15 + 90  # batches that were in hand
        sqs.create_queue(QueueName=queue._dlq_url.rpartition("/")[2])
        letters = await found(queue, 60)
    assert {each.body for each in letters} == {f"nonsense {number}" for number in range(60)}
    assert sum((await counts(lab, url)).values()) == 0


async def counts(lab: Lab, url: str) -> dict[str, int]:
    names: list[Any] = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = await asyncio.to_thread(
        lab.producer._sqs.get_queue_attributes, QueueUrl=url, AttributeNames=names
    )
    return {name: int(answer["Attributes"][name]) for name in names}


async def test_a_stored_body_that_another_key_sealed_is_left_for_who_has_it(queue: Queue, lab: Lab) -> None:
    """A process that lacks one of PAYLOAD_KEYS buries nothing: the key comes, or another process takes it."""
    queue.dead_letter(QueueMessage("first", "", "x" * LARGEST), "NOT_JSON", "-")
    assert await asyncio.to_thread(queue.redrive) == 1
    queue._bodies._vault = Vault(f"other:{base64.b64encode(bytes(32)).decode()}")
    assert await asyncio.to_thread(queue.receive) == []
    assert sum(await asyncio.to_thread(queue.depth)) == 1
