"""What the tests look at: the database, Temporal, the queues and the bucket, as an outsider sees them."""

import asyncio
import itertools
import json
import os
import random
import subprocess
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import psutil
from sqlalchemy import Row, func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from temporalio.client import Client
from temporalio.service import RPCError

from api.auth.service_keys import create_key
from clients import temporal
from clients.database.models import Job, Rendition, Video
from clients.objects import Objects
from clients.settings import Settings
from clients.vault import Vault
from contracts.jobs import FINAL_STATES, JobOutcome, JobRecord
from contracts.rights import EVERYTHING, Right
from devstack import programs
from devstack.ports import free
from devstack.producer import Producer, encode_body
from devstack.stack import Stack
from intake.ending import Endings
from intake.errors import INFRASTRUCTURE_ERRORS, ErrorKind, classify
from intake.submit import Submitter

SAMPLE = Path(__file__).parents[1] / "samples" / "big-buck-bunny.mp4"
CLIP = Path(__file__).with_name("clip.mp4")  # the sample at 360 lines, to encode in a moment
# Seconds; it ends what hangs, and is far from what anything takes on a busy machine. `make defences` needs
# less: there it is right that something never comes.
PATIENCE = float(os.environ.get("PATIENCE", "240"))
T = TypeVar("T")
_ids = itertools.count(1000)


def fresh_id() -> int:
    """A tenant or video id that no other test of this process uses."""
    return next(_ids)


async def eventually(
    look: Callable[[], Awaitable[T]],
    what: str = "",
    every: float = 0.2,
    instead: Callable[[], Awaitable[str]] | None = None,
) -> T:
    """The first true answer of `look`, asked `every` so many seconds, however long it takes. If it never
    comes: `instead` tells what there is."""
    deadline = time.monotonic() + PATIENCE
    while True:
        answer = await look()
        if answer:
            return answer
        if time.monotonic() > deadline:
            there_is = f"; {await instead()}" if instead else ""
            raise AssertionError(f"never came: {what or look}{there_is}")
        await asyncio.sleep(every)


class PatientSubmitter(Submitter):
    """Starts again what nobody knows the outcome of, as bridge and reconciler do: a busy server takes longer
    than the time limit of one call."""

    async def start_workflow(self, job: JobRecord) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return await super().start_workflow(job)
            except INFRASTRUCTURE_ERRORS as error:
                if classify(error) is not ErrorKind.UNKNOWN or time.monotonic() > deadline:
                    raise
            await asyncio.sleep(0.2)


_made: dict[tuple[str | None, str | None], tuple[Objects, Producer]] = {}


def _s3_and_sqs(settings: Settings) -> tuple[Objects, Producer]:
    """Made once for a stack: making boto3's clients takes longer than many a test."""
    addresses = settings.r2_endpoint_url, settings.sqs_endpoint_url
    if addresses not in _made:
        _made[addresses] = Objects(settings), Producer(settings)
    return _made[addresses]


class Lab:
    """One stack, seen from outside."""

    def __init__(self, stack: Stack, settings: Settings, engine: AsyncEngine, client: Client) -> None:
        self.stack = stack
        self.settings = settings
        self.engine = engine
        self.temporal = client
        self.objects, self.producer = _s3_and_sqs(settings)

    @classmethod
    async def open(cls, stack: Stack) -> "Lab":
        settings = stack.settings()
        # Dozens of cases look at once, on a busy machine: who waits for a connection is patient.
        engine = create_async_engine(
            settings.database_url(),
            pool_size=25,
            max_overflow=0,
            pool_timeout=PATIENCE,
            pool_pre_ping=True,
            connect_args={"connect_timeout": int(PATIENCE)},
        )
        return cls(stack, settings, engine, await temporal.connect(settings, engine))

    async def close(self) -> None:
        await self.engine.dispose()

    def endings(self) -> Endings:
        vault = Vault(self.settings.payload_keys.get_secret_value())
        return Endings(self.engine, self.temporal, self.objects, vault)

    def send(self, queue: str, body: dict[str, Any] | str) -> str:
        return self.producer.send(self.settings.queue_names()[queue], body)

    def send_encode(self, tenant: int, video: int, file: Path = CLIP, **more: Any) -> dict[str, Any]:
        """Upload and send, as the producer does; returns the body."""
        body = encode_body(tenant, video, self.producer.upload(tenant, file), **more)
        self.send("video", body)
        return body

    async def jobs(self, tenant: int | None) -> list[Row[Any]]:
        async with self.engine.connect() as connection:
            where = Job.tenant_id.is_not_distinct_from(tenant)
            return list(await connection.execute(select(Job).where(where).order_by(Job.seq)))

    async def only_job(self, tenant: int) -> Row[Any]:
        """The tenant's one job, once it is accepted."""
        (job,) = await eventually(lambda: self.jobs(tenant), what="accepted")
        return job

    async def ended(self, tenant: int, count: int = 1) -> list[Row[Any]]:
        """The tenant's jobs, once there are `count` and all are final."""

        async def look() -> list[Row[Any]]:
            jobs = await self.jobs(tenant)
            done = len(jobs) >= count and all(job.state in FINAL_STATES for job in jobs)
            return jobs if done else []

        return await eventually(
            look, f"{count} jobs of tenant {tenant} ended", instead=lambda: self.standing(tenant)
        )

    async def standing(self, tenant: int) -> str:
        """What each open job of a tenant waits for: for the person who reads of a test that failed."""
        told = []
        for job in await self.jobs(tenant):
            if job.state in FINAL_STATES:
                continue
            told.append(f"{job.job_type} is {job.state}")
            with suppress(RPCError):
                now = await self.temporal.get_workflow_handle(job.workflow_id).describe()
                told += [str(step) for step in now.raw_description.pending_activities]
        return "\n".join(told) or "no job is open"

    async def video(self, tenant: int, video: int) -> Row[Any]:
        async with self.engine.connect() as connection:
            where = (Video.tenant_id == tenant, Video.id == video)
            return (await connection.execute(select(Video).where(*where))).one()

    async def renditions(self, tenant: int, video: int) -> list[Row[Any]]:
        async with self.engine.connect() as connection:
            where = (Rendition.tenant_id == tenant, Rendition.video_id == video)
            rows = await connection.execute(select(Rendition).where(*where).order_by(Rendition.height))
            return list(rows)

    async def workflows(self, tenant: int) -> list[Any]:
        """Visible executions of a tenant (visibility lags by some hundred milliseconds)."""
        return [each async for each in self.temporal.list_workflows(f"TenantId = '{tenant}'")]

    def keys(self, prefix: str) -> list[str]:
        return [key for key, _ in self.objects.list(prefix)]

    def dead_letters(self, queue: str) -> list[dict[str, Any]]:
        """Everything in a dead letter queue, taken out."""
        sqs = self.producer._sqs
        url = sqs.get_queue_url(QueueName=f"{self.settings.queue_names()[queue]}-dlq")["QueueUrl"]
        found: list[dict[str, Any]] = []
        while True:
            answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
            if not (messages := answer.get("Messages", [])):
                return found
            for message in messages:
                attributes = message.get("MessageAttributes", {})
                found.append(
                    {"body": message["Body"]}
                    | {name: value["StringValue"] for name, value in attributes.items()}
                )
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def depth(self, queue: str, held: bool = True) -> int:
        """Messages in a queue, visible or in somebody's hands."""
        sqs = self.producer._sqs
        url = sqs.get_queue_url(QueueName=self.settings.queue_names()[queue])["QueueUrl"]
        names = ["ApproximateNumberOfMessages", *(["ApproximateNumberOfMessagesNotVisible"] if held else [])]
        answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(answer[name]) for name in names)

    async def drained(self, queue: str) -> None:
        """Wait until the queue is empty."""

        async def look() -> bool:
            return await asyncio.to_thread(self.depth, queue) == 0

        await eventually(look, f"{queue} drained")

    async def reopen(self, job: Row[Any]) -> None:
        """Its row is as it was before its last step."""
        async with self.engine.begin() as connection:
            again = {"state": "RUNNING", "finished_at": None, "result": None, "error_code": None}
            await connection.execute(update(Job).where(Job.id == job.id).values(again))

    async def stays_open(self, job: Row[Any]) -> bool:
        """Whether its workflow would leave a job open at its last step, with the end that `job` has: rows are
        lost that it wrote."""
        outcome = JobOutcome(state=job.state, error_code=job.error_code, result=job.result or {})
        return await self.endings().rows_are_lost(job.id, outcome)

    async def service_key(self, tenant: int, rights: frozenset[Right] = EVERYTHING) -> str:
        async with self.engine.begin() as connection:
            return await create_key(connection, tenant, rights)


def cpu_seconds(pid: int) -> float:
    """Processor time of a process, of all below it, and of what has ended below it. Unlike the clock on the
    wall it does not count what other programs of the machine take."""
    own, spent = psutil.Process(pid), 0.0
    for each in (own, *own.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):  # just ended: its parent has its time
            spent += sum(each.cpu_times()[:4])
    return spent


def make_roles(settings: Settings, password: str, *processes: str) -> None:
    """Postgres' roles as `deploy/postgres/roles.sql` makes them, run by the owner; all with one password."""
    environment = {
        "PGHOST": settings.db_host,
        "PGPORT": str(settings.db_port),
        "PGUSER": settings.db_user,
        "PGPASSWORD": settings.db_password.get_secret_value(),
        "PGDATABASE": settings.db_name,
        **{f"ROLE_PASSWORD_{each.upper()}": password for each in processes},
    }
    script = Path(__file__).parents[1] / "deploy/postgres/roles.sql"
    command = [programs.postgres("psql"), "--no-psqlrc", "--quiet", "--file", script]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def unused_port() -> int:
    """Apart from those of a stack, and from those that connections going out are given: neither takes it
    before its server does."""
    return next(port for _ in range(1000) if free(port := random.randrange(5_000, 10_500)))


def mend(stack: Stack) -> None:
    """Every server runs again, and the logs of our own processes are gone."""
    for name, process in stack.processes.items():
        stack.resume(name)
        if not process.alive():
            stack.restart(name)
    for log in (stack.data_dir / "logs").iterdir():
        if log.stem not in stack.processes:
            log.unlink()


async def empty(stack: Stack) -> None:
    """Nothing is left to do or to open: no message, no running workflow, no open job, no key."""
    lab = await Lab.open(stack)
    sqs = lab.producer._sqs
    for name in lab.settings.queue_names().values():
        for each in (name, f"{name}-dlq"):
            sqs.purge_queue(QueueUrl=sqs.get_queue_url(QueueName=each)["QueueUrl"])
    async with lab.engine.begin() as connection:
        await connection.exec_driver_sql("DELETE FROM tenant_keys")  # a test may have a ring of its own
        await connection.execute(
            update(Job).where(Job.finished_at.is_(None)).values(state="CANCELLED", finished_at=func.now())
        )
    async for each in lab.temporal.list_workflows("ExecutionStatus = 'Running'"):
        with suppress(RPCError):  # it ended meanwhile
            await lab.temporal.get_workflow_handle(each.id, run_id=each.run_id).terminate("the test is over")
    await lab.close()


def log_lines(stack: Stack, process: str) -> list[dict[str, Any]]:
    """A process's structured log."""
    text = (stack.data_dir / "logs" / f"{process}.log").read_text()
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]
