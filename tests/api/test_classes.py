"""Attendance of two teachers at once, and what pages of classes show and offer."""

from datetime import timedelta

import pytest

from clients.database.seats import today
from contracts.rights import Right
from devstack.stack import Stack
from tests.api.conftest import Caller
from tests.api.test_console import console
from tests.api.test_students import done, published, student

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_two_teachers_do_not_write_over_each_other(academy: Caller) -> None:
    kim, lee = await student(academy, "김하나"), await student(academy, "이두리")
    group = (await academy.post("/classes", {"title": "고2 수학 A"}, 201))["class_id"]
    await academy.post(f"/classes/{group}/students", {"student_ids": [kim, lee]}, 200)
    session = await academy.post("/sessions", {"class_id": group, "day": "2026-05-04"}, 201)
    path = f"/sessions/{session['session_id']}/attendance"

    def noting(status: str, seen: str | None, *who: int) -> dict[str, list[dict[str, int | str | None]]]:
        return {"attendance": [{"student_id": each, "status": status, "seen": seen} for each in who]}

    async def noted() -> list[str]:
        return [each["status"] for each in (await academy.get(path))["items"]]

    for _ in range(2):  # an answer was lost: the same again is no other's
        await done(academy, "PUT", path, noting("PRESENT", None, kim, lee))
    await done(academy, "PUT", path, noting("LATE", "PRESENT", kim))
    refused = await academy.ask("PUT", path, noting("ABSENT", "PRESENT", kim, lee))
    assert refused.status_code == 409, refused.text
    assert refused.json()["code"] == "attendance_changed"
    assert refused.json()["students"] == [{"student_id": kim, "status": "LATE"}]
    assert await noted() == ["LATE", "PRESENT"], "all of it, or nothing"
    await done(academy, "PUT", path, noting("ABSENT", "LATE", kim))
    await done(academy, "PUT", path, {"attendance": [{"student_id": lee, "status": "EXCUSED"}]})
    assert await noted() == ["ABSENT", "EXCUSED"], "who says nothing of it writes over it, as before"


async def test_pages_of_classes_show_how_it_stands_and_offer_what_works(
    stranger: Caller, stack: Stack
) -> None:
    academy = stranger
    ids = [await student(academy, name) for name in ("김하나", "이두리", "박세나")]
    group = (await academy.post("/classes", {"title": "고2 수학 A"}, 201))["class_id"]
    await academy.post(f"/classes/{group}/students", {"student_ids": ids[:2]}, 200)
    days = {"last": today() - timedelta(days=7), "now": today(), "next": today() + timedelta(days=7)}
    made = {
        name: (await academy.post("/sessions", {"class_id": group, "day": str(day)}, 201))["session_id"]
        for name, day in days.items()
    }
    late = {"attendance": [{"student_id": ids[0], "status": "LATE"}]}
    await done(academy, "PUT", f"/sessions/{made['now']}/attendance", late)
    bound, free = await published(academy), await published(academy)
    await done(academy, "PATCH", f"/videos/{bound}", {"session_id": made["now"]})
    await done(academy, "PUT", f"/classes/{group}/students/{ids[2]}")  # is in no earlier session
    english = {"Accept-Language": "en"}

    async with console(academy.lab, stack, academy.tenant) as http:

        async def shown(path: str) -> str:
            answer = await http.get(f"/console{path}", headers=english)
            assert answer.status_code == 200, path
            return answer.text

        listed, home = await shown("/classes"), await shown("/home")
        assert f"{days['last']} (" in listed and ">today<" in listed
        assert "Late 1 · " in home and f"/console/sessions/{made['now']}" in home
        page = await shown(f"/classes/{group}")
        (row,) = (each for each in page.split("<tr") if f'data-day="{today()}"' in each)
        assert "Late 1 · " in row and "not noted 2" in row
        assert f"/console/lectures/{bound}" in row and "not noted yet" in page
        session = await shown(f"/sessions/{made['last']}")
        assert "in the class, not in this session" in session
        assert f'<option value="{free}">' in session and f'<option value="{bound}">' not in session
        assert f"/console/sessions/{made['now']}" in await shown(f"/lectures/{bound}")
        assert "students watch the lectures of their sessions" in await shown(f"/lectures/{free}")
        student_page = await shown(f"/students/{ids[0]}")
        assert f"/console/classes/{group}" in student_page
        assert f"/console/sessions/{made['now']}" in student_page
        for path in (f"/classes/{group + 999}", f"/sessions/{group + 999}"):
            assert (await http.get(f"/console{path}")).status_code == 404

    may = {"look": Right.LOOK, "send": Right.SEND}
    for rights, offered in ((["look"], False), (["look", "send"], True)):
        those = frozenset(may[each] for each in rights)
        async with console(academy.lab, stack, academy.tenant, rights=those) as http:
            pages = [
                (await http.get(f"/console{path}", headers=english)).text
                for path in ("/classes", f"/classes/{group}", f"/sessions/{made['now']}")
            ]
        assert ("Save attendance" in pages[2], 'id="bind"' in pages[2]) == (offered, offered)
        assert ("Attendance as xlsx" in pages[1]) is offered
        managing = ("New class", "New session", "Add students", "Take out", "Rename", "Enrol", "Another day")
        assert [each for each in managing for text in pages if f">{each}" in text] == []
