"""The end of a job told to the submitting system: signed, repeatable, and to nobody inside."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import select

from clients import callbacks
from clients.callbacks import Gone, NotDelivered, deliver
from clients.database.callbacks import CallbackEndpoint, find
from clients.keys import TenantKeys
from clients.vault import Vault
from devstack.app import running
from devstack.ports import LOOPBACK
from devstack.stack import ROOT, Stack
from tests.integration.serving import serving, talking
from tests.lab import PATIENCE, Lab, fresh_id

SECRET = b"canary-secret"
BODY = {"job_id": "job-1", "status": "DONE", "result": {"이름": "값"}}


def verified(secret: bytes, request: Request, body: bytes, now: float) -> bool:
    """What `docs/callbacks.md` tells receivers to do."""
    timestamp = request.headers["academy-timestamp"]
    if abs(now - int(timestamp)) > 300:
        return False
    expected = hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(f"v1={expected}", request.headers["academy-signature"])


async def test_it_is_signed_and_every_try_has_the_same_id() -> None:
    statuses = [500, 204]
    async with serving(lambda _, __: Response(status_code=statuses.pop(0))) as (desk, port):
        url = f"http://{LOOPBACK}:{port}/done?a=b"
        with pytest.raises(NotDelivered, match="500"):
            await deliver(url, secret=SECRET, delivery_id="delivery-1", body=BODY, inner_addresses=True)
        await deliver(url, secret=SECRET, delivery_id="delivery-1", body=BODY, inner_addresses=True)
    assert [request.headers["academy-delivery"] for request, _ in desk.asked] == ["delivery-1"] * 2
    for request, body in desk.asked:
        assert request.url.query == "a=b" and request.headers["content-type"] == "application/json"
        assert json.loads(body) == BODY
        assert verified(SECRET, request, body, time.time())
        assert not verified(SECRET, request, body + b" ", time.time()), "another body"
        assert not verified(b"another", request, body, time.time()), "another secret"
        assert not verified(SECRET, request, body, time.time() + 600), "sent again later"


def test_the_signature_is_as_documented() -> None:
    signed = callbacks.signature(b"secret", "1767225600", b'{"job_id":"job-1"}')
    assert signed == "v1=9c4fc3bef1660fdcd1f0a66cf47c16cce943bda5fe4b66f9557c15d5988266f8"


def test_the_receiver_of_the_documentation() -> None:
    """It is run as it stands there; what is missing or moved to another delivery is not genuine."""
    text = (ROOT / "docs/callbacks.md").read_text()
    receiver: dict[str, Any] = {}
    exec(text.split("```python\n")[1].split("```")[0], receiver)
    at, body = str(int(time.time())), b'{"job_id":"job-1"}'
    good = {
        "Academy-Delivery": "delivery-1",
        "Academy-Timestamp": at,
        "Academy-Signature-V2": callbacks.signature_v2(b"secret", "delivery-1", at, body),
    }
    assert receiver["genuine"]("secret", good, body)
    assert callbacks.signature_v2(b"secret", "delivery-1", "1767225600", body) in text
    bad = [{"Academy-Delivery": "delivery-2"}, {"Academy-Timestamp": "²"}, {"Academy-Timestamp": "9" * 5000}]
    bad += [{"Academy-Timestamp": str(int(at) - 301)}, {"Academy-Signature-V2": "é"}]
    for change in bad:
        assert not receiver["genuine"]("secret", good | change, body)
    for name in good:
        missing = {key: value for key, value in good.items() if key != name}
        assert not receiver["genuine"]("secret", missing, body)


@pytest.mark.parametrize("status", [301, 400, 401, 404, 429, 500, 503])
async def test_anything_but_success_is_tried_again(status: int) -> None:
    def reply(request: Request, _: bytes) -> Response:
        elsewhere = RedirectResponse("/elsewhere", status)
        return elsewhere if status == 301 else Response(status_code=status)

    async with serving(reply) as (desk, port):
        with pytest.raises(NotDelivered, match=str(status)):
            await deliver(
                f"http://{LOOPBACK}:{port}/done",
                secret=SECRET,
                delivery_id="1",
                body=BODY,
                inner_addresses=True,
            )
    assert len(desk.asked) == 1, "no redirect is followed"


async def test_410_ends_it() -> None:
    async with serving(lambda _, __: Response(status_code=410)) as (_, port):
        with pytest.raises(Gone):
            await deliver(
                f"http://{LOOPBACK}:{port}/done",
                secret=SECRET,
                delivery_id="1",
                body=BODY,
                inner_addresses=True,
            )
    with pytest.raises(NotDelivered):  # nobody listens there any more
        await deliver(
            f"http://{LOOPBACK}:{port}/done", secret=SECRET, delivery_id="1", body=BODY, inner_addresses=True
        )


async def test_nobody_inside_is_told() -> None:
    async with serving(lambda _, __: Response()) as (desk, port):
        for url in (f"http://{LOOPBACK}:{port}/", f"http://localhost:{port}/", "https://[::1", "https://"):
            with pytest.raises(Gone):
                await deliver(url, secret=SECRET, delivery_id="1", body=BODY, inner_addresses=False)
    assert not desk.asked


async def test_a_receiver_that_never_ends_its_answer_has_taken_it() -> None:
    """Its status is all that counts: nothing is read that could fill memory or take time."""

    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    async with talking(endless) as port, asyncio.timeout(PATIENCE):
        await deliver(
            f"http://{LOOPBACK}:{port}/done", secret=SECRET, delivery_id="1", body=BODY, inner_addresses=True
        )


async def test_a_receiver_that_does_not_answer_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callbacks, "WITHIN", 0.5)

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for letter in b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000:
            writer.write(bytes([letter]))
            await writer.drain()
            await asyncio.sleep(0.05)

    async with talking(drip) as port:
        with pytest.raises(NotDelivered, match="TimeoutError"):
            await deliver(
                f"http://{LOOPBACK}:{port}/done",
                secret=SECRET,
                delivery_id="1",
                body=BODY,
                inner_addresses=True,
            )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(stack: Stack) -> AsyncIterator[str]:
    async with running(stack, "api", DOWNLOAD_INNER_ADDRESSES="") as app:
        yield app.api_url


@pytest.mark.asyncio(loop_scope="module")
async def test_an_address_is_registered_and_its_secret_seen_once(stack: Stack, api: str) -> None:
    lab, tenant = await Lab.open(stack), fresh_id()
    key = await lab.service_key(tenant)
    async with httpx.AsyncClient(base_url=api, headers={"Authorization": f"Bearer {key}"}) as http:
        for url in ("http://example.com/", "https://", "https://a b", "https://u:p@example.com/", "ftp://x"):
            refused = await http.put("/api/v1/callback/", json={"url": url})
            assert refused.status_code == 422, url
        first = (await http.put("/api/v1/callback/", json={"url": "https://example.com/done"})).json()
        second = (
            await http.put("/api/v1/callback/", json={"url": "https://example.com/two", "messages": True})
        ).json()
        assert (
            await http.put("/api/v1/callback/", json={}, headers={"Authorization": ""})
        ).status_code == 401
    assert first["secret"] != second["secret"]
    keys = TenantKeys(lab.engine, Vault(lab.settings.payload_keys.get_secret_value()))
    async with lab.engine.connect() as connection:
        row = await find(connection, tenant)
        others = select(CallbackEndpoint.tenant_id).where(CallbackEndpoint.tenant_id == tenant)
        assert len((await connection.execute(others)).all()) == 1
    assert row and (row.url, row.messages) == ("https://example.com/two", True)
    assert (first["messages"], second["messages"]) == (False, True), "who does not ask hears of AI jobs alone"
    assert second["secret"].encode() not in row.sealed_secret
    sealer = await keys.sealer(tenant)
    assert sealer.open(row.sealed_secret, b"callback").decode() == second["secret"]
    await lab.close()
