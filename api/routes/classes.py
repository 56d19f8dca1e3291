"""Classes and who is in them. A class is what rosters, sessions and exports name by `lecture_id`."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from api import students
from api.auth import audit
from api.auth.callers import Tenant, caller_of
from api.params import ClassId, Cursor, StudentId
from api.problems import not_found
from api.routing import first
from api.schemas_students import Added, ClassMade, ClassPage, ClassShown, ClassWanted, StudentsNamed
from api.services import UseServices
from clients.database import classes
from clients.database.seats import today

router = APIRouter(prefix="/api/v1/classes", route_class=first(caller_of))


@router.post("", status_code=201)
async def create(body: ClassWanted, tenant: Tenant, request: Request, services: UseServices) -> ClassMade:
    """Make a class, with a number of ours."""
    async with services.engine.begin() as connection:
        made = await classes.new_id(connection, tenant)
        await classes.put_class(connection, tenant, made, body.title)
    audit.about(request, class_id=made)
    return ClassMade(class_id=made)


@router.get("")
async def list_classes(
    tenant: Tenant,
    services: UseServices,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: Cursor = None,
) -> ClassPage:
    """Classes by number, the largest first; also those that only a roster has named."""
    async with services.engine.connect() as connection:
        rows = await classes.classes(connection, tenant, int(cursor) if cursor else None, limit)
    return ClassPage(
        items=[ClassShown(class_id=row.id, title=row.title, students=row.students) for row in rows],
        next_cursor=str(rows[-1].id) if len(rows) == limit else None,
    )


@router.put("/{class_id}")
async def put_class(class_id: ClassId, body: ClassWanted, tenant: Tenant, services: UseServices) -> ClassMade:
    """Make a class with a number of yours, or give a class another title."""
    async with services.engine.begin() as connection:
        await classes.put_class(connection, tenant, class_id, body.title)
    return ClassMade(class_id=class_id)


@router.post("/{class_id}/students")
async def enrol(
    class_id: ClassId, body: StudentsNamed, tenant: Tenant, request: Request, services: UseServices
) -> Added:
    """Enrol students, in the class and in its sessions from today on (Korean time): all of them, or none
    where 422 `no_such_students` names some."""
    async with services.engine.begin() as connection:
        await students.known_class(connection, tenant, class_id)
        ids = await students.hold(connection, tenant, body.student_ids)
        added = await classes.enrol(connection, tenant, class_id, ids, today())
    audit.about(request, students=len(ids))
    return Added(added=added)


@router.put("/{class_id}/students/{student_id}", status_code=204)
async def enrol_one(class_id: ClassId, student_id: StudentId, tenant: Tenant, services: UseServices) -> None:
    """Enrol one student, as several are."""
    async with services.engine.begin() as connection:
        await students.known_class(connection, tenant, class_id)
        ids = await students.hold(connection, tenant, [student_id])
        await classes.enrol(connection, tenant, class_id, ids, today())


@router.delete("/{class_id}/students/{student_id}", status_code=204)
async def take_out(class_id: ClassId, student_id: StudentId, tenant: Tenant, services: UseServices) -> None:
    """Take a student out of a class, and of its sessions from today on (Korean time)."""
    async with services.engine.begin() as connection:
        if not await classes.take_out(connection, tenant, class_id, student_id, today()):
            raise not_found("enrolment")
