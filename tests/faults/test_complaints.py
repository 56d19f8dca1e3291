"""What people publicly complain of in systems of this kind (docs/complaints.md), done to this one."""

import asyncio
import sqlite3
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from datetime import UTC, datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, DeleteNamespaceRequest
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import (
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleInfo,
    ScheduleIntervalSpec,
    ScheduleSpec,
)
from temporalio.service import RPCError, RPCStatusCode

from clients.temporal import SEARCH_ATTRIBUTES
from devstack.app import running
from devstack.ports import LOOPBACK
from tests.faults.proxy import Proxy
from tests.faults.test_odd_servers import KEYWORD
from tests.lab import PATIENCE, Lab, eventually
from workers.schedules import is_late, keep_schedules, make_schedules

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


async def test_a_schedule_that_lost_its_timer_is_made_anew(own_lab: Lab) -> None:
    """temporalio/temporal #11869: it stood still for ever, and its description looked well."""
    lab, second = own_lab, timedelta(seconds=1)
    look = ScheduleActionStartWorkflow("look", id="look", task_queue="nobody", execution_timeout=second)
    ours = {"losing": Schedule(look, ScheduleSpec(intervals=[ScheduleIntervalSpec(every=3 * second)]))}
    await make_schedules(lab.temporal, ours)
    handle = lab.temporal.get_schedule_handle("losing")

    async def info() -> ScheduleInfo:
        return (await handle.describe()).info

    async def at_rest() -> bool:
        found = await info()
        return bool(found.recent_actions and not found.running_actions)

    async def stands_still() -> bool:
        """Broken between two actions; one that was just waking up goes on, and is broken again."""
        await eventually(at_rest)
        await lose_timers(lab)
        before = await info()

        async def late_or_awake() -> bool:
            now = await info()
            return is_late(now, datetime.now(UTC), second) or now.num_actions > before.num_actions

        await eventually(late_or_awake)
        return (await info()).num_actions == before.num_actions

    await eventually(stands_still)
    broken, stop = await info(), asyncio.Event()

    async def acts_again() -> bool:
        with suppress(RPCError):  # between the old one and the new one
            now = await info()
            return now.created_at > broken.created_at and bool(now.recent_actions)
        return False

    keeping = asyncio.create_task(keep_schedules(lab.temporal, ours, stop, every=0.2, late=second))
    await eventually(acts_again)
    stop.set()
    await keeping
    await handle.delete()
