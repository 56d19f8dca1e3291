"""All jobs, live, and one of them with its log."""

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query, Request
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import RedirectResponse, Response
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.service import RPCError, RPCStatusCode

from api.auth import audit
from api.auth.people import Staff
from api.console import files, queries
from api.console.may import may
from api.console.pages import Someone, page, render, signed_in, signed_in_still
from api.console.queries import LOG_LINES, Shown
from api.console.searching import TYPES, JobSearch
from api.routing import first
from api.services import Services, UseServices, get_services
from api.streams import while_allowed
from clients.database import listings
from contracts.errors import ErrorType
from intake.submit import RPC_TIMEOUT

router = APIRouter(route_class=first(signed_in))
LOOK_AGAIN = 1.0  # seconds between two looks of one open list
OPENED_AT = {"ai.ocr": "ocr", "ai.omr_grading": "omr", "ai.excel_parsing": "rosters"}


@router.get("/")
async def list_of_jobs(
    request: Request, services: UseServices, staff: Someone, search: Annotated[JobSearch, Query()]
) -> Response:
    jobs, open_count = await _jobs(services, staff, search)
    more = jobs[-1].seq if len(jobs) == queries.PAGE else None
    return page(request, "jobs.html", jobs=jobs, open_count=open_count, search=search, more=more, types=TYPES)


@router.get("/jobs/stream")
async def stream(
    request: Request, services: UseServices, staff: Someone, search: Annotated[JobSearch, Query()]
) -> EventSourceResponse:
    """The list's rows as HTML, whenever one is not what it was; `signed-out` when the session ends."""

    def drawn(jobs: list[Shown], open_count: int) -> str:
        lines = [
            {"id": f"job-{job.id}", "html": render(request, "job_row.html", staff=staff, job=job).strip()}
            for job in jobs
        ]
        return json.dumps({"rows": lines, "open": open_count})

    async def rows() -> AsyncGenerator[ServerSentEvent, None]:
        sent = ""
        while True:
            jobs, open_count = await _jobs(services, staff, search)
            text = await asyncio.to_thread(drawn, jobs, open_count)
            if text != sent:
                sent = text
                yield ServerSentEvent(text, event="rows")
            await asyncio.sleep(LOOK_AGAIN)

    signed_out = ServerSentEvent("", event="signed-out")
    return EventSourceResponse(while_allowed(rows(), lambda: signed_in_still(request), signed_out), ping=15)


@router.get("/jobs/{job_id}")
async def one_job(request: Request, services: UseServices, staff: Someone, job_id: UUID) -> Response:
    job = await find(request, staff, job_id)
    async with services.engine.connect() as connection:
        events = await listings.newest_events(connection, job.id, LOG_LINES)
    result = job.result or {}
    return page(
        request,
        "job.html",
        job=job,
        events=events,
        activities=[] if job.final else await _activities(services, job),
        summary={name: value for name, value in result.get("summary", {}).items() if value is not None},
        files=sorted(result.get("files", {})),
        made=result,
        review=[] if result.get("damage") else result.get("review", []),  # the same in both languages
        opened_at=opened_at(staff, job),
    )


def opened_at(staff: Staff, job: Shown) -> str | None:
    """Where its result is shown, to who may see that."""
    kind = "messages" if job.job_type in queries.MESSAGE_TYPES else OPENED_AT.get(job.job_type)
    there = kind == "messages" or (job.result or {}).get("files")
    if kind is None or not there or staff.tenant_id != job.tenant_id:
        return None
    return f"/console/{kind}/{job.id}" if may(staff, f"GET /console/{kind}/{{job_id}}") else None


@router.get("/jobs/{job_id}/files/{name}")
async def file(request: Request, services: UseServices, staff: Someone, job_id: UUID, name: str) -> Response:
    """A result's file, by a link that is made now: one kept in a page would expire."""
    job = await find(request, staff, job_id)
    key = ((job.result or {}).get("files") or {}).get(name)
    if key is None:
        raise HTTPException(404)
    return RedirectResponse(files.link(services, key), 303)


async def find(request: Request, staff: Staff, job_id: UUID) -> Shown:
    """A job that the staff may see; the audit has whose it is. Raises HTTPException 404."""
    services = get_services(request)
    tenant = None if staff.role == "operator" else staff.tenant_id
    job = await queries.one_job(services, tenant, job_id, staff.tenant_id)
    if job is None:
        raise HTTPException(404)
    audit.of_tenant(request, job.tenant_id)
    return job


@dataclass(frozen=True)
class Activity:
    """One that a workflow waits for; `attempt` counts from 1."""

    name: str
    state: str
    attempt: int
    failure: str | None


async def _activities(services: Services, job: Shown) -> list[Activity] | None:
    """None when Temporal does not answer."""
    handle = services.temporal.get_workflow_handle(job.workflow_id)
    try:
        described = await handle.describe(rpc_timeout=RPC_TIMEOUT)
    except RPCError as error:
        return [] if error.status == RPCStatusCode.NOT_FOUND else None  # accepted and not started yet
    except RuntimeError:
        return None
    states = PendingActivityState.DESCRIPTOR.values_by_number
    return [
        Activity(
            each.activity_type.name,
            states[each.state].name.removeprefix("PENDING_ACTIVITY_STATE_").lower(),
            each.attempt,
            _failure(each.last_failure.application_failure_info.type),  # its text may speak of people
        )
        for each in described.raw_description.pending_activities
    ]


def _failure(kind: str) -> str | None:
    """None where nothing failed: it gave way to others."""
    return None if kind == ErrorType.TURN_OVER else kind or None


async def _jobs(services: Services, staff: Staff, search: JobSearch) -> tuple[list[Shown], int]:
    tenant = search.tenant if staff.role == "operator" else staff.tenant_id
    return await queries.page_of_jobs(services, tenant, search.wanted(), staff.tenant_id)
