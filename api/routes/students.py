"""Students: make, find, look, change, leave. What is known of them is sealed with the academy's own key; it
is read by the same rules as a roster's cells."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from api import students
from api.auth import audit
from api.auth.callers import Tenant, caller_of
from api.params import Cursor, StudentId
from api.problems import not_found
from api.routing import first
from api.schemas_students import (
    LectureShown,
    LecturesShown,
    OptedOut,
    StudentChange,
    StudentListed,
    StudentMade,
    StudentOptOut,
    StudentPage,
    StudentShown,
    StudentWanted,
)
from api.schemas_uploads import Composed
from api.services import Services, UseServices
from api.students import Known, Present, Wanted
from clients.database import pupils, register
from clients.database.pupils import LectureOfStudent
from rules.viewing import AccessMode, is_completed

router = APIRouter(prefix="/api/v1/students", route_class=first(caller_of))
LECTURES = 200
_NAMES = 100  # characters of an entry in the audit


@router.post("", status_code=201)
async def create(body: StudentWanted, tenant: Tenant, request: Request, services: UseServices) -> StudentMade:
    """Make a student. 409 `student_exists` for a known name and parent's phone, `student_alike` for a known
    name and own phone; both name the `student_id`. 422 `invalid_student` has the code of each field."""
    made = await students.add(services, tenant, body.model_dump(exclude_none=True))
    audit.about(request, student_id=made)
    return StudentMade(student_id=made)


@router.get("")
async def list_students(
    tenant: Tenant,
    services: UseServices,
    q: Annotated[
        str | None,
        Composed,
        Query(max_length=100, description="Part of a name, school or class, or four digits of a phone"),
    ] = None,
    class_id: Annotated[int | None, Query(gt=0, lt=2**63)] = None,
    state: Present = "present",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Cursor = None,
) -> StudentPage:
    """Students by name. `cursor` is the `next_cursor` of a page; 422 `cursor_gone` where that is no student
    any more. Those who `left` are in no class."""
    wanted = Wanted(q, class_id, state, int(cursor) if cursor else None)
    found = await students.listed(services, tenant, wanted, limit)
    return StudentPage(
        items=[_listed(each) for each in found.students],
        total=found.total,
        next_cursor=str(found.more) if found.more else None,
    )


@router.get("/{student_id}")
async def get_student(student_id: StudentId, tenant: Tenant, services: UseServices) -> StudentShown:
    """All that is known of one student, phones too."""
    return await _shown(services, tenant, await students.one(services, tenant, student_id))


@router.patch("/{student_id}")
async def change_student(
    student_id: StudentId, body: StudentChange, tenant: Tenant, request: Request, services: UseServices
) -> StudentShown:
    """Change what is given, and nothing else. Refused as a new student would be."""
    given = body.model_dump(exclude_unset=True)
    audit.about(request, fields=" ".join(given)[:_NAMES] or "none")
    who = (await caller_of(request)).name
    changed = await students.change(services, tenant, student_id, given, who)
    return await _shown(services, tenant, changed)


@router.post("/{student_id}/leave", status_code=204)
async def leave(student_id: StudentId, tenant: Tenant, services: UseServices) -> None:
    """The student leaves the academy, all classes and all sessions, and plays nothing any more. What is known
    stays; asked again it changes nothing."""
    async with services.engine.begin() as connection:
        if await register.one(connection, tenant, student_id, lock=True) is None:
            raise not_found("student")
        await register.leave(connection, tenant, student_id)


@router.post("/{student_id}/return", status_code=204)
async def come_back(student_id: StudentId, tenant: Tenant, services: UseServices) -> None:
    """The student is at the academy again, in no class yet."""
    async with services.engine.begin() as connection:
        if await register.one(connection, tenant, student_id, lock=True) is None:
            raise not_found("student")
        await register.come_back(connection, tenant, student_id)


@router.post("/{student_id}/opt-outs", status_code=201)
async def opt_out(
    student_id: StudentId, body: StudentOptOut, tenant: Tenant, request: Request, services: UseServices
) -> OptedOut:
    """One of the student's phones takes no advertising from you any more, whoever else has it."""
    phone = await students.opt_out(services, tenant, student_id, body.phone)
    audit.about(request, phone=phone)
    return OptedOut(phone=phone)


@router.get("/{student_id}/videos")
async def list_lectures(student_id: StudentId, tenant: Tenant, services: UseServices) -> LecturesShown:
    """Lectures of the student's sessions, and how far they were watched; the newest 200. `start` decides what
    is played."""
    async with services.engine.connect() as connection:
        if await register.one(connection, tenant, student_id) is None:
            raise not_found("student")
        rows = await pupils.lectures(connection, tenant, student_id, LECTURES)
    return LecturesShown(items=[_lecture(row) for row in rows])


def _listed(student: Known) -> StudentListed:
    values = student.values
    return StudentListed(
        student_id=student.id,
        name=values["name"],
        school=values.get("school"),
        grade=values.get("grade"),
        class_name=values.get("class_name"),
        parent_phone=student.masked("parent_phone") or "",
        student_phone=student.masked("student_phone"),
        left_at=student.left_at,
    )


async def _shown(services: Services, tenant: int, student: Known) -> StudentShown:
    async with services.engine.connect() as connection:
        classes = await pupils.classes(connection, tenant, student.id)
    return StudentShown.model_validate(
        {
            **student.values,
            "student_id": student.id,
            "classes": [each.id for each in classes],
            "left_at": student.left_at,
            "created_at": student.created_at,
            "updated_at": student.updated_at,
        }
    )


def _lecture(row: LectureOfStudent) -> LectureShown:
    return LectureShown(
        video_id=row.video_id,
        title=row.title,
        status=row.status,
        duration=row.duration,
        session_id=row.session_id,
        day=row.day,
        enrolled=row.enrolled,
        attendance=row.attendance,
        access_mode=AccessMode(row.access_mode) if row.access_mode else None,
        blocked=row.blocked,
        progress=row.progress,
        furthest=row.furthest,
        completed=is_completed(row.progress, row.proctored_completed_at is not None),
        watched_at=row.watched_at,
    )
