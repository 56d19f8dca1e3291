"""Messages a second through the bridge against bare `start_workflow`, and the latency of one message."""

import asyncio
import json
import statistics
import time
from datetime import timedelta
from typing import Any

from temporalio.common import Priority, SearchAttributePair, TypedSearchAttributes

from contracts.jobs import JobRef
from contracts.names import TaskQueue, WorkflowType
from contracts.queues import parse
from devstack.app import running
from intake.submit import JOB_TYPE, TENANT_ID
from tests.lab import Lab

MESSAGES = 600
CONCURRENT = 50
SINGLE, EVERY = 200, 0.05
ROUNDS = 6


def body(tenant: int, number: int) -> dict[str, Any]:
    return {
        "job_id": f"job-{number:05d}",
        "job_type": "embedding",
        "tier": "lite",
        "payload": {"texts": ["이차방정식"], "backend": "auto"},
        "tenant_id": str(tenant),
        "source_domain": "bench",
        "source_id": None,
        "created_at": "2026-01-01T00:00:00Z",
        "attempt": 1,
    }


async def run(lab: Lab) -> dict[str, object]:
    bare, bridged = [], []
    for number in range(ROUNDS):
        # In turns who comes first: the server slows down as its database grows.
        for first in (number % 2 == 0, number % 2 == 1):
            if first:
                bare.append(await bare_rate(lab, 100 + number))
            else:
                bridged.append(await bridge_rate(lab, 200 + number))
        print(f"round {number + 1}: bridge {bridged[-1]:.0f}/s, start_workflow {bare[-1]:.0f}/s", flush=True)
    p50, p99 = await latency(lab, 300)
    ours, peer = statistics.median(bridged), statistics.median(bare)
    return {
        "ours": round(ours, 1),
        "peers": {"start_workflow": round(peer, 1)},
        "ratio": round(ours / peer, 3),
        "unit": "messages/s",
        "latency_ms": {"p50": round(1000 * p50, 1), "p99": round(1000 * p99, 1)},
    }


async def bare_rate(lab: Lab, tenant: int) -> float:
    """The same starts, with nothing before them: no queue, no database."""
    permits = asyncio.Semaphore(CONCURRENT)
    requests = [parse("ai-lite", _json(body(tenant, number)), "-") for number in range(MESSAGES)]

    async def start(number: int) -> None:
        request = requests[number]
        async with permits:
            await lab.temporal.start_workflow(
                WorkflowType.JOB,
                JobRef(job_id=request.job_id, job_type=request.job_type, tenant_id=tenant),
                id=f"bare-{request.job_id}",
                task_queue=TaskQueue.OPS,
                priority=Priority(priority_key=3, fairness_key=str(tenant)),
                search_attributes=TypedSearchAttributes(
                    [
                        SearchAttributePair(TENANT_ID, str(tenant)),
                        SearchAttributePair(JOB_TYPE, request.job_type),
                    ]
                ),
                static_summary=f"{request.job_type} · tenant {tenant}",
                rpc_timeout=timedelta(seconds=30),
            )

    began = time.monotonic()
    await asyncio.gather(*(start(number) for number in range(MESSAGES)))
    return MESSAGES / (time.monotonic() - began)


async def bridge_rate(lab: Lab, tenant: int) -> float:
    """From the first accepted job until the queue is empty: every message deleted after its start."""
    sqs, url = lab.producer._sqs, lab.producer._sqs.get_queue_url
    queue = url(QueueName=lab.settings.ai_sqs_queue_name_lite)["QueueUrl"]
    for start in range(0, MESSAGES, 10):
        entries = [
            {"Id": str(number), "MessageBody": _json(body(tenant, number))}
            for number in range(start, start + 10)
        ]
        await asyncio.to_thread(sqs.send_message_batch, QueueUrl=queue, Entries=entries)
    async with running(lab.stack, "bridge"):
        began = None
        while depth := await asyncio.to_thread(lab.depth, "ai-lite"):
            if began is None and depth < MESSAGES:
                began, left = time.monotonic(), depth
            await asyncio.sleep(0.05)
        assert began is not None
        took = time.monotonic() - began
    assert len(await lab.jobs(tenant)) == MESSAGES
    return left / took


async def latency(lab: Lab, tenant: int) -> tuple[float, float]:
    """Seconds from just before the send to the workflow's start, by the server's clock on this machine."""
    sent: dict[str, float] = {}
    async with running(lab.stack, "bridge"):
        await asyncio.sleep(1)
        for number in range(SINGLE):
            sent[f"job-{number:05d}"] = time.time()
            await asyncio.to_thread(lab.send, "ai-lite", body(tenant, number))
            await asyncio.sleep(EVERY)
        await lab.drained("ai-lite")
    waits = []
    for job in await lab.jobs(tenant):
        described = await lab.temporal.get_workflow_handle(job.workflow_id).describe()
        waits.append(described.start_time.timestamp() - sent[job.external_id])
    cuts = statistics.quantiles(waits, n=100)
    return statistics.median(waits), cuts[98]


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)
