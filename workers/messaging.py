"""`python -m workers messaging`: the messages workflow, and what talks to Solapi and mail servers."""

import asyncio
import gc
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.client import (
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
)
from temporalio.worker import Worker

from activities.adopting import adopting
from activities.host.heartbeat import Heartbeats
from activities.messaging.approving import ApprovalActivities
from activities.messaging.digesting import DigestActivities
from activities.messaging.mail_servers import MailServers
from activities.messaging.mailing import MailActivities
from activities.messaging.mending import Mender
from activities.messaging.preparing import PrepareActivities
from activities.messaging.reporting import ReportActivities
from activities.messaging.sending import SendActivities
from activities.messaging.templates import TemplateActivities
from clients import progress, temporal
from clients.database.engine import create_engine
from clients.database.turns import Turns
from clients.keys import TenantKeys
from clients.objects import Objects
from clients.settings import Settings
from clients.solapi import Solapi
from clients.solapi_templates import TemplateCalls
from clients.vault import Vault
from contracts.names import TaskQueue, WorkflowType
from intake.restore import Restorer
from intake.submit import Submitter
from workers.measuring import MeasuringInterceptor
from workers.refusing import RefusingInterceptor
from workers.restoring import RestoringInterceptor
from workers.running import run_workers
from workers.schedules import keep_schedules, make_schedules
from workflows.messaging.compare import CompareDay
from workflows.messaging.digest import SendDigest
from workflows.messaging.restore import RestoreMessages
from workflows.messaging.send import SendMessages
from workflows.messaging.templates import SyncTemplates

SLOTS = 20
MAIL_SLOTS = 10  # each is a connection
DIGEST_SLOTS = 10
# The comparison with the provider's list, every morning in Korea: yesterday's reports are in, and nothing is
# sent yet.
SCHEDULES = {
    "messages-compare": Schedule(
        action=ScheduleActionStartWorkflow(
            WorkflowType.COMPARE, id=WorkflowType.COMPARE, task_queue=TaskQueue.MESSAGING
        ),
        spec=ScheduleSpec(cron_expressions=["30 6 * * *"], time_zone_name="Asia/Seoul"),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(hours=12)),
    ),
    "messages-templates": Schedule(
        action=ScheduleActionStartWorkflow(
            WorkflowType.SYNC_TEMPLATES, id=WorkflowType.SYNC_TEMPLATES, task_queue=TaskQueue.MESSAGING
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(minutes=30))]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(minutes=1)),
    ),
}


async def messaging(settings: Settings, stop: asyncio.Event) -> None:
    engine = create_engine(settings, "worker-messaging")
    turns = Turns(engine, settings.solapi_api_key or "", settings.solapi_requests_per_second)
    try:
        solapi = Solapi(settings, turns)
    except ValueError as error:
        raise SystemExit(f"configuration: {error}") from None
    client = await temporal.connect_when_up(settings, engine, stop)
    await temporal.require_search_attributes(client)
    vault = Vault(settings.payload_keys.get_secret_value())
    keys = TenantKeys(engine, vault)
    board = progress.ProgressBoard(progress.connect(settings))
    mail_servers = MailServers(engine, keys, settings.mail_server(), settings.smtp_tls_ca)
    preparing = PrepareActivities(
        engine=engine,
        vault=vault,
        keys=keys,
        objects=Objects(settings),
        solapi=solapi,
        mail_servers=mail_servers,
        board=board,
        submitter=Submitter(engine, client, vault),
        default_pf_id=settings.solapi_kakao_pf_id,
        default_template_id=settings.solapi_kakao_template_id,
    )
    approving = ApprovalActivities(engine, _now)
    sending = SendActivities(engine, keys, solapi, _now)
    digesting = DigestActivities(engine, keys, solapi, _now)
    mailing = MailActivities(engine, keys, solapi, _now, mail_servers)
    reporting = ReportActivities(
        engine=engine, solapi=solapi, board=board, sending=sending, mailing=mailing, now=_now
    )
    templates = TemplateActivities(engine, TemplateCalls(solapi))
    heartbeats = Heartbeats(client, settings.heartbeat_seconds)
    mender = Mender(
        engine=engine,
        preparing=preparing,
        reporting=reporting,
        solapi=solapi,
        mailing=mailing,
        digesting=digesting,
        now=_now,
    )
    interceptors = [
        MeasuringInterceptor(),
        heartbeats,
        RefusingInterceptor(),
        RestoringInterceptor(Restorer(engine, vault), mender),
    ]

    def worker(
        queue: TaskQueue,
        slots: int,
        workflows: Sequence[type],
        by: SendActivities,
        *others: Callable[..., Any],
    ) -> Worker:
        return Worker(
            client,
            task_queue=queue,
            workflows=workflows,
            activities=[
                by.reserve,
                by.open_group,
                by.add,
                by.commit,
                by.send,
                by.stop,
                reporting.poll,
                reporting.count,
                reporting.expire,
                *others,
            ],
            interceptors=interceptors,
            max_heartbeat_throttle_interval=timedelta(seconds=settings.heartbeat_throttle_seconds),
            max_concurrent_activities=slots,
            disable_eager_activity_execution=True,  # a paused queue hands out nothing, and tenants take turns
            graceful_shutdown_timeout=timedelta(seconds=settings.shutdown_grace_seconds),
            deployment_config=temporal.build(settings),
        )

    others: list[Callable[..., Any]] = [reporting.compare_day, templates.sync, mender.restore]
    first: list[Callable[..., Any]] = [preparing.prepare, approving.approval]
    own = [SendMessages, CompareDay, RestoreMessages, SyncTemplates]
    others += adopting(client, ["messaging.send"])
    texts = worker(TaskQueue.MESSAGING, SLOTS, own, sending, *first, *others)
    e_mails = worker(TaskQueue.MAIL, MAIL_SLOTS, [SendMessages], mailing, *first)
    several = worker(TaskQueue.DIGEST, DIGEST_SLOTS, [SendDigest], digesting, digesting.prepare)
    await make_schedules(client, SCHEDULES)
    gc.collect()
    gc.freeze()  # modules are no garbage: looking through them was two fifths of composing 10,000 texts
    await run_workers([texts, e_mails, several], stop, keep_schedules(client, SCHEDULES, stop))
    await solapi.aclose()
    await engine.dispose()


def _now() -> datetime:
    return datetime.now(UTC)
