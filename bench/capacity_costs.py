"""What each piece of work costs, measured on the stack: one after the other, with nothing beside it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import text

from bench.capacity_model import Cost, Work
from bench.offered import page_message, text_message
from contracts.jobs import FINAL_STATES
from devstack.app import App
from devstack.demo import repeat
from devstack.ports import LOOPBACK
from devstack.producer import encode_body
from tests.lab import SAMPLE, Lab, cpu_seconds, fresh_id
from tests.messages import Mail, phones
from tests.pages import page, page_at

# Times the sample of 5.3 s: what does not depend on the length is told from their difference.
SHORT, LONG = 4, 12
TEXTS, PEOPLE, PAGES = 40, 1000, 4
REST = 30.0  # seconds in which nothing is asked
LOOK_EVERY = 1.0
HEARTBEAT = "RecordActivityTaskHeartbeat"
TOLD_LATE = 12.0  # Postgres adds up what a connection did ten seconds after it last did something
WRITES = ("PUT", "POST", "COPY", "LIST")  # as R2 prices them: DELETE costs nothing, all else reads

DATABASE = text(
    "SELECT xact_commit AS commits, tup_inserted + tup_updated + tup_deleted AS rows"
    " FROM pg_stat_database WHERE datname = current_database()"
)


@dataclass(frozen=True)
class Gauge:
    """Reads all counters at once. `metrics`: the object store's page."""

    lab: Lab
    app: App
    metrics: str
    looks: list[int] = field(default_factory=list)  # at the jobs, by us: a commit each

    async def ended(self, tenant: int, count: int) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            self.looks.append(tenant)
            jobs = await self.lab.jobs(tenant)
            if len(jobs) == count and all(job.state in FINAL_STATES for job in jobs):
                break
        for job in jobs:
            assert job.state in ("DONE", "REVIEW_REQUIRED"), (job.job_type, job.state, job.error_code)

    async def now(self) -> Cost:
        own = [await page(self.app, name) for name in self.app.processes]
        store = (await page_at(self.metrics)).by("SeaweedFS_s3_request_total", "type")
        async with self.lab.engine.connect() as connection:
            row = (await connection.execute(DATABASE)).one()
        store.pop("DELETE", None)
        writes = sum(count for kind, count in store.items() if kind.upper().startswith(WRITES))
        return Cost(
            cpu=sum(cpu_seconds(each.pid) for each in self.app.processes.values()),
            beats=sum(
                each.of("temporal_request_total", operation="RecordActivityTaskHeartbeat") for each in own
            ),
            provider=sum(each.of("provider_requests_total") for each in own),
            commits=row.commits - len(self.looks),
            rows=row.rows,
            writes=writes,
            reads=sum(store.values()) - writes,
        )

    async def of(self, tenant: int, work: Callable[[], Awaitable[None]], idle: Cost) -> Cost:
        """What was counted while `work` ran, less what is at rest; of `tenant` the workflows."""
        before, began = await self.now(), time.monotonic()
        await work()
        await asyncio.sleep(TOLD_LATE)
        spent = (await self.now()).without(before).without(idle.times(time.monotonic() - began))
        transitions = events = 0
        for each in await self.lab.workflows(tenant):
            described = await self.lab.temporal.get_workflow_handle(each.id, run_id=each.run_id).describe()
            info = described.raw_description.workflow_execution_info
            transitions, events = transitions + info.state_transition_count, events + info.history_length
        return spent + Cost(transitions=transitions, events=events)


async def measure(lab: Lab, app: App, metrics: str) -> tuple[dict[Work, Cost], Cost]:
    """Costs of each kind of work, and what a second costs in which nothing is asked."""
    gauge, mail = Gauge(lab, app, metrics), Mail(lab)
    await asyncio.sleep(TOLD_LATE)
    before, began = await gauge.now(), time.monotonic()
    await asyncio.sleep(REST)
    idle = (await gauge.now()).without(before).times(1 / (time.monotonic() - began))

    lectures = []
    for times in (1, SHORT, LONG):  # the first one warms up
        source = lab.stack.data_dir / "tmp" / f"lecture-{times}.mp4"
        await asyncio.to_thread(repeat, SAMPLE, times, source)
        tenant = fresh_id()
        lectures.append(await gauge.of(tenant, lambda t=tenant, s=source: _lecture(gauge, t, s), idle))
    minute = lectures[2].without(lectures[1]).times(60 / 5.3 / (LONG - SHORT))
    costs = {
        Work.LECTURE: lectures[1].without(minute.times(SHORT * 5.3 / 60)),
        Work.LECTURE_MINUTE: minute,
    }
    await _pages(gauge, fresh_id(), 1)
    tenant = fresh_id()
    costs[Work.PAGE] = (await gauge.of(tenant, lambda: _pages(gauge, tenant, PAGES), idle)).times(1 / PAGES)
    texting = await mail.account()
    costs[Work.TEXT] = (await gauge.of(texting, lambda: _texts(gauge, texting), idle)).times(1 / TEXTS)
    noticing = await mail.account(credit=100_000_000)

    async def notice() -> None:
        await mail.send(noticing, phones(PEOPLE))
        await gauge.ended(noticing, 1)

    costs[Work.RECIPIENT] = (await gauge.of(noticing, notice, idle)).times(1 / PEOPLE)
    return costs, idle


async def _lecture(gauge: Gauge, tenant: int, source: Path) -> None:
    key = await asyncio.to_thread(gauge.lab.producer.upload, tenant, source)
    gauge.lab.send("video", encode_body(tenant, tenant, key))
    await gauge.ended(tenant, 1)


async def _pages(gauge: Gauge, tenant: int, count: int) -> None:
    for _ in range(count):
        gauge.lab.send("ai-basic", await page_message(gauge.lab, tenant))
    await gauge.ended(tenant, count)


async def _texts(gauge: Gauge, tenant: int) -> None:
    for phone in phones(TEXTS):
        await asyncio.to_thread(gauge.lab.send, "messaging", text_message(tenant, phone))
    await gauge.ended(tenant, TEXTS)


def metrics_of_store(lab: Lab, port: int) -> str:
    """The object store, started again with a page of metrics, and where that is."""
    process = lab.stack.processes["seaweedfs"]
    process.argv = [*process.argv, f"-metricsPort={port}", f"-metricsIp={LOOPBACK}"]
    lab.stack.restart("seaweedfs")
    return f"http://{LOOPBACK}:{port}"
