"""The console and the codec, which no document describes, asked with what nobody can hold; and tokens that
say of people what cannot be."""

import asyncio
import base64
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from api.auth.operations import OPERATIONS
from contracts.rights import EVERYTHING
from tests import signed_in
from tests.api.conftest import Caller
from tests.hostile.test_values import HEADERS, PATHS, QUERIES

pytestmark = pytest.mark.asyncio(loop_scope="module")

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
ODD = ["%00", "%ed%a0%80", "%ff", "9" * 5000, "x" * 70_000, str(2**64), "-1", "1e400", "%f0%9f%98%80"]
FIELDS = ("token", "queue", "letter", "language", "next", "again")
FORMS = ["", "=", "a", "&" * 100, "token=x&token=y", *(f"{name}={odd}" for name in FIELDS for odd in ODD)]
FORMS += [f"queue=video&letter={odd}" for odd in ODD] + [f"language=ko&next={odd}" for odd in ODD]
OPENED = {"encoding": "YmluYXJ5L2VuY3J5cHRlZA==", "workflow-id": "/w=="}
BODIES = [
    *(b"", b"null", b"[]", b"7", b"\xff", b"[" * 5000, b'{"a":' + b"9" * 5000 + b"}"),
    *(b'{"payloads":{"a":1}}', b'{"payloads":[{"metadata":{"encoding":"AAAA"},"data":"%%"}]}'),
    json.dumps({"payloads": [{"metadata": OPENED, "data": "AA=="}]}).encode(),
    *(b'{"draft":null}', b'{"draft":{"text":"x","valid_minutes":1e400},"recipients":9}'),
    b'{"draft":{"text":"a\\u0000"},"recipients":[{"id":"\\ud800","to":"x"}]}',
]
TYPES = ["", "\xff", "multipart/form-data", "multipart/form-data; boundary=\xff"]
TYPES += ["application/x-www-form-urlencoded; charset=utf-7"]
COOKIES = ["staff_session=\x80", "staff_session=" + "x" * 5000, "language=\xff", "sign_in=\x81", 'a="\\000"']
NAMES = {"job_id": "00000000-0000-4000-8000-000000000000", "name": "a", "video_id": "7", "number": "1"}
PAGES = [each for each in OPERATIONS if each.split()[1].startswith(("/console", "/codec", "/docs"))]
Asked = tuple[str, bytes | None, dict[str, str]]


def paths(template: str) -> Iterator[str]:
    """As it is, and with each of its names in turn replaced by what is none."""

    def filled(values: dict[str, str]) -> str:
        found = template
        for name, value in values.items():
            found = found.replace(f"{{{name}}}", value)
        return found

    yield filled(NAMES)
    for name in NAMES:
        if f"{{{name}}}" in template:
            yield from (filled(NAMES | {name: odd}) for odd in PATHS)


def questions(method: str, path: str) -> Iterator[Asked]:
    plain, *others = paths(path)
    queries = [*QUERIES, "again=x", "next=%00", "next=//x", "q=%ed%a0%80"]
    get: list[Asked] = [(url, None, {}) for url in (plain, *others, *(f"{plain}?{each}" for each in queries))]
    get += [(plain, None, header) for header in HEADERS]
    get += [(plain, None, {"Cookie": cookie}) for cookie in COOKIES]
    if method != "POST":
        yield from get
        return
    yield from ((url, b"token=x", FORM | header) for url, _, header in get)
    yield from ((plain, form.encode(), FORM) for form in FORMS)
    for body in BODIES:
        yield plain, body, JSON
        yield plain, b"--x\r\n" + body, {"Content-Type": "multipart/form-data; boundary=x"}
    yield from ((plain, b"x", {"Content-Type": odd}) for odd in TYPES)


@pytest.mark.slow
@pytest.mark.parametrize("operation", PAGES)
async def test_no_page_is_an_outage(operation: str, academy: Caller) -> None:
    method, _, path = operation.partition(" ")
    known = await signed_in.header(academy.lab, academy.tenant, operator=True)
    known |= {"Origin": str(academy.http.base_url).rstrip("/")}
    if path.startswith("/codec/decode"):
        known |= academy.staff(None)
    if path.endswith("/logout"):
        known |= {"Cookie": "staff_session=none"}  # or the others would be strangers
    wrong: list[Any] = []

    async def ask(to: str, content: bytes | None, more: dict[str, str]) -> None:
        headers = {name: value.encode("latin-1") for name, value in (known | more).items()}
        # A stream of events has no end: its beginning is enough.
        async with academy.http.stream(method, to, content=content, headers=headers) as answer:
            if answer.status_code >= 500 or answer.status_code == 429:
                wrong.append(
                    (to[:90], (content or b"")[:90], answer.status_code, (await answer.aread())[:200])
                )

    asked = list(questions(method, path))
    for start in range(0, len(asked), 8):
        await asyncio.gather(*(ask(*each) for each in asked[start : start + 8]))
    assert wrong == []


HUGE = 10**400
CLAIMS: dict[str, list[Any]] = {
    "sub": ["a\0b", "\ud800", "x" * 201, 7, "", None],
    "exp": [1e300, 2**63, 10**30, float("inf"), float("nan"), "x", HUGE],
    "iat": [1e300, -1e300, float("nan"), float("-inf"), HUGE, -1],
    "auth_time": [1e300, -1e300, float("nan"), HUGE, -1, "x"],
    "tenant_id": [2**63, HUGE, 0, "7", True, [7]],
    "roles": ["look", {"a": 1}, 7],
    "role": [["operator"], {}],
    "aud": [["elsewhere", {}], {}, 7],
    "iss": [["academy"], 7],
}
IGNORED: dict[str, list[Any]] = {"roles": [[["look"]], [{}], [None, "look"], ["look"] * 100, ["a", "look"]]}


def signed(academy: Caller, odd: dict[str, Any]) -> str:
    """By hand: a library makes no such token."""
    settings, now = academy.lab.settings, int(time.time())
    assert settings.staff_jwt_key
    claims = {"sub": "kim", "iss": settings.staff_jwt_issuer, "aud": settings.staff_jwt_audience}
    claims |= {"iat": now, "exp": now + 600, "tenant_id": academy.tenant, "roles": sorted(EVERYTHING)} | odd
    text = ".".join(map(encoded, (b'{"alg":"HS256","typ":"JWT"}', json.dumps(claims).encode())))
    key = settings.staff_jwt_key.get_secret_value().encode()
    return f"{text}.{encoded(hmac.digest(key, text.encode(), 'sha256'))}"


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.mark.parametrize("claim", CLAIMS)
async def test_a_token_that_says_what_cannot_be(claim: str, academy: Caller) -> None:
    origin = {"Origin": str(academy.http.base_url).rstrip("/")}
    for value, refused in (
        *((value, True) for value in CLAIMS[claim]),
        *((value, False) for value in IGNORED.get(claim, ())),
    ):
        token = signed(academy, {claim: value})
        bearer = {"Authorization": f"Bearer {token}"}
        answers = [
            await academy.ask("POST", "/opt-outs/", {"phone": "x"}, **bearer),
            await academy.http.post("/console/login", data={"token": token}, headers=origin),
            await academy.http.post("/codec/login", data={"token": token}, headers=origin),
            await academy.http.post("/codec/decode", json={"payloads": []}, headers=bearer),
        ]
        academy.http.cookies.clear()
        statuses = {answer.status_code for answer in answers}
        assert statuses == {401} if refused else statuses <= {200, 303, 403, 422}, (value, statuses)
