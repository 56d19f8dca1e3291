"""What Postgres or Python cannot hold, sent to every operation: refused with a reason, never an outage."""

import asyncio
import json
import re
from typing import Any
from uuid import uuid4

import pytest

from contracts.queues import Poison, parse
from tests.api.conftest import Caller
from tests.api.test_tenants import ACCOUNT, MAIL_SERVER, MESSAGE, OPERATIONS, UPLOAD, fill
from tests.lab import fresh_id

pytestmark = pytest.mark.asyncio(loop_scope="module")

JSON = {"Content-Type": "application/json"}
BODIES: dict[str, Any] = {
    "POST /api/v1/messages/": MESSAGE,
    "POST /api/v1/uploads": UPLOAD,
    "PUT /api/v1/tenants/{tenant_id}/messaging-account/": ACCOUNT
    | {"pf_id": "x", "advertiser": "x", "daily_cap": 1, "daily_cap_per_phone": 1},
    "POST /api/v1/tenants/{tenant_id}/credit/": {"amount": 1, "reference": "x"},
    "PUT /api/v1/tenants/{tenant_id}/mail-server/": MAIL_SERVER
    | {"port": 587, "sender_name": "x", "username": "x", "password": "x"},
    "POST /api/v1/videos": {"upload_id": "{upload_id}", "title": "x"},
    "POST /api/v1/media/videos/upload/init/": {"filename": "a.mp4", "title": "x", "session": 1},
    "POST /api/v1/excel/jobs/": {"file_key": "x", "initial_password": "x", "lecture_id": 1},
    "POST /api/v1/messaging/send/": {"to": "01000000000", "text": "x", "reservation_id": 1, "target_id": "x"},
    "POST /api/v1/media/videos/{video_id}/playback/events/": {"events": [{"type": "SEEK", "position": 1}]},
    "POST /api/v1/media/videos/{video_id}/playback/heartbeat/": {"position": 1},
    "POST /api/v1/students": {"name": "김가람", "parent_phone": "01011112222"},
    "POST /api/v1/classes": {"title": "중2 월수"},
    "PUT /api/v1/classes/{class_id}": {"title": "중2 월수"},
}
TEXTS = ['"a\\u0000b"', '"\\ud800"', '"' + "x" * 70_000 + '"', '"\ufffe\\udfff"']
NUMBERS = [str(2**31), str(2**63), str(2**64), str(-(2**70)), "9" * 5000, "1e999", "NaN", "1e400", "-0"]
WHOLE = [
    b"\xff\xfe{}",
    b'{"a":1,"a":2}',
    b"[" * 5000,
    b'{"\\u0000":1}',
    b"\xed\xa0\x80",
    b"",
    b"null",
    b'"\\ud83d"',
]
QUERIES = [
    "before=18446744073709551616",
    "limit=" + "9" * 5000,
    "cursor=%00",
    "a=%ff",
    "state=%00",
    "after=1e9",
]
QUERIES += [
    "q=%00",
    "q=%f0%9f%98%80",
    "q=a&limit=0",
    "q=a&cursor=" + "9" * 18,
    "q=a&before=" + "9" * 30,
    "tenant_id=" + "9" * 5000,
    "job_type=%ed%a0%80",
    "page=9999999999999999999",
    "show=%00",
    "moved=-1",
]
HEADERS = [
    {"X-Tenant-Id": "9" * 5000},
    {"X-Tenant-Id": "²"},
    {"X-Tenant-Id": str(2**63)},
    {"Idempotency-Key": "x" * 101},
    {"X-Request-Id": "\x7f" * 10},
    {"Last-Event-Id": "x" * 5000},
    {"Origin": "http://[", "Cookie": "staff_token=x"},
]
PATHS = ["%00", "9" * 5000, str(2**64), "-1", "%ed%a0%80", "..%2f", "1e9", "x" * 101]


def variants(body: Any) -> list[bytes]:
    """The body with each of its values in turn replaced by each that does not belong there."""
    found = list(WHOLE)
    if not isinstance(body, (dict, list)):
        return found

    def walk(value: Any, build: Any) -> None:
        if isinstance(value, dict):
            for name in value:
                walk(value[name], lambda new, name=name, value=value, build=build: build(value | {name: new}))
        elif isinstance(value, list):
            if value:
                walk(value[0], lambda new, value=value, build=build: build([new, *value[1:]]))
        else:
            for odd in TEXTS if isinstance(value, str) else NUMBERS:
                found.append(
                    json.dumps(build("@odd@")).replace('"@odd@"', odd).encode(errors="surrogatepass")
                )

    walk(body, lambda new: new)
    return found


async def register_of(academy: Caller) -> dict[str, int]:
    """A student, a class and a session that are there, so that what is asked of them is looked at."""
    if academy.tenant not in _registers:
        student = await academy.post("/students", BODIES["POST /api/v1/students"], 201)
        made = await academy.post("/classes", BODIES["POST /api/v1/classes"], 201)
        session = await academy.post("/sessions", {**made, "day": "2026-12-01"}, 201)
        _registers[academy.tenant] = student | made | {"session_id": session["session_id"]}
    return _registers[academy.tenant]


_registers: dict[int, dict[str, int]] = {}


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_no_operation_is_an_outage(operation: str, academy: Caller) -> None:
    method, _, path = operation.partition(" ")
    ids = {name: str(uuid4()) for name in ("upload_id", "message_id", "file_key", "caption_id")}
    ids |= {"job_id": "none", "video_id": fresh_id(), "reservation_id": 1, "tenant_id": academy.tenant}
    ids |= {
        "asked_from": "students",
        "header_id": "0" * 64,
        "name": "인사말",
        "template_id": "KA01TP0",
        "number": 1,
        "document_id": "none",
    } | await register_of(academy)
    about = OPERATIONS[operation]
    staff = academy.staff(None) if about.kind == "operator" else {}
    known = {"Authorization": f"Bearer {academy.key}"} | staff
    url = path.format(**ids)
    asked: list[tuple[str, bytes | None, dict[str, str]]] = [
        (f"{url}?{query}", None, {}) for query in QUERIES
    ]
    asked += [(url, None, header) for header in HEADERS]
    if "{" in path:
        names = re.findall(r"\{(\w+)\}", path)
        asked += [(path.format(**(ids | {name: odd})), None, {}) for name in names for odd in PATHS]
    if method in ("POST", "PUT"):
        body = fill(BODIES.get(operation, about.body), ids)
        asked += [(url, content, JSON) for content in variants(body)]
        # Without a body these would do what they are for.
        asked = [(to, content if content is not None else b"{}", more | JSON) for to, content, more in asked]

    async def ask(to: str, content: bytes | None, more: dict[str, str]) -> None:
        headers = {name: value.encode("latin-1") for name, value in (known | more).items()}
        if "/events" in to and method == "GET":
            headers["Last-Event-Id"] = b"end"
        answer = await academy.http.request(method, to, content=content, headers=headers)
        if answer.status_code >= 500 or answer.status_code == 429:
            wrong.append((to[:90], (content or b"")[:90], answer.status_code, answer.text[:120]))

    wrong: list[Any] = []
    for start in range(0, len(asked), 8):
        await asyncio.gather(*(ask(*each) for each in asked[start : start + 8]))
    allowed = 503 if path == "/readyz" else 0
    assert [each for each in wrong if each[2] != allowed] == []


@pytest.mark.parametrize(
    "body",
    [
        {"to": "0" * 41, "text": "x"},
        {"occurrence_key": "x" * 201},
        {"target_id": "x" * 101},
        {"reservation_id": 2**63},
        {
            "alimtalk_replacements": [{"key": str(n), "value": "x"} for n in range(101)],
            "message_mode": "both",
        },
    ],
    ids=["to", "occurrence", "target", "reservation", "replacements"],
)
async def test_a_message_that_no_job_could_send_is_poison(body: dict[str, Any]) -> None:
    """It was accepted, and its job then failed to read it again and again."""
    known = {"tenant_id": 1, "to": "01012345678", "text": "x"}
    with pytest.raises(Poison):
        parse("messaging", json.dumps(known | body), "m-1")
    parse("messaging", json.dumps(known), "m-1")


async def test_a_recipient_with_a_nul_is_refused(academy: Caller) -> None:
    body = {"draft": {"text": "x"}, "recipients": [{"id": "a\0b", "to": "01000000000"}]}
    before = await academy.lab.jobs(academy.tenant)
    assert await academy.refused("POST", "/messages/", 422, body) == "unstorable_text"
    assert await academy.lab.jobs(academy.tenant) == before
