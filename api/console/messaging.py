"""Messages to parents: write with a preview, and see how each ended."""

import asyncio
from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import FailFast, Field
from starlette.responses import Response

from api import recipients, students
from api.auth.callers import caller_for
from api.console import alimtalk_templates, previews, queries
from api.console.jobs import find
from api.console.pages import Someone, Tenant, language, page, signed_in
from api.console.queries import Shown
from api.recipients import StudentsToTell
from api.routing import first
from api.services import Services, UseServices
from clients.database import classes, credits, digests, jobs, text_templates
from clients.database import messaging as database
from clients.database.listings import SENDINGS
from contracts.messaging import Account, Draft, Private, Recipient, request_of
from contracts.text_templates import TemplateName
from rules.messaging.channel import Sent, as_sent
from rules.messaging.compose import ALIMTALK_CHARACTERS, EMAIL_CHARACTERS, LMS_BYTES, SMS_BYTES, Composer

router = APIRouter(route_class=first(signed_in))
PER_PAGE = 100
CLASSES = 500


@router.get("/messages")
async def sendings(request: Request, services: UseServices, tenant: Tenant, show: str = "all") -> Response:
    if show not in SENDINGS:
        raise HTTPException(404)
    async with services.engine.connect() as connection:
        account = await credits.account(connection, tenant)
    found = await queries.sendings(services.engine, services.board, tenant, show)
    return page(request, "messages.html", sendings=found, show=show, account=account)


@router.get("/messages/new")
async def write(
    request: Request,
    services: UseServices,
    tenant: Tenant,
    template: Annotated[TemplateName | None, Query()] = None,
    student: Annotated[int | None, Query(gt=0, lt=2**63)] = None,
    class_id: Annotated[int | None, Query(gt=0, lt=2**63)] = None,
) -> Response:
    """`template`: a stored text to begin with; `student`, `class_id`: whom it is to."""
    async with services.engine.connect() as connection:
        account = await credits.account(connection, tenant)
        numbers = await database.sender_numbers(connection, tenant)
        texts = await text_templates.names(connection, tenant)
        known = await classes.classes(connection, tenant, None, CLASSES)
    person = await students.one(services, tenant, student) if student else None
    return page(
        request,
        "compose.html",
        texts=texts,
        chosen=template,
        account=account,
        numbers=sorted(numbers),
        classes=[each for each in known if each.students],
        class_id=class_id,
        student=person if person and not person.left_at else None,
        sms_bytes=SMS_BYTES,
        lms_bytes=LMS_BYTES,
        alimtalk_characters=ALIMTALK_CHARACTERS,
        email_characters=EMAIL_CHARACTERS,
    )


class Preview(Private):
    draft: Draft
    recipients: Annotated[tuple[Recipient, ...], Field(max_length=1_000), FailFast()] = ()
    students: StudentsToTell | None = None


@router.post("/messages/preview")
async def preview(
    request: Request, services: UseServices, tenant: Tenant, staff: Someone, what: Preview
) -> dict[str, Any]:
    """What each recipient would get and what it would cost: the checks of sending, without sending."""
    async with services.engine.connect() as connection:
        known = await credits.account(connection, tenant)
        numbers = await database.sender_numbers(connection, tenant)
    if known is None:
        raise HTTPException(404)
    account = Account.model_validate(asdict(known) | {"sender_numbers": numbers})
    template = await alimtalk_templates.find(services, what.draft)
    people = what.recipients
    if what.students:
        people = await recipients.recipients(services, tenant, what.students, what.draft)
    default_pf_id = services.settings.solapi_kakao_pf_id

    def sent() -> Sent:
        return as_sent(what.draft, template, account, default_pf_id)

    def composer(sent: Sent) -> Composer:
        return Composer(sent.draft, account, sent.template, default_pf_id)

    return await asyncio.to_thread(
        previews.preview,
        what.draft,
        people,
        sent,
        composer,
        known,
        language(request),
        caller_for(staff).name,
    )


@router.get("/messages/{job_id}")
async def sending(
    request: Request,
    services: UseServices,
    tenant: Tenant,
    staff: Someone,
    job_id: UUID,
    after: Annotated[int, Query(ge=-1, lt=2**31)] = -1,
) -> Response:
    job = await find(request, staff, job_id)
    if job.job_type not in queries.MESSAGE_TYPES or job.tenant_id != tenant:
        raise HTTPException(404)
    async with services.engine.connect() as connection:
        about = await database.find_job(connection, job.id)
        states = await database.counts(connection, job.id)
        people = await database.recipients(connection, job.id, after, PER_PAGE)
        asks = job.waits_for_approval
        most = await credits.most(connection, job.id) if asks else None
        sealed = await jobs.sealed_payload(connection, job.id) if asks else None
        shared = await digests.count_shared(connection, job.id) if about and about.in_digests else 0
    own = about is not None and about.asked_by == caller_for(staff).name
    return page(
        request,
        "message.html",
        job=job,
        about=about,
        own=own,
        most=most,
        draft=await asyncio.to_thread(_draft, services, job, sealed) if sealed else None,
        shared=shared,
        states=states,
        people=people,
        after=after,
        more=people[-1].position if len(people) == PER_PAGE else None,
        problems=(job.result or {}).get("problems", []),
    )


def _draft(services: Services, job: Shown, sealed: bytes) -> Draft:
    """What somebody is asked to agree to, as it was written."""
    return request_of(job.job_type, services.submitter.payload(job.id, sealed)).draft
