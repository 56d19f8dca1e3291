"""A world of activities that only note what they were asked for, so that a test sees the workflow alone."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from inspect import isawaitable
from typing import Any
from uuid import uuid4

from temporalio import activity
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle
from temporalio.common import RawValue, SearchAttributeKey
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from clients.temporal import SEARCH_ATTRIBUTES
from contracts.ai import AiPlan, UnitsDone
from contracts.base import Contract
from contracts.jobs import FinishInput, JobOutcome, JobRef, JobState
from contracts.messaging import (
    Added,
    Counts,
    Decided,
    Opened,
    Prepared,
    Reserved,
    Stop,
    Stopped,
    Told,
    Verdict,
)
from contracts.names import TaskQueue
from contracts.trim import Cut, CutInput, CutPublished, PublishCutInput, TrimBegun, TrimInput
from contracts.video import (
    AudioInput,
    BatchInput,
    BeginEncode,
    Begun,
    EncodeInput,
    EncodePlan,
    Manifest,
    OpenEncodes,
    PicturesInput,
    ProbeInput,
    Published,
    PublishInput,
    Rung,
    SourceRef,
    VideoRef,
)
from devstack import programs
from tests.lab import PATIENCE, eventually
from tests.references import REFERENCES
from workflows.ai import RunAiJob
from workflows.generic import RunJob
from workflows.messaging.digest import SendDigest
from workflows.messaging.send import SendMessages
from workflows.ops.reconcile import Reconcile
from workflows.video.delete import DeleteVideo
from workflows.video.encode import EncodeVideo
from workflows.video.retire import RetireVersion
from workflows.video.trim import TrimVideo

WORKFLOWS = [
    EncodeVideo,
    DeleteVideo,
    TrimVideo,
    RetireVersion,
    RunJob,
    RunAiJob,
    Reconcile,
    SendMessages,
    SendDigest,
]
DONE = JobOutcome(state=JobState.DONE)
CANCELLED = JobOutcome(state=JobState.CANCELLED, error_code="CANCELLED")
QUEUES = sorted(set(TaskQueue) - {TaskQueue.AI, TaskQueue.EXTERNAL})
OF_WORKFLOWS = (
    TaskQueue.VIDEO_LIGHT,
    TaskQueue.OPS,
    TaskQueue.MESSAGING,
    TaskQueue.MAIL,
    TaskQueue.DIGEST,
)
INPUTS = {each.name: each.takes for each in REFERENCES if each.takes is not type(None)}
INPUTS["messaging.send"] = JobRef
# By name, because several activities take the same reference.
ANSWERS: dict[str, Contract | None] = {
    "messages.prepare": Prepared(chunks=1, recipients=2),
    "messages.tell": Told(),
    "messages.reserve": Reserved(enough=True, sendable=2),
    "messages.open_group": Opened(group_id="G1"),
    "messages.add": Added(accepted=2),
    "messages.commit": Decided(verdict=Verdict.GO),
    "messages.send": Decided(verdict=Verdict.GO),
    "messages.count": Counts(total=2, open=2),
    "messages.poll": Counts(total=2, delivered=2),
    "messages.expire": Counts(total=2, delivered=1, unconfirmed=1),
    "ai.plan": AiPlan(units=30, prefix="tenants/7/ai/work/x/"),
    "ai.run_units": UnitsDone(computed=1, found=0),
    "ai.assemble": DONE,
    "ai.call": DONE,
    "ai.require_model": None,
}


def encode_input() -> EncodeInput:
    return EncodeInput(job_id=uuid4(), tenant_id=7, video_id=42, file_key="tenants/7/video/raw/1/a.mp4")


def trim_input() -> TrimInput:
    return TrimInput(job_id=uuid4(), tenant_id=7, video_id=42, version="old-1", start=1.0, end=9.0)


def plan(prefix: str, units: int) -> EncodePlan:
    return EncodePlan(
        source=SourceRef(key="tenants/7/video/raw/1/a.mp4", etag="e", size=1),
        prefix=prefix,
        encoder="test",
        fps_num=25,
        fps_den=1,
        total_frames=200 * units,
        gop_frames=50,
        segment_frames=100,
        unit_segments=2,
        rungs=[Rung(name="360p", width=640, height=360, max_bitrate=1)],
        has_audio=True,
    )


class World:
    """`calls` has (activity, input) as they began, `queues` where from; `answers` replaces what an activity
    does by name."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.queues: list[str] = []
        self.units = 4
        self.replaced: str | None = None
        self.answers: dict[str, Callable[[Any], Any]] = {}

    def names(self) -> list[str]:
        return [name for name, _ in self.calls]

    def asked(self, activity_name: str) -> list[Any]:
        return [what for name, what in self.calls if name == activity_name]

    @activity.defn(dynamic=True)
    async def act(self, args: Sequence[RawValue]) -> Any:
        name = activity.info().activity_type
        what = None
        if name in INPUTS:
            what = activity.payload_converter().from_payload(args[0].payload, INPUTS[name])
        self.calls.append((name, what))
        self.queues.append(activity.info().task_queue)
        if name in ANSWERS and name not in self.answers:
            return ANSWERS[name]
        answer = self.answers.get(name, self.usual)(what)
        return await answer if isawaitable(answer) else answer

    def usual(self, what: Any) -> Any:
        match what:
            case BeginEncode():
                return Begun(epoch=self.names().count("video.begin"))
            case ProbeInput():
                return plan(what.prefix, self.units)
            case BatchInput():
                return Manifest(key=f"{what.first}-{what.last}", sha256="0")
            case AudioInput():
                return Manifest(key="audio", sha256="0")
            case PicturesInput():
                return Manifest(key="pictures", sha256="0")
            case PublishInput():
                return Published(
                    hls_path="tenants/7/video/hls/42/master.m3u8",
                    duration=what.plan.duration,
                    renditions=["360p"],
                    pictures=what.pictures is not None,
                    replaced_prefix=self.replaced,
                    retire_after=6 * 3600,
                )
            case TrimInput():
                return TrimBegun(epoch=1, base="tenants/7/video/hls/42/old-1/")
            case CutInput():
                return self.cut(what)
            case PublishCutInput():
                return self.shown(what)
            case VideoRef():
                return OpenEncodes(workflow_ids=[])
            case FinishInput():
                return what.outcome
            case Stop():
                return Stopped(sent=0, code=what.code)
            case JobRef():
                return DONE
        return None

    def cut(self, what: CutInput) -> Cut:
        publish = PublishInput(
            job_id=what.trim.job_id,
            tenant_id=7,
            video_id=42,
            epoch=what.epoch,
            plan=plan(what.prefix, 1),
            batches=[],
            audio=None,
        )
        return Cut(publish=publish, start=1.0, end=9.0)

    def shown(self, what: PublishCutInput) -> CutPublished:
        published = Published(
            hls_path="tenants/7/video/hls/42/master.m3u8",
            duration=8.0,
            renditions=["360p"],
            replaced_prefix=what.base,
            retire_after=6 * 3600,
        )
        return CutPublished(published=published)

    async def until_cancelled(self, _what: Any = None) -> None:
        """Works until it is told to stop, and then takes a moment to stop."""
        calls = self.calls  # of this test, if the next one has begun meanwhile
        try:
            while True:
                activity.heartbeat()
                await asyncio.sleep(0.02)
        except asyncio.CancelledError:
            await asyncio.sleep(0.2)
            calls.append((f"{activity.info().activity_type} stopped", None))
            raise


@asynccontextmanager
async def environment(world: World) -> AsyncIterator[WorkflowEnvironment]:
    """A real Temporal server that skips idle time, and workers for every queue."""
    env = await WorkflowEnvironment.start_time_skipping_v2(
        data_converter=pydantic_data_converter,
        dev_server_existing_path=programs.script("temporal"),
        dev_server_extra_args=["--dynamic-config-value", "frontend.WorkflowTimeSkippingEnabled=true"],
        dev_server_log_level="error",
        search_attributes=[SearchAttributeKey.for_keyword(name) for name in SEARCH_ATTRIBUTES],
    )
    async with env, AsyncExitStack() as workers:
        for queue in QUEUES:
            await workers.enter_async_context(worker(env.client, queue, world))
        yield env


def worker(client: Client, queue: str, world: World, **more: Any) -> Worker:
    return Worker(
        client,
        task_queue=queue,
        workflows=WORKFLOWS if queue in (*OF_WORKFLOWS, "impatient") else [],
        activities=[world.act],
        max_heartbeat_throttle_interval=timedelta(milliseconds=50),
        **more,
    )


Handle = WorkflowHandle[Any, JobOutcome]


async def start(env: WorkflowEnvironment, name: str, job: Any, queue: str = TaskQueue.VIDEO_LIGHT) -> Handle:
    return await env.client.start_workflow(
        name, job, id=f"{name}-{uuid4()}", task_queue=queue, result_type=JobOutcome
    )


async def ended(handle: Handle) -> JobOutcome | str:
    """The outcome, or the failure's type."""
    try:
        return await asyncio.wait_for(handle.result(), PATIENCE)
    except WorkflowFailureError as error:
        if isinstance(error.cause, CancelledError):
            assert (await handle.describe()).status is WorkflowExecutionStatus.CANCELED
            return "Cancelled"
        assert isinstance(error.cause, ApplicationError) and error.cause.type
        return error.cause.type


async def retired(env: WorkflowEnvironment, parent: Handle) -> None:
    """The workflow that erases later has done so, and not in the middle of the next test."""
    child: WorkflowHandle[Any, Any] = env.client.get_workflow_handle(f"video.retire-{parent.id}")
    await asyncio.wait_for(child.result(), PATIENCE)


async def begun(world: World, name: str) -> None:
    async def look() -> bool:
        return name in world.names()

    await eventually(look, name)


async def heard(handle: Handle) -> None:
    """The workflow was told that somebody asked for its cancel, and has answered."""

    async def look() -> bool:
        kinds = [event.event_type for event in (await handle.fetch_history()).events]
        if EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED not in kinds:
            return False
        asked = kinds.index(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED)
        later = kinds[asked:]
        if EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED not in later:
            return False
        started = later.index(EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED)
        return EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED in later[started:]

    await eventually(look, "the cancel was heard", every=0.05)


def written(world: World) -> list[JobOutcome]:
    return [finish.outcome for finish in world.asked("jobs.finish")]


def refuse(code: str, final: bool = True) -> Any:
    def answer(_what: Any) -> None:
        raise ApplicationError("x", type=code, non_retryable=final)

    return answer


class Gate:
    """An activity that waits to be let through; it does not hear of a cancel."""

    def __init__(self, answer: Callable[[Any], Any]) -> None:
        self.open = asyncio.Event()
        self._answer = answer

    async def __call__(self, what: Any) -> Any:
        await self.open.wait()
        return self._answer(what)
