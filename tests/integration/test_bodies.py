"""Every body the producers send becomes a workflow; what is none lies in the dead letter queue."""

import asyncio
import json
from typing import Any

import pytest

from contracts.catalog import CATALOG
from devstack.app import App
from intake.submit import JOB_TYPE
from tests.lab import Lab, eventually, fresh_id
from tests.unit.bodies import BODIES


def for_tenant(body: dict[str, Any], tenant: int) -> dict[str, Any]:
    """The same body from another tenant, so that tests do not meet."""
    text = json.dumps(body).replace("tenants/7/", f"tenants/{tenant}/")
    moved: dict[str, Any] = json.loads(text)
    for place in (moved, moved.get("payload", {})):
        if place.get("tenant_id") is not None:
            place["tenant_id"] = type(place["tenant_id"])(tenant)
    return moved


@pytest.mark.parametrize("name", [name for name, (_, body) in BODIES.items() if body.get("tenant_id")])
async def test_body_becomes_a_workflow(app: App, lab: Lab, name: str) -> None:
    queue, body = BODIES[name]
    tenant = fresh_id()
    lab.send(queue, for_tenant(body, tenant))
    job = await lab.only_job(tenant)

    async def started() -> Any:
        return await lab.workflows(tenant)

    (workflow,) = await eventually(started, what="visible")
    assert workflow.id == job.workflow_id
    assert workflow.typed_search_attributes[JOB_TYPE] == job.job_type
    assert workflow.workflow_type == CATALOG[job.job_type].workflow


async def test_a_job_without_a_worker_waits(app: App, lab: Lab) -> None:
    """No worker for AI jobs is part of this stack: the job is accepted and waits, it has not failed."""
    queue, body = BODIES["ocr"]
    tenant = fresh_id()
    lab.send(queue, for_tenant(body, tenant))
    job = await lab.only_job(tenant)

    async def started() -> Any:
        return await lab.workflows(tenant)

    await eventually(started)
    handle = lab.temporal.get_workflow_handle(job.workflow_id)

    async def waiting() -> bool:
        described = await handle.describe()
        return bool(described.raw_description.pending_activities)

    await eventually(waiting)
    assert job.state == "PENDING"
    history = (await handle.fetch_history()).to_json()
    assert body["payload"]["file_key"].rpartition("/")[2] not in history


POISON = {
    "not json": ("video", "{oops", "NOT_JSON"),
    "unknown job type": (
        "ai-lite",
        {"job_id": "x", "job_type": "mind_reading", "tier": "lite", "payload": {}, "tenant_id": "7"},
        "UNKNOWN_JOB_TYPE",
    ),
    "missing field": ("messaging", {"tenant_id": 7, "to": "01012345678"}, "INVALID_FIELD"),
    "another tenant's file": (
        "video",
        {
            "video_id": 1,
            "file_key": "tenants/8/video/raw/1/a.mp4",
            "tenant_id": 7,
            "created_at": 1,
            "attempt": 1,
        },
        "FOREIGN_KEY_PREFIX",
    ),
    "delete of everything": (
        "video",
        {
            "action": "delete_r2",
            "tenant_id": 7,
            "video_id": 1,
            "file_key": "",
            "hls_prefix": "tenants/7/",
            "created_at": 1,
        },
        "FOREIGN_KEY_PREFIX",
    ),
}


@pytest.mark.parametrize("name", POISON)
async def test_poison_lies_in_the_dead_letter_queue_with_a_reason(app: App, lab: Lab, name: str) -> None:
    queue, body, reason = POISON[name]
    lab.dead_letters(queue)
    sent = lab.send(queue, body)

    async def buried() -> Any:
        return await asyncio.to_thread(lab.dead_letters, queue)

    (letter,) = await eventually(buried, what="dead letter")
    assert letter["Reason"] == reason
    assert letter["OriginalMessageId"] == sent
    assert letter["body"] == (body if isinstance(body, str) else json.dumps(body, ensure_ascii=False))
    assert len(letter["BodySha256"]) == 64
    assert "01012345678" not in letter["Detail"]
    await lab.drained(queue)


async def test_poison_does_not_stop_the_messages_beside_it(app: App, lab: Lab) -> None:
    tenant = fresh_id()
    queue, body = BODIES["ocr"]
    for number in range(20):
        lab.send(queue, "garbage")
        lab.send(queue, for_tenant(body | {"job_id": f"beside-{number}"}, tenant))

    async def all_accepted() -> bool:
        return len(await lab.jobs(tenant)) == 20

    await eventually(all_accepted)
    await lab.drained(queue)
    assert len(lab.dead_letters(queue)) == 20
