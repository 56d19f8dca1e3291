"""Students, classes and sessions over the documented API: from nothing to a student who watches."""

from typing import Any

import httpx
import pytest
from sqlalchemy import insert, select

from clients.database.academy_models import Student
from clients.database.audit import AuditRecord
from clients.database.models import Video
from contracts.rights import Right
from contracts.video import hls_root
from tests.api.conftest import Caller
from tests.lab import fresh_id

pytestmark = pytest.mark.asyncio(loop_scope="module")
DAY = "2026-05-04"


async def published(academy: Caller) -> int:
    """A lecture that can be played, without bytes."""
    video = fresh_id()
    async with academy.lab.engine.begin() as connection:
        shown = {"status": "READY", "duration": 100.0, "hls_path": "x", "title": "1강"}
        shown["hls_prefix"] = f"{hls_root(academy.tenant, video)}v-1/"
        await connection.execute(
            insert(Video).values(tenant_id=academy.tenant, id=video, file_key="", **shown)
        )
    return video


async def student(academy: Caller, name: str, **more: Any) -> int:
    phone = f"010-2{fresh_id() % 1000:03}-{fresh_id() % 10_000:04}"
    made = await academy.post("/students", {"name": name, "parent_phone": phone} | more, 201)
    return int(made["student_id"])


async def done(academy: Caller, method: str, path: str, json: Any = None) -> httpx.Response:
    answer = await academy.ask(method, path, json)
    assert answer.is_success, answer.text
    return answer


async def test_from_nothing_to_a_student_who_watches(academy: Caller) -> None:
    kim, late = await student(academy, "김하나"), await student(academy, "이두리")
    group = (await academy.post("/classes", {"title": "고2 수학 A"}, 201))["class_id"]
    assert await academy.post(f"/classes/{group}/students", {"student_ids": [kim, kim]}, 200) == {"added": 1}
    session = await academy.post("/sessions", {"class_id": group, "day": DAY}, 201)
    assert session == {"session_id": session["session_id"], "class_id": group, "day": DAY, "students": 1}
    future = await academy.post("/sessions", {"class_id": group, "day": "2999-01-01"}, 201)
    video, at = await published(academy), f"/sessions/{session['session_id']}"
    start = f"/media/videos/{video}/playback/start/"

    async def begun(who: int) -> dict[str, Any]:
        policy: dict[str, Any] = (await academy.post(start, {"student_id": who}, 200))["policy"]
        return policy

    assert await academy.refused("POST", start, 403, {"student_id": kim}) == "not_enrolled"
    set_ = await done(academy, "PATCH", f"/videos/{video}", {"session_id": session["session_id"]})
    assert set_.json()["session_id"] == session["session_id"] and set_.json()["title"] == "1강"
    assert (await begun(kim))["access_mode"] == "FREE_REVIEW"
    token = (await academy.post(start, {"student_id": kim}, 200))["token"]
    there = {"attendance": [{"student_id": kim, "status": "ONLINE"}]}
    await done(academy, "PUT", f"{at}/attendance", there)
    assert (await academy.get(f"{at}/attendance"))["items"] == there["attendance"]
    dead = await academy.ask("POST", f"/media/videos/{video}/playback/refresh/", {"token": token})
    assert dead.json()["code"] == "policy_changed"
    assert (await begun(kim))["access_mode"] == "PROCTORED_CLASS"
    access = f"/videos/{video}/students/{kim}"
    await done(academy, "PUT", access, {"access_mode": None, "blocked": True})
    assert await academy.refused("POST", start, 403, {"student_id": kim}) == "blocked"
    await done(academy, "PUT", access, {"access_mode": "FREE_REVIEW"})
    assert (await begun(kim))["reason"] == "PERMISSION"

    # Who comes later is in the sessions to come, and in the others when named.
    await done(academy, "PUT", f"/classes/{group}/students/{late}")
    assert (await academy.get(f"/sessions?class_id={group}"))["items"][0]["students"] == 2
    assert await academy.refused("POST", start, 403, {"student_id": late}) == "not_enrolled"
    assert await academy.post(f"{at}/students", {"student_ids": [late]}, 200) == {"added": 1}
    assert (await begun(late))["access_mode"] == "FREE_REVIEW"
    (seen,) = (await academy.get(f"/students/{kim}/videos"))["items"]
    assert (seen["video_id"], seen["attendance"], seen["enrolled"]) == (video, "ONLINE", True)

    await done(academy, "POST", f"/students/{late}/leave")
    assert await academy.refused("POST", start, 403, {"student_id": late}) == "not_enrolled"
    left = await academy.ask("POST", f"/classes/{group}/students", {"student_ids": [kim, late]})
    assert (left.status_code, left.json()["code"]) == (422, "no_such_students")
    assert left.json()["student_ids"] == [late]
    await done(academy, "POST", f"/students/{late}/return")
    assert (await academy.get(f"/students/{late}"))["classes"] == []
    await done(academy, "DELETE", f"/classes/{group}/students/{kim}")
    (mine, _) = (await academy.get(f"/sessions?class_id={group}"))["items"]
    assert (mine["session_id"], mine["students"]) == (future["session_id"], 0)
    assert (await begun(kim))["access_mode"] == "FREE_REVIEW", "what was, stays to be watched"


async def test_a_student_is_read_as_rosters_are(academy: Caller) -> None:
    own = {"name": "박 세나", "parent_phone": "010-7000-0001", "student_phone": "010 7000 0002"}
    kim = await student(academy, **own, school="새론고", grade="2", birth_date="2009. 3. 5.", gender="여")
    path = f"/students/{kim}"
    found = await academy.get(path)
    assert (found["parent_phone"], found["birth_date"], found["gender"]) == ("01070000001", "2009-03-05", "F")
    same = own | {"name": "박세나"}
    for body, code in ((same, "student_exists"), (own | {"parent_phone": "01070000003"}, "student_alike")):
        answer = await academy.ask("POST", "/students", body)
        assert (answer.status_code, answer.json()["code"]) == (409, code)
        assert answer.json()["student_id"] == kim
    wrong = {"name": "합계", "parent_phone": "02-123-4567", "birth_date": "03/05/11", "grade": " 3 "}
    answer = await academy.ask("POST", "/students", wrong)
    assert answer.json()["fields"] == {
        "name": "ROSTER_NAME_INVALID",
        "parent_phone": "PHONE_NOT_MOBILE",
        "birth_date": "ROSTER_DATE_INVALID",
    }
    for body in ({"name": "박세나", "parent_phone": ""}, {"name": "박세나"}, own | {"age": "3"}):
        assert (await academy.ask("POST", "/students", body)).status_code == 422, body
    for body in ({"name": None}, {"parent_phone": "-"}):
        assert await academy.refused("PATCH", path, 422, body) == "invalid_student", body
    changed = await done(academy, "PATCH", path, {"parent_phone": "01070000004", "school": None})
    (said, added) = (await academy.get(f"{path}/changes"))["items"]
    assert said["fields"].keys() == {"parent_phone", "school"} and said["fields"]["school"]["after"] is None
    assert said["who"] and added["kind"] == "added" and added["job_id"] is None
    assert changed.json()["school"] is None and changed.json()["grade"] == "2"
    assert changed.json()["parent_phone"] == "01070000004"
    again = await student(academy, "박세나", parent_phone="010-7000-0001")  # the number is free again
    assert await academy.refused("PATCH", f"/students/{again}", 409, {"parent_phone": "01070000004"})
    async with academy.lab.engine.connect() as connection:
        mine = select(Student.sealed).where(Student.tenant_id == academy.tenant)
        assert not any("박".encode() in row for row in (await connection.execute(mine)).scalars())
        told = select(AuditRecord.about).where(
            AuditRecord.tenant_id == academy.tenant, AuditRecord.operation.startswith("PATCH")
        )
        about = (await connection.execute(told)).scalars().all()
    assert {"student_id": str(kim), "fields": "parent_phone school"} in about


async def test_who_was_sealed_with_a_key_that_is_gone_is_not_there(academy: Caller) -> None:
    lost = (
        insert(Student)
        .values(tenant_id=academy.tenant, identity_mac=b"gone", sealed=b"")
        .returning(Student.id)
    )
    async with academy.lab.engine.begin() as connection:
        path = f"/students/{(await connection.execute(lost)).scalar_one()}"
    assert await academy.refused("GET", path, 404) == "not_found"
    assert await academy.refused("PATCH", path, 404, {"grade": "3"}) == "not_found"


async def test_students_are_found_by_name_class_and_number(stranger: Caller) -> None:
    """A fresh academy: nobody else is in its list."""
    academy = stranger
    assert await academy.get("/students") == {"items": [], "total": 0, "next_cursor": None}
    names = ("다솔", "가온", "나래")
    ids = {name: await student(academy, f"최{name}", school=f"{name}중") for name in names}
    await done(academy, "POST", f"/students/{ids['나래']}/leave")

    async def found(query: str = "") -> list[str]:
        return [each["name"] for each in (await academy.get(f"/students?{query}"))["items"]]

    assert await found() == ["최가온", "최다솔"] and await found("state=left") == ["최나래"]
    assert await found("state=all&q=최 나") == ["최나래"] and await found("q=다솔중") == ["최다솔"]
    number = (await academy.get(f"/students/{ids['가온']}"))["parent_phone"]
    assert "최가온" in await found(f"q={number[-4:]}") and await found("q=01") == []
    assert await found(f"q=%2B82 10-{number[3:7]}-{number[7:]}") == ["최가온"]
    page = await academy.get("/students?state=all&limit=2")
    assert (page["total"], [each["name"] for each in page["items"]]) == (3, ["최가온", "최나래"])
    assert page["items"][0]["parent_phone"] == f"010-****-{number[-4:]}"
    assert await found(f"state=all&cursor={page['next_cursor']}") == ["최다솔"]
    assert await academy.refused("GET", "/students?cursor=1", 422) == "cursor_gone"
    await done(academy, "PUT", "/classes/77", {"title": "중1"})
    await done(academy, "PUT", "/classes/77", {"title": "중1 특강"})
    await done(academy, "PUT", f"/classes/77/students/{ids['다솔']}")
    assert await found("class_id=77") == ["최다솔"]
    assert (await academy.get("/classes"))["items"] == [{"class_id": 77, "title": "중1 특강", "students": 1}]
    await done(academy, "PUT", "/sessions/5", {"class_id": 77, "day": DAY})
    assert await academy.refused("PUT", "/sessions/5", 404, {"class_id": 78, "day": DAY}) == "not_found"
    await done(academy, "PUT", "/classes/78", {"title": "중2"})
    assert await academy.refused("PUT", "/sessions/5", 409, {"class_id": 78, "day": DAY}) == "other_class"


async def test_a_number_of_ours_is_none_that_the_academy_has_brought(academy: Caller) -> None:
    group = (await academy.post("/classes", {"title": "첫째"}, 201))["class_id"]
    await done(academy, "PUT", f"/classes/{group + 1}", {"title": "둘째"})
    await done(academy, "PUT", f"/sessions/{group + 2}", {"class_id": group, "day": DAY})
    made = await academy.post("/sessions", {"class_id": group, "day": "2999-01-01"}, 201)
    assert made["session_id"] == group + 3
    sessions = (await academy.get(f"/sessions?class_id={group}"))["items"]
    assert [each["day"] for each in sessions] == ["2999-01-01", DAY]


async def test_nothing_of_another_academy_is_here(academy: Caller, stranger: Caller) -> None:
    theirs = await student(stranger, "정다른")
    group = (await academy.post("/classes", {"title": "중3"}, 201))["class_id"]
    session = (await academy.post("/sessions", {"class_id": group, "day": DAY}, 201))["session_id"]
    video = await published(academy)
    named = {"student_ids": [theirs]}
    for method, path, status, body in (
        ("GET", f"/students/{theirs}", 404, None),
        ("PATCH", f"/students/{theirs}", 404, {"grade": "1"}),
        ("POST", f"/students/{theirs}/leave", 404, None),
        ("POST", f"/students/{theirs}/return", 404, None),
        ("GET", f"/students/{theirs}/videos", 404, None),
        ("PUT", f"/videos/{video}/students/{theirs}", 404, {"access_mode": None}),
        ("POST", f"/classes/{group}/students", 422, named),
        ("PUT", f"/classes/{group}/students/{theirs}", 422, None),
        ("POST", f"/sessions/{session}/students", 422, named),
        (
            "PUT",
            f"/sessions/{session}/attendance",
            422,
            {"attendance": [{"student_id": theirs, "status": "LATE"}]},
        ),
    ):
        assert await academy.refused(method, path, status, body), path
    for method, path in (
        ("POST", f"/classes/{group}/students"),
        ("POST", f"/sessions/{session}/students"),
        ("GET", f"/sessions/{session}/attendance"),
        ("DELETE", f"/classes/{group}/students/{theirs}"),
    ):
        assert await stranger.refused(method, path, 404, named if method == "POST" else None) == "not_found"
    assert await academy.refused("PATCH", f"/videos/{video}", 422, {"session_id": 999}) == "no_such_session"
    looker = await academy.lab.service_key(academy.tenant, frozenset({Right.LOOK, Right.SEND}))
    refused = {"Authorization": f"Bearer {looker}"}
    assert await academy.refused("GET", f"/students/{theirs}", 403, **refused) == "not_allowed"


async def test_a_class_is_told_at_the_phones_that_it_has(academy: Caller) -> None:
    """The job has each of them; who asks for none of it is refused before anything is accepted."""
    own = [
        await student(academy, name, student_phone=f"0108000{n:04}")
        for n, name in enumerate(("문가람", "문하람"))
    ]
    silent = await student(academy, "문보람")
    group = (await academy.post("/classes", {"title": "고3"}, 201))["class_id"]
    await done(academy, "POST", f"/classes/{group}/students", {"student_ids": [*own, silent]})
    draft = {"text": "#{이름} 학생, 내일 봐요.", "send_at": "2999-01-01T09:00:00+09:00"}

    def wanted(**whom: Any) -> dict[str, Any]:
        return {"draft": draft, "students": whom}

    job = await academy.post("/messages/", wanted(class_id=group, to="student"))
    async with academy.lab.engine.connect() as connection:
        told = select(AuditRecord.about).where(AuditRecord.operation == "POST /api/v1/messages/")
        told = told.where(AuditRecord.tenant_id == academy.tenant).order_by(AuditRecord.id.desc())
        about = (await connection.execute(told.limit(1))).scalar_one()
    assert about == {"job": job["job_id"], "recipients": 2} | about
    for body, status, code in (
        (wanted(student_ids=[silent], to="student"), 422, "no_phones"),
        (wanted(student_ids=[silent, 10**15]), 422, "no_such_students"),
        (wanted(class_id=10**15), 404, "not_found"),
        (
            wanted(class_id=group) | {"recipients": [{"id": "1", "to": "01012345678"}]},
            422,
            "invalid_recipients",
        ),
    ):
        assert await academy.refused("POST", "/messages/", status, body) == code
    await done(academy, "POST", f"/students/{silent}/leave")
    assert (
        await academy.refused("POST", "/messages/", 422, wanted(student_ids=[silent])) == "no_such_students"
    )
    await academy.end(job["job_id"])
