"""Students: find one, add one, and all that there is of one."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import students
from api.auth.operations import OPERATIONS, Record
from api.console.may import may
from api.console.pages import Someone, Tenant, large_page, page, signed_in
from api.console.searching import StudentSearch
from api.params import StudentId
from api.routing import first
from api.services import UseServices
from api.students import Wanted
from clients.database import classes, pupils
from clients.database.audit import RecordRow
from rules.roster.columns import FIELDS
from rules.roster.identity import PHONES

router = APIRouter(route_class=first(signed_in))
PER_PAGE = 50
LINES = 50  # of lectures, messages and changes of one student
CLASSES = 500
PRIVATE = ("address", "memo")  # for those who manage
CHANGES = tuple(
    name
    for name, each in OPERATIONS.items()
    if each.record is Record.CHANGE and ("{student_id}" in name or name == "POST /api/v1/students")
)


@router.get("/students")
async def listed(
    request: Request, services: UseServices, tenant: Tenant, search: Annotated[StudentSearch, Query()]
) -> Response:
    wanted = Wanted(search.q, search.class_id, search.state, search.after)
    found = await students.listed(services, tenant, wanted, PER_PAGE)
    async with services.engine.connect() as connection:
        known = await classes.classes(connection, tenant, None, CLASSES)
    return await large_page(
        request, "students.html", found=found, search=search, classes=known, fields=tuple(FIELDS)
    )


@router.get("/students/{student_id}")
async def one(
    request: Request, services: UseServices, tenant: Tenant, staff: Someone, student_id: StudentId
) -> Response:
    student = await students.one(services, tenant, student_id)
    sealer = await services.keys.opener(tenant)
    macs = {sealer.mac(student.values[field]): field for field in PHONES if field in student.values}
    records: list[RecordRow] = []
    async with services.engine.connect() as connection:
        enrolled = await pupils.classes(connection, tenant, student_id)
        known = await classes.classes(connection, tenant, None, CLASSES)
        lectures = await pupils.lectures(connection, tenant, student_id, LINES)
        messages = await pupils.messages(connection, tenant, macs, LINES)
        opted_out = await pupils.opted_out(connection, tenant, macs)
        if may(staff, "GET /console/audit"):
            records = await pupils.changes(connection, tenant, student_id, CHANGES, LINES)
    shown = [field for field in FIELDS if field not in PHONES and field != "name"]
    if not may(staff, "PATCH /api/v1/students/{student_id}"):
        shown = [field for field in shown if field not in PRIVATE]
    return page(
        request,
        "student.html",
        student=student,
        shown=shown,
        phones=[field for field in PHONES if field in student.values],
        opted_out={macs[mac]: at for mac, at in opted_out.items()},
        enrolled=enrolled,
        others=[each for each in known if each.id not in {mine.id for mine in enrolled}],
        lectures=lectures,
        messages=messages,
        records=records,
        fields=tuple(FIELDS),
    )
