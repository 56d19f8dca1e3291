"""How jobs of three tiers share the AI queue: 200 lite ones wait when 200 basic ones come, and 10 urgent ones
at the very end. Counts who is served first, by the catalogue's own keys and weights on the real server."""

import asyncio
import time
from datetime import timedelta
from uuid import uuid4

from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import PollActivityTaskQueueRequest
from temporalio.common import Priority

from contracts.catalog import CATALOG
from contracts.jobs import JobRef
from tests.lab import Lab

EACH = 200
URGENT = 10


async def run(lab: Lab) -> dict[str, object]:
    served = await dispatched(lab, {"lite": 7, "basic": 7}, "lite", "basic")
    ratio = served.count("basic") / served.count("lite")
    tenants = await dispatched(lab, {"loud": 8, "quiet": 9}, "basic", "basic")
    return {
        "ours": {
            "basic_to_lite": round(ratio, 2),
            "urgent_among_the_first": sum(name == "urgent" for name in served[:URGENT]),
            "loud_to_quiet_tenant": round(tenants.count("loud") / tenants.count("quiet"), 2),
        },
        "goal": {"basic_to_lite": [2.9, 3.1], "urgent_among_the_first": URGENT, "loud_to_quiet_tenant": 1.0},
        "unit": f"of the first {EACH} served",
    }


async def dispatched(lab: Lab, tenants: dict[str, int], *tiers: str) -> list[str]:
    """Who of two groups is served, in order; the first group came first."""
    queue, row = f"fairness-{uuid4()}", CATALOG["ai.ocr"]

    async def add(name: str, tenant: int, tier: str, priority: int) -> None:
        ref = JobRef(job_id=uuid4(), job_type="ai.ocr", tenant_id=tenant)
        key, weight = row.fairness(ref, {"tier": tier})
        await lab.temporal.start_activity(
            name,
            id=f"{queue}-{uuid4()}",
            task_queue=queue,
            schedule_to_close_timeout=timedelta(minutes=5),
            priority=Priority(priority_key=priority, fairness_key=key, fairness_weight=weight),
        )

    began = time.perf_counter()
    for (name, tenant), tier in zip(tenants.items(), tiers, strict=True):
        await asyncio.gather(*(add(name, tenant, tier, row.priority) for _ in range(EACH)))

    await asyncio.gather(*(add("urgent", 7, "lite", 1) for _ in range(URGENT)))
    await asyncio.sleep(2)  # the server reads a new priority's tasks a moment after they came
    request = PollActivityTaskQueueRequest(
        namespace=lab.temporal.namespace, task_queue=TaskQueue(name=queue), identity="bench"
    )
    served = []
    for _ in range(EACH + URGENT):
        answer = await lab.temporal.workflow_service.poll_activity_task_queue(request)
        served.append(str(answer.activity_type.name))
    print(f"{EACH + URGENT} served in {time.perf_counter() - began:.1f} s with adding them", flush=True)
    return served
