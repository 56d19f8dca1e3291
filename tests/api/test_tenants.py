"""Every operation of the OpenAPI document, called by another tenant and by nobody.

The table is complete by force: an operation without an entry fails the test.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, update

import api.app
from clients.database.models import ServiceKey, Video
from contracts.jobs import JobState
from tests.api.conftest import Caller
from tests.lab import fresh_id

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True)
class About:
    """What an operation touches, and a body that it takes.

    OBJECT: something of one tenant, named in the path or the body: 404 for another. OWN: what belongs to
    the caller, whoever it is. OPERATOR: of staff without a tenant. OTHER: has its own door. PUBLIC: open.
    """

    kind: str
    body: Any = None
    names: dict[str, str] = field(default_factory=dict)


def obj(body: Any = None, **names: str) -> About:
    return About("object", body, names)


MESSAGE = {"draft": {"text": "x"}, "recipients": [{"id": "1", "to": "01000000000"}]}
UPLOAD = {"filename": "a.pdf", "size": 3, "content_type": "application/pdf", "purpose": "document"}
ACCOUNT = {"price_sms": 1, "price_lms": 1, "price_mms": 1, "price_ata": 1}
MAIL_SERVER = {"host": "mail.example.com", "sender": "notice@example.com"}
OWN, PUBLIC, OTHER = About("own"), About("public"), About("other", [])

# A body's {placeholders} are filled as a path's are. `names` says which object of the owner a path means.
OPERATIONS: dict[str, About] = {
    "GET /api/v1/jobs/{job_id}/": obj(),
    "GET /api/v1/core/job_progress/{job_id}/": obj(),
    "GET /api/v1/jobs/{job_id}/progress/": OTHER,  # UNKNOWN for whatever is not the caller's
    "GET /api/v1/{asked_from}/excel_job_status/{job_id}/": OTHER,  # of rosters alone
    "GET /api/v1/media/videos/{video_id}/progress/": obj(),
    "POST /api/v1/media/videos/{video_id}/retry/": obj(),
    "POST /api/v1/jobs": obj({"job_type": "video.encode", "payload": {"video_id": "{video_id}"}}),
    "GET /api/v1/jobs": OWN,
    "GET /api/v1/jobs/{job_id}": obj(),
    "GET /api/v1/jobs/{job_id}/log": obj(),
    "GET /api/v1/jobs/{job_id}/events": obj(),
    "POST /api/v1/jobs/{job_id}/cancel": obj(),
    "POST /api/v1/jobs/{job_id}/retry": obj(),
    "GET /api/v1/roster-columns": OWN,
    "PUT /api/v1/roster-columns": About("own", {"labels": ["아이"], "columns": {"아이": "name"}}),
    "DELETE /api/v1/roster-columns/{header_id}": obj(),
    "POST /api/v1/students": About("own", {}),
    "GET /api/v1/students": OWN,
    "GET /api/v1/students/{student_id}": obj(),
    "PATCH /api/v1/students/{student_id}": obj({"school": "가람중"}),
    "GET /api/v1/students/{student_id}/changes": obj(),
    "GET /api/v1/students/{student_id}/videos": obj(),
    "POST /api/v1/students/{student_id}/leave": obj(),
    "POST /api/v1/students/{student_id}/return": obj(),
    "POST /api/v1/students/{student_id}/opt-outs": obj({"phone": "parent_phone"}),
    "POST /api/v1/classes": About("own", {}),
    "GET /api/v1/classes": OWN,
    "PUT /api/v1/classes/{class_id}": About("own", {}),  # each tenant's numbers are its own
    "POST /api/v1/classes/{class_id}/students": obj({"student_ids": [1]}),
    "PUT /api/v1/classes/{class_id}/students/{student_id}": obj(),
    "DELETE /api/v1/classes/{class_id}/students/{student_id}": obj(),
    "POST /api/v1/sessions": obj({"class_id": "{class_id}", "day": "2026-12-01"}),
    "GET /api/v1/sessions": OWN,
    "PUT /api/v1/sessions/{session_id}": obj({"class_id": "{class_id}", "day": "2026-12-01"}),
    "POST /api/v1/sessions/{session_id}/students": obj({"student_ids": [1]}),
    "DELETE /api/v1/sessions/{session_id}/students/{student_id}": obj(),
    "GET /api/v1/sessions/{session_id}/attendance": obj(),
    "PUT /api/v1/sessions/{session_id}/attendance": obj(
        {"attendance": [{"student_id": 1, "status": "ONLINE"}]}
    ),
    "POST /api/v1/videos/{video_id}/students/{student_id}/link": obj({"days": 3}),
    "PUT /api/v1/videos/{video_id}/students/{student_id}": obj({"access_mode": "BLOCKED"}),
    "POST /api/v1/uploads": About("own", UPLOAD),
    "GET /api/v1/uploads/{upload_id}": obj(),
    "POST /api/v1/uploads/{upload_id}/parts": obj({"numbers": [1]}),
    "POST /api/v1/uploads/{upload_id}/complete": obj(),
    "DELETE /api/v1/uploads/{upload_id}": obj(),
    "POST /api/v1/videos": obj({"upload_id": "{upload_id}"}),
    "GET /api/v1/search/lectures": OWN,
    "GET /api/v1/search/documents": OWN,
    "GET /api/v1/documents/{job_id}/pages/{number}/text": obj(job_id="document_id"),
    "PUT /api/v1/documents/{job_id}/pages/{number}/text": obj(
        {"text": "x", "version": "text.txt"}, job_id="document_id"
    ),
    "GET /api/v1/videos": OWN,
    "GET /api/v1/videos/{video_id}": obj(),
    "PATCH /api/v1/videos/{video_id}": obj({"title": "2강"}),
    "GET /api/v1/videos/{video_id}/captions": obj(),
    "DELETE /api/v1/videos/{video_id}/captions/{caption_id}": obj(),
    "GET /api/v1/videos/{video_id}/chapters": obj(),
    "PUT /api/v1/videos/{video_id}/chapters": obj({"chapters": []}),
    "POST /api/v1/media/videos/upload/init/": About("own", {"filename": "a.mp4"}),
    "POST /api/v1/media/videos/{video_id}/upload/complete/": obj(),
    "POST /api/v1/media/videos/{video_id}/playback/start/": obj({"student_id": 1}),
    **{  # of who holds a playback token
        f"POST /api/v1/media/videos/{{video_id}}/playback/{step}/": OTHER
        for step in ("join", "refresh", "heartbeat", "events", "end")
    },
    "POST /api/v1/ai/jobs/": About("own", {"job_type": "embedding", "payload": {"texts": ["x"]}}),
    "POST /api/v1/excel/jobs/": About("own", {}),
    "POST /api/v1/messaging/send/": About("own", {}),
    "POST /api/v1/messages/": About("own", MESSAGE | {"recipients": []}),
    "GET /api/v1/messages/{job_id}/": obj(job_id="message_id"),
    "GET /api/v1/messages/{job_id}/recipients/": obj(job_id="message_id"),
    "GET /api/v1/messages/{job_id}/recipients.xlsx": obj(job_id="message_id"),
    "POST /api/v1/messages/{job_id}/cancel/": obj(job_id="message_id"),
    "POST /api/v1/messages/{job_id}/approve/": obj(job_id="message_id"),
    "POST /api/v1/messages/{job_id}/refuse/": obj(job_id="message_id"),
    "POST /api/v1/reservations/{reservation_id}/cancel/": OWN,
    "GET /api/v1/message-costs": OWN,
    "GET /api/v1/message-costs.xlsx": OWN,
    "GET /api/v1/message-templates": OWN,
    "GET /api/v1/message-templates/{name}": obj(),
    "PUT /api/v1/message-templates/{name}": About("own", {"text": "x"}),
    "DELETE /api/v1/message-templates/{name}": obj(),
    "GET /api/v1/alimtalk-templates": OWN,
    "GET /api/v1/alimtalk-categories": OWN,
    "POST /api/v1/alimtalk-templates": About("own", {"name": "x", "content": "x", "category_code": "1"}),
    "POST /api/v1/alimtalk-templates/{template_id}/inspection": OWN,
    "DELETE /api/v1/alimtalk-templates/{template_id}/inspection": OWN,
    "POST /api/v1/opt-outs/": About("own", {"phone": "x"}),
    "PUT /api/v1/callback/": About("own", {"url": "https://example.com/"}),
    "PUT /api/v1/tenants/{tenant_id}/messaging-account/": About("operator", ACCOUNT),
    "PATCH /api/v1/tenants/{tenant_id}/messaging-account/": About("operator", ACCOUNT),
    "POST /api/v1/tenants/{tenant_id}/credit/": About("operator", {"amount": 1, "reference": "x"}),
    "PUT /api/v1/tenants/{tenant_id}/mail-server/": About("operator", MAIL_SERVER),
    "GET /api/v1/tenants/{tenant_id}/mail-server/": About("operator", None),
    "DELETE /api/v1/tenants/{tenant_id}/mail-server/": About("operator", None),
    "POST /api/v1/webhooks/solapi": OTHER,
    "GET /healthz": PUBLIC,
    "GET /readyz": PUBLIC,
}


def documented() -> Iterator[str]:
    for path, methods in api.app.app.openapi()["paths"].items():
        for method in methods:
            yield f"{method.upper()} {path}"


@pytest.fixture(scope="module")
def ids() -> dict[str, Any]:
    return {
        "reservation_id": 1,
        "asked_from": "students",
        "job_id": str(uuid4()),
        "message_id": str(uuid4()),
        "document_id": str(uuid4()),
        "number": 1,
        "caption_id": str(uuid4()),
        "name": "인사말",
        "template_id": "KA01TP0",
        "header_id": "0" * 64,
        "video_id": fresh_id(),
    }


def fill(template: Any, ids: dict[str, Any]) -> Any:
    """A body with the objects' ids in it; a whole placeholder keeps the id's type."""
    if isinstance(template, dict):
        return {name: fill(value, ids) for name, value in template.items()}
    if isinstance(template, str) and template.startswith("{") and template.endswith("}"):
        return ids[template[1:-1]]
    return template


async def calls(owner: Caller, ids: dict[str, Any], *kinds: str) -> list[tuple[str, str, Any]]:
    """Method, path and body of the operations of `kinds`, about objects that `owner` really has."""
    if "upload_id" not in ids:
        ids["tenant_id"] = owner.tenant
        await owner.row(ids["job_id"])
        await owner.row(ids["message_id"], JobState.DONE, job_type="messages.send")
        key = f"tenants/{owner.tenant}/ai/results/{ids['document_id']}/text.txt"
        owner.lab.objects.put(key, b"x", "text/plain")
        await owner.row(ids["document_id"], result={"files": {"text.txt": key}})
        async with owner.lab.engine.begin() as connection:
            from sqlalchemy import insert

            row = {"tenant_id": owner.tenant, "id": ids["video_id"], "file_key": f"tenants/{owner.tenant}/x"}
            await connection.execute(insert(Video).values(row))
        student = {"name": "김가람", "parent_phone": "01011112222"}
        ids["student_id"] = (await owner.post("/students", student, 201))["student_id"]
        ids["class_id"] = (await owner.post("/classes", {"title": "중2 월수"}, 201))["class_id"]
        session = {"class_id": ids["class_id"], "day": "2026-12-01"}
        ids["session_id"] = (await owner.post("/sessions", session, 201))["session_id"]
        await owner.ask("PUT", f"/message-templates/{ids['name']}", {"text": "안녕하세요"})
        ids["upload_id"] = (await owner.post("/uploads", UPLOAD, 201))["upload_id"]
    found = []
    for operation, about in OPERATIONS.items():
        if about.kind in kinds:
            method, path = operation.split(" ")
            named = ids | {name: ids[real] for name, real in about.names.items()}
            found.append((method, path.format(**named).removeprefix("/api/v1"), fill(about.body, named)))
    return found


async def test_every_operation_has_its_entry() -> None:
    assert set(documented()) == set(OPERATIONS)


async def test_another_tenants_objects_are_not_there(
    academy: Caller, stranger: Caller, ids: dict[str, Any]
) -> None:
    mine = await calls(academy, ids, "object")
    for method, path, body in mine:
        answer = await stranger.ask(method, path, body)
        assert answer.status_code == 404, (method, path, answer.text)
        assert answer.json()["code"] == "not_found"
        staff = await stranger.ask(method, path, body, **academy.staff(stranger.tenant))
        assert staff.status_code == 404, (method, path, staff.text)
    assert await academy.lab.jobs(stranger.tenant) == []
    for method, path, _ in mine:
        if method == "GET" and not path.endswith("/events"):
            assert (await academy.ask(method, path)).status_code == 200, f"{path} is the owner's"


async def test_nothing_of_another_tenant_is_listed(
    academy: Caller, stranger: Caller, ids: dict[str, Any]
) -> None:
    await calls(academy, ids, "object")
    assert (await stranger.get("/jobs"))["items"] == []
    assert ids["job_id"] in {item["job_id"] for item in (await academy.get("/jobs"))["items"]}


async def test_nobody_comes_in(academy: Caller, ids: dict[str, Any]) -> None:
    prefix, _, secret = academy.key.partition(".")
    revoked = await academy.lab.service_key(academy.tenant)
    async with academy.lab.engine.begin() as connection:
        this = ServiceKey.prefix == revoked.partition(".")[0]
        await connection.execute(update(ServiceKey).where(this).values(revoked_at=func.now()))
    wrong = [f"Basic {academy.key}", f"Bearer {prefix}", f"Bearer {prefix}.", f"Bearer {prefix}.{secret}x"]
    wrong += [f"Bearer x.{secret}", f"Bearer {revoked}", f"Bearer {academy.key[1:]}", "Bearer a.b.c"]
    everything = await calls(academy, ids, "object", "own", "operator", "other")
    before = len(await academy.lab.jobs(academy.tenant))
    for method, path, body in everything:
        for n, header in enumerate([None, *wrong]):
            headers = {"Authorization": header} if header else {}
            answer = await academy.http.request(method, f"/api/v1{path}", json=body, headers=headers)
            assert answer.status_code == 401, (method, path, n, answer.text)
            assert answer.json()["code"] == "not_authenticated"
    assert len(await academy.lab.jobs(academy.tenant)) == before


async def test_a_revoked_key_stops_working(academy: Caller) -> None:
    from api.auth.service_keys import KnownKey, ServiceKeys
    from contracts.rights import EVERYTHING

    revoked = await academy.lab.service_key(academy.tenant)
    prefix, _, secret = revoked.partition(".")
    keys = ServiceKeys(academy.lab.engine, 0.0)
    assert await keys.find(prefix, secret) == KnownKey(academy.tenant, EVERYTHING)
    async with academy.lab.engine.begin() as connection:
        await connection.execute(
            update(ServiceKey).where(ServiceKey.prefix == prefix).values(revoked_at=func.now())
        )
    assert await keys.find(prefix, secret) is None


async def test_operators_name_the_tenant_and_nobody_else_may(
    academy: Caller, stranger: Caller, ids: dict[str, Any]
) -> None:
    await calls(academy, ids, "object")
    path, operator = f"/jobs/{ids['job_id']}", academy.staff(None)
    assert await academy.refused("GET", path, 400, **operator) == "tenant_needed"
    named = {"X_Tenant_Id": str(academy.tenant)}
    assert (await academy.ask("GET", path, **operator, **named)).status_code == 200
    assert (await academy.ask("GET", path, **academy.staff(academy.tenant))).status_code == 200
    other = {"X_Tenant_Id": str(stranger.tenant)}
    assert await academy.refused("GET", path, 404, **operator, **other) == "not_found"
    assert await academy.refused("GET", path, 404, **operator, X_Tenant_Id="x") == "not_found"
    for headers in ({}, academy.staff(stranger.tenant)):
        assert await stranger.refused("GET", path, 403, **headers, **named) == "not_an_operator"
    query = f"{path}/events?tenant_id={academy.tenant}"
    assert (await academy.ask("GET", query, **operator)).status_code == 200
    assert await stranger.refused("GET", query, 403) == "not_an_operator"


async def test_a_cookie_is_taken_from_our_own_pages_only(academy: Caller, ids: dict[str, Any]) -> None:
    await calls(academy, ids, "object")
    path, cookie = "/api/v1/uploads", await academy.cookie(academy.tenant)
    host = academy.http.base_url.netloc.decode()
    for ours in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": f"http://{host}"}):
        answer = await academy.http.post(path, json=UPLOAD, headers=cookie | ours)
        assert answer.status_code == 201, answer.text
    for theirs in (
        {},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Origin": f"http://{host}"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ):
        answer = await academy.http.post(path, json=UPLOAD, headers=cookie | theirs)
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_site"), theirs
    operator = await academy.cookie(None) | {"Origin": "http://evil.example"}
    credit = f"/api/v1/tenants/{academy.tenant}/credit/"
    answer = await academy.http.post(credit, json={"amount": 1, "reference": "x"}, headers=operator)
    assert answer.status_code == 403
    read = await academy.http.get(f"/api/v1/jobs/{ids['job_id']}", headers=cookie)
    assert read.status_code == 200, "reading needs no proof"
