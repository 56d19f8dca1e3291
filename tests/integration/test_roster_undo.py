"""An import that is taken back, and what is known of each change."""

import asyncio
import json
from datetime import date, timedelta
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, insert, select, text, update

from activities.ai.students import undo as undoing
from activities.ai.students.rosters import RosterActivities
from activities.ai.students.undo import Kept, Undone, undo
from clients.database import classes, register, student_changes, students
from clients.database.academy_models import Attendance, Enrolment, Student
from clients.database.models import Job
from clients.database.seats import today
from clients.database.viewing_models import SessionEnrolment
from clients.people import seal_students
from clients.student_changes import open_change
from contracts.errors import (
    STUDENT_CAME_BACK,
    STUDENT_CHANGED_SINCE,
    STUDENT_GONE_SINCE,
    STUDENT_USED_SINCE,
)
from contracts.jobs import JobRef
from tests.integration.test_roster import KIM, LEE, Academy, rows
from tests.lab import Lab, eventually

PARK = {"name": "박민수", "parent_phone": "01034567890"}
CHOI = {"name": "최지우", "parent_phone": "01045678901"}


@pytest.fixture
def own(lab: Lab) -> Academy:
    return Academy(lab)


async def written_by(own: Academy, student: int) -> UUID:
    (job_id,) = {row.job_id for row in await own.table() if row.id == student}
    return job_id


async def taken_back(own: Academy, import_id: UUID, *added: dict[str, str]) -> Undone:
    sealer = await own.sealer()
    async with own.lab.engine.begin() as connection:
        return await undo(
            connection,
            sealer,
            tenant_id=own.tenant,
            import_id=import_id,
            job_id=uuid4(),
            added=rows(*added),
        )


async def enrolled(own: Academy) -> list[Any]:
    async with own.lab.engine.connect() as connection:
        mine = select(Enrolment.student_id).where(Enrolment.tenant_id == own.tenant)
        return list((await connection.execute(mine)).scalars())


async def test_what_an_import_made_and_changed_is_as_it_was(own: Academy) -> None:
    await own.commit(KIM)
    (kim,) = await own.table()
    await own.commit(KIM | {"school": "새론고", "grade": "1"}, LEE, PARK, lecture_id=7)
    assert len(await enrolled(own)) == 3
    made_by = await written_by(own, kim.id)
    done = await taken_back(own, made_by, LEE, PARK)
    counts = {"removed_students": 2, "put_back": 1, "unenrolled": 3, "kept": 0}
    assert done.summary() == counts
    assert await own.students() == [KIM] and await enrolled(own) == []
    again = await taken_back(own, made_by)
    assert not any(again.summary().values()), "the same again changes nothing"
    sealer = await own.sealer()
    async with own.lab.engine.connect() as connection:
        found = await student_changes.of_student(connection, own.tenant, kim.id, None, 10)
        assert await student_changes.first_roster(connection, kim.id) == kim.job_id
    back, change = [open_change(sealer, kim.id, row.sealed) for row in found]
    assert change.fields == {"school": ("한빛중", "새론고"), "grade": (None, "1")} and change.row == 2
    assert back.fields == {"school": ("새론고", "한빛중"), "grade": ("1", None)}
    assert b"\xed" not in found[0].sealed[:4] and "새론고".encode() not in found[0].sealed


async def seats(own: Academy) -> list[tuple[int, int]]:
    """Session and student of each."""
    async with own.lab.engine.connect() as connection:
        mine = select(SessionEnrolment.session_id, SessionEnrolment.student_id)
        mine = mine.where(SessionEnrolment.tenant_id == own.tenant)
        return sorted(tuple(row) for row in await connection.execute(mine))


async def test_whom_a_roster_enrols_is_in_the_sessions_to_come_until_it_is_taken_back(own: Academy) -> None:
    """Who was in the class already keeps the sessions that somebody has left them."""
    day = today()
    await own.commit(KIM, lecture_id=7)
    async with own.lab.engine.begin() as connection:
        for session, lecture, ahead in ((1, 7, -1), (2, 7, 0), (3, 7, 5), (4, 8, 5)):
            await classes.put_session(connection, own.tenant, session, lecture, day + timedelta(ahead))
        (kim,) = await own.table()
        assert await classes.take_out_of_session(connection, own.tenant, 3, kim.id)
    assert await seats(own) == [(1, kim.id), (2, kim.id)]
    await own.commit(KIM, LEE, lecture_id=7)
    _, lee = await own.table()
    assert await seats(own) == [(1, kim.id), (2, kim.id), (2, lee.id), (3, lee.id)]
    done = await taken_back(own, lee.job_id, LEE)
    assert done.summary() == {"removed_students": 1, "put_back": 0, "unenrolled": 1, "kept": 0}
    assert await seats(own) == [(1, kim.id), (2, kim.id)]


async def test_a_session_made_beside_a_roster_has_whom_that_enrols(own: Academy) -> None:
    day = today()

    async def made() -> None:
        async with own.lab.engine.begin() as connection:
            await classes.put_session(connection, own.tenant, 1, 7, day)

    await own.commit(KIM, LEE)
    kim, lee = [row.id for row in await own.table()]
    async with asyncio.TaskGroup() as tasks, own.lab.engine.begin() as roster:
        await students.lock_roster(roster, own.tenant)
        await students.enrol(roster, own.tenant, 7, [kim, lee])
        making = tasks.create_task(made())
        pid = (await roster.execute(select(func.pg_backend_pid()))).scalar_one()
        stopped = text(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND :pid = ANY(pg_blocking_pids(pid))"
        )

        async def waits_or_is_made() -> bool:
            return making.done() or (await roster.execute(stopped, {"pid": pid})).first() is not None

        await eventually(waits_or_is_made, every=0.02)
    assert await seats(own) == [(1, kim), (1, lee)]


async def test_what_was_changed_since_is_left_alone_and_said_with_its_place(
    own: Academy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In parts of two, so that places hold over all of them."""
    monkeypatch.setattr(undoing, "AT_ONCE", 2)
    await own.commit(KIM)
    await own.commit(KIM | {"school": "새론고"}, LEE, PARK, CHOI)
    _, lee, park, choi = await own.table()
    made_by = await written_by(own, lee.id)
    await own.commit(KIM | {"school": "다른고"}, LEE | {"memo": "형제"})
    async with own.lab.engine.begin() as connection:
        there = {"tenant_id": own.tenant, "student_id": park.id, "day": date(2026, 3, 2)}
        await connection.execute(insert(Attendance).values(there | {"lecture_id": 7, "status": "PRESENT"}))
        (renamed,) = seal_students(await own.sealer(), [CHOI | {"name": "최지원"}])
        values = {"identity_mac": renamed.identity_mac, "sealed": renamed.sealed}
        await connection.execute(update(Student).where(Student.id == choi.id).values(values))
    before = await own.students()
    done = await taken_back(own, made_by, PARK, LEE, CHOI)
    assert await own.students() == before and done.summary()["kept"] == 4
    assert sorted(done.kept) == [
        Kept("명단", 2, STUDENT_CHANGED_SINCE, ("school",)),
        Kept("명단", 2, STUDENT_USED_SINCE),
        Kept("명단", 3, STUDENT_CHANGED_SINCE),
        Kept("명단", 4, STUDENT_GONE_SINCE),
    ]


async def test_what_another_roster_says_again_is_that_ones(own: Academy) -> None:
    """An import is taken back, the file imported again, and the first one taken back once more."""
    await own.commit(KIM)
    (kim,) = await own.table()
    new = KIM | {"school": "새론고"}
    await own.commit(new)
    first = await written_by(own, kim.id)
    await own.commit(new | {"school": "다른고"})
    assert (await taken_back(own, await written_by(own, kim.id))).put_back == 1
    assert (await taken_back(own, first)).put_back == 1 and await own.students() == [KIM]
    await own.commit(new)
    second = await written_by(own, kim.id)
    done = await taken_back(own, first)
    assert done.kept == [Kept("명단", 2, STUDENT_CHANGED_SINCE, ("school",))]
    assert await own.students() == [new]
    assert (await taken_back(own, second)).put_back == 1 and await own.students() == [KIM]


async def test_who_came_back_by_an_import_is_said_and_stays(lab: Lab, own: Academy) -> None:
    await own.commit(KIM, LEE)
    kim, lee = await own.table()
    async with lab.engine.begin() as connection:
        for each in (kim, lee):
            await register.leave(connection, own.tenant, each.id)
    await own.commit(KIM | {"school": "새론고"}, LEE)
    made_by = await written_by(own, kim.id)
    sealer = await own.sealer()
    async with lab.engine.begin() as connection:
        (back,) = await student_changes.of_student(connection, own.tenant, lee.id, None, 10)
        ((field, (left, now)),) = open_change(sealer, lee.id, back.sealed).fields.items()
        assert back.job_id == made_by and (field, bool(left), now) == ("left_at", True, None)
        await register.leave(connection, own.tenant, kim.id)
    done = await taken_back(own, made_by)
    assert done.put_back == 1 and done.kept == [Kept("명단", 3, STUDENT_CAME_BACK)]
    assert await own.students() == [KIM, LEE]
    assert [bool(row.left_at) for row in await own.table()] == [True, False]


async def test_of_many_those_who_are_used_stay_and_all_others_go(own: Academy) -> None:
    many = [{"name": f"학생{chr(0xAC00 + n)}", "parent_phone": f"0101234{n:04}"} for n in range(20)]
    await own.commit(*many)
    table = await own.table()
    used = [table[3].id, table[4].id, table[19].id]
    async with own.lab.engine.begin() as connection:
        for student in used:
            values = {"tenant_id": own.tenant, "lecture_id": 9, "student_id": student}
            await connection.execute(insert(Enrolment).values(values))
    done = await taken_back(own, table[0].job_id, *many)
    assert (done.removed, [each.row for each in sorted(done.kept)]) == (17, [5, 6, 21])
    assert [row.id for row in await own.table()] == used


class Files:
    """A job's files, of which the last ones are kept."""

    def __init__(self, lab: Lab) -> None:
        self.engine = lab.engine
        self.stored: dict[str, bytes] = {}

    def put(self, _ref: JobRef, name: str, data: bytes) -> None:
        self.stored[name] = data


async def test_an_import_whose_worker_died_after_it_had_written_still_says_whom_it_added(
    lab: Lab, own: Academy
) -> None:
    """Else nobody is taken back, and the job that takes back is DONE."""
    await own.commit(KIM)
    ref = JobRef(job_id=uuid4(), job_type="ai.excel_parsing", tenant_id=own.tenant)
    row = {"id": ref.job_id, "tenant_id": own.tenant, "job_type": ref.job_type, "source": "test"}
    names = ("idempotency_key", "external_id", "workflow_id", "payload_sha256")
    async with lab.engine.begin() as connection:
        await connection.execute(insert(Job).values(row | dict.fromkeys(names, ref.job_id.hex)))
    files, other = Files(lab), cast("Any", None)
    roster = RosterActivities(
        files=cast("Any", files), board=other, sources=other, sandbox=other, keys=own.keys
    )
    tries = [await roster._write(ref, {"lecture_id": 7}, None, rows(KIM, LEE, PARK)) for _ in range(2)]
    assert tries[0] == tries[1] == {"new": 2, "changed": 0, "unchanged": 1, "conflicting": 0, "enrolled": 3}
    told = [(each["row"], each["kind"]) for each in json.loads(files.stored["changes.json"])]
    assert told == [(3, "new"), (4, "new")]


async def test_nothing_of_another_tenant_is_taken_back(lab: Lab, own: Academy) -> None:
    other = Academy(lab)
    await other.commit(KIM, LEE, lecture_id=7)
    (kim, _) = await other.table()
    done = await taken_back(own, kim.job_id, KIM, LEE)
    assert (done.removed, done.put_back, done.unenrolled) == (0, 0, 0)
    assert len(await other.table()) == 2 and len(await enrolled(other)) == 2
    async with lab.engine.connect() as connection:
        assert await student_changes.origin(connection, own.tenant, kim.id) is None
