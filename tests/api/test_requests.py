"""What holds for every request: idempotency keys, problems, ids, limits, logs, metrics."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import EndpointConnectionError
from fastapi import HTTPException
from prometheus_client import generate_latest
from sqlalchemy import func, select, update

from api import metrics
from api import rates as rating
from api.cache import Fresh
from api.rates import Rates
from api.routes import health
from clients.database import idempotency
from clients.database.idempotency import IdempotencyKey
from devstack.stack import Stack
from tests.api.conftest import Caller
from tests.lab import PATIENCE, eventually, log_lines

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXTS = {"job_type": "ai.embedding", "payload": {"texts": ["010-9876-5432"]}}


async def count(academy: Caller) -> int:
    return len(await academy.lab.jobs(academy.tenant))


async def test_the_same_key_and_body_are_done_once(academy: Caller) -> None:
    before, key = await count(academy), str(uuid4())
    answers = await asyncio.gather(*(academy.ask("POST", "/jobs", TEXTS, key=key) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {202}
    (body,) = {answer.text for answer in answers}
    assert sorted(answer.headers.get("Idempotency-Replayed", "") for answer in answers) == ["", *["true"] * 4]
    assert await count(academy) == before + 1
    assert (
        await academy.refused("POST", "/jobs", 422, TEXTS | {"tier": "lite"}, key=key)
        == "idempotency_mismatch"
    )
    assert await academy.refused("POST", "/ai/jobs/", 422, TEXTS, key=key) == "idempotency_mismatch"
    async with academy.lab.engine.connect() as connection:
        this = (IdempotencyKey.tenant_id == academy.tenant, IdempotencyKey.key == key)
        row = (await connection.execute(select(IdempotencyKey).where(*this))).one()
    assert row.status == 202 and b"5432" not in row.sealed_answer and b"job_id" not in row.sealed_answer
    await academy.post(f"/jobs/{json.loads(body)['job_id']}/cancel")


async def test_keys_are_each_tenants_own(academy: Caller, stranger: Caller) -> None:
    key = str(uuid4())
    mine, theirs = await academy.post("/jobs", TEXTS, key=key), await stranger.post("/jobs", TEXTS, key=key)
    assert mine["job_id"] != theirs["job_id"]
    await academy.post(f"/jobs/{mine['job_id']}/cancel")
    await stranger.post(f"/jobs/{theirs['job_id']}/cancel")


async def test_an_answer_is_for_who_asked(academy: Caller) -> None:
    """Not for whoever else may speak for the tenant; but for who asked an older release."""
    key = str(uuid4())
    mine = await academy.post("/jobs", TEXTS, key=key)
    for other in (
        academy.staff(academy.tenant),
        {"Authorization": f"Bearer {await academy.lab.service_key(academy.tenant)}"},
    ):
        answer = await academy.ask("POST", "/jobs", TEXTS, key=key, **other)
        assert answer.status_code == 422 and answer.json()["code"] == "idempotency_mismatch"
    again = await academy.ask("POST", "/jobs", TEXTS, key=key)
    assert again.headers["Idempotency-Replayed"] == "true" and again.json() == mine
    await academy.post(f"/jobs/{mine['job_id']}/cancel")


async def test_what_was_refused_may_be_mended_under_its_key(academy: Caller) -> None:
    key = str(uuid4())
    assert await academy.refused("POST", "/jobs", 422, {"job_type": "none"}, key=key) == "invalid"
    taken = await academy.post("/jobs", TEXTS, key=key)
    await academy.post(f"/jobs/{taken['job_id']}/cancel")
    assert await academy.refused("POST", "/jobs", 422, TEXTS, key="a b") == "invalid"


async def test_a_request_at_work_is_waited_for_and_an_abandoned_one_taken_over(academy: Caller) -> None:
    """The claim of a process that died with it is written as such a process leaves it."""
    key = str(uuid4())
    values = {"tenant_id": academy.tenant, "key": key, "request_hash": "gone:x"}
    async with academy.lab.engine.begin() as connection:
        from sqlalchemy import insert

        await connection.execute(insert(IdempotencyKey).values(values))
    waiting = asyncio.create_task(academy.ask("POST", "/jobs", TEXTS, key=key))
    for _ in range(20):  # others are answered meanwhile
        assert (await academy.ask("GET", "/jobs")).status_code == 200
    assert not waiting.done()
    async with academy.lab.engine.begin() as connection:
        this = (IdempotencyKey.tenant_id == academy.tenant, IdempotencyKey.key == key)
        old = func.now() - idempotency.ABANDONED
        await connection.execute(update(IdempotencyKey).where(*this).values(claimed_at=old))
    answer = await waiting
    assert answer.status_code == 202
    await academy.post(f"/jobs/{answer.json()['job_id']}/cancel")


async def test_a_key_is_forgotten_after_a_day(academy: Caller) -> None:
    key = str(uuid4())
    upload = {"filename": "a.pdf", "size": 3, "content_type": "application/pdf", "purpose": "document"}
    first = await academy.post("/uploads", upload, 201, key=key)
    again = await academy.ask("POST", "/uploads", upload, key=key)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json()["upload_id"] == first["upload_id"], "made anew, because links expire, and the same"
    async with academy.lab.engine.begin() as connection:
        this = (IdempotencyKey.tenant_id == academy.tenant, IdempotencyKey.key == key)
        assert (await connection.execute(select(IdempotencyKey).where(*this))).one().sealed_answer is None
        old = func.now() - idempotency.KEPT - timedelta(minutes=1)
        await connection.execute(update(IdempotencyKey).where(*this).values(claimed_at=old))
        assert await idempotency.sweep(connection) >= 1
        assert (await connection.execute(select(IdempotencyKey).where(*this))).one_or_none() is None


async def test_every_error_is_a_problem(academy: Caller) -> None:
    cases: list[tuple[str, str, dict[str, Any], int, str]] = [
        ("GET", "/jobs/none", {}, 404, "not_found"),
        ("GET", "/nothing/here", {}, 404, "not_found"),
        ("DELETE", "/jobs", {}, 405, "method_not_allowed"),
        ("POST", "/jobs", {"content": b"x" * 5_000_000}, 413, "too_large"),
        ("POST", "/jobs", {"content": b"a=b", "headers": {"Content-Type": "text/plain"}}, 415, "not_json"),
        ("POST", "/jobs", {"json": {}}, 422, "invalid"),
        ("POST", "/jobs", {"content": b"{", "headers": {"Content-Type": "application/json"}}, 422, "invalid"),
    ]
    for method, path, more, status, code in cases:
        headers = {"Authorization": f"Bearer {academy.key}"} | more.pop("headers", {})
        answer = await academy.http.request(method, f"/api/v1{path}", headers=headers, **more)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        told = answer.json()
        assert told["request_id"] == answer.headers["x-request-id"]
        assert (told["status"], told["code"], told["instance"]) == (status, code, f"/api/v1{path}")
        assert told["type"] == "about:blank" and told["title"] and told["detail"]


async def chunks(total: int) -> AsyncIterator[bytes]:
    for _ in range(total // 65536):
        yield b" " * 65536


async def test_a_body_without_a_length_is_counted(academy: Caller) -> None:
    for key in ({}, {"Idempotency-Key": str(uuid4())}):
        answer = await academy.http.post(
            "/api/v1/jobs",
            content=chunks(5_000_000),
            headers={"Authorization": f"Bearer {academy.key}", "Content-Type": "application/json"} | key,
        )
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large"), answer.text


async def test_request_ids_and_the_log(academy: Caller, stack: Stack) -> None:
    sane, insane = f"trace-{uuid4()}", "x\ty" + "z" * 100
    assert (await academy.ask("GET", "/jobs", X_Request_Id=sane)).headers["x-request-id"] == sane
    made = (await academy.ask("GET", "/jobs", X_Request_Id=insane)).headers["x-request-id"]
    assert made != insane and len(made) == 32
    secret = f"/jobs/none-{uuid4()}?name=010-1234-5678"
    await academy.ask("GET", secret, X_Request_Id=f"{sane}-2")

    async def logged() -> list[dict[str, Any]]:
        return [line for line in log_lines(stack, "api") if line.get("request_id") == f"{sane}-2"]

    (line,) = await eventually(logged)
    assert line["message"] == "request" and line["route"] == "/api/v1/jobs/{job_id}"
    assert (line["method"], line["status"], line["tenant"]) == ("GET", 404, academy.tenant)
    text = (stack.data_dir / "logs" / "api.log").read_text()
    assert "1234-5678" not in text and academy.key not in text


async def test_metrics_name_routes_and_no_tenant(academy: Caller) -> None:
    await academy.ask("GET", "/jobs/none")
    await academy.ask("GET", f"/{uuid4()}")
    text = (await academy.http.get("/metrics")).text
    assert 'api_requests_total{method="GET",route="/api/v1/jobs/{job_id}",status="404"}' in text
    assert 'route="unmatched"' in text and "api_request_seconds_bucket" in text
    assert 'api_submits_total{acceptance="NEW",job_type="ai.embedding"}' in text
    assert f'"{academy.tenant}"' not in text and f"/{academy.tenant}/" not in text
    assert re.search(r'^dead_letters\{queue="video"\} \d', text, re.M)


async def test_without_sqs_the_other_metrics_are_told() -> None:
    async def away(_: None) -> dict[str, int]:
        raise EndpointConnectionError(endpoint_url="none")

    metrics.show_dead({"video": 1})
    services: Any = SimpleNamespace(dead=Fresh(away, 1.0))
    metrics.show_dead(await health._dead(services))
    assert "dead_letters{" not in generate_latest().decode()


async def test_servers_are_asked_at_once_for_the_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, servers that hang would take longer than Prometheus waits for the page."""
    monkeypatch.setattr(health, "PROBE_TIMEOUT", PATIENCE)
    all_asked = asyncio.Barrier(5)

    async def asked(*_: object) -> Any:
        await all_asked.wait()

    monkeypatch.setattr(health, "lacking", asked)
    monkeypatch.setattr(metrics, "show_confinement", lambda told: None)
    fresh = SimpleNamespace(get=asked)
    services: Any = SimpleNamespace(redis=None, standing=fresh, dead=fresh, waiting=fresh, low=fresh)
    async with asyncio.timeout(PATIENCE / 4):
        assert b"tenants_low_on_credit NaN" in (await health.prometheus(services)).body


async def test_who_asks_too_often_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(rating, "time", SimpleNamespace(monotonic=lambda: now))
    rates = Rates(per_second=10, burst=3)
    for _ in range(3):
        rates.take("a")
    with pytest.raises(HTTPException) as refused:
        rates.take("a")
    assert refused.value.status_code == 429
    assert refused.value.headers == {"Retry-After": "1"}
    rates.take("b")
    now += 0.15
    rates.take("a")
