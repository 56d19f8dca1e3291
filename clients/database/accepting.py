"""Accepting requests: which of them is a new job, and which job answers the others. The caller holds the
transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import exists, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from clients.database import erasing, joining
from clients.database.jobs import add_event
from clients.database.joining import Answering
from clients.database.models import Job, JobEvent, Tenant
from clients.vault import Vault
from contracts.errors import START_REFUSED
from contracts.jobs import JobRequest, JobState


class Acceptance(StrEnum):
    """NEW: this call wrote the row. OPEN: written before, not final yet. FINAL: it has ended; one that was
    refused at its start is opened again instead.
    JOINED: another open job does the same, or a later attempt; it is remembered which.
    MISMATCH: the key was used for other content. ERASED: its tenant is erased, and nothing was written."""

    NEW = "NEW"
    OPEN = "OPEN"
    FINAL = "FINAL"
    JOINED = "JOINED"
    MISMATCH = "MISMATCH"
    ERASED = "ERASED"


@dataclass(frozen=True)
class Accepted:
    """What became of a request; `job_id` and `workflow_id` are those of the job that does the work. `request`
    has the subject that it was accepted with."""

    status: Acceptance
    job_id: UUID
    workflow_id: str
    request: JobRequest


async def accept(
    connection: AsyncConnection,
    vault: Vault,
    job_requests: Sequence[tuple[JobRequest, str, bytes]],
    request_id: str | None = None,
) -> list[Accepted]:
    """Accept requests, each with its workflow ID and sealed payload, in one transaction of the caller.
    Of a payload's hash only what `vault` makes of it is stored. `request_id` goes into the event log.

    The unique indexes decide between concurrent callers, and who asks for one subject goes in turns.
    """
    await joining.take_turns(connection, [request for request, _, _ in job_requests])
    answered = await joining.answered(connection, [request for request, _, _ in job_requests])
    tenants = {request.tenant_id for request, _, _ in job_requests if request.tenant_id is not None}
    erased: set[int] = set()
    if tenants:
        rows = [{"id": tenant} for tenant in sorted(tenants)]
        await connection.execute(insert(Tenant).on_conflict_do_nothing(), rows)
        erased = await erasing.refused(connection, sorted(tenants))
    # Sorted, so that two bridges with the same messages in another order cannot deadlock.
    ordered = sorted(job_requests, key=lambda job_request: job_request[0].job_id)
    values = [
        _row(vault, *each)
        for each in ordered
        if each[0].job_id not in answered and each[0].tenant_id not in erased
    ]
    new = await _write(connection, values, request_id)
    accepted: list[Accepted] = []
    for request, workflow_id, sealed in job_requests:
        if request.tenant_id in erased:
            accepted.append(Accepted(Acceptance.ERASED, request.job_id, workflow_id, request))
        elif request.job_id in new:
            new.discard(request.job_id)  # a second copy in the same call is a duplicate
            accepted.append(Accepted(Acceptance.NEW, request.job_id, workflow_id, request))
        elif known := await _own(connection, vault, request, sealed):
            accepted.append(known)
        elif other := answered.get(request.job_id) or await joining.open_job(connection, request):
            accepted.append(await _joined(connection, vault, (request, workflow_id, sealed), other))
        else:  # the job in the way ended just now: the caller's retry accepts this request as a new job
            raise SubjectJustClosed
    return accepted


def _row(vault: Vault, request: JobRequest, workflow_id: str, sealed: bytes) -> dict[str, Any]:
    return {
        "id": request.job_id,
        "tenant_id": request.tenant_id,
        "job_type": request.job_type,
        "idempotency_key": request.idempotency_key,
        "external_id": request.external_id or str(request.job_id),
        "subject": request.subject,
        "video_id": request.video_id,
        "upload_id": request.upload_id,
        "workflow_id": workflow_id,
        "payload_sha256": vault.keyed_hash(request.payload_sha256),
        "sealed_payload": sealed,
        "source": request.source,
    }


async def _write(
    connection: AsyncConnection, values: Sequence[dict[str, Any]], request_id: str | None
) -> set[UUID]:
    """Write what no index forbids; the ids of that."""
    if not values:
        return set()
    # Rows as parameters, not in the statement: it is compiled once and cached.
    statement = insert(Job).on_conflict_do_nothing().returning(Job.id)
    new = set((await connection.execute(statement, values)).scalars())
    if new:
        detail = {"request_id": request_id} if request_id else None
        events = [{"job_id": job_id, "kind": "accepted", "detail": detail} for job_id in sorted(new)]
        await connection.execute(insert(JobEvent), events)
    return new


async def _joined(
    connection: AsyncConnection, vault: Vault, job_request: tuple[JobRequest, str, bytes], other: Answering
) -> Accepted:
    """Remember that another job answers a request. One that asks for something else of the same subject has a
    job of its own: nobody else would do it."""
    request, workflow_id, sealed = job_request
    own_hash = vault.keyed_hash(request.payload_sha256)
    if other.payload_sha256 and not vault.same_hash(request.payload_sha256, other.payload_sha256):
        if other.remembered:
            return Accepted(Acceptance.MISMATCH, other.job_id, other.workflow_id, request)
        request = request.model_copy(update={"subject": f"{request.subject}:{own_hash}"})
        if await _write(connection, [_row(vault, request, workflow_id, sealed)], None):
            return Accepted(Acceptance.NEW, request.job_id, workflow_id, request)
        same = await joining.open_job(connection, request)
        if same is None:
            raise SubjectJustClosed
        other = same
    if not other.remembered:
        await joining.remember(connection, request, own_hash, other)
    status = Acceptance.FINAL if other.finished_at else Acceptance.JOINED
    return Accepted(status, other.job_id, other.workflow_id, request)


async def _reopened(connection: AsyncConnection, request: JobRequest, sealed: bytes) -> bool:
    """A job that ended because it could not be started, and is asked for again: a dead letter that was sent
    back when what refused it was mended. No workflow of it ever ran. A job that works on the same subject
    meanwhile is in its way."""
    other = aliased(Job)
    in_the_way = exists().where(
        other.tenant_id.is_not_distinct_from(request.tenant_id),
        other.subject == request.subject,
        other.finished_at.is_(None),
    )
    reopened = await connection.execute(
        update(Job)
        .where(Job.id == request.job_id, Job.error_code == START_REFUSED, ~in_the_way)
        .values(state=JobState.PENDING, error_code=None, result=None, finished_at=None, sealed_payload=sealed)
        .returning(Job.id)
    )
    if reopened.one_or_none() is None:
        return False
    await add_event(connection, request.job_id, "accepted", {"again": True})
    return True


async def _own(
    connection: AsyncConnection, vault: Vault, request: JobRequest, sealed: bytes
) -> Accepted | None:
    known = select(Job.workflow_id, Job.payload_sha256, Job.finished_at).where(Job.id == request.job_id)
    own = (await connection.execute(known)).one_or_none()
    if own is None:
        return None
    workflow_id, payload_sha256, finished_at = own
    if not vault.same_hash(request.payload_sha256, payload_sha256):
        status = Acceptance.MISMATCH
    elif finished_at is None or await _reopened(connection, request, sealed):
        status = Acceptance.OPEN
    else:
        status = Acceptance.FINAL
    return Accepted(status, request.job_id, workflow_id, request)


class SubjectJustClosed(Exception):
    """The open job on the same subject ended between two statements: accept again."""
