"""What people publicly complain of in systems of this kind (docs/complaints.md), done to this one."""

import asyncio
import sqlite3
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, DeleteNamespaceRequest
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import (
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleHandle,
    ScheduleInfo,
    ScheduleIntervalSpec,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError, RPCStatusCode

from api import fleet
from clients.temporal import SEARCH_ATTRIBUTES
from clients.vault import Vault
from contracts.jobs import JobRecord
from devstack.app import running
from devstack.ports import LOOPBACK
from intake import reconcile, submit
from intake.reconcile import Reconciler
from intake.submit import Submitter
from tests.faults.proxy import Proxy
from tests.faults.test_bridge import MESSAGES, every_job_has_its_workflow, send_many
from tests.faults.test_odd_servers import KEYWORD
from tests.integration.test_database import job_request
from tests.lab import PATIENCE, Lab, eventually, fresh_id
from workers.schedules import keep_schedules, make_schedules

pytestmark = pytest.mark.slow

DAY = Duration(seconds=24 * 3600)


class Guard(Proxy):
    """A Temporal that takes everybody, until it locks everybody out."""

    locked = False

    def lock(self) -> None:
        self.locked = True
        for task in self._tasks:
            task.cancel()

    async def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        if self.locked:
            await self._deny(reader, writer)
        else:
            await super()._accept(reader, writer)

    async def _deny(self, reader: StreamReader, writer: StreamWriter) -> None:
        """gRPC, as much of it as a refusal needs."""
        no = [(":status", "200"), ("content-type", "application/grpc")]
        no += [("grpc-status", str(RPCStatusCode.PERMISSION_DENIED.value))]
        connection = H2Connection(H2Configuration(client_side=False))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        while data := await reader.read(65536):
            for event in connection.receive_data(data):
                if isinstance(event, RequestReceived):
                    connection.send_headers(event.stream_id, no, end_stream=True)
                elif isinstance(event, DataReceived):
                    connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            writer.write(connection.data_to_send())
        writer.close()


@asynccontextmanager
async def namespace(lab: Lab, name: str) -> AsyncIterator[str]:
    """One more on the same server."""
    attributes = AddSearchAttributesRequest(
        namespace=name, search_attributes=dict.fromkeys(SEARCH_ATTRIBUTES, KEYWORD)
    )
    await lab.temporal.workflow_service.register_namespace(
        RegisterNamespaceRequest(namespace=name, workflow_execution_retention_period=DAY)
    )

    async def known() -> bool:
        try:
            await lab.temporal.operator_service.add_search_attributes(attributes)
        except RPCError as error:
            assert error.status is RPCStatusCode.NOT_FOUND
            return False
        return True

    await eventually(known)
    yield name


async def test_workers_that_are_refused_for_good_end_and_say_so(lab: Lab) -> None:
    """temporalio/sdk-python #459: a worker whose polls were refused hung, and looked well."""
    guard = Guard(LOOPBACK, lab.stack.ports.temporal)
    async with guard, namespace(lab, "short-lived") as gone:
        of_gone = running(lab.stack, "ops", TEMPORAL_NAMESPACE=gone)
        locked_out = running(lab.stack, "video", TEMPORAL_ADDRESS=f"{LOOPBACK}:{guard.port}")
        async with of_gone as one, locked_out as other:
            await lab.temporal.operator_service.delete_namespace(DeleteNamespaceRequest(namespace=gone))
            guard.lock()
            for process, why in (
                (one.processes["ops"], "NOT_FOUND"),
                (other.processes["video"], "PERMISSION_DENIED"),
            ):
                code = await asyncio.to_thread(process.wait, PATIENCE)
                assert code == 1
                assert why in process.said()


async def lose_timers(lab: Lab) -> None:
    """Temporal forgets when to wake anything."""
    await asyncio.to_thread(lab.stack.kill, "temporal")
    with closing(sqlite3.connect(lab.stack.data_dir / "temporal" / "temporal.db")) as database:
        database.execute("DELETE FROM timer_tasks")
        database.commit()
    await asyncio.to_thread(lab.stack.restart, "temporal")


SECOND = timedelta(seconds=1)
LOOK = ScheduleActionStartWorkflow("look", id="look", task_queue="nobody", execution_timeout=SECOND)
OURS = {"losing": Schedule(LOOK, ScheduleSpec(intervals=[ScheduleIntervalSpec(every=3 * SECOND)]))}


async def described(handle: ScheduleHandle) -> ScheduleInfo | None:
    with suppress(RPCError):  # a server that has just started, or one between the old and the new, or silence
        return (await handle.describe(rpc_timeout=2 * SECOND)).info
    return None


async def stands_still(lab: Lab) -> bool:
    """Whether it does now that its timers are lost: one that was just waking up may go on."""
    broken = datetime.now(UTC)

    async def late_or_awake() -> list[bool]:
        with suppress(RPCError):
            async for each in await lab.temporal.list_schedules():
                assert each.info
                turn = each.info.next_action_times[0]
                if (awake := turn > broken + 3 * SECOND) or turn + SECOND < datetime.now(UTC):
                    return [not awake]
        return []

    return (await eventually(late_or_awake))[0]


@pytest.mark.parametrize("silent", [False, True])
async def test_a_schedule_that_lost_its_timer_is_made_anew(own_lab: Lab, silent: bool) -> None:
    """temporalio/temporal #11869: it stood still for ever, and its description looked well. One that was at
    work then does not even describe itself: the time limit of what it did was a timer too."""
    lab, handle = own_lab, own_lab.temporal.get_schedule_handle("losing")

    async def at_rest() -> bool:
        found = await described(handle)
        return bool(found and found.recent_actions and not found.running_actions)

    async def broken() -> bool:
        await make_schedules(lab.temporal, OURS)
        await eventually(at_rest)
        await asyncio.sleep(0 if silent else 0.5)  # what it does at the end of an action takes a moment
        await lose_timers(lab)
        if await stands_still(lab) and (await described(handle) is None) == silent:
            return True
        await handle.delete()
        return False

    await eventually(broken)
    assert [each.name for each in await fleet.schedules(lab.temporal)] == ["losing"]
    anew, stop = datetime.now(UTC), asyncio.Event()

    async def acts_again() -> bool:
        found = await described(handle)
        return bool(found and found.created_at > anew and found.recent_actions)

    never = {"losing": replace(OURS["losing"], spec=ScheduleSpec())}  # operators gave it other times
    keeping = asyncio.create_task(keep_schedules(lab.temporal, never, stop, every=0.2, late=SECOND))
    await eventually(acts_again)
    stop.set()
    await keeping
    await handle.delete()


class Unlucky(Submitter):
    """The servers die after a few of its starts."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab.engine, lab.temporal, Vault(lab.settings.payload_keys.get_secret_value()))
        self._stack, self._lives = lab.stack, 4

    async def start_workflow(self, job: JobRecord) -> None:
        await super().start_workflow(job)
        self._lives -= 1
        if not self._lives:
            for server in ("temporal", "postgres"):
                await asyncio.to_thread(self._stack.kill, server)


async def aged(lab: Lab) -> None:
    """What is accepted was accepted long enough ago for the reconciler."""
    async with lab.engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE jobs SET accepted_at = accepted_at - interval '5 minutes'")


async def test_recovery_goes_on_after_an_outage_in_the_middle_of_it(
    own_lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dbos-transact-py #716: what was being recovered when the servers went away was dropped for ever.
    temporalio/temporal #7919: a server that was started again on its file knew no workflow."""
    lab, tenant, second = own_lab, fresh_id(), timedelta(seconds=1)
    for module in (reconcile, submit):
        monkeypatch.setattr(module, "RPC_TIMEOUT", second)
    submitter = Unlucky(lab)
    reconciler = Reconciler(lab.engine, lab.temporal, submitter, lab.endings())
    await submitter.accept([job_request(tenant, key=f"job-{number}") for number in range(10)])
    await aged(lab)
    counts = await reconciler.run_once(age=timedelta())
    assert counts["not reconciled"] > 0
    for server in ("postgres", "temporal"):
        await asyncio.to_thread(lab.stack.restart, server)
    counts = await reconciler.run_once(age=timedelta())
    assert counts["running"] >= 4
    assert sum(counts.values()) == 10
    await every_job_has_its_workflow(lab, tenant, 10)


async def test_what_runs_on_a_schedule_comes_back_with_the_database(own_lab: Lab) -> None:
    """dbos-transact-py #139: scheduled work did not come back after an outage of the database."""
    lab, tenant = own_lab, fresh_id()

    async def often(update: ScheduleUpdateInput) -> ScheduleUpdate:
        schedule = update.description.schedule
        schedule.spec.intervals = [ScheduleIntervalSpec(every=timedelta(seconds=2))]
        return ScheduleUpdate(schedule)

    async def fails() -> bool:
        return "ops.reconcile" in app.processes["ops"].said()

    async with running(lab.stack, "ops") as app:
        await lab.temporal.get_schedule_handle("reconcile").update(often)
        await asyncio.to_thread(lab.stack.kill, "postgres")
        await eventually(fails, "the reconciler met the outage")
        await asyncio.to_thread(lab.stack.restart, "postgres")
        await Unlucky(lab).accept([job_request(tenant)])
        await aged(lab)
        await every_job_has_its_workflow(lab, tenant, 1)


async def test_who_sleeps_longer_than_messages_are_held_does_nothing_twice(own_lab: Lab) -> None:
    """celery #5935 and kombu's visibility timeouts: what takes longer than a message is hidden is given to
    another one, and both do it."""
    lab, tenant = own_lab, fresh_id()
    async with running(lab.stack, "bridge", SQS_HOLD_SECONDS="5") as app:
        await asyncio.to_thread(lab.stack.suspend, "temporal")
        send_many(lab, tenant)
        await eventually(lambda: lab.jobs(tenant))
        await asyncio.to_thread(app.suspend, "bridge")  # with messages in its hands
        await asyncio.to_thread(lab.stack.resume, "temporal")
        async with running(lab.stack, "bridge-2", SQS_HOLD_SECONDS="5"):
            await every_job_has_its_workflow(lab, tenant, MESSAGES)
            await lab.drained("ai-lite")  # though not one of the jobs has been worked on
            await asyncio.to_thread(app.resume, "bridge")
            send_many(lab, tenant, start=MESSAGES)
            await every_job_has_its_workflow(lab, tenant, 2 * MESSAGES)
            await lab.drained("ai-lite")
    assert {job.state for job in await lab.jobs(tenant)} == {"PENDING"}
    assert lab.dead_letters("ai-lite") == []
