"""`python -m workers ops`: generic jobs, final states, and what runs on a schedule."""

import asyncio
from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
)
from temporalio.worker import Worker

from activities.callbacks import CallbackActivities
from activities.jobs import JobActivities
from activities.sweeping import SweepActivities
from clients import temporal
from clients.database.engine import create_engine
from clients.keys import TenantKeys
from clients.settings import Settings
from clients.uploads import UploadStore
from clients.vault import Vault
from contracts.names import TaskQueue, WorkflowType
from intake.reconcile import Reconciler
from intake.submit import Submitter
from workers.running import run_workers
from workflows.ai import RunAiJob
from workflows.generic import RunJob
from workflows.ops.reconcile import Reconcile
from workflows.ops.sweep import Sweep

SLOTS = 20
RECONCILE_EVERY = timedelta(minutes=1)
SWEEP_EVERY = timedelta(hours=1)


async def ops(settings: Settings, stop: asyncio.Event) -> None:
    engine = create_engine(settings, "worker-ops")
    client = await temporal.connect_when_up(settings, engine, stop)
    await temporal.require_search_attributes(client)
    vault = Vault(settings.payload_keys.get_secret_value())
    submitter = Submitter(engine, client, vault)
    callbacks = CallbackActivities(engine, TenantKeys(engine, vault), settings.download_inner_addresses)
    activities = JobActivities(engine, Reconciler(engine, client, submitter))
    abandoned = timedelta(hours=settings.upload_abandoned_hours)
    sweeping = SweepActivities(engine, UploadStore(settings), abandoned)
    worker = Worker(
        client,
        task_queue=TaskQueue.OPS,
        workflows=[RunJob, RunAiJob, Reconcile, Sweep],
        activities=[activities.finish, activities.reconcile, callbacks.deliver, sweeping.sweep],
        max_concurrent_activities=SLOTS,
        graceful_shutdown_timeout=timedelta(seconds=settings.shutdown_grace_seconds),
        deployment_config=temporal.build(settings),
    )
    await ensure_schedule(client, "reconcile", WorkflowType.RECONCILE, RECONCILE_EVERY)
    await ensure_schedule(client, "sweep", WorkflowType.SWEEP, SWEEP_EVERY)
    await run_workers([worker], stop)
    await engine.dispose()


async def ensure_schedule(client: Client, name: str, kind: WorkflowType, every: timedelta) -> None:
    """Never two at a time, and none for those that were missed."""
    schedule = Schedule(
        action=ScheduleActionStartWorkflow(kind, id=kind, task_queue=TaskQueue.OPS),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=every)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=every),
    )
    try:
        await client.create_schedule(name, schedule)
    except ScheduleAlreadyRunningError:
        return
