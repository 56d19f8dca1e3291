"""The breaker on real servers: what is held through an outage does not come back all at once, and one request
that nobody answers is no outage."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from clients.queues import Queue
from clients.vault import Vault
from contracts.jobs import JobRecord
from intake import submit
from intake.errors import ErrorKind, classify
from intake.submit import Submitter
from tests.faults.test_bridge import every_job_has_its_workflow
from tests.integration.test_bodies import for_tenant
from tests.lab import Lab, eventually, fresh_id
from tests.unit.bodies import BODIES
from workers.breaker import Breaker
from workers.bridge import Bridge

pytestmark = pytest.mark.slow

HELD = {"ai-lite": 80, "ai-basic": 30}


class Counted(Submitter):
    """Notes how many starts are on their way, and how many were answered before."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab.engine, lab.temporal, Vault(lab.settings.payload_keys.get_secret_value()))
        self.under_way = 0
        self.answered = 0
        self.seen: list[tuple[int, int]] = []
        self.silent: set[str] = set()

    async def start_workflow(self, job: JobRecord) -> None:
        self.under_way += 1
        self.seen.append((self.under_way, self.answered))
        try:
            if job.workflow_id in self.silent:
                await asyncio.sleep(0.3)
                raise TimeoutError
            await super().start_workflow(job)
            self.answered += 1
        finally:
            self.under_way -= 1


@asynccontextmanager
async def bridging(
    lab: Lab, submitter: Submitter, patch: pytest.MonkeyPatch, **queues: str
) -> AsyncIterator[None]:
    """A bridge whose probe says that all is well: it is lighter than any work."""
    environment = lab.stack.environment()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        patch.setenv(name, environment[name])
    settings = lab.settings.model_copy(update={"sqs_wait_seconds": 0})
    opened = {name: Queue(settings, queue) for name, queue in queues.items()}

    async def well() -> None:
        return

    stop = asyncio.Event()
    breaker = Breaker(well, lambda error: classify(error) is ErrorKind.UNKNOWN)
    running = asyncio.create_task(Bridge(opened, submitter, breaker, stop).run())
    yield
    stop.set()
    await running


def send(lab: Lab, tenant: int, queue: str, count: int) -> None:
    for _ in range(count):
        lab.send(queue, for_tenant(BODIES["ocr"][1] | {"job_id": f"job-{next(_numbers)}"}, tenant))


_numbers = itertools.count()


async def test_what_was_held_through_an_outage_comes_back_a_few_at_a_time(
    own_lab: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lab, tenant, counted = own_lab, fresh_id(), Counted(own_lab)
    caplog.set_level("INFO")

    def said(words: str) -> int:
        return sum(words in record.getMessage() for record in caplog.records)

    async def tried(times: int) -> bool:
        return said("breaker open") > times

    async def tries_once_more() -> bool:
        return said("breaker half-open") > before and counted.under_way > 0

    names = {name: lab.settings.queue_names()[name] for name in HELD}
    await asyncio.to_thread(lab.stack.suspend, "temporal")
    monkeypatch.setattr(submit, "RPC_TIMEOUT", timedelta(seconds=2))
    for name, count in HELD.items():
        send(lab, tenant, name, count)
    async with bridging(lab, counted, monkeypatch, **names):
        await eventually(lambda: tried(1), "the first try is over, and with it what was on its way before")
        counted.seen.clear()
        await eventually(lambda: tried(3), "tried by one batch after the other")
        assert max(under_way for under_way, _ in counted.seen) <= 10, "one batch at a time"
        before = said("breaker half-open")
        monkeypatch.setattr(submit, "RPC_TIMEOUT", timedelta(seconds=30))
        await eventually(tries_once_more, every=0.02)
        counted.seen.clear()
        opened = said("breaker open")
        waiting = [await asyncio.to_thread(lab.depth, name, held) for name in HELD for held in (True, False)]
        assert waiting[0] - waiting[1] + waiting[2] - waiting[3] >= 40, "held, enough to be seen"
        await asyncio.to_thread(lab.stack.resume, "temporal")
        await every_job_has_its_workflow(lab, tenant, sum(HELD.values()))
    assert said("breaker open") == opened, "it did not flap"
    assert counted.seen and all(under_way <= 10 + answered for under_way, answered in counted.seen)


async def test_one_request_that_nobody_answers_is_no_outage(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tenant, counted = fresh_id(), Counted(lab)
    name = f"silent-{tenant}"
    for each in (name, f"{name}-dlq"):
        lab.producer._sqs.create_queue(QueueName=each)
    url = lab.producer._sqs.get_queue_url(QueueName=name)["QueueUrl"]

    def put(count: int) -> None:
        for _ in range(count):
            body = for_tenant(BODIES["ocr"][1] | {"job_id": f"job-{next(_numbers)}"}, tenant)
            lab.producer.send(name, body)

    monkeypatch.setattr(
        "intake.submit.catalog.workflow_id", lambda request: f"{request.external_id}-{tenant}"
    )
    first = f"job-{next(_numbers)}"
    counted.silent = {f"{first}-{tenant}"}
    lab.producer.send(name, for_tenant(BODIES["ocr"][1] | {"job_id": first}, tenant))
    async with bridging(lab, counted, monkeypatch, **{"ai-lite": name}):

        async def open_again() -> bool:
            return caplog.text.count("breaker open") >= 2

        await eventually(open_again, "alone it looks like an outage")
        put(100)

        async def started() -> bool:
            return counted.answered == 100

        await eventually(started, "its neighbours are started")
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = lab.producer._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        assert sum(int(answer[each]) for each in names) >= 1, "and it is kept"
    assert caplog.text.count("breaker open") < 10


async def test_a_queue_does_not_wait_for_the_backlog_of_another(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(Counted):
        async def start_workflow(self, job: JobRecord) -> None:
            await asyncio.sleep(0.5)
            await super().start_workflow(job)

    many, one, slow = fresh_id(), fresh_id(), Slow(lab)
    names = {kind: f"{kind}-{many}" for kind in ("ai-lite", "ai-basic")}
    for name in names.values():
        for each in (name, f"{name}-dlq"):
            lab.producer._sqs.create_queue(QueueName=each)
    bodies = [BODIES["ocr"][1] | {"job_id": f"job-{next(_numbers)}"} for _ in range(200)]
    for body in bodies:
        lab.producer.send(names["ai-lite"], for_tenant(body, many))
    async with bridging(lab, slow, monkeypatch, **names):

        async def begun() -> bool:
            return slow.answered > 0

        await eventually(begun)
        lab.producer.send(names["ai-basic"], for_tenant(bodies[0], one))

        async def all_accepted() -> bool:
            return len(await lab.jobs(many)) == len(bodies)

        await eventually(all_accepted)
        job = await lab.only_job(one)
        last = max(each.accepted_at for each in await lab.jobs(many))
        assert job.accepted_at < last, "the backlog was not over"
