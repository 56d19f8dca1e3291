"""Who may do what, and what is recorded of it: over every operation of the API, the console and the codec."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import DBAPIError
from starlette.routing import BaseRoute, Mount

import api.app
from api.auth.access import AGAIN
from api.auth.operations import JOB_TYPES, OPERATIONS, Record
from api.auth.staff import issue
from api.console.operation_words import COMMAND_WORDS, OPERATION_WORDS
from clients.database.audit import AuditRecord
from clients.database.models import ServiceKey
from clients.operators import Command
from contracts.catalog import CATALOG
from contracts.rights import EVERYTHING, Right
from devstack.stack import Stack
from tests import signed_in
from tests.api.conftest import SECONDS, Caller
from tests.api.test_console import console
from tests.api.test_tenants import MESSAGE, UPLOAD

pytestmark = pytest.mark.asyncio(loop_scope="module")
OURS = {"GET /openapi.json"}
LONG_AGO = 3000  # seconds: more than anybody may have waited


def routes(of: Iterable[BaseRoute], prefix: str = "") -> Iterator[str]:
    """Every method and path, also of what is no part of the document."""
    for each in of:
        if isinstance(each, Mount):
            yield from routes(each.routes, prefix + each.path)
        elif router := getattr(each, "original_router", None):
            yield from routes(router.routes, prefix)
        elif methods := getattr(each, "methods", None):
            for method in methods - {"HEAD"}:
                yield f"{method} {prefix}{each.path}"  # type: ignore[attr-defined]


def ask(operation: str, tenant: int) -> tuple[str, str, dict[str, Any]]:
    """One that is well formed, about something that is not there."""
    method, path = operation.split(" ")
    filled = path.replace("{tenant_id}", str(tenant)).replace("{video_id}", "7").replace("{number}", "1")
    filled = (
        filled.replace("{asked_from}", "students")
        .replace("{reservation_id}", "7")
        .replace("{name}", "a")
        .replace("{path:path}", "x")
    )
    filled = re.sub(r"\{\w+\}", "00000000-0000-4000-8000-000000000000", filled)
    if path == "/api/v1/jobs" and method == "POST":
        return method, filled, {"json": {"job_type": "embedding", "payload": {"texts": ["x"]}}}
    if path.startswith("/api/") and method != "GET":
        return method, filled, {"json": UPLOAD if path.endswith("/uploads") else MESSAGE}
    return (
        method,
        filled,
        {"data": {"queue": "x", "token": "x", "language": "ko"}} if method == "POST" else {},
    )


async def test_every_operation_has_its_entry() -> None:
    """Without one nobody may do it; with one it says what is recorded, or why nothing is."""
    assert set(routes(api.app.app.routes)) - OURS == set(OPERATIONS)
    assert set(JOB_TYPES) <= set(CATALOG)
    for name, each in OPERATIONS.items():
        assert (each.record is Record.NOTHING) is bool(each.why), name
        if each.record is Record.CHANGE:
            assert not name.startswith("GET ") or name.endswith("/callback"), name
    recorded = {name for name, each in OPERATIONS.items() if each.record is not Record.NOTHING}
    assert recorded == set(OPERATION_WORDS)
    assert set(Command) == set(COMMAND_WORDS)


@pytest.mark.parametrize("missing", Right)
async def test_without_its_right_nobody_does_it(academy: Caller, stack: Stack, missing: Right) -> None:
    """Each operation that needs a right, by a person and by a system who have all others; and of what is
    recorded there is a record of the refusal."""
    rights = EVERYTHING - {missing}
    token = issue(academy.lab.settings, "kim", SECONDS, academy.tenant, operator=True, rights=rights)
    key = await academy.lab.service_key(academy.tenant, rights)
    before = await newest(academy)
    refused = []
    async with console(academy.lab, stack, academy.tenant, rights=rights) as http:
        for operation, each in OPERATIONS.items():
            if each.right is not missing:
                continue
            method, path, body = ask(operation, academy.tenant)
            bearers = [token, key]
            if not path.startswith("/api") or "{tenant_id}" in operation:
                bearers = [token]  # no key is let in that far
            for bearer in bearers:
                headers = {"Origin": "http://console"}
                if not path.startswith("/console"):
                    headers["Authorization"] = f"Bearer {bearer}"
                answer = await http.request(method, path, headers=headers, **body)
                assert answer.status_code == 403, (operation, answer.status_code, answer.text[:300])
                if path.startswith("/api"):
                    assert answer.json()["code"] == "not_allowed", operation
                if each.record is not Record.NOTHING:
                    refused.append(operation)
    records = await since(academy, before)
    assert [each.operation for each in records] == refused
    assert {each.status for each in records} <= {403}


async def test_what_a_job_needs_besides_is_asked_of_keys_as_well(academy: Caller) -> None:
    """And a key of before there were rights has all of them."""
    sender = await academy.lab.service_key(academy.tenant, frozenset({Right.LOOK, Right.SEND}))
    delete_it = {"job_type": "video.delete", "payload": {"video_id": 7}}
    as_sender = {"Authorization": f"Bearer {sender}"}
    assert await academy.refused("POST", "/jobs", 403, delete_it, **as_sender) == "not_allowed"
    old = await academy.lab.service_key(academy.tenant)
    async with academy.lab.engine.begin() as connection:
        mine = ServiceKey.prefix == old.partition(".")[0]
        await connection.execute(update(ServiceKey).where(mine).values(rights=None))
    answer = await academy.ask("POST", "/jobs", delete_it, Authorization=f"Bearer {old}")
    assert answer.status_code != 403, answer.text


async def newest(academy: Caller) -> int:
    async with academy.lab.engine.connect() as connection:
        return (await connection.execute(select(func.coalesce(func.max(AuditRecord.id), 0)))).scalar_one()


async def since(academy: Caller, before: int) -> list[Any]:
    mine = (AuditRecord.id > before, AuditRecord.tenant_id == academy.tenant)
    async with academy.lab.engine.connect() as connection:
        return list(
            await connection.execute(select(AuditRecord.__table__).where(*mine).order_by(AuditRecord.id))
        )


async def test_every_read_of_persons_and_every_change_is_recorded(academy: Caller, stack: Stack) -> None:
    """Whoever asks: a system by its key, staff by token and in the console."""
    before = await newest(academy)
    token = issue(academy.lab.settings, "kim", SECONDS, academy.tenant, operator=True)
    expected = []
    async with console(academy.lab, stack, academy.tenant) as http:
        for operation, each in OPERATIONS.items():
            if each.record is Record.NOTHING or each.right is None:
                continue
            method, path, body = ask(operation, academy.tenant)
            bearers = [f"Bearer {token}"]
            if path.startswith("/api") and "{tenant_id}" not in operation:
                bearers.append(f"Bearer {academy.key}")
            for bearer in bearers:
                headers = {"Origin": "http://console"}
                if not path.startswith("/console"):
                    headers["Authorization"] = bearer
                answer = await http.request(method, path, headers=headers, **body)
                assert answer.status_code != 403, (operation, answer.text[:300])
                expected.append((operation, "key" if academy.key in bearer else "staff", answer.status_code))
    records = await since(academy, before)
    # Nothing is shown: an opened history is one of a tenant, and this one has none; that job is not there.
    silent = ("POST /codec/decode", "GET /api/v1/jobs/{job_id}/progress/")
    done = [(each.operation, each.caller.split()[0], each.status) for each in records]
    assert done == [each for each in expected if each[0] not in silent or each[2] >= 400]
    assert all(each.address and each.request_id for each in records)


async def test_a_record_says_who_what_and_on_whose_data(academy: Caller) -> None:
    await academy.row("seen", result={"files": {"result.json": f"tenants/{academy.tenant}/x"}})
    await academy.row("waits", result=None)
    before = await newest(academy)
    await academy.get("/jobs/seen")
    await academy.get("/jobs/waits")
    await academy.post("/opt-outs/", {"phone": "010-1234-5678"}, 201)
    operator = academy.staff(None) | {"X_Tenant_Id": str(academy.tenant)}
    assert (await academy.ask("GET", "/jobs/seen", **operator)).status_code == 200
    seen, phone, of_operator = await since(academy, before)
    assert (seen.caller, seen.about) == (f"key {academy.key.partition('.')[0]}", {"job_id": "seen"})
    assert phone.about == {"phone": "010****5678"} or "1234" not in json.dumps(phone.about)
    assert (of_operator.caller, of_operator.tenant_id) == ("staff kim", academy.tenant)


async def test_money_and_many_people_ask_again(academy: Caller) -> None:
    await academy.row("files", result={"files": {"result.json": f"tenants/{academy.tenant}/x"}})
    await academy.row("plain", result={"summary": {}})
    lab = academy.lab
    old = issue(lab.settings, "kim", SECONDS, academy.tenant, operator=True, ago=LONG_AGO)
    new = issue(lab.settings, "kim", SECONDS, academy.tenant, operator=True)
    asked = [each for each in OPERATIONS.items() if each[1].again]
    assert len(asked) >= 7
    cookies = {
        age: await signed_in.header(lab, academy.tenant, operator=True, ago=age) for age in (0, LONG_AGO)
    }
    for operation, _ in asked:
        method, path, body = ask(operation, academy.tenant)
        for age, token in ((0, new), (LONG_AGO, old)):
            ours = f"http://{academy.http.base_url.netloc.decode()}"
            headers = cookies[age] | {"Sec-Fetch-Site": "same-origin", "Origin": ours}
            if path.startswith("/api"):
                headers = {"Authorization": f"Bearer {token}"}
            answer = await academy.http.request(method, path, headers=headers, **body)
            if path.startswith("/console"):
                again = "again=true" in answer.headers.get("location", "")
            else:
                again = answer.json().get("code") == AGAIN
            assert again is (age > 0), (operation, answer.status_code)
    export = {"job_type": "attendance_excel_export", "payload": {}}
    late = {"Authorization": f"Bearer {old}"}
    for path in ("/ai/jobs/", "/jobs"):
        body = export | ({"job_type": "ai.attendance_excel_export"} if path == "/jobs" else {})
        answer = await academy.ask("POST", path, body, **late)
        assert answer.status_code in (403, 422), path
    assert (await academy.ask("POST", "/ai/jobs/", export, **late)).json()["code"] == AGAIN
    assert await academy.refused("GET", "/jobs/files", 403, **late) == AGAIN
    assert (await academy.ask("GET", "/jobs/plain", **late)).status_code == 200
    assert (await academy.ask("GET", "/jobs/files")).status_code == 200, "a system shows its key each time"


async def test_nobody_changes_a_record_or_removes_a_young_one(academy: Caller) -> None:
    await academy.post("/opt-outs/", {"phone": "010-1234-5678"}, 201)
    engine, mine = academy.lab.engine, AuditRecord.tenant_id == academy.tenant
    for statement in (
        update(AuditRecord).where(mine).values(caller="nobody"),
        delete(AuditRecord).where(mine),
    ):
        with pytest.raises(DBAPIError, match="kept as they are"):
            async with engine.begin() as connection:
                await connection.execute(statement)
    with pytest.raises(DBAPIError, match="kept as they are"):
        async with engine.begin() as connection:
            await connection.exec_driver_sql("TRUNCATE audit_records")


async def test_without_a_record_there_is_no_answer(
    academy: Caller, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    await academy.row("unrecorded", result={"summary": {"of": "somebody"}})
    lost = DBAPIError("INSERT", None, Exception("gone"), connection_invalidated=True)

    async def away(*_: Any) -> None:
        raise lost

    headers = {"Authorization": f"Bearer {academy.key}"}
    async with console(academy.lab, stack, academy.tenant) as http:
        monkeypatch.setattr("clients.database.audit.add", away)
        answer = await http.get("/api/v1/jobs/unrecorded", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert "somebody" not in answer.text


async def test_managers_read_the_records_of_their_academy(academy: Caller, stranger: Caller) -> None:
    await academy.post("/opt-outs/", {"phone": "010-1234-5678"}, 201)
    await stranger.post("/opt-outs/", {"phone": "010-1234-5678"}, 201)

    async def page(rights: frozenset[Right]) -> httpx.Response:
        cookie = await signed_in.cookie(academy.lab, academy.tenant, rights=rights)
        ((name, value),) = cookie.items()
        headers = {"Cookie": f"{name}={value}", "Accept-Language": "en"}
        return await academy.http.get("/console/audit", headers=headers)

    shown = (await page(EVERYTHING)).text
    assert "Opted a phone out" in shown and academy.key.partition(".")[0] in shown
    assert stranger.key.partition(".")[0] not in shown
    refused = await page(EVERYTHING - {Right.MANAGE})
    assert refused.status_code == 403 and "You may not do this" in refused.text
