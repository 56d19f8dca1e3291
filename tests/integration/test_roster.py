"""Rosters against Postgres: what would change, the change itself, the same again, and the exports."""

import asyncio
import base64
import hashlib
import json
from contextlib import nullcontext
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import openpyxl
import pytest
from sqlalchemy import event, insert, select, text

from activities.ai.sandbox.task import BadInput
from activities.ai.students import commit as committing
from activities.ai.students.commit import Diff, Interfered, commit, diff
from activities.ai.students.exports.attendance import export_attendance
from activities.ai.students.exports.staff import export_staff
from activities.ai.students.passwords import hashed
from activities.ai.students.people import seal_staff_name
from activities.ai.tasks.roster.parse import Row
from activities.host.threads import beside, in_thread
from clients.database import academy, register, students
from clients.database.academy_models import Attendance, Enrolment, Staff, StaffHours, Student
from clients.keys import KeyDestroyed, Sealer, TenantKeys
from clients.people import open_student
from clients.vault import Vault
from contracts.errors import NOTHING_TO_EXPORT, ROSTER_SAME_STUDENT
from tests.lab import Lab, fresh_id

KIM = {"name": "김철수", "parent_phone": "01012345678", "student_phone": "01011112222", "school": "한빛중"}
LEE = {"name": "이영희", "parent_phone": "01023456789"}


def rows(*students: dict[str, str]) -> list[Row]:
    return [Row("명단", number, values) for number, values in enumerate(students, 2)]


async def nothing() -> None: ...


class Academy:
    """A tenant of its own."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.tenant = fresh_id()
        self.keys = TenantKeys(lab.engine, Vault(lab.settings.payload_keys.get_secret_value()))

    async def sealer(self) -> Sealer:
        return await self.keys.sealer(self.tenant)

    async def diff(self, *students: dict[str, str]) -> Diff:
        sealer = await self.sealer()
        async with self.lab.engine.connect() as connection:
            return await diff(
                connection, sealer, tenant_id=self.tenant, rows=rows(*students), keep=lambda _: None
            )

    async def commit(
        self, *students: dict[str, str], initial_password: str | None = None, lecture_id: int | None = None
    ) -> Diff:
        sealer = await self.sealer()
        async with (
            beside(in_thread(hashed, initial_password))
            if initial_password
            else nullcontext() as password_hash,
            self.lab.engine.begin() as connection,
        ):
            return await commit(
                connection,
                sealer,
                tenant_id=self.tenant,
                job_id=uuid4(),
                rows=rows(*students),
                keep=lambda _: None,
                held=nothing,
                password_hash=password_hash,
                lecture_id=lecture_id,
            )

    async def table(self) -> list[Any]:
        async with self.lab.engine.connect() as connection:
            query = select(Student).where(Student.tenant_id == self.tenant).order_by(Student.id)
            return list(await connection.execute(query))

    async def students(self) -> list[dict[str, str]]:
        sealer = await self.sealer()
        return [open_student(sealer, row) for row in await self.table()]


@pytest.fixture
def own(lab: Lab) -> Academy:
    return Academy(lab)


def kinds(found: Diff) -> dict[str, int]:
    return {name: count for name, count in found.summary().items() if count}


async def test_a_dry_run_writes_nothing_and_the_same_file_twice_changes_nothing(own: Academy) -> None:
    assert kinds(await own.diff(KIM, LEE)) == {"new": 2}
    assert await own.table() == []
    first = await own.commit(KIM, LEE, initial_password="first-1234", lecture_id=7)
    assert kinds(first) == {"new": 2, "enrolled": 2}
    before = await own.table()
    assert await own.students() == [KIM, LEE]
    again = await own.commit(KIM, LEE, initial_password="first-1234", lecture_id=7)
    assert kinds(again) == {"unchanged": 2} and again.report() == b"[]"
    assert await own.table() == before
    assert kinds(await own.diff(KIM, LEE)) == {"unchanged": 2}


async def test_what_changes_is_told_and_blank_cells_erase_nothing(own: Academy) -> None:
    await own.commit(KIM, LEE)
    moved = {"name": "김 철수", "parent_phone": KIM["parent_phone"], "school": "새론고", "grade": "1"}
    found = await own.diff(moved, LEE)
    assert kinds(found) == {"changed": 1, "unchanged": 1}
    (change,) = json.loads(found.report())
    assert change["fields"] == {"school": ["한빛중", "새론고"], "grade": [None, "1"]}
    assert (change["sheet"], change["row"]) == ("명단", 2)
    assert (await own.commit(moved, LEE)).report() == found.report()
    assert await own.students() == [KIM | {"school": "새론고", "grade": "1"}, LEE]
    assert kinds(await own.commit(moved, LEE)) == {"unchanged": 2}


async def test_a_known_student_with_another_parents_phone_is_left_to_people(own: Academy) -> None:
    await own.commit(KIM)
    other = KIM | {"parent_phone": "01099998888"}
    namesake = {"name": "김철수", "parent_phone": "01055556666"}
    for found in (await own.diff(other, namesake), await own.commit(other, namesake, lecture_id=7)):
        assert found.summary() | {"enrolled": 0} == {
            "new": 1,
            "changed": 0,
            "unchanged": 0,
            "conflicting": 1,
            "enrolled": 0,
        }
        assert json.loads(found.report())[0]["code"] == ROSTER_SAME_STUDENT
    assert await own.students() == [KIM, namesake]


async def test_nothing_about_people_is_readable(own: Academy) -> None:
    found = await own.commit(KIM, LEE, initial_password="first-1234")
    stored = repr(await own.table())
    shown = repr(found) + repr(found.summary()) + repr(rows(KIM))
    for word in ("김철수", "01012345678", "01011112222", "한빛중", "first-1234", "first"):
        assert word not in stored and word not in shown
        assert word.encode() not in b"".join(row.sealed for row in await own.table())


async def test_a_tenant_finds_and_opens_only_its_own(lab: Lab, own: Academy) -> None:
    other = Academy(lab)
    await own.commit(KIM)
    assert kinds(await other.commit(KIM)) == {"new": 1}
    (mine,), (theirs,) = await own.table(), await other.table()
    assert mine.identity_mac != theirs.identity_mac
    assert kinds(await own.commit(KIM)) == kinds(await other.commit(KIM)) == {"unchanged": 1}


async def test_when_the_key_is_destroyed_nobody_is_found_any_more(own: Academy) -> None:
    await own.commit(KIM)
    await own.keys.destroy(own.tenant)
    with pytest.raises(KeyDestroyed):
        await own.commit(KIM)
    await own.keys.renew(own.tenant, own.lab.objects)
    assert kinds(await own.commit(KIM)) == {"new": 1}


def check_password(encoded: str, password: str) -> bool:
    _, cost, salt, block, parallel, stored = encoded.split("$")
    numbers = {"n": int(cost), "r": int(block), "p": int(parallel)}
    key = hashlib.scrypt(password.encode(), salt=salt.encode(), maxmem=64 << 20, dklen=64, **numbers)
    return base64.b64encode(key).decode() == stored


async def test_the_first_password_is_for_new_accounts_only(own: Academy) -> None:
    await own.commit(KIM, initial_password="first-1234")
    await own.commit(KIM | {"grade": "2"}, LEE, initial_password="second-567")
    kim, lee = [row.password_hash for row in await own.table()]
    assert check_password(kim, "first-1234") and not check_password(kim, "second-567")
    assert check_password(lee, "second-567") and kim.split("$")[2] != lee.split("$")[2]
    await own.commit({"name": "박민준", "parent_phone": "01034567890"})
    assert (await own.table())[2].password_hash is None


def test_hashes_are_those_that_django_writes() -> None:
    # The example of Django's own tests (auth_tests/test_hashers.py, TestUtilsHashPassScrypt).
    expected = (
        "scrypt$16384$seasalt$8$1$Qj3+9PPyRjSJIebHnG81TMjsqtaIGxNQG/aEB/NYafTJ7tibgfYz71m0ldQESkXFRkdVCBhhY8mx7rQwite/Pw=="
    )  # fmt: skip
    assert hashed("lètmein", "seasalt", 1) == expected


async def test_two_rosters_at_once_add_everybody_once(own: Academy) -> None:
    people = [
        {"name": f"학생{letter}", "parent_phone": f"0101234{n:04d}"}
        for n, letter in enumerate("가나다라마바사")
    ]
    found = await asyncio.gather(*(own.commit(*people, lecture_id=7) for _ in range(4)))
    assert sum(each.counts[committing.Kind.NEW] for each in found) == len(people)
    assert sum(each.enrolled for each in found) == len(people)
    assert len(await own.table()) == len(people)


async def test_a_student_whom_somebody_else_adds_meanwhile_fails_the_whole_commit(
    own: Academy, monkeypatch: pytest.MonkeyPatch
) -> None:
    await own.commit(KIM)

    async def too_early(*_: Any, **__: Any) -> list[Any]:
        return []

    monkeypatch.setattr(students, "known", too_early)  # read before the other's insert
    monkeypatch.setattr(students, "lookalikes", too_early)
    with pytest.raises(Interfered):
        await own.commit(LEE, KIM)
    monkeypatch.undo()
    assert await own.students() == [KIM]


async def test_all_or_nothing_over_several_chunks(own: Academy, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST", "AT_ONCE"):
        monkeypatch.setattr(committing, name, 2)
    people = [
        {"name": f"학생{letter}", "parent_phone": f"0101234{n:04d}"} for n, letter in enumerate("가나다라마")
    ]
    update = students.insert_students
    calls = 0

    async def fail_late(*arguments: Any) -> int:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise ConnectionError
        return await update(*arguments)

    monkeypatch.setattr(students, "insert_students", fail_late)
    with pytest.raises(ConnectionError):
        await own.commit(*people)
    assert calls == 3 and await own.table() == []
    assert kinds(await own.commit(*people)) == {"new": 5}


async def test_attendance_of_those_enrolled_and_those_who_came(own: Academy, tmp_path: Path) -> None:
    await own.commit(KIM | {"name": "나중"}, LEE, lecture_id=7)
    await own.commit({"name": "가끔", "parent_phone": "01034567890"})
    await own.commit({"name": "다른강의", "parent_phone": "01045678901"}, lecture_id=8)
    ids = [row.id for row in await own.table()]
    marks = [(ids[0], "PRESENT", 7), (ids[2], "LATE", 7), (ids[3], "ABSENT", 8)]
    sealer, path = await own.sealer(), tmp_path / "attendance.xlsx"
    async with own.lab.engine.begin() as connection:
        await connection.execute(
            insert(Attendance),
            [
                {
                    "tenant_id": own.tenant,
                    "lecture_id": lecture,
                    "day": date(2026, 3, 2),
                    "student_id": student,
                    "status": status,
                }
                for student, status, lecture in marks
            ],
        )
        assert await export_attendance(connection, sealer, tenant_id=own.tenant, lecture_id=7, path=path) == {
            "students": 3
        }
        with pytest.raises(BadInput, match=NOTHING_TO_EXPORT):
            await export_attendance(connection, sealer, tenant_id=own.tenant, lecture_id=9, path=path)
    table = list(openpyxl.load_workbook(path)["출석부"].iter_rows(values_only=True))
    assert table[0][4] == "2026-03-02"
    assert [row[1:5] for row in table[1:]] == [
        ("가끔", None, None, "지각"),
        ("나중", "한빛중", None, "출석"),
        ("이영희", None, None, None),
    ]


async def test_staff_hours_of_a_korean_month(own: Academy, tmp_path: Path) -> None:
    sealer, path = await own.sealer(), tmp_path / "staff.xlsx"
    began = [
        datetime(2025, 11, 30, 14, 59, tzinfo=UTC),  # still November in Korea
        datetime(2025, 11, 30, 15, 0, tzinfo=UTC),
        datetime(2025, 12, 31, 14, 59, tzinfo=UTC),
        datetime(2025, 12, 31, 15, 0, tzinfo=UTC),  # January
    ]
    async with own.lab.engine.begin() as connection:
        staff = {"tenant_id": own.tenant, "id": 1, "sealed": seal_staff_name(sealer, 1, "김강사")}
        await connection.execute(insert(Staff), [staff])
        hours = [
            {
                "tenant_id": own.tenant,
                "staff_id": 1,
                "began_at": at,
                "ended_at": at.replace(minute=59, second=30),
            }
            for at in began
        ]
        await connection.execute(insert(StaffHours), hours)
        assert await export_staff(
            connection, sealer, tenant_id=own.tenant, year=2025, month=12, path=path
        ) == {"stretches": 2}
        with pytest.raises(BadInput, match=NOTHING_TO_EXPORT):
            await export_staff(connection, sealer, tenant_id=own.tenant, year=2025, month=10, path=path)
    days = [
        row[1] for row in openpyxl.load_workbook(path)["근무 기록"].iter_rows(min_row=2, values_only=True)
    ]
    assert days == [datetime(2025, 12, 1), datetime(2025, 12, 31)]


async def test_enrolments_are_kept_apart_by_tenant(lab: Lab, own: Academy) -> None:
    other = Academy(lab)
    await own.commit(KIM, lecture_id=7)
    await other.commit(LEE, lecture_id=7)
    async with lab.engine.connect() as connection:
        mine = await academy.lecture_students(connection, own.tenant, 7)
        assert [row.id for row in mine] == [row.id for row in await own.table()]
        all_of_it = await connection.execute(select(Enrolment).where(Enrolment.tenant_id == own.tenant))
        assert len(all_of_it.all()) == 1


async def test_who_had_left_and_stands_in_a_roster_is_there_again(lab: Lab, own: Academy) -> None:
    await own.commit(KIM, LEE, lecture_id=7)
    async with lab.engine.begin() as connection:
        ids = [row.id for row in await own.table()]
        for each in ids:
            await register.leave(connection, own.tenant, each)
        assert await academy.lecture_students(connection, own.tenant, 7) == []
    assert kinds(await own.commit(LEE, lecture_id=7)) == {"unchanged": 1, "enrolled": 1}
    async with lab.engine.begin() as connection:
        (there,) = await academy.lecture_students(connection, own.tenant, 7)
        assert await register.hold_present(connection, own.tenant, ids) == {there.id}


async def test_students_are_looked_up_by_index_whatever_the_statistics_say(own: Academy) -> None:
    """Statistics are those of before an import; none may make Postgres read all students for each one."""
    asked: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    await own.commit(KIM)
    async with own.lab.engine.connect() as connection:
        await connection.execute(text("ANALYZE students"))
        fill = """INSERT INTO students (tenant_id, identity_mac, likeness_mac, sealed)
            SELECT :tenant, sha256(n::text::bytea), sha256(n::text::bytea), repeat('x', 200)::bytea
            FROM generate_series(1, 20000) n"""
        await connection.execute(text(fill), {"tenant": own.tenant})
        macs = [hashlib.sha256(b"%d" % number).digest() for number in range(1, 3000)]
        event.listen(own.lab.engine.sync_engine, "before_cursor_execute", note)
        assert len(await students.known(connection, own.tenant, macs)) == len(macs)
        found = await students.known(connection, own.tenant, macs, lock=True)
        assert len(found) == len(macs)
        assert await students.lookalikes(connection, own.tenant, macs) == set(macs)
        sealed = students.SealedStudent(b"", b"", b"")
        await students.update_students(connection, uuid4(), [(row.id, sealed) for row in found])
        event.remove(own.lab.engine.sync_engine, "before_cursor_execute", note)
        for (sql, parameters), index in zip(asked, ("identity", "identity", "likeness", "pkey"), strict=True):
            plan = "\n".join((await connection.exec_driver_sql(f"EXPLAIN {sql}", parameters)).scalars().all())
            assert f"students_{index}" in plan or (index == "pkey" and "Hash Join" in plan), plan
            assert "uq_students_tenant" not in plan, plan
        await connection.rollback()
