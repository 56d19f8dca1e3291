"""`python -m workers ops`: generic jobs, final states, and the reconciler's schedule."""

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

from activities.ai.delivering import Delivering
from activities.jobs import JobActivities
from clients import temporal
from clients.database.engine import create_engine
from clients.keys import TenantKeys
from clients.settings import Settings
from clients.vault import Vault
from intake.reconcile import Reconciler
from intake.submit import Submitter
from workers.running import run_workers
from workflows.ai import RunAiJob
from workflows.generic import RunJob
from workflows.reconcile import Reconcile

SLOTS = 20
EVERY = timedelta(minutes=1)


async def ops(settings: Settings, stop: asyncio.Event) -> None:
    engine = create_engine(settings, "worker-ops")
    client = await temporal.connect_when_up(settings, engine, stop)
    await temporal.require_search_attributes(client)
    vault = Vault(settings.payload_keys.get_secret_value())
    submitter = Submitter(engine, client, vault)
    delivering = Delivering(engine, TenantKeys(engine, vault), settings.download_inner_addresses)
    activities = JobActivities(engine, Reconciler(engine, client, submitter))
    worker = Worker(
        client,
        task_queue="ops",
        workflows=[RunJob, RunAiJob, Reconcile],
        activities=[activities.finish, activities.reconcile, delivering.tell],
        max_concurrent_activities=SLOTS,
        graceful_shutdown_timeout=timedelta(seconds=settings.shutdown_grace_seconds),
    )
    await ensure_schedule(client)
    await run_workers([worker], stop)
    await engine.dispose()


async def ensure_schedule(client: Client) -> None:
    """The reconciler every minute, never two at a time."""
    schedule = Schedule(
        action=ScheduleActionStartWorkflow(Reconcile.run, id="ops.reconcile", task_queue="ops"),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=EVERY)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=EVERY),
    )
    try:
        await client.create_schedule("reconcile", schedule)
    except ScheduleAlreadyRunningError:
        return
