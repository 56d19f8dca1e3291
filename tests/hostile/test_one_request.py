"""One caller, with or without a credential, does not stop the others: /healthz answers meanwhile.

The API is a process of its own, with the limits that it has in production, but for the seconds of patience.
"""

import asyncio
import base64
import hashlib
import json
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import select

from clients.database.models import Job
from devstack.ports import LOOPBACK
from devstack.stack import Stack
from tests import signed_in
from tests.api.conftest import Caller, caller
from tests.api.test_tenants import ACCOUNT, MESSAGE
from tests.lab import PATIENCE, Lab, eventually

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]
WITHIN = 0.1  # seconds, of /healthz
TRIES = 4  # a busy machine is slow now and then, a loop that is held is slow at every try
HEAD, BODY, BURST = 2, 3, 60  # seconds, requests
MIB = 2**20
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def url(stack: Stack) -> Iterator[str]:
    with socket.socket() as free:
        free.bind((LOOPBACK, 0))
        port = free.getsockname()[1]
    limits = {"API_HEAD_SECONDS": str(HEAD), "API_BODY_SECONDS": str(BODY), "API_PROXIES": "127.0.0.9/32"}
    limits |= {"API_ADDRESS_REQUESTS_PER_SECOND": "1", "API_ADDRESS_BURST": str(BURST)}
    process = stack.python("api-hostile", "-m", "api", "--port", str(port), **limits)
    process.start()
    try:
        here = f"http://{LOOPBACK}:{port}"
        process.wait_ready(lambda: httpx.get(f"{here}/healthz").raise_for_status(), (httpx.HTTPError,))
        yield here
    finally:
        process.stop(PATIENCE)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def academy(url: str, stack: Stack) -> AsyncIterator[Caller]:
    lab = await Lab.open(stack)
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE) as http:
        yield await caller(lab, http)
    await lab.close()


def at(place: str, url: str) -> httpx.AsyncClient:
    """A client with another address."""
    transport = httpx.AsyncHTTPTransport(local_address=place)
    return httpx.AsyncClient(base_url=url, timeout=PATIENCE, transport=transport)


@dataclass(frozen=True)
class Asked:
    """What an attack sends. It is made before: our own loop should not be what is slow."""

    path: str
    content: bytes
    headers: dict[str, str]
    statuses: tuple[int, ...]
    method: str = "POST"


Attack = Callable[[Caller], Awaitable[Asked]]


def text(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


async def form(_: Caller) -> Asked:
    return Asked("/codec/login", b"a=1&" * MIB, FORM, (413,))


async def small_form(who: Caller) -> Asked:
    return Asked("/codec/login", b"a=1&" * 2000, FORM | await cookie(who), (422,))


async def console_form(who: Caller) -> Asked:
    return Asked("/console/login", b"a=1&" * 2000, FORM | await cookie(who), (400, 422))


async def stranger(_: Caller) -> Asked:
    return Asked("/api/v1/jobs", b"[" + b"{}," * MIB + b"0]", JSON, (401,))


async def values(who: Caller) -> Asked:
    return Asked("/api/v1/jobs", b"[" + b"[]," * MIB + b"0]", JSON | own(who), (413,))


async def texts(who: Caller) -> Asked:
    return Asked("/api/v1/jobs", b"[" + b'"",' * MIB + b"0]", JSON | own(who), (413,))


async def deep(who: Caller) -> Asked:
    return Asked("/api/v1/jobs", b"[" * 100_000, JSON | own(who), (422,))


async def wrong_everywhere(who: Caller) -> Asked:
    recipients = [{"id": n, "to": n} for n in range(20_000)]
    body = {"draft": MESSAGE["draft"], "recipients": recipients}
    return Asked("/api/v1/messages/", text(body), JSON | own(who), (422,))


async def reports(who: Caller) -> Asked:
    secret = who.lab.settings.solapi_webhook_secret
    assert secret
    token = hashlib.sha1(secret.get_secret_value().encode()).hexdigest()
    body = text([{"data": {"groupId": f"G{n}"}} for n in range(9_999)])
    return Asked("/api/v1/webhooks/solapi", body, JSON | {"X-Solapi-Secret": token}, (200,))


async def preview(who: Caller) -> Asked:
    path = f"/api/v1/tenants/{who.tenant}/messaging-account/"
    assert (await who.http.put(path, json=ACCOUNT, headers=who.staff(None))).status_code == 200
    names = {f"name{n}": "가나다" * 10 for n in range(30)}
    people = [{"id": str(n), "to": "01012345678", "variables": names} for n in range(1000)]
    words = " ".join(f"#{{{name}}}" for name in names)
    body = text({"draft": {"text": words}, "recipients": people})
    return Asked("/console/messages/preview", body, JSON | await cookie(who), (200,))


async def result(who: Caller) -> Asked:
    word = {"text": "가나다", "confidence": 96.0, "box": [10, 10, 90, 40]}
    line = {"box": word["box"], "confidence": 96.0, "own": False, "words": [word] * 10}
    sheet = text({"width": 200, "height": 100, "page": 1, "text": "가나다", "lines": [line] * 50})
    data = b'{"pages": [' + b", ".join([sheet] * 1000) + b'], "questions": []}'
    assert len(data) > 35 * MIB
    name, key = str(uuid4()), f"tenants/{who.tenant}/ai/results/{uuid4()}/result.json"
    await asyncio.to_thread(who.lab.objects.put, key, data, "application/json")
    await who.row(name, job_type="ai.ocr", result={"files": {"result.json": key}})
    return Asked(f"/console/ocr/{await job_of(who, name)}?page=900", b"", await cookie(who), (200,), "GET")


async def roster(who: Caller) -> Asked:
    """As many rows as a file may have, each changed, and as many problems."""
    field = {"name": ["가나다", "라마바"], "parent_phone": ["01012345678", "01087654321"]}
    made = {
        "rows.jsonl": b"\n".join(
            text(["명단", n, {"name": "가나다", "parent_phone": "01012345678", "school": "x" * 20}, ""])
            for n in range(50_000)
        ),
        "changes.json": text(
            [{"sheet": "명단", "row": n, "kind": "changed", "fields": field} for n in range(50_000)]
        ),
        "report.json": text(
            {
                "problems": [
                    {"sheet": "명단", "row": n, "column": "이름", "value": "x", "code": "x"}
                    for n in range(50_000)
                ]
            }
        ),
    }
    name, below = str(uuid4()), f"tenants/{who.tenant}/ai/results/{uuid4()}/"
    for file, data in made.items():
        await asyncio.to_thread(who.lab.objects.put, f"{below}{file}", data, "application/json")
    files = {file: f"{below}{file}" for file in made}
    await who.row(name, job_type="ai.excel_parsing", result={"files": files})
    return Asked(f"/console/rosters/{await job_of(who, name)}", b"", await cookie(who), (200,), "GET")


async def many_academies(who: Caller) -> Asked:
    """An operator reads the histories of ten thousand tenants at once."""
    encoding = base64.b64encode(b"binary/encrypted").decode()

    def payload(tenant: int) -> dict[str, Any]:
        named = base64.b64encode(f"messages-t{tenant}-000000000000".encode()).decode()
        return {"metadata": {"encoding": encoding, "workflow-id": named}, "data": "MQ=="}

    body = {"payloads": [payload(10**9 + n) for n in range(10_000)]}
    return Asked("/codec/decode", text(body), JSON | who.staff(None), (400,))


async def job_of(who: Caller, name: str) -> UUID:
    async with who.lab.engine.connect() as connection:
        return (await connection.execute(select(Job.id).where(Job.external_id == name))).scalar_one()


async def decoding(who: Caller) -> Asked:
    payload = {"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "MQ=="}
    return Asked("/codec/decode", text({"payloads": [payload] * 10_000}), JSON | who.staff(None), (200,))


def own(who: Caller) -> dict[str, str]:
    return {"Authorization": f"Bearer {who.key}"}


async def cookie(who: Caller) -> dict[str, str]:
    return await signed_in.header(who.lab, who.tenant) | {"Origin": str(who.http.base_url).rstrip("/")}


ATTACKS: list[Attack] = [
    form,
    small_form,
    console_form,
    stranger,
    values,
    texts,
    deep,
    wrong_everywhere,
    reports,
    preview,
    result,
    roster,
    decoding,
    many_academies,
]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
async def test_others_are_answered_while(attack: Attack, academy: Caller, url: str) -> None:
    worst: list[float] = []
    asked = await attack(academy)
    async with at("127.0.0.2", url) as attacker, at("127.0.0.3", url) as other:
        await other.get("/healthz")
        for _ in range(TRIES):
            attacking = asyncio.create_task(
                attacker.request(asked.method, asked.path, content=asked.content, headers=asked.headers)
            )
            slow = 0.0
            while not attacking.done():
                began = time.perf_counter()
                assert (await other.get("/healthz")).status_code == 200
                slow = max(slow, time.perf_counter() - began)
                await asyncio.sleep(0.005)
            answer = await attacking
            assert answer.status_code in asked.statuses, answer.text
            worst.append(slow)
            if slow <= WITHIN * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)):
                return
    pytest.fail(f"others waited {worst}")


async def test_connections_that_ask_nothing_are_closed(academy: Caller, url: str) -> None:
    address = httpx.URL(url)
    async with AsyncExitStack() as open_ones, at("127.0.0.3", url) as other:
        readers = []
        for n in range(600):
            place = (f"127.0.1.{n % 4}", 0)
            reader, writer = await asyncio.open_connection(address.host, address.port, local_addr=place)
            open_ones.callback(writer.close)
            writer.write(b"" if n % 2 else b"GET /api/v1/jobs HTTP/1.1\r\nHost: x\r\nX-Slow: ")
            readers.append(reader)
        assert (await other.get("/healthz")).status_code == 200
        began = time.monotonic()
        ends = await asyncio.gather(*(reader.read() for reader in readers), return_exceptions=True)
        assert not [end for end in ends if isinstance(end, bytes) and end]
        assert time.monotonic() - began < HEAD + PATIENCE / 2


@pytest.mark.parametrize("credential", [False, True], ids=["stranger", "known"])
async def test_a_body_that_does_not_come(academy: Caller, url: str, credential: bool) -> None:
    """A stranger is refused without waiting for it."""
    address = httpx.URL(url)
    key = f"Authorization: Bearer {academy.key}\r\n" if credential else ""
    head = f"POST /api/v1/jobs HTTP/1.1\r\nHost: x\r\n{key}Content-Type: application/json\r\n"
    reader, writer = await asyncio.open_connection(address.host, address.port, local_addr=("127.0.0.4", 0))
    writer.write(f"{head}Content-Length: 4000000\r\n\r\n[".encode())
    status = await asyncio.wait_for(reader.readline(), PATIENCE)
    assert status.split()[1] == (b"408" if credential else b"401")
    writer.close()


async def test_who_fails_again_and_again_waits_longer_each_time(academy: Caller, url: str) -> None:
    """And only who fails: others at the same address, and the same credential elsewhere, are let in."""
    bad, good = {"Authorization": "Bearer x.y"}, {"Authorization": f"Bearer {academy.key}"}
    waits = []
    async with at("127.0.0.5", url) as http, at("127.0.0.6", url) as elsewhere:
        assert (await http.get("/api/v1/jobs", headers=good)).status_code == 200

        async def locked() -> bool:
            answer = await http.get("/api/v1/jobs", headers=bad)
            if answer.status_code == 429:
                assert answer.json()["code"] == "locked_out"
                waits.append(int(answer.headers["Retry-After"]))
            return answer.status_code == 429 and waits[-1] > 2

        await eventually(locked, "locked out", every=0.05)
        assert sorted(waits) != [] and waits[0] < waits[-1]
        assert (await http.get("/api/v1/jobs", headers=good)).status_code == 200
        assert (await elsewhere.get("/api/v1/jobs", headers=bad)).status_code == 401


async def test_guessing_at_one_address_is_stopped(academy: Caller, url: str) -> None:
    async with at("127.0.0.7", url) as http:
        answers = [
            (await http.get("/api/v1/jobs", headers={"Authorization": f"Bearer x.{n}"})).status_code
            for n in range(40)
        ]
        assert answers[:30] == [401] * 30 and 429 in answers[30:]


@pytest.mark.parametrize("path", ["/api/v1/play/none/master.m3u8", "/console/login", "/docs", "/readyz"])
async def test_every_path_has_a_rate(url: str, path: str) -> None:
    async with at(f"127.0.2.{len(path)}", url) as http:
        answers = [await http.get(path) for _ in range(2 * BURST)]
    assert 429 in {answer.status_code for answer in answers}


async def test_only_a_named_proxy_says_who_asks(url: str) -> None:
    """Each claims to be another at every request; one of them is believed."""

    async def asked(place: str) -> set[int]:
        async with at(place, url) as http:
            forged = [{"X-Forwarded-For": f"9.9.9.9, 10.0.0.{n}"} for n in range(2 * BURST)]
            answers = [await http.get("/docs", headers=each) for each in forged]
        return {answer.status_code for answer in answers}

    assert 429 in await asked("127.0.0.10")
    assert await asked("127.0.0.9") == {200}


@pytest.mark.parametrize("operation", ["GET /api/v1/jobs", "GET /api/v1/jobs?tenant_id=1"])
async def test_a_host_that_is_none(url: str, operation: str) -> None:
    method, _, path = operation.partition(" ")
    async with at("127.0.0.11", url) as http:
        answer = await http.request(method, path, headers={"Host": "["})
    assert answer.status_code == 400
