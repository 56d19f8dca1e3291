"""`python -m workers ops`: generic jobs, final states, and what runs on a schedule."""

import asyncio
from datetime import timedelta

from temporalio.client import (
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
)
from temporalio.worker import Worker

from activities.callbacks import CallbackActivities
from activities.host.heartbeat import Heartbeats
from activities.indexing import IndexActivities
from activities.jobs import JobActivities
from activities.orphans import OrphanActivities
from activities.retention import RetentionActivities
from activities.scaling import ScaleActivities
from activities.sweeping import SweepActivities
from clients import temporal
from clients.database.engine import create_engine
from clients.keys import TenantKeys
from clients.objects import Objects
from clients.settings import Settings
from clients.uploads import UploadStore
from clients.vault import Vault
from contracts.names import TaskQueue, WorkflowType
from intake.ending import Endings
from intake.reconcile import Reconciler
from intake.restore import Restorer
from intake.retention import Retention
from intake.submit import Submitter
from intake.tombstones import Tombstones
from workers.measuring import MeasuringInterceptor
from workers.refusing import RefusingInterceptor
from workers.restoring import RestoringInterceptor
from workers.running import run_workers
from workers.scaler import scaler
from workers.schedules import keep_schedules, make_schedules
from workflows.ai import RunAiJob
from workflows.generic import RunJob
from workflows.ops.index import IndexTexts
from workflows.ops.reconcile import Reconcile
from workflows.ops.retain import Retain
from workflows.ops.scale import Scale
from workflows.ops.sweep import Sweep
from workflows.ops.sweep_objects import SweepObjects

SLOTS = 20


def _every(interval: timedelta, kind: WorkflowType) -> Schedule:
    """Never two at a time, and none for those that were missed."""
    return Schedule(
        action=ScheduleActionStartWorkflow(kind, id=kind, task_queue=TaskQueue.OPS),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=interval)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=interval),
    )


SCHEDULES = {
    "reconcile": _every(timedelta(minutes=1), WorkflowType.RECONCILE),
    "index": _every(timedelta(minutes=1), WorkflowType.INDEX),
    "sweep": _every(timedelta(hours=1), WorkflowType.SWEEP),
    "sweep-objects": _every(timedelta(days=1), WorkflowType.SWEEP_OBJECTS),
    "retain": _every(timedelta(days=1), WorkflowType.RETAIN),
}


# Only where groups are named, and no Lambda function does it.
SCALE = _every(timedelta(minutes=1), WorkflowType.SCALE)


async def ops(settings: Settings, stop: asyncio.Event) -> None:
    engine = create_engine(settings, "worker-ops")
    client = await temporal.connect_when_up(settings, engine, stop)
    await temporal.require_search_attributes(client)
    vault = Vault(settings.payload_keys.get_secret_value())
    submitter = Submitter(engine, client, vault)
    keys = TenantKeys(engine, vault)
    callbacks = CallbackActivities(engine, keys, settings.download_inner_addresses)
    objects = Objects(settings)
    endings = Endings(engine, client, objects, vault)
    activities = JobActivities(
        endings, Reconciler(engine, client, submitter, endings), Tombstones(engine, objects)
    )
    abandoned = timedelta(hours=settings.upload_abandoned_hours)
    sweeping = SweepActivities(engine, UploadStore(settings), abandoned)
    orphans = OrphanActivities(
        engine=engine,
        temporal=client,
        objects=objects,
        grace=timedelta(hours=settings.orphan_grace_hours),
        replaced=timedelta(hours=settings.orphan_grace_hours, seconds=settings.retire_grace_seconds),
    )
    groups = settings.scaler_groups
    scaling = ScaleActivities(scaler(settings, client) if groups else None, groups)
    heartbeats = Heartbeats(client, settings.heartbeat_seconds)
    worker = Worker(
        client,
        task_queue=TaskQueue.OPS,
        workflows=[RunJob, RunAiJob, Reconcile, Sweep, SweepObjects, Retain, Scale, IndexTexts],
        activities=[
            activities.finish,
            activities.reconcile,
            callbacks.deliver,
            callbacks.tell,
            sweeping.sweep,
            IndexActivities(engine, objects, keys).index,
            orphans.sweep,
            scaling.scale,
            RetentionActivities(Retention(settings, engine, objects)).retain,
        ],
        interceptors=[
            MeasuringInterceptor(),
            heartbeats,
            RefusingInterceptor(),
            RestoringInterceptor(Restorer(engine, vault)),
        ],
        max_heartbeat_throttle_interval=timedelta(seconds=settings.heartbeat_throttle_seconds),
        max_concurrent_activities=SLOTS,
        graceful_shutdown_timeout=timedelta(seconds=settings.shutdown_grace_seconds),
        deployment_config=temporal.build(settings),
    )
    schedules = SCHEDULES | ({"scale": SCALE} if groups else {})
    await make_schedules(client, schedules)
    await run_workers([worker], stop, keep_schedules(client, schedules, stop))
    await engine.dispose()
