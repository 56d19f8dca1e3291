"""What each workflow asks of Temporal, line by line, as it stands in `fingerprints.txt`.

A change here is a change for jobs that are running: either `tests/replay` still passes, or the edit needs
`workflow.patched`. It also shows changes that a replay does not see: queues, timeouts, heartbeats.
After a change that is meant: `FINGERPRINTS=write pytest tests/workflows/test_fingerprints.py`.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.duration_pb2 import Duration
from temporalio.client import WorkflowHistory
from temporalio.testing import WorkflowEnvironment

from contracts.ai import AiInput, AiPlan
from contracts.jobs import JobRef
from contracts.messaging import MessagesInput
from contracts.trim import TrimInput
from contracts.video import DeleteInput, EraseInput, hls_root
from tests.workflows.world import ANSWERS, World, encode_input, retired, start, worker

pytestmark = pytest.mark.asyncio(loop_scope="package")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
STORED = Path(__file__).parent / "fingerprints.txt"


def commands(history: WorkflowHistory) -> Iterator[str]:
    for event in history.events:
        if event.HasField("activity_task_scheduled_event_attributes"):
            asked = event.activity_task_scheduled_event_attributes
            yield f"activity {asked.activity_type.name} on {asked.task_queue.name}: " + ", ".join(
                f"{name.replace('_', '-')} {seconds(getattr(asked, f'{name}_timeout'))}"
                for name in ("schedule_to_start", "start_to_close", "schedule_to_close", "heartbeat")
            )
        elif event.HasField("timer_started_event_attributes"):
            yield f"timer {seconds(event.timer_started_event_attributes.start_to_fire_timeout)}"
        elif event.HasField("start_child_workflow_execution_initiated_event_attributes"):
            child = event.start_child_workflow_execution_initiated_event_attributes
            yield f"child {child.workflow_type.name}"
        elif event.HasField("upsert_workflow_search_attributes_event_attributes"):
            fields = event.upsert_workflow_search_attributes_event_attributes.search_attributes.indexed_fields
            # The other one that is written is the list of patches.
            yield f"stage {fields['Stage'].data.decode()}" if "Stage" in fields else "patch"


def seconds(duration: Duration) -> str:
    return f"{duration.ToTimedelta().total_seconds():.0f} s"


async def test_fingerprints(env: WorkflowEnvironment, world: World) -> None:
    world.units, world.replaced = 2, "tenants/7/video/hls/42/old-1/"
    delete = DeleteInput(job_id=uuid4(), tenant_id=7, video_id=42, file_key="")
    trim = TrimInput(job_id=uuid4(), tenant_id=7, video_id=42, version="old-1", start=1.0)
    message = JobRef(job_id=uuid4(), job_type="messages.send", tenant_id=7)
    document = JobRef(job_id=uuid4(), job_type="ai.ocr", tenant_id=7)
    roster = JobRef(job_id=uuid4(), job_type="ai.excel_parsing", tenant_id=7)
    texts = JobRef(job_id=uuid4(), job_type="ai.embedding", tenant_id=7)
    plans = {texts.job_id: AiPlan(lacks_model=True)}
    world.answers["ai.plan"] = lambda ref: plans.get(ref.job_id, ANSWERS["ai.plan"])
    stories: list[tuple[str, Any, str]] = [
        ("video.encode", encode_input(), "video-light"),
        ("video.delete", delete, "video-light"),
        ("video.trim", trim, "video-light"),
        ("video.retire", EraseInput(prefix=hls_root(7, 42), after=900), "video-light"),
        ("messages", MessagesInput(job=message), "messaging"),
        ("messages.digest", MessagesInput(job=message, closes_at=EPOCH), "digest"),
        ("ai.job", AiInput(job=document, tier="premium"), "ops"),
        ("ai.job", AiInput(job=roster, tier="premium"), "ops"),
        ("ai.job", AiInput(job=texts, tier="premium"), "ops"),
        ("job.run", JobRef(job_id=uuid4(), job_type="messaging.send", tenant_id=7), "ops"),
    ]
    lines: list[str] = []
    for name, job, queue in stories:
        async with worker(env.client, "ai", world):  # which other tests need to be nobody's
            handle = await start(env, name, job, queue)
            await handle.result()
        if name in ("video.encode", "video.delete", "video.trim"):
            await retired(env, handle)
        lines += [name, *(f"    {each}" for each in commands(await handle.fetch_history()))]
    found = "\n".join(lines) + "\n"
    if os.environ.get("FINGERPRINTS") == "write":
        STORED.write_text(found)
    assert found == STORED.read_text()
