"""Job type → workflow, input, task queues, priority. A new job type is one row here."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from contracts.ai import AiInput
from contracts.base import Contract
from contracts.jobs import JobRef, JobRequest
from contracts.messaging import MessagesInput
from contracts.names import TaskQueue, WorkflowType
from contracts.queues import AI_JOB_TYPES
from contracts.video import DeleteInput, EncodeInput

Build = Callable[[JobRef, dict[str, Any]], Contract]


def by_tenant(ref: JobRef, _payload: dict[str, Any]) -> tuple[str, float]:
    """Fairness key and weight: tenants take turns."""
    return str(ref.tenant_id or 0), 1.0


@dataclass(frozen=True)
class JobType:
    """`task_queue` takes the workflow, `activity_queue` the single activity of a `job.run`."""

    workflow: WorkflowType
    task_queue: TaskQueue
    build: Build
    summary: Callable[[JobRef, dict[str, Any]], str]
    priority: int = 3
    activity_queue: TaskQueue | None = None
    id_prefix: str | None = None
    fairness: Callable[[JobRef, dict[str, Any]], tuple[str, float]] = by_tenant


def _video(model: type[EncodeInput] | type[DeleteInput]) -> Build:
    return lambda ref, payload: model(job_id=ref.job_id, tenant_id=ref.tenant_id, **payload)


def _ai(ref: JobRef, payload: dict[str, Any]) -> Contract:
    return AiInput(job=ref, tier=payload.get("tier", "basic"))


# Basic is served three times as often as lite, and tenants of a tier in turns.
_WEIGHTS = {"lite": 1.0, "basic": 3.0}


def _by_tier(ref: JobRef, payload: dict[str, Any]) -> tuple[str, float]:
    tier = payload.get("tier", "basic")
    return f"{tier}:{ref.tenant_id or 0}", _WEIGHTS.get(tier, 1.0)


AI = JobType(
    workflow=WorkflowType.AI,
    task_queue=TaskQueue.OPS,
    build=_ai,
    summary=lambda ref, _payload: ref.job_type,
    activity_queue=TaskQueue.AI,  # of those accepted by release 0.1, which run as `job.run`
    fairness=_by_tier,
)


def _messages(ref: JobRef, _payload: dict[str, Any]) -> Contract:
    return MessagesInput(job=ref)


# The recipients lie in Postgres and the payload is sealed there: Temporal gets a reference. The prefix makes
# `clients.codec` encrypt whatever else these workflows carry.
MESSAGES = JobType(
    workflow=WorkflowType.MESSAGES,
    task_queue=TaskQueue.MESSAGING,
    build=_messages,
    summary=lambda _ref, _payload: "Messages to parents",
    priority=2,
    activity_queue=TaskQueue.MESSAGING,  # of those accepted by release 0.1, which run as `job.run`
    id_prefix="messages",
)

CATALOG: dict[str, JobType] = {
    "video.encode": JobType(
        workflow=WorkflowType.ENCODE,
        task_queue=TaskQueue.VIDEO_LIGHT,
        build=_video(EncodeInput),
        summary=lambda _ref, payload: f"Encode video {payload['video_id']}",
    ),
    "video.delete": JobType(
        workflow=WorkflowType.DELETE,
        task_queue=TaskQueue.VIDEO_LIGHT,
        build=_video(DeleteInput),
        summary=lambda _ref, payload: f"Delete video {payload['video_id']}",
        priority=2,
    ),
    "messaging.send": MESSAGES,
    "messages.send": MESSAGES,
    **{f"ai.{name}": AI for name in AI_JOB_TYPES},
}


def workflow_id(request: JobRequest) -> str:
    """Readable, unique, and derived from the request alone: `video.encode-t7-v42-1b9d6bcd9c0f`."""
    video = f"-v{request.payload['video_id']}" if request.payload.get("video_id") else ""
    kind = CATALOG[request.job_type].id_prefix or request.job_type
    return f"{kind}-t{request.tenant_id or 0}{video}-{request.job_id.hex[:12]}"


def job_ref(job_id: UUID, job_type: str, tenant_id: int | None) -> JobRef:
    return JobRef(job_id=job_id, job_type=job_type, tenant_id=tenant_id)
