"""What a teacher wants to know in the morning: sessions of the day, what runs, needs a look, failed, is
planned; the credit."""

from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from api.auth.people import Staff
from api.console import queries
from api.console.jobs import opened_at
from api.console.pages import Someone, page, signed_in
from api.console.queries import Shown
from api.routing import first
from api.services import Services, UseServices
from clients.database import credits, timetable
from clients.database.job_lists import JobsWanted
from clients.database.seats import today
from contracts.jobs import JobState

router = APIRouter(route_class=first(signed_in))
LATELY = timedelta(days=7)  # what is older was seen, or nobody minds
LINES = 8  # of each list; the rest is behind a link
FAILED = (JobState.FAILED, JobState.REJECTED_BAD_INPUT)


@router.get("/home")
async def home(request: Request, services: UseServices, staff: Someone) -> Response:
    """Of who is signed in for an academy; operators without one have the list of jobs."""
    if staff.tenant_id is None:
        return RedirectResponse("/console/", 303)
    tenant, since = staff.tenant_id, datetime.now(UTC) - LATELY
    running, open_count = await queries.page_of_jobs(services, tenant, JobsWanted(show="open"), tenant)
    doubtful = await _lately(services, tenant, since, (JobState.REVIEW_REQUIRED,))
    failed = await _lately(services, tenant, since, FAILED)
    asking = [job for job in running if job.waits_for_approval]
    planned = [job for job in running if job.is_scheduled and not job.waits_for_approval]
    async with services.engine.connect() as connection:
        account = await credits.account(connection, tenant)
        lessons = await timetable.on_day(connection, tenant, today())
    return page(
        request,
        "home.html",
        running=[job for job in running if not job.is_scheduled and not job.waits_for_approval],
        open_count=open_count - len(planned) - len(asking),
        asking=asking,
        planned=sorted(planned, key=_due),
        doubtful=doubtful,
        failed=failed,
        account=account,
        lessons=lessons,
        most=queries.PAGE,
        lines=LINES,
        where=lambda job: _where(staff, job),
    )


def _due(job: Shown) -> tuple[datetime, int]:
    assert job.send_at, "what is planned has its time"
    return job.send_at, job.seq


async def _lately(
    services: Services, tenant: int, since: datetime, states: tuple[JobState, ...]
) -> list[Shown]:
    wanted = JobsWanted(states=states, since=since, unsettled=True)
    return (await queries.page_of_jobs(services, tenant, wanted, tenant))[0]


def _where(staff: Staff, job: Shown) -> str:
    return opened_at(staff, job) or f"/console/jobs/{job.id}"
