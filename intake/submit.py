"""The only way a job starts: accept it in Postgres, then start its workflow.

A crash between the two leaves an accepted row without a workflow; the reconciler starts it.
"""

import asyncio
from collections.abc import Sequence
from contextvars import ContextVar
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from temporalio.client import Client
from temporalio.common import (
    Priority,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from clients.database import accepting, jobs
from clients.database.accepting import Acceptance, Accepted, SubjectJustClosed
from clients.database.erasing import TenantErased
from clients.database.jobs import SealedJob
from clients.vault import Vault
from contracts import catalog
from contracts.errors import REASONS, START_REFUSED
from contracts.jobs import JobOutcome, JobRecord, JobRequest
from contracts.messaging import LostMessages
from contracts.names import TaskQueue, WorkflowType
from intake.errors import NamespaceDamaged, StartRefused

TENANT_ID = SearchAttributeKey.for_keyword("TenantId")
JOB_TYPE = SearchAttributeKey.for_keyword("JobType")

# Which HTTP request asks: in the job's event log and its workflow's memo, so that an operator can follow it.
REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)

RPC_TIMEOUT = timedelta(seconds=5)
START_TIMEOUT = 15.0
ACCEPTED = "accepted"  # in a workflow's memo: its job's row, sealed
CARRIED = 300_000  # bytes of it at the most: whatever a queue's message holds
REHEARSAL = "rehearsal"  # of a start or an acceptance: name of its workflow, queue, job type


class IdempotencyMismatch(Exception):
    """The same idempotency key came with another payload: somebody reuses keys."""


def refuse_unusable(accepted: Accepted) -> None:
    """Raises IdempotencyMismatch, TenantErased."""
    if accepted.status is Acceptance.MISMATCH:
        raise IdempotencyMismatch(accepted.request.idempotency_key)
    if accepted.status is Acceptance.ERASED:
        raise TenantErased


class Submitter:
    """Accepts and starts jobs; one for each process, shared by its tasks."""

    def __init__(self, engine: AsyncEngine, temporal: Client, vault: Vault) -> None:
        self._engine = engine
        self._temporal = temporal
        self._vault = vault

    async def submit(self, request: JobRequest) -> Accepted:
        """Accept one request and start its workflow, whatever was done of it before.

        Raises `IdempotencyMismatch`, `TenantErased`, and the database's or Temporal's error when the outcome
        is unknown: calling again with the same request is always safe.
        """
        (accepted,) = await self.accept([request])
        refuse_unusable(accepted)
        if accepted.status in (Acceptance.NEW, Acceptance.OPEN):
            await self.start(accepted)
        return accepted

    def _sealed(self, requests: Sequence[JobRequest]) -> list[tuple[JobRequest, str, bytes]]:
        return [
            (request, catalog.workflow_id(request), self._vault.seal(request.payload, str(request.job_id)))
            for request in requests
        ]

    async def accept(self, requests: Sequence[JobRequest]) -> list[Accepted]:
        """One transaction for all of them; the answers are in the order of the requests."""
        job_requests = await asyncio.to_thread(self._sealed, requests)  # a payload may have megabytes
        while True:
            try:
                async with self._engine.begin() as connection:
                    return await accepting.accept(connection, self._vault, job_requests, REQUEST_ID.get())
            except SubjectJustClosed:
                await asyncio.sleep(0)

    async def accept_within(self, connection: AsyncConnection, request: JobRequest) -> Accepted:
        """Accept one that has no subject, in a transaction of the caller, who starts it afterwards."""
        (accepted,) = await accepting.accept(connection, self._vault, self._sealed([request]))
        return accepted

    async def start(self, accepted: Accepted) -> None:
        """Start the workflow of an accepted job. One that runs, or has ended, is left as it is."""
        request = accepted.request
        await self.start_workflow(
            JobRecord(
                job_id=accepted.job_id,
                job_type=request.job_type,
                tenant_id=request.tenant_id,
                idempotency_key=request.idempotency_key,
                external_id=request.external_id or str(request.job_id),
                subject=request.subject,
                video_id=request.video_id,
                workflow_id=accepted.workflow_id,
                payload_sha256=self._vault.keyed_hash(request.payload_sha256),
                source=request.source,
                payload=request.payload,
            )
        )

    async def refuse(self, accepted: Accepted) -> None:
        """End a job that Temporal will never take, so that it does not stay open for ever."""
        outcome = JobOutcome(state=REASONS[START_REFUSED].state, error_code=START_REFUSED)
        async with self._engine.begin() as connection:
            await jobs.finish(connection, accepted.job_id, outcome)

    async def restart(self, row: SealedJob) -> None:
        """The reconciler's way: all comes from the row. Raises VaultError."""
        assert row.sealed_payload is not None, "an open job that was not started has its payload"
        await self.start_workflow(self._record(row))

    async def make_again(self, row: SealedJob, workflow_id: str, outcome: JobOutcome) -> None:
        """Start the workflow that writes again what a restored database has lost of a job that has ended."""
        job = self._record(row).model_copy(update={"workflow_id": workflow_id})
        if catalog.CATALOG[row.job_type].domain is not catalog.Domain.MESSAGING:
            return await self.start_workflow(job)
        await self._temporal.start_workflow(
            WorkflowType.RESTORE_MESSAGES,
            LostMessages(job=job.ref, workflow_id=row.workflow_id, outcome=outcome),
            id=workflow_id,
            task_queue=TaskQueue.MESSAGING,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            search_attributes=_attributes(str(row.tenant_id or 0), row.job_type),
            static_summary=f"Messages of a restored database · tenant {row.tenant_id}",
            rpc_timeout=RPC_TIMEOUT,
        )

    def payload(self, job_id: UUID, sealed: bytes) -> dict[str, Any]:
        return self._vault.open(sealed, str(job_id))

    async def start_workflow(self, job: JobRecord) -> None:
        """Start the workflow of a job that is accepted. What it carries of the job is sealed: Temporal shows
        memos to everybody who may look."""
        ref, payload = job.ref, job.payload
        assert payload is not None, "a job is started with its payload"
        row = catalog.CATALOG[ref.job_type]
        tenant = str(ref.tenant_id or 0)
        key, weight = row.fairness(ref, payload)
        memo: dict[str, Any] = {ACCEPTED: self._carried(job)}
        if request_id := REQUEST_ID.get():
            memo["request_id"] = request_id
        try:
            async with asyncio.timeout(START_TIMEOUT):
                await self._temporal.start_workflow(
                    row.workflow,
                    row.build(ref, payload),
                    id=job.workflow_id,
                    task_queue=row.other_queue(payload) or row.task_queue,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                    priority=Priority(priority_key=row.priority, fairness_key=key, fairness_weight=weight),
                    search_attributes=_attributes(tenant, ref.job_type),
                    memo=memo,
                    static_summary=f"{row.summary(ref, payload)} · tenant {tenant}",
                    rpc_timeout=RPC_TIMEOUT,
                )
        except WorkflowAlreadyStartedError:
            # It ran and ended. If the row is still open the reconciler repairs it from the outcome.
            return
        except RPCError as error:
            # gRPC itself uses RESOURCE_EXHAUSTED for a request above its size limit: waiting will not help.
            too_large = "larger than max" in error.message
            if error.status is RPCStatusCode.RESOURCE_EXHAUSTED and too_large:
                raise StartRefused from error
            if error.status is RPCStatusCode.INVALID_ARGUMENT:
                raise await self._whose_fault() from error
            raise

    def _record(self, row: SealedJob) -> JobRecord:
        return JobRecord(
            job_id=row.id,
            job_type=row.job_type,
            tenant_id=row.tenant_id,
            idempotency_key=row.idempotency_key,
            external_id=row.external_id,
            subject=row.subject,
            video_id=row.video_id,
            workflow_id=row.workflow_id,
            payload_sha256=row.payload_sha256,
            source=row.source,
            payload=self.payload(row.id, row.sealed_payload) if row.sealed_payload else None,
        )

    def _carried(self, job: JobRecord) -> bytes:
        text = job.model_dump_json().encode()
        if len(text) > CARRIED:
            text = job.model_copy(update={"payload": None}).model_dump_json().encode()
        return self._vault.encrypt(text, job.workflow_id.encode())

    async def _whose_fault(self) -> StartRefused | NamespaceDamaged:
        """A start was refused as not valid. The server does not say in a way that programs read whether it
        means the request or the namespace (a search attribute that is not there), so another start with
        nothing of the request in it is asked for: nobody polls its queue, and it is over in a second."""
        try:
            await self._temporal.start_workflow(
                REHEARSAL,
                id=REHEARSAL,
                task_queue=REHEARSAL,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                execution_timeout=timedelta(seconds=1),
                priority=Priority(priority_key=3, fairness_key="0", fairness_weight=1.0),
                search_attributes=_attributes("0", REHEARSAL),
                memo={"request_id": REHEARSAL},
                static_summary=REHEARSAL,
                rpc_timeout=RPC_TIMEOUT,
            )
        except RPCError as error:
            if error.status is not RPCStatusCode.INVALID_ARGUMENT:
                raise
            return NamespaceDamaged("Temporal takes no start: compare the namespace with deploy/temporal")
        return StartRefused()

    async def rehearse(self) -> None:
        """Accept a job of nobody, and take it back: raises what would keep a real one from being accepted."""
        request = JobRequest(
            job_type=REHEARSAL,
            tenant_id=None,
            idempotency_key=uuid4().hex,
            payload={},
            payload_sha256="",
            source=REHEARSAL,
        )
        async with self._engine.connect() as connection, connection.begin() as transaction:
            await accepting.accept(connection, self._vault, [(request, request.idempotency_key, b"")])
            await transaction.rollback()


def _attributes(tenant: str, job_type: str) -> TypedSearchAttributes:
    return TypedSearchAttributes(
        [SearchAttributePair(TENANT_ID, tenant), SearchAttributePair(JOB_TYPE, job_type)]
    )
