"""Columns that somebody has named, and what is known of a student's changes."""

from uuid import uuid4

import pytest

from clients.database import student_changes, students
from clients.keys import TenantKeys
from clients.people import identity_mac, seal_students
from clients.student_changes import Change, seal_changes
from clients.vault import Vault
from tests.api.conftest import Caller

pytestmark = pytest.mark.asyncio(loop_scope="module")
LABELS = ["아이", "긴요한 번호", "학교"]
NAMED = {"아이": "name", "긴요한 번호": "parent_phone"}


async def test_columns_are_kept_for_the_same_line_of_labels(academy: Caller, stranger: Caller) -> None:
    kept = await academy.ask("PUT", "/roster-columns", {"labels": LABELS, "columns": NAMED})
    assert kept.status_code == 200, kept.text
    same = {"labels": [" 아이 ", "긴요한-번호", "학교"], "columns": NAMED | {"학교": None}}
    assert (await academy.ask("PUT", "/roster-columns", same)).json() == kept.json(), "signs tell none apart"
    moved = {"labels": [*LABELS[1:], LABELS[0]], "columns": NAMED}
    other = (await academy.ask("PUT", "/roster-columns", moved)).json()
    assert other != kept.json(), "another line is another roster"
    listed = (await academy.get("/roster-columns"))["items"]
    assert [each["columns"] for each in listed] == [NAMED, NAMED | {"학교": None}]
    assert (await stranger.get("/roster-columns"))["items"] == []
    gone = await academy.ask("DELETE", f"/roster-columns/{other['id']}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert await academy.refused("DELETE", f"/roster-columns/{other['id']}", 404) == "not_found"


@pytest.mark.parametrize(
    "wrong",
    [
        {"labels": ["아이", "아이"], "columns": {"아이": "name"}},
        {"labels": LABELS, "columns": {"아이": "name", "학교": "name"}},
        {"labels": LABELS, "columns": {"반": "class_name"}},
        {"labels": LABELS, "columns": {"아이": "nickname"}},
    ],
)
async def test_columns_that_contradict_each_other_are_not_kept(
    academy: Caller, wrong: dict[str, object]
) -> None:
    assert await academy.refused("PUT", "/roster-columns", 422, wrong) == "invalid"


async def test_a_student_has_a_history_of_changes_by_rosters_and_people(
    academy: Caller, stranger: Caller
) -> None:
    lab, tenant = academy.lab, academy.tenant
    sealer = await TenantKeys(lab.engine, Vault(lab.settings.payload_keys.get_secret_value())).sealer(tenant)
    first, second = uuid4(), uuid4()
    kim = {"name": "김하나", "parent_phone": "01012345678"}
    async with lab.engine.begin() as connection:
        await students.insert_students(connection, tenant, first, seal_students(sealer, [kim]), None)
        (known,) = await students.known(connection, tenant, [identity_mac(sealer, kim)])
        roster = [(known.id, Change({"grade": (None, "중1")}, "2학년", 12))]
        by_hand = [(known.id, Change({"grade": ("중1", "중2")}))]
        await student_changes.record(connection, tenant, seal_changes(sealer, roster), job_id=second)
        await student_changes.record(connection, tenant, seal_changes(sealer, by_hand), who="kim")
    path = f"/students/{known.id}/changes"
    newest = await academy.get(f"{path}?limit=1")
    assert [(each["who"], each["fields"]) for each in newest["items"]] == [
        ("kim", {"grade": {"before": "중1", "after": "중2"}})
    ]
    rest = await academy.get(f"{path}?cursor={newest['next_cursor']}")
    changed, added = rest["items"]
    assert (changed["job_id"], changed["sheet"], changed["row"]) == (str(second), "2학년", 12)
    assert (added["kind"], added["job_id"], added["fields"]) == ("added", str(first), {})
    assert rest["next_cursor"] is None
    assert await stranger.refused("GET", path, 404) == "not_found"
