"""Queries on classes, their sessions, who is in them and who was there. The caller holds the transaction.

A class is what enrolments, sessions, attendance and rosters name by `lecture_id`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Select, delete, func, literal, select, union, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database import students
from clients.database.academy_models import CLASS_IDS, AcademyClass, Attendance, Enrolment
from clients.database.viewing_models import LectureSession, SessionEnrolment


@dataclass(frozen=True, slots=True)
class ClassRow:
    """`title` is None of a class that only a roster has named. `students`: how many are in it."""

    id: int
    title: str | None
    students: int


@dataclass(frozen=True, slots=True)
class SessionRow:
    id: int
    class_id: int
    day: date
    students: int


async def new_id(connection: AsyncConnection, tenant_id: int) -> int:
    """For a class or session that the academy has no number of its own for; it has brought none as high, or
    that one is passed over."""
    while True:
        made = (await connection.execute(select(CLASS_IDS.next_value()))).scalar_one()
        taken = await one_class(connection, tenant_id, made) or await one_session(connection, tenant_id, made)
        if not taken:
            return made


async def put_class(connection: AsyncConnection, tenant_id: int, class_id: int, title: str) -> None:
    """Make a class, or call it otherwise."""
    made = insert(AcademyClass).values(tenant_id=tenant_id, id=class_id, title=title)
    key = [AcademyClass.tenant_id, AcademyClass.id]
    await connection.execute(made.on_conflict_do_update(index_elements=key, set_={"title": title}))


def _classes(tenant_id: int) -> Select[int, str | None, int]:
    """Also those that have students or sessions and no title."""
    ids = union(
        select(AcademyClass.id).where(AcademyClass.tenant_id == tenant_id),
        select(Enrolment.lecture_id).where(Enrolment.tenant_id == tenant_id),
        select(LectureSession.lecture_id).where(LectureSession.tenant_id == tenant_id),
    ).subquery()
    there = select(func.count()).where(Enrolment.tenant_id == tenant_id, Enrolment.lecture_id == ids.c.id)
    of = (AcademyClass.tenant_id == tenant_id) & (AcademyClass.id == ids.c.id)
    query = select(ids.c.id, AcademyClass.title, there.scalar_subquery()).select_from(ids)
    return query.outerjoin(AcademyClass, of).order_by(ids.c.id.desc())


async def classes(
    connection: AsyncConnection, tenant_id: int, before: int | None, limit: int
) -> list[ClassRow]:
    """The newest first; of one page those with an id below `before`."""
    query = _classes(tenant_id)
    if before is not None:
        query = query.where(query.selected_columns[0] < before)
    return [ClassRow(*row) for row in await connection.execute(query.limit(limit))]


async def one_class(connection: AsyncConnection, tenant_id: int, class_id: int) -> ClassRow | None:
    query = _classes(tenant_id)
    found = (await connection.execute(query.where(query.selected_columns[0] == class_id))).one_or_none()
    return ClassRow(*found) if found else None


async def enrol(
    connection: AsyncConnection, tenant_id: int, class_id: int, ids: Collection[int], today: date
) -> int:
    """Students of the tenant, held by `register.hold_present`, into a class, and into its sessions from
    `today` on; how many were not yet."""
    rows = [{"tenant_id": tenant_id, "lecture_id": class_id, "student_id": each} for each in sorted(ids)]
    if not rows:
        return 0
    new = insert(Enrolment).values(rows).on_conflict_do_nothing().returning(Enrolment.student_id)
    written = (await connection.execute(new)).all()
    to_come = await connection.execute(_to_come(tenant_id, class_id, today))
    for session_id in to_come.scalars().all():
        await enrol_in_session(connection, tenant_id, session_id, ids)
    return len(written)


def _to_come(tenant_id: int, class_id: int, today: date) -> Select[int]:
    return select(LectureSession.id).where(
        LectureSession.tenant_id == tenant_id,
        LectureSession.lecture_id == class_id,
        LectureSession.day >= today,
    )


async def take_out(
    connection: AsyncConnection, tenant_id: int, class_id: int, student_id: int, today: date
) -> bool:
    """Out of a class, and of its sessions from `today` on; False for who was not in it."""
    gone = await connection.execute(
        delete(Enrolment).where(
            Enrolment.tenant_id == tenant_id,
            Enrolment.lecture_id == class_id,
            Enrolment.student_id == student_id,
        )
    )
    await connection.execute(
        delete(SessionEnrolment).where(
            SessionEnrolment.tenant_id == tenant_id,
            SessionEnrolment.session_id.in_(_to_come(tenant_id, class_id, today)),
            SessionEnrolment.student_id == student_id,
        )
    )
    return bool(gone.rowcount)


def _sessions(tenant_id: int) -> Select[int, int, date, int]:
    there = select(func.count()).where(
        SessionEnrolment.tenant_id == LectureSession.tenant_id,
        SessionEnrolment.session_id == LectureSession.id,
    )
    return select(
        LectureSession.id, LectureSession.lecture_id, LectureSession.day, there.scalar_subquery()
    ).where(LectureSession.tenant_id == tenant_id)


async def sessions(
    connection: AsyncConnection, tenant_id: int, class_id: int | None, before: int | None, limit: int
) -> list[SessionRow]:
    """The newest first; of one page those with an id below `before`."""
    query = _sessions(tenant_id).order_by(LectureSession.id.desc()).limit(limit)
    if class_id is not None:
        query = query.where(LectureSession.lecture_id == class_id)
    if before is not None:
        query = query.where(LectureSession.id < before)
    return [SessionRow(*row) for row in await connection.execute(query)]


async def one_session(connection: AsyncConnection, tenant_id: int, session_id: int) -> SessionRow | None:
    query = _sessions(tenant_id).where(LectureSession.id == session_id)
    found = (await connection.execute(query)).one_or_none()
    return SessionRow(*found) if found else None


async def put_session(
    connection: AsyncConnection, tenant_id: int, session_id: int, class_id: int, day: date
) -> bool:
    """Make a session with everybody who is in the class now, or give it another day; False where it is one of
    another class. Whom a roster is just enrolling is in the class first."""
    await students.lock_roster(connection, tenant_id)
    row = {"tenant_id": tenant_id, "id": session_id, "lecture_id": class_id, "day": day}
    new = insert(LectureSession).values(row).on_conflict_do_nothing().returning(LectureSession.id)
    if (await connection.execute(new)).one_or_none():
        everybody = select(Enrolment.tenant_id, literal(session_id), Enrolment.student_id).where(
            Enrolment.tenant_id == tenant_id, Enrolment.lecture_id == class_id
        )
        names = ["tenant_id", "session_id", "student_id"]
        await connection.execute(insert(SessionEnrolment).from_select(names, everybody))
        return True
    moved = await connection.execute(
        update(LectureSession)
        .where(
            LectureSession.tenant_id == tenant_id,
            LectureSession.id == session_id,
            LectureSession.lecture_id == class_id,
        )
        .values(day=day)
    )
    return bool(moved.rowcount)


async def enrol_in_session(
    connection: AsyncConnection, tenant_id: int, session_id: int, ids: Collection[int]
) -> int:
    """Students of the tenant, held by `register.hold_present`; how many were not yet."""
    rows = [{"tenant_id": tenant_id, "session_id": session_id, "student_id": each} for each in sorted(ids)]
    if not rows:
        return 0
    new = insert(SessionEnrolment).values(rows).on_conflict_do_nothing()
    return len((await connection.execute(new.returning(SessionEnrolment.student_id))).all())


async def take_out_of_session(
    connection: AsyncConnection, tenant_id: int, session_id: int, student_id: int
) -> bool:
    """False for who was not in it."""
    gone = delete(SessionEnrolment).where(
        SessionEnrolment.tenant_id == tenant_id,
        SessionEnrolment.session_id == session_id,
        SessionEnrolment.student_id == student_id,
    )
    return bool((await connection.execute(gone)).rowcount)


async def in_session(connection: AsyncConnection, tenant_id: int, session_id: int) -> Sequence[int]:
    query = select(SessionEnrolment.student_id).where(
        SessionEnrolment.tenant_id == tenant_id, SessionEnrolment.session_id == session_id
    )
    return (await connection.execute(query.order_by(SessionEnrolment.student_id))).scalars().all()


async def attendance(connection: AsyncConnection, tenant_id: int, session: SessionRow) -> dict[int, str]:
    """How each was there on a session's day, of those of whom it was noted."""
    query = select(Attendance.student_id, Attendance.status).where(
        Attendance.tenant_id == tenant_id,
        Attendance.lecture_id == session.class_id,
        Attendance.day == session.day,
    )
    return {row.student_id: row.status for row in await connection.execute(query)}


async def note_attendance(
    connection: AsyncConnection, tenant_id: int, session: SessionRow, statuses: Mapping[int, str]
) -> None:
    """Of students of the tenant, held by `register.hold_present`; the others' stays."""
    of_all = {"tenant_id": tenant_id, "lecture_id": session.class_id, "day": session.day}
    rows = [of_all | {"student_id": each, "status": statuses[each]} for each in sorted(statuses)]
    noted = insert(Attendance).values(rows)
    key = [Attendance.tenant_id, Attendance.lecture_id, Attendance.day, Attendance.student_id]
    await connection.execute(
        noted.on_conflict_do_update(index_elements=key, set_={"status": noted.excluded.status})
    )
