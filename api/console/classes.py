"""Classes, their sessions, and who was there."""

from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import students
from api.console.pages import Tenant, large_page, page, signed_in
from api.params import Before, ClassId, SessionId
from api.problems import not_found
from api.routing import first
from api.services import UseServices
from api.students import Known, Wanted
from clients.database import classes, timetable
from clients.database.seats import today

router = APIRouter(route_class=first(signed_in))
PER_PAGE = 100
STUDENTS = 1_000  # of one class; a page of more is the list of students
LECTURES = 200  # to choose from


@dataclass(frozen=True)
class Attendee:
    """Somebody who is enrolled in a session (`seated`), or was there. `status`: None where nothing was
    noted."""

    student: Known
    status: str | None
    seated: bool


@router.get("/classes")
async def listed(request: Request, services: UseServices, tenant: Tenant, before: Before = None) -> Response:
    async with services.engine.connect() as connection:
        found = await classes.classes(connection, tenant, before, PER_PAGE)
        days = await timetable.days(connection, tenant, found, today())
    more = found[-1].id if len(found) == PER_PAGE else None
    return page(request, "classes.html", classes=found, days=days, before=before, more=more, today=today())


@router.get("/classes/{class_id}")
async def one(
    request: Request, services: UseServices, tenant: Tenant, class_id: ClassId, before: Before = None
) -> Response:
    async with services.engine.connect() as connection:
        group = await students.known_class(connection, tenant, class_id)
        lessons = await timetable.of_class(connection, tenant, class_id, before, PER_PAGE)
    found = await students.listed(services, tenant, Wanted(None, class_id, "all", None), STUDENTS)
    return await large_page(
        request,
        "class.html",
        group=group,
        found=found,
        lessons=lessons,
        before=before,
        more=lessons[-1].id if len(lessons) == PER_PAGE else None,
        today=today(),
    )


@router.get("/sessions/{session_id}")
async def session(request: Request, services: UseServices, tenant: Tenant, session_id: SessionId) -> Response:
    async with services.engine.connect() as connection:
        shown = await classes.one_session(connection, tenant, session_id)
        if shown is None:
            raise not_found("session")
        group = await students.known_class(connection, tenant, shown.class_id)
        noted = await classes.attendance(connection, tenant, shown)
        seated = set(await classes.in_session(connection, tenant, session_id))
        lectures = await timetable.lectures(connection, tenant, [session_id])
        others = await timetable.lectures_of_none(connection, tenant, LECTURES)
    there = await students.some(services, tenant, [*seated | noted.keys()])
    members = await students.listed(services, tenant, Wanted(None, group.id, "all", None), STUDENTS)
    return await large_page(
        request,
        "session.html",
        session=shown,
        group=group,
        people=[Attendee(each, noted.get(each.id), each.id in seated) for each in there],
        missing=[each for each in members.students if each.id not in seated],
        lectures=lectures,
        others=others,
        today=today(),
    )
