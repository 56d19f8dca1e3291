"""`academy after-restore`: where Temporal, the store and the provider know more than a database that was
restored, or failed over with loss. With `--repair` what can be written again is."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus
from temporalio.converter import WorkflowSerializationContext
from temporalio.service import RPCError, RPCStatusCode

from activities.messaging.mail_servers import MailServers
from activities.messaging.mailing import MailActivities
from activities.messaging.reporting import ReportActivities
from activities.messaging.sending import SendActivities
from activities.orphans import OrphanActivities
from clients import progress
from clients.codec import PRIVATE
from clients.database import jobs
from clients.database.turns import Turns
from clients.keys import TenantKeys
from clients.objects import Objects
from clients.settings import Settings
from clients.solapi import Solapi
from clients.vault import UnknownKey, Vault, VaultError
from contracts.messaging import Day
from intake.ending import Endings
from intake.reconcile import Reconciler
from intake.restore import NotOurs, Restorer, is_a_jobs
from intake.submit import Submitter
from intake.tombstones import Tombstones
from rules.quiet_hours import KST

OF_JOBS = "JobType IS NOT NULL"
PAGE = 200
AGAIN = 2.0  # seconds between two looks at what other workflows write again
MADE_AGAIN_WITHIN = timedelta(minutes=30)


@dataclass(frozen=True)
class Difference:
    """`kind`: a word for operators. `what`: a workflow, a prefix, a day. `repaired`: None: only told."""

    kind: str
    what: str
    detail: str = ""
    repaired: bool | None = None


class AfterRestore:
    def __init__(self, settings: Settings, engine: AsyncEngine, client: Client, repair: bool) -> None:
        vault = Vault(settings.payload_keys.get_secret_value())
        self._settings = settings
        self._engine = engine
        self._temporal = client
        self._repair = repair
        self._keys = TenantKeys(engine, vault)
        self._objects = Objects(settings)
        self._restorer = Restorer(engine, vault)
        endings = Endings(engine, client, self._objects, vault)
        self._reconciler = Reconciler(engine, client, Submitter(engine, client, vault), endings)

    async def run(self, days: int) -> AsyncIterator[Difference]:
        async for each in self._erased():
            yield each
        async for each in self._jobs():
            yield each
        async for each in self._locked():
            yield each
        async for each in self._ends():
            yield each
        async for each in self._store():
            yield each
        async for each in self._provider(days):
            yield each

    async def _erased(self) -> AsyncIterator[Difference]:
        """Tenants that were erased and came back: nothing is taken for them, and they are to be erased
        again."""
        tombstones = Tombstones(self._engine, self._objects)
        for tenant_id in sorted(await tombstones.lost()):
            yield Difference(
                "erased tenant", str(tenant_id), "erase it again", False if self._repair else None
            )
        if self._repair:
            await tombstones.restore()

    async def _jobs(self) -> AsyncIterator[Difference]:
        """Workflows without a row."""
        page: list[WorkflowExecution] = []
        async for each in self._temporal.list_workflows(OF_JOBS):
            if is_a_jobs(each.id):
                page.append(each)
            if len(page) == PAGE:
                async for found in self._without_row(page):
                    yield found
                page = []
        async for found in self._without_row(page):
            yield found

    async def _without_row(self, page: list[WorkflowExecution]) -> AsyncIterator[Difference]:
        async with self._engine.connect() as connection:
            known = await jobs.known(connection, [each.id for each in page])
        for each in {each.id: each for each in page if each.id not in known}.values():
            repaired = None
            if self._repair:
                repaired = await self._restore(each)
            yield Difference("job without a row", each.id, each.status.name if each.status else "", repaired)

    async def _restore(self, workflow: WorkflowExecution) -> bool:
        try:
            job_id = await self._job_id(workflow)
            await self._restorer.restore(self._temporal, workflow.id, job_id)
        except (NotOurs, VaultError, KeyError):  # its tenant's key is lost as well, for one
            return False
        return True

    async def _job_id(self, workflow: WorkflowExecution) -> UUID:
        """As its input has it; those of earlier releases carry it nowhere else."""
        handle = self._temporal.get_workflow_handle(workflow.id, run_id=workflow.run_id)
        where = WorkflowSerializationContext(namespace=self._temporal.namespace, workflow_id=workflow.id)
        converter = self._temporal.data_converter.with_context(where)
        async for event in handle.fetch_history_events(page_size=1):
            asked = event.workflow_execution_started_event_attributes.input.payloads
            job: dict[str, Any] = (await converter.decode(asked))[0]
            return UUID(str(job.get("job_id") or job["job"]["job_id"]))
        raise NotOurs(workflow.id)

    async def _locked(self) -> AsyncIterator[Difference]:
        """Jobs of messages that go on by themselves no more: the tenant's key, as the database has it, opens
        nothing of their workflow. Their messages were asked for again, else they have no row."""
        async with self._engine.connect() as connection:
            still_open = await jobs.all_open(connection)
        for workflow_id in still_open:
            if not workflow_id.startswith(PRIVATE):
                continue
            try:
                workflow = await self._temporal.get_workflow_handle(workflow_id).describe()
                await self._job_id(workflow)
            except UnknownKey:
                raise
            except VaultError as error:
                yield Difference("sealed by a lost key", workflow_id, str(error))
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise

    async def _ends(self) -> AsyncIterator[Difference]:
        """Jobs whose workflow has ended, or that have none."""
        async with self._engine.connect() as connection:
            still_open = await jobs.all_open(connection)
        lost = {workflow_id for workflow_id in still_open if not await self._runs(workflow_id)}
        ends = asyncio.get_running_loop().time() + MADE_AGAIN_WITHIN.total_seconds()
        left = lost
        while self._repair and left and asyncio.get_running_loop().time() < ends:
            await self._reconciler.run_once(timedelta(0))
            async with self._engine.connect() as connection:
                open_now = set(await jobs.all_open(connection))
            left = {each for each in left & open_now if not await self._runs(each)}
            if left:
                await asyncio.sleep(AGAIN)
        for workflow_id in sorted(lost):
            yield Difference(
                "end unknown", workflow_id, "", workflow_id not in left if self._repair else None
            )

    async def _runs(self, workflow_id: str) -> bool:
        query = f"WorkflowId = '{workflow_id}' AND ExecutionStatus = 'Running'"
        found = [each async for each in self._temporal.list_workflows(query, limit=1)]
        return any(each.status is WorkflowExecutionStatus.RUNNING for each in found)

    async def _store(self) -> AsyncIterator[Difference]:
        """What the daily sweep would find. It removes what is proven to be nobody's; this removes nothing."""
        looking = OrphanActivities(
            engine=self._engine,
            temporal=self._temporal,
            objects=self._objects,
            grace=timedelta(0),
            replaced=timedelta(seconds=self._settings.retire_grace_seconds),
        )
        async for each in looking.find():
            yield Difference(
                f"objects: {each.why}", each.prefix, f"{each.objects} objects, {each.size} bytes"
            )

    async def _provider(self, days: int) -> AsyncIterator[Difference]:
        """What the daily comparison of messages finds; it writes each down in `provider_differences`."""
        turns = Turns(self._engine, self._settings.solapi_api_key or "", 10)
        try:
            solapi = Solapi(self._settings, turns)
        except ValueError as error:
            yield Difference("provider not asked", str(error))
            return

        def now() -> datetime:
            return datetime.now(UTC)

        settings = self._settings
        servers = MailServers(self._engine, self._keys, settings.mail_server(), settings.smtp_tls_ca)
        reporting = ReportActivities(
            engine=self._engine,
            solapi=solapi,
            board=progress.ProgressBoard(progress.connect(settings)),
            sending=SendActivities(self._engine, self._keys, solapi, now),
            mailing=MailActivities(self._engine, self._keys, solapi, now, servers),
            now=now,
        )
        today = now().astimezone(KST).date()
        for ago in range(days):
            found = await reporting.compare_day(Day(day=today - timedelta(days=ago)))
            for kind, count in found.kinds.items():
                yield Difference(f"messages: {kind}", str(today - timedelta(days=ago)), str(count))
        await solapi.aclose()
