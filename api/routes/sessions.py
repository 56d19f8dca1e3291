"""Sessions: one meeting of a class, who may watch its lectures, and who was there."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from sqlalchemy.ext.asyncio import AsyncConnection

from api import students
from api.auth import audit
from api.auth.callers import Tenant, caller_of
from api.params import Cursor, SessionId, StudentId
from api.problems import not_found, refused
from api.routing import first
from api.schemas_students import (
    Added,
    AttendanceNoted,
    AttendanceShown,
    Attended,
    AttendedShown,
    SessionPage,
    SessionShown,
    SessionWanted,
    StudentsNamed,
)
from api.services import UseServices
from clients.database import classes
from clients.database.classes import SessionRow

router = APIRouter(prefix="/api/v1/sessions", route_class=first(caller_of))


@router.post("", status_code=201)
async def create(
    body: SessionWanted, tenant: Tenant, request: Request, services: UseServices
) -> SessionShown:
    """Make a session, with a number of ours. Everybody who is in the class now is enrolled in it."""
    async with services.engine.begin() as connection:
        await students.known_class(connection, tenant, body.class_id)
        made = await classes.new_id(connection, tenant)
        await classes.put_session(connection, tenant, made, body.class_id, body.day)
        shown = await _known(connection, tenant, made)
    audit.about(request, session_id=made)
    return _shown(shown)


@router.get("")
async def list_sessions(
    tenant: Tenant,
    services: UseServices,
    class_id: Annotated[int | None, Query(gt=0, lt=2**63)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: Cursor = None,
) -> SessionPage:
    """Sessions by number, the largest first; of one class, or of all."""
    before = int(cursor) if cursor else None
    async with services.engine.connect() as connection:
        rows = await classes.sessions(connection, tenant, class_id, before, limit)
    return SessionPage(
        items=[_shown(row) for row in rows],
        next_cursor=str(rows[-1].id) if len(rows) == limit else None,
    )


@router.put("/{session_id}")
async def put_session(
    session_id: SessionId, body: SessionWanted, tenant: Tenant, services: UseServices
) -> SessionShown:
    """Make a session with a number of yours, as with one of ours, or give a session another day. 409
    `other_class` for a session of another class."""
    async with services.engine.begin() as connection:
        await students.known_class(connection, tenant, body.class_id)
        if not await classes.put_session(connection, tenant, session_id, body.class_id, body.day):
            raise refused(409, "other_class", "This session is one of another class.")
        return _shown(await _known(connection, tenant, session_id))


@router.post("/{session_id}/students")
async def enrol(
    session_id: SessionId, body: StudentsNamed, tenant: Tenant, request: Request, services: UseServices
) -> Added:
    """Enrol students in this session alone: all of them, or none where 422 `no_such_students` names some."""
    async with services.engine.begin() as connection:
        await _known(connection, tenant, session_id)
        ids = await students.hold(connection, tenant, body.student_ids)
        added = await classes.enrol_in_session(connection, tenant, session_id, ids)
    audit.about(request, students=len(ids))
    return Added(added=added)


@router.delete("/{session_id}/students/{student_id}", status_code=204)
async def take_out(
    session_id: SessionId, student_id: StudentId, tenant: Tenant, services: UseServices
) -> None:
    """Take a student out of this session alone."""
    async with services.engine.begin() as connection:
        if not await classes.take_out_of_session(connection, tenant, session_id, student_id):
            raise not_found("enrolment")


@router.get("/{session_id}/attendance")
async def get_attendance(session_id: SessionId, tenant: Tenant, services: UseServices) -> AttendanceShown:
    """Who is enrolled in the session or was there, and how."""
    async with services.engine.connect() as connection:
        session = await _known(connection, tenant, session_id)
        noted = await classes.attendance(connection, tenant, session)
        enrolled = await classes.in_session(connection, tenant, session_id)
    everybody = sorted({*enrolled, *noted})
    items = [AttendedShown(student_id=each, status=noted.get(each)) for each in everybody]
    return AttendanceShown(items=items)


@router.put("/{session_id}/attendance", status_code=204)
async def put_attendance(
    session_id: SessionId, body: AttendanceNoted, tenant: Tenant, request: Request, services: UseServices
) -> None:
    """Note how students were there; of a class's sessions on one day it is the same. ONLINE lets a student
    watch as PROCTORED_CLASS, all others watch as FREE_REVIEW; tokens given before die. 409
    `attendance_changed` where something else than `seen` stands there by now, with what does; then nothing is
    noted."""
    statuses = {each.student_id: each.status.value for each in body.attendance}
    if len(statuses) < len(body.attendance):
        raise refused(422, "named_twice", "A student is named twice.")
    async with services.engine.begin() as connection:
        session = await _known(connection, tenant, session_id)
        await students.hold(connection, tenant, sorted(statuses))
        _require_seen(body.attendance, await classes.attendance(connection, tenant, session))
        await classes.note_attendance(connection, tenant, session, statuses)
    audit.about(request, students=len(statuses))


def _require_seen(wanted: Sequence[Attended], noted: Mapping[int, str]) -> None:
    """HTTPException 409 where somebody has noted something else meanwhile. What is wanted anyway is none of
    that: the same request may have been here before."""
    changed = [
        {"student_id": each.student_id, "status": now}
        for each in wanted
        if "seen" in each.model_fields_set
        and (now := noted.get(each.student_id)) not in (each.seen, each.status)
    ]
    if changed:
        detail = "Somebody has noted the attendance of some of these students otherwise meanwhile."
        raise HTTPException(409, {"detail": detail, "code": "attendance_changed", "students": changed})


async def _known(connection: AsyncConnection, tenant: int, session_id: int) -> SessionRow:
    found = await classes.one_session(connection, tenant, session_id)
    if found is None:
        raise not_found("session")
    return found


def _shown(row: SessionRow) -> SessionShown:
    return SessionShown(session_id=row.id, class_id=row.class_id, day=row.day, students=row.students)
