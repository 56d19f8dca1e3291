"""Progress polls a second through the API, against a bare Starlette route that reads the same key of Redis.

One process of each under uvicorn, asked over CONNECTIONS kept connections by the same client, in turns. Ours
knows the caller, limits its rate, checks that the job is its tenant's, and logs and counts every request.
Also: statements that Postgres sees during a round, and memory of streams of events.
"""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import httpx
import psutil
from sqlalchemy import text

from clients.database.models import Job
from clients.progress import ProgressBoard, connect, job_key
from contracts.progress import ai_progress
from devstack.app import running
from devstack.ports import LOOPBACK, choose
from devstack.processes import Process
from tests.lab import Lab

CONNECTIONS = 16
SECONDS = 5.0
ROUNDS = 3
WATCHERS = 1_000
UNLIMITED = {"API_REQUESTS_PER_SECOND": "1000000", "API_BURST": "1000000"}


async def run(lab: Lab) -> dict[str, object]:
    tenant = 7
    key = await lab.service_key(tenant)
    job = await open_job(lab, tenant)
    board = ProgressBoard(connect(lab.settings))
    await board.show_job(tenant, job, ai_progress("run", 0.5))
    ours: list[tuple[float, float]] = []
    peer: list[tuple[float, float]] = []
    queries = []
    async with running(lab.stack, "api", **UNLIMITED) as app, bare(lab, job_key(tenant, job)) as port:
        path = f"/api/v1/core/job_progress/{job}/"
        for number in range(ROUNDS):
            for first in (number % 2 == 0, number % 2 == 1):
                if first:
                    before = await statements(lab)
                    ours.append(await rate(lab.stack.ports.api, path, key))
                    queries.append((await statements(lab) - before) / (ours[-1][0] * SECONDS))
                else:
                    peer.append(await rate(port, "/progress", key))
            print(f"round {number + 1}: ours {ours[-1][0]:.0f}/s, bare {peer[-1][0]:.0f}/s", flush=True)
        kilobytes = await watching(app.processes["api"], app.api_url, job, key)
    polls, bare_polls = (statistics.median(each for each, _ in found) for found in (ours, peer))
    return {
        "ours": round(polls),
        "peers": {"starlette": round(bare_polls)},
        "ratio": round(polls / bare_polls, 3),
        "unit": "polls/s",
        "p99_ms": {
            "ours": round(1000 * statistics.median(late for _, late in ours), 1),
            "starlette": round(1000 * statistics.median(late for _, late in peer), 1),
        },
        "queries_per_poll": round(statistics.median(queries), 4),
        "mb_per_1000_watchers": round(kilobytes / 1024, 1),
    }


async def open_job(lab: Lab, tenant: int) -> UUID:
    """A job that is running, for all that the database knows."""
    job = uuid4()
    row = {"id": job, "tenant_id": tenant, "job_type": "ai.ocr", "state": "RUNNING", "source": "bench"}
    names = dict.fromkeys(("idempotency_key", "external_id", "workflow_id", "payload_sha256"), str(job))
    async with lab.engine.begin() as connection:
        await connection.execute(Job.__table__.insert().values(row | names))
    return job


@asynccontextmanager
async def bare(lab: Lab, key: str) -> AsyncIterator[int]:
    port = choose().api
    argv = ["-m", "uvicorn", "bench.bare:app", "--host", LOOPBACK, "--port", str(port), "--no-access-log"]
    process = lab.stack.python("bare", *argv, POLLED_KEY=key)
    process.start()
    try:
        async with httpx.AsyncClient() as client:
            while True:
                try:
                    (await client.get(f"http://{LOOPBACK}:{port}/progress")).raise_for_status()
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.1)
        yield port
    finally:
        process.kill()


async def rate(port: int, path: str, key: str) -> tuple[float, float]:
    """Answers a second, and the 99th percentile of the seconds that one took."""
    request = f"GET {path} HTTP/1.1\r\nHost: {LOOPBACK}\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
    until = time.monotonic() + SECONDS
    took: list[float] = []

    async def poll() -> None:
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
        while (began := time.monotonic()) < until:
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            assert head.startswith(b"http/1.1 200"), head
            length = int(head.partition(b"content-length:")[2].split(b"\r", 1)[0])
            assert b'"percent"' in await reader.readexactly(length)
            took.append(time.monotonic() - began)
        writer.close()

    await asyncio.gather(*(poll() for _ in range(CONNECTIONS)))
    return len(took) / SECONDS, statistics.quantiles(took, n=100)[98]


async def statements(lab: Lab) -> int:
    """Transactions of the database so far: ours are one statement each here."""
    async with lab.engine.connect() as connection:
        await connection.execute(text("SELECT pg_stat_clear_snapshot()"))
        counted = text(
            "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
        )
        return int((await connection.execute(counted)).scalar_one())


async def watching(api: Process, url: str, job: UUID, key: str) -> float:
    """KiB more that the process holds while WATCHERS follow the job."""
    process = psutil.Process(api.pid)
    before = process.memory_info().rss
    limits = httpx.Limits(max_connections=None)
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, limits=limits, timeout=60) as client:
        streams = []
        for _ in range(WATCHERS):
            stream = client.stream("GET", f"/api/v1/jobs/{job}/events")
            answer = await stream.__aenter__()
            assert answer.status_code == 200
            streams.append(stream)
        held = process.memory_info().rss - before
        for stream in streams:
            await stream.__aexit__(None, None, None)
    return held / 1024 / WATCHERS * 1_000
