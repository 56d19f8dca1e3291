"""A tenant is erased: requests, workflows, progress, letters, objects, rows, and its key at last.

Every step looks for what is there, so that it can be begun again at any point. Names come from the rows, so
the rows go after what they name.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.api.common.v1 import WorkflowExecution as Execution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from clients import progress, stored_bodies
from clients.database import erasing
from clients.keys import TenantKeys
from clients.queues import Queue
from clients.stored_bodies import StoredBodies
from clients.uploads import UploadStore
from contracts.names import WorkflowType
from intake.submit import RPC_TIMEOUT
from intake.tombstones import Tombstones
from workflows.video.retire import NO_WORKER_WRITES_AFTER

AGAIN = 0.5  # seconds between two looks at what ends, or is being removed
LETS_GO = 60.0  # seconds that Temporal may take to remove what it was told to
RUNNING = WorkflowExecutionStatus.RUNNING
TERMINATED = "workflows terminated, workers may write yet"


@dataclass(frozen=True)
class Place:
    """`there`: what was found; `left`: what is still there after it was erased (or the same, when it was
    only looked at)."""

    place: str
    there: int
    left: int


@dataclass(frozen=True, kw_only=True)
class Servers:
    engine: AsyncEngine
    temporal: Client
    redis: progress.Server
    store: UploadStore
    bodies: StoredBodies
    queues: dict[str, Queue]
    keys: TenantKeys


class Histories:
    """Closed executions, with memo and search attributes."""

    def __init__(self, temporal: Client) -> None:
        self._temporal = temporal

    async def delete(self, workflow_id: str, run_id: str = "") -> None:
        """One that is gone is fine. The server does it in its own time."""
        request = DeleteWorkflowExecutionRequest(
            namespace=self._temporal.namespace,
            workflow_execution=Execution(workflow_id=workflow_id, run_id=run_id),
        )
        try:
            await self._temporal.workflow_service.delete_workflow_execution(request, timeout=RPC_TIMEOUT)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise

    async def erase(self, workflow_ids: set[str]) -> None:
        """Returns when they are gone, or the server has taken LETS_GO. Raises RPCError."""
        ends = asyncio.get_running_loop().time() + LETS_GO
        left = workflow_ids
        while left and asyncio.get_running_loop().time() < ends:
            for each in left:
                await self.delete(each)
            left = {each for each in left if await self._is_there(each)}
            await asyncio.sleep(AGAIN if left else 0)

    async def _is_there(self, workflow_id: str) -> bool:
        try:
            await self._temporal.get_workflow_handle(workflow_id).describe(rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return False
        return True


class TenantEraser:
    """`patience`: how long workflows may take to end in order (messages are withdrawn and refunded) before
    they are terminated."""

    def __init__(self, servers: Servers, tenant_id: int, patience: timedelta) -> None:
        self._of = servers
        self._tenant = tenant_id
        self._patience = patience.total_seconds()
        self._prefix = f"tenants/{tenant_id}/"
        self._histories = Histories(servers.temporal)
        self._tombstones = Tombstones(servers.engine, servers.store)

    async def look(self) -> list[Place]:
        """What there is. Changes nothing."""
        return [Place(name, there, there) async for name, there in self._counts()]

    async def erase(self) -> list[Place]:
        """Erase it; what was there, and what is left by a second look at every place."""
        before = {each.place: each.there for each in await self.look()}
        await asyncio.to_thread(self._tombstones.carve, self._tenant)
        async with self._of.engine.begin() as connection:
            await erasing.bury(connection, self._tenant)
        await self._end_workflows()
        async with self._of.engine.begin() as connection:
            await erasing.bury(connection, self._tenant, for_good=True)
        terminated = await self._lately_terminated()
        await self._erase_histories()
        await self._erase_progress()
        for name, queue in self._of.queues.items():
            await asyncio.to_thread(self._letters, name, queue, True)
        await asyncio.to_thread(self._stored_bodies, True)
        await asyncio.to_thread(self._of.store.erase_tenant, self._tenant)
        for table in erasing.tables():
            while True:
                async with self._of.engine.begin() as connection:
                    if not await erasing.erase_some(connection, table, self._tenant):
                        break
        await self._of.keys.destroy(self._tenant)
        after = {each.place: each.left for each in await self.look()}
        after |= {TERMINATED: terminated} if terminated else {}
        return [Place(name, before.get(name, 0), after.get(name, 0)) for name in before | after]

    async def _counts(self) -> AsyncIterator[tuple[str, int]]:
        yield "workflows", len([each async for each in self._workflows()])
        yield "progress in Redis", len(await self._progress_keys())
        for name, queue in self._of.queues.items():
            yield f"dead letters of {name}", await asyncio.to_thread(self._letters, name, queue, False)
        yield "stored bodies of dead letters", await asyncio.to_thread(self._stored_bodies, False)
        for folder, objects in (await asyncio.to_thread(self._of.store.counted, self._prefix)).items():
            yield f"objects below {folder}", objects
        yield "unfinished uploads", len(await asyncio.to_thread(self._of.store.unfinished, self._prefix))
        for table in erasing.tables():
            async with self._of.engine.connect() as connection:
                yield f"rows of {table.name}", await erasing.count(connection, table, self._tenant)
        yield "keys", await self._of.keys.alive(self._tenant)

    # Workflows

    async def _workflows(self, only: str = "") -> AsyncIterator[WorkflowExecution]:
        """Those of the tenant's jobs, and those that remove replaced versions of its lectures."""
        also = f" AND {only}" if only else ""
        async for each in self._of.temporal.list_workflows(f"TenantId = '{self._tenant}'{also}"):
            yield each
        retire = f"WorkflowType = '{WorkflowType.RETIRE}'{also}"
        async for each in self._of.temporal.list_workflows(retire):
            if re.search(rf"-t{self._tenant}(-|$)", each.id):
                yield each

    async def _end_workflows(self) -> None:
        """In order if they do so in time; the list of a server lags, so the jobs' rows are asked as well."""
        running = "ExecutionStatus = 'Running'"
        ids = {each.id async for each in self._workflows(running)}
        async with self._of.engine.connect() as connection:
            ids |= set((await erasing.known(connection, self._tenant)).unfinished)
        left = {each for each in ids if await self._ask(each, "cancel")}
        ends = asyncio.get_running_loop().time() + self._patience
        while left and asyncio.get_running_loop().time() < ends:
            left = {each for each in left if await self._runs(each)}
            await asyncio.sleep(AGAIN if left else 0)
        for each in left | {each.id async for each in self._workflows(running)}:
            await self._ask(each, "terminate")

    async def _ask(self, workflow_id: str, what: str) -> bool:
        """Whether it was there to be asked."""
        handle = self._of.temporal.get_workflow_handle(workflow_id)
        try:
            if what == "cancel":
                await handle.cancel(rpc_timeout=RPC_TIMEOUT)
            else:
                await handle.terminate(reason="the tenant is erased", rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return False
        return True

    async def _runs(self, workflow_id: str) -> bool:
        try:
            found = await self._of.temporal.get_workflow_handle(workflow_id).describe(rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return False
        return found.status is RUNNING

    async def _lately_terminated(self) -> int:
        since = datetime.now(UTC) - timedelta(seconds=NO_WORKER_WRITES_AFTER)
        ended = self._workflows("ExecutionStatus = 'Terminated'")
        return len([each async for each in ended if each.close_time and each.close_time > since])

    async def _erase_histories(self) -> None:
        """With memos and search attributes. The server does it in its own time, and lists them so long."""
        ends = asyncio.get_running_loop().time() + LETS_GO
        while found := [each async for each in self._workflows()]:
            for each in found:
                await self._histories.delete(each.id, each.run_id)
            if asyncio.get_running_loop().time() > ends:
                return
            await asyncio.sleep(AGAIN)

    # Redis

    async def _progress_keys(self) -> set[str]:
        """Those that name the tenant, and those of before that name a job or a lecture only."""
        found = {key async for key in self._of.redis.scan_iter(match=f"tenant:{self._tenant}:*", count=1000)}
        async with self._of.engine.connect() as connection:
            known = await erasing.known(connection, self._tenant)
        names = [f"job:{job}:{what}" for job in known.jobs for what in ("progress", "frames")]
        names += [f"job:video:{video}:progress" for video in known.videos]
        for start in range(0, len(names), 1000):
            some = names[start : start + 1000]
            async with self._of.redis.pipeline(transaction=False) as pipe:
                for name in some:
                    pipe.exists(name)
                there = await pipe.execute()
            found |= {name for name, is_there in zip(some, there, strict=True) if is_there}
        return found

    async def _erase_progress(self) -> None:
        if found := await self._progress_keys():
            await self._of.redis.delete(*found)

    # Dead letters. These block.

    def _letters(self, _name: str, queue: Queue, erase: bool) -> int:
        return queue.sift_dead(lambda letter: names_tenant(letter.body, self._tenant), erase=erase)

    def _stored_bodies(self, erase: bool) -> int:
        """Those that no letter names any more as well."""
        mine = []
        for key, _ in self._of.store.list(stored_bodies.PREFIX):
            with suppress(stored_bodies.BodyGone):  # no key of ours opens it: nobody can read it
                if names_tenant(self._of.bodies.open(stored_bodies.stub(key)), self._tenant):
                    mine.append(key)
        for key in mine if erase else ():
            self._of.store.delete(key)
        return len(mine)


def names_tenant(body: str, tenant_id: int) -> bool:
    """Whether a message's body, well formed or not, says that it is of a tenant, or names its objects."""
    with suppress(ValueError, RecursionError):
        body = json.dumps(json.loads(body))  # without escapes that hide a name
    number = rf"\\?[\"']?tenant_?id\\?[\"']?\s*[:=]\s*\\?[\"']?0*{tenant_id}(?![\d.])"
    return bool(re.search(rf"{number}|tenants/{tenant_id}/", body, re.IGNORECASE))
