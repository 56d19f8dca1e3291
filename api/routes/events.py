"""Server-sent events of a job: `progress`, `state`, and `end` when it has ended.

Every stream begins with how things stand, so a client that was cut off just comes again.
"""

from collections.abc import AsyncGenerator

from fastapi import APIRouter, Request, Response
from sse_starlette import EventSourceResponse, JSONServerSentEvent

from api.auth.callers import Tenant, caller_of, still_known
from api.jobs import seen_job
from api.params import JobId
from api.routing import first
from api.services import Services, UseServices
from api.streams import while_allowed
from api.watches import Standing
from clients.database.jobs import JobRow

PING_SECONDS = 15
END = "end"

router = APIRouter(prefix="/api/v1", route_class=first(caller_of))

_EVENT = {
    "type": "object",
    "properties": {
        "event": {"enum": ["state", "progress", END]},
        "data": {"type": "string", "contentMediaType": "application/json"},
        "id": {"type": "string"},
    },
}


@router.get(
    "/jobs/{job_id}/events",
    response_class=EventSourceResponse,
    responses={
        200: {"content": {"text/event-stream": {"schema": _EVENT}}, "description": "Events"},
        204: {"description": "This client has seen the end: do not connect again"},
    },
)
async def events(job_id: JobId, tenant: Tenant, request: Request, services: UseServices) -> Response:
    """`state`, `progress` as they change, and one last `end` with the final state. Operators may name the
    tenant by `?tenant_id=`, since a browser's EventSource sends no headers. A stream ends within ten seconds
    of its credential."""
    job = await seen_job(services, tenant, job_id)
    if request.headers.get("last-event-id") == END:
        return Response(status_code=204)
    stream = while_allowed(_stream(services, job), lambda: still_known(request))
    return EventSourceResponse(stream, ping=PING_SECONDS, headers={"Cache-Control": "no-store"})


async def _stream(services: Services, job: JobRow) -> AsyncGenerator[JSONServerSentEvent, None]:
    before: Standing | None = None
    async for standing in services.watches.follow(job):
        if before is None or standing.state() != before.state():
            yield JSONServerSentEvent(standing.state(), event="state")
        if standing.progress and (before is None or standing.progress != before.progress):
            yield JSONServerSentEvent(standing.progress.model_dump(), event="progress")
        before = standing
    if before and before.ended:
        yield JSONServerSentEvent(before.state(), event=END, id=END)
