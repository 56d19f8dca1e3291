"""No handler holds the event loop: every operation with a body as large as allowed, and a clock on it."""

import asyncio
import gc
import hashlib
import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import select

import api.app
import api.auth.operations
from api.middleware import requests
from clients.database import audit
from clients.database.audit import NewRecord
from clients.database.models import Job
from devstack.stack import Stack
from tests import signed_in
from tests.api.conftest import Caller
from tests.api.test_tenants import MESSAGE, OPERATIONS, fill
from tests.lab import PATIENCE, fresh_id

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]
AT_ONCE = 0.020  # seconds of the processor that one step of the loop may take
TRIES = 3

MANY = ["x" * 10] * 100_000
PEOPLE = [
    {"id": str(n), "to": "01000000000", "variables": {f"v{i}": "x" for i in range(30)}} for n in range(1000)
]
LARGE: dict[str, Any] = {
    "POST /api/v1/messages/": MESSAGE | {"recipients": PEOPLE},
    "POST /api/v1/jobs": {"job_type": "messages.send", "payload": MESSAGE | {"recipients": PEOPLE}},
    "POST /api/v1/ai/jobs/": {"job_type": "embedding", "payload": {"texts": MANY}},
    "POST /api/v1/webhooks/solapi": [{"data": {"groupId": f"G{n}"}} for n in range(9_999)],
    "POST /api/v1/uploads/{upload_id}/parts": {"numbers": list(range(1, 1001))},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    """The application in this process."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in stack.environment().items():
            patch.setenv(name, value)
        patch.setattr(requests, "configure_logging", lambda: None)
        async with api.app.lifespan(api.app.app):
            transport = httpx.ASGITransport(api.app.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://x", timeout=PATIENCE) as http:
                yield http


@contextmanager
def watched() -> Iterator[list[tuple[float, str]]]:
    """Every step of the loop, by the processor time that it took in the loop's thread."""
    steps: list[tuple[float, str]] = []
    real = asyncio.Handle._run

    def run(handle: asyncio.Handle) -> None:
        began = time.thread_time()
        real(handle)
        steps.append((time.thread_time() - began, repr(handle)[:200]))

    gc.collect()
    gc.freeze()
    gc.disable()
    asyncio.Handle._run = run  # type: ignore[method-assign]
    try:
        yield steps
    finally:
        asyncio.Handle._run = real  # type: ignore[method-assign]
        gc.enable()
        gc.unfreeze()


@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each.split()[0] in ("POST", "PUT")])
async def test_no_step_is_long(operation: str, academy: Caller, here: httpx.AsyncClient) -> None:
    method, _, path = operation.partition(" ")
    ids: dict[str, Any] = dict.fromkeys(re.findall(r"{(\w+)}", path), "1")
    ids |= {name: str(uuid4()) for name in ("upload_id", "message_id")}
    ids |= {"job_id": "none", "video_id": fresh_id(), "tenant_id": academy.tenant}
    staff = academy.staff(None) if OPERATIONS[operation].kind == "operator" else {}
    headers = {"Authorization": f"Bearer {academy.key}", "Content-Type": "application/json"} | staff
    secret = academy.lab.settings.solapi_webhook_secret
    assert secret
    headers["X-Solapi-Secret"] = hashlib.sha1(secret.get_secret_value().encode()).hexdigest()
    whole = json.dumps(fill(LARGE.get(operation, {"x": MANY}), ids)).encode()

    async def content() -> AsyncIterator[bytes]:
        for start in range(0, len(whole), 2**16):
            yield whole[start : start + 2**16]

    slow = 0.0, ""
    for _ in range(TRIES):
        with watched() as steps:
            asking = here.request(method, path.format(**ids), content=content(), headers=headers)
            answer = await asyncio.create_task(asking)
        assert answer.status_code < 500, answer.text
        slow = max(steps)
        if slow[0] <= AT_ONCE:
            return
    pytest.fail(f"{slow[0] * 1000:.0f} ms: {slow[1]}")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def filled(academy: Caller) -> AsyncIterator[Caller]:
    """As much as one page shows, or more: jobs, records, dead letters as large as they may be."""
    for n in range(120):
        problems = [f"문제 {n}"] * 20
        await academy.row(f"shown-{n}", result={"summary": {"of": n}, "review": problems})
    records = [
        NewRecord(
            caller="staff kim",
            tenant_id=academy.tenant,
            operation="POST /api/v1/opt-outs/",
            about={"phone": "010-****-5678"},
            status=201,
            address="192.0.2.1",
            request_id="x",
        )
    ] * 150
    async with academy.lab.engine.begin() as connection:
        await audit.add(connection, records)
    sqs = academy.lab.producer._sqs
    url = sqs.get_queue_url(QueueName=f"{academy.lab.settings.queue_names()['video']}-dlq")["QueueUrl"]
    body = json.dumps({"tenant_id": academy.tenant, "more": [{"a": n} for n in range(10_000)]})
    for _ in range(20):
        await asyncio.to_thread(sqs.send_message, QueueUrl=url, MessageBody=body)
    yield academy
    await asyncio.to_thread(academy.lab.dead_letters, "video")


READ = [each for each in api.auth.operations.OPERATIONS if each.startswith("GET ")]


@pytest.mark.parametrize(
    "operation", [each for each in READ if "stream" not in each and "/events" not in each]
)
async def test_no_page_is_long(operation: str, filled: Caller, here: httpx.AsyncClient) -> None:
    async with filled.lab.engine.connect() as connection:
        query = select(Job.id, Job.external_id).where(Job.tenant_id == filled.tenant).limit(1)
        job_id, external_id = (await connection.execute(query)).one()
    path = operation.partition(" ")[2]
    api_path = path.startswith("/api/")
    ids = {"job_id": external_id if api_path else job_id, "video_id": 7, "name": "a", "number": 1}
    for name, value in (ids | {"link": "x", "path:path": "x", "upload_id": job_id}).items():
        path = path.replace(f"{{{name}}}", str(value))
    headers = {"Authorization": f"Bearer {filled.key}"}
    if not api_path:
        headers = await signed_in.header(filled.lab, filled.tenant, operator=True)
    query_of = {"/api/v1/jobs": "?limit=100", "/console/": "?show=all"}
    slow = 0.0, ""
    for _ in range(TRIES):
        with watched() as steps:
            answer = await asyncio.create_task(here.get(path + query_of.get(path, ""), headers=headers))
        assert answer.status_code < 500 or path == "/readyz", answer.text
        slow = max(steps)
        if slow[0] <= AT_ONCE:
            return
    pytest.fail(f"{slow[0] * 1000:.0f} ms: {slow[1]}")
