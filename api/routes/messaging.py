"""Messages to parents: send, look, cancel."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, HTTPException, Path, Query, Request
from pydantic import Field
from starlette.responses import Response
from temporalio.service import RPCError

from api import recipients, sheets
from api.auth import audit
from api.auth.callers import Tenant, caller_of
from api.job_requests import asked_by, messages_request, to_classes
from api.jobs import find_job, submit
from api.params import IdempotencyKey, JobId
from api.problems import message_of, not_found, refused
from api.recipients import MessagesWanted
from api.routing import first
from api.services import Services, UseServices
from clients.database import approvals, credits, digests, jobs, messaging
from clients.database.approvals import DecideAnswer
from clients.database.jobs import JobRow
from clients.database.messaging import CancelAnswer, MessageJobRow
from contracts.catalog import CATALOG, Domain
from contracts.errors import SCHEDULE_PAST
from contracts.jobs import FINAL_STATES, JobState
from contracts.messaging import ApprovalState, Private, RecipientState
from intake.submit import RPC_TIMEOUT
from rules.messaging import phones
from rules.messaging.approval import is_person
from rules.messaging.unsendable import Unsendable
from rules.messaging.validity import NOW

MAX_RECIPIENTS = 100_000  # of a job

router = APIRouter(prefix="/api/v1", route_class=first(caller_of))


@router.post("/messages/", status_code=202)
async def send(
    body: MessagesWanted,
    tenant: Tenant,
    request: Request,
    services: UseServices,
    idempotency_key: IdempotencyKey = None,
) -> dict[str, Any]:
    """Send one draft to one or many. The same `Idempotency-Key` is the same request: it is sent once.

    Up to 1,000 recipients in the body, or out of students and classes; up to 100,000 as JSON Lines in an
    object of the tenant's.
    """
    key = idempotency_key or str(uuid4())
    wanted = await recipients.filled(services, tenant, body)
    asked = await messages_request(services, tenant, wanted, key)
    asked = asked_by(asked, await caller_of(request))
    asked = to_classes(asked, body.students.classes if body.students else ())
    if body.draft.send_at and body.draft.send_at < datetime.now(UTC) - NOW:
        async with services.engine.connect() as connection:
            known = await jobs.was_asked(connection, tenant, asked.job_type, asked.idempotency_key)
        if not known:  # the answer to the same request stays the same
            raise HTTPException(422, {"detail": message_of(SCHEDULE_PAST), "code": SCHEDULE_PAST})
    accepted = await submit(services, asked)
    audit.about(request, job=str(accepted.job_id), recipients=len(wanted.recipients))
    return {"job_id": str(accepted.job_id), "status": "accepted"}


@router.get("/messages/{job_id}/")
async def get_messages(job_id: JobId, tenant: Tenant, services: UseServices) -> dict[str, Any]:
    """How many of a job's recipients stand where, and why those failed who did; `shared`: how many are told
    in one text with other jobs' notices."""
    job = await _messages_job(services, tenant, job_id)
    async with services.engine.connect() as connection:
        states = await messaging.counts(connection, job.id)
        codes = await messaging.codes(connection, job.id)
        about = await messaging.find_job(connection, job.id)
        most = await credits.most(connection, job.id)
        shared = await digests.count_shared(connection, job.id) if about and about.in_digests else 0
    return {
        "job_id": job.external_id,
        "status": job.state,
        "error_code": job.error_code,
        "error_message": message_of(job.error_code),
        "result": job.result,
        "recipients": states,
        "reasons": codes,
        "shared": shared,
        "approval": _approval(about, most) if about and about.approval else None,
    }


def _approval(about: MessageJobRow, most: Decimal) -> dict[str, Any]:
    """`state` is WAITING, APPROVED or REFUSED; `most`: what all who are left may cost, in won."""
    return {
        "state": about.approval,
        "asked_by": about.asked_by,
        "decided_by": about.decided_by,
        "decided_at": about.decided_at,
        "most": str(most),
    }


@router.get("/messages/{job_id}/recipients/")
async def get_recipients(
    job_id: JobId,
    tenant: Tenant,
    services: UseServices,
    after: Annotated[int, Query(ge=-1, lt=2**31)] = -1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    state: RecipientState | None = None,
) -> dict[str, Any]:
    """Each recipient's end, in their order; the phone is masked. `next` is `after` of the next page. `state`:
    of those alone who stand there."""
    job = await _messages_job(services, tenant, job_id)
    async with services.engine.connect() as connection:
        rows = await messaging.recipients(connection, job.id, after, limit, state)
    shown = [
        {
            "position": row.position,
            "id": row.recipient_id,
            "phone": row.masked_phone,
            "channel": row.sent_as or row.channel,
            "state": row.state,
            "code": row.code,
            "final_at": row.final_at,
        }
        for row in rows
    ]
    return {"recipients": shown, "next": rows[-1].position if len(rows) == limit else None}


@router.get(
    "/messages/{job_id}/recipients.xlsx",
    response_class=Response,
    responses={200: {"content": {sheets.MEDIA_TYPE: {}}}},
)
async def get_recipients_sheet(job_id: JobId, tenant: Tenant, services: UseServices) -> Response:
    """All recipients' ends as a workbook; phones are masked."""
    job = await _messages_job(services, tenant, job_id)
    async with services.engine.connect() as connection:
        rows = await messaging.recipients(connection, job.id, -1, MAX_RECIPIENTS)
    book = await asyncio.to_thread(sheets.recipients, rows)
    named = {"Content-Disposition": f'attachment; filename="messages-{job.id.hex[:12]}.xlsx"'}
    return Response(book, media_type=sheets.MEDIA_TYPE, headers=named)


@router.post("/messages/{job_id}/cancel/", status_code=202)
async def cancel(job_id: JobId, tenant: Tenant, services: UseServices) -> dict[str, str]:
    """Send nothing more of a job. `outcome` is what is proven now: CANCELLED, TOO_LATE, or UNKNOWN while a
    group is on its way; ask again, or look at the recipients, until it is one of the others."""
    job = await _messages_job(services, tenant, job_id)
    if job.state in FINAL_STATES:
        cancelled = job.state is JobState.CANCELLED
        return {"outcome": CancelAnswer.CANCELLED if cancelled else CancelAnswer.TOO_LATE}
    async with services.engine.begin() as connection:
        outcome = await messaging.request_cancel(connection, job.id, tenant)
    with suppress(
        RPCError, RuntimeError
    ):  # what was written is asked for before every send; this only makes it sooner
        handle = services.temporal.get_workflow_handle(job.workflow_id)
        await handle.signal("cancel", rpc_timeout=RPC_TIMEOUT)
    return {"outcome": outcome}


@router.post("/messages/{job_id}/approve/", status_code=202)
async def approve(job_id: JobId, tenant: Tenant, request: Request, services: UseServices) -> dict[str, str]:
    """Let a job be sent that waits for it. Of people of the academy, and not of who asked for it: 403. 409
    where it waits for nobody any more."""
    return await _decide(job_id, tenant, request, services, ApprovalState.APPROVED)


@router.post("/messages/{job_id}/refuse/", status_code=202)
async def refuse(job_id: JobId, tenant: Tenant, request: Request, services: UseServices) -> dict[str, str]:
    """Have nothing of a job sent that waits for an approval. Who may is as for that."""
    return await _decide(job_id, tenant, request, services, ApprovalState.REFUSED)


async def _decide(
    job_id: str, tenant: int, request: Request, services: Services, state: ApprovalState
) -> dict[str, str]:
    job = await _messages_job(services, tenant, job_id)
    caller = await caller_of(request)
    if not is_person(caller.name) or caller.belongs_to != tenant:
        raise refused(403, "not_a_person", "Only people of the academy decide, and no system.")
    async with services.engine.begin() as connection:
        answer = await approvals.decide(connection, job.id, tenant, caller.name, state)
    if answer is DecideAnswer.OWN:
        raise refused(403, "own_request", "Somebody else must approve what you have asked for.")
    if answer is DecideAnswer.TOO_LATE:
        raise refused(409, "not_waiting", "It waits for no approval.")
    with suppress(RPCError, RuntimeError):  # the workflow looks for itself; this only makes it sooner
        handle = services.temporal.get_workflow_handle(job.workflow_id)
        await handle.signal("approval", rpc_timeout=RPC_TIMEOUT)
    return {"state": state}


@router.post("/reservations/{reservation_id}/cancel/", status_code=202)
async def cancel_reservation(
    reservation_id: Annotated[int, Path(gt=0, lt=2**63)], tenant: Tenant, services: UseServices
) -> dict[str, Any]:
    """A reservation is off: nothing about it is sent from now on."""
    async with services.engine.begin() as connection:
        await messaging.cancel_reservation(connection, tenant, reservation_id)
    return {"reservation_id": reservation_id, "status": "cancelled"}


class OptOut(Private):
    phone: str = Field(max_length=40)


@router.post("/opt-outs/", status_code=201)
async def opt_out(body: OptOut, tenant: Tenant, request: Request, services: UseServices) -> dict[str, str]:
    """This phone takes no advertising from the tenant any more."""
    try:
        phone = phones.mobile(body.phone)
    except Unsendable as error:
        raise HTTPException(422, {"detail": message_of(error.code), "code": error.code}) from None
    audit.about(request, phone=phones.mask(phone))
    mac = (await services.keys.sealer(tenant)).mac(phone)
    async with services.engine.begin() as connection:
        await messaging.opt_out(connection, tenant, mac)
    return {"status": "opted_out"}


async def _messages_job(services: Services, tenant: int, job_id: str) -> JobRow:
    job = await find_job(services, tenant, job_id)
    if CATALOG[job.job_type].domain is not Domain.MESSAGING:
        raise not_found("message")
    return job
