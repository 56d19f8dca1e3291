"""Encrypted payloads for staff: who may read whose, over HTTP and with the real CLI."""

import base64
import json
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import HTTPException
from google.protobuf.json_format import MessageToDict
from pydantic import ValidationError
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.converter import WorkflowSerializationContext

from api.auth.staff import issue, verify
from clients.codec import TenantCodec
from clients.keys import TenantKeys
from clients.settings import Settings
from clients.vault import Vault
from devstack import programs
from devstack.app import App
from devstack.stack import Stack
from tests.lab import PATIENCE, Lab, fresh_id

TEXT = '"canary <endpoint>"'


@pytest.fixture(scope="module")
def api(stack: Stack) -> Iterator[App]:
    with App(stack, "api") as app:
        yield app


@pytest.fixture
async def http(api: App) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=api.api_url) as client:
        yield client


def operator(settings: Settings) -> dict[str, str]:
    return {"Authorization": f"Bearer {issue(settings, 'kim', 60)}"}


def staff(settings: Settings, tenant: int) -> dict[str, str]:
    return {"Authorization": f"Bearer {issue(settings, 'lee', 60, tenant)}"}


def tenant_keys(lab: Lab) -> TenantKeys:
    return TenantKeys(lab.engine, Vault(lab.settings.payload_keys.get_secret_value()))


async def sealed(lab: Lab, tenant: int, text: str = TEXT) -> Payload:
    context = WorkflowSerializationContext("default", f"messages-t{tenant}-{uuid4().hex[:12]}")
    plain = Payload(metadata={"encoding": b"json/plain"}, data=text.encode())
    (payload,) = await TenantCodec(tenant_keys(lab)).with_context(context).encode([plain])
    return payload


def body(*payloads: Payload) -> Any:
    return MessageToDict(Payloads(payloads=payloads))


def texts(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [base64.b64decode(each["data"]).decode() for each in answer.json()["payloads"]]


async def test_operators_read_all_and_staff_their_tenant(lab: Lab, http: httpx.AsyncClient) -> None:
    one, two = fresh_id(), fresh_id()
    mine, other = await sealed(lab, one), await sealed(lab, two)
    plain = Payload(metadata={"encoding": b"json/plain"}, data=b"1")
    asked = {"json": body(mine, plain, other)}
    answer = await http.post("/codec/decode", **asked, headers=operator(lab.settings))
    assert texts(answer) == [TEXT, "1", TEXT]
    assert answer.json()["payloads"][0]["metadata"] == {"encoding": base64.b64encode(b"json/plain").decode()}
    own = await http.post("/codec/decode", json=body(mine, plain), headers=staff(lab.settings, one))
    assert texts(own) == [TEXT, "1"]
    foreign = await http.post("/codec/decode", **asked, headers=staff(lab.settings, one))
    assert foreign.status_code == 403 and "canary" not in foreign.text
    assert base64.b64encode(TEXT.encode()).decode() not in foreign.text


async def test_a_claimed_workflow_does_not_open_another_tenants_payload(
    lab: Lab, http: httpx.AsyncClient
) -> None:
    one, two = fresh_id(), fresh_id()
    await sealed(lab, one)
    other = await sealed(lab, two)
    other.metadata["workflow-id"] = f"messages-t{one}-0123456789ab".encode()
    (text,) = texts(await http.post("/codec/decode", json=body(other), headers=staff(lab.settings, one)))
    assert "cannot be read" in text and "canary" not in text


async def test_a_destroyed_key_gives_a_sentence_and_hides_no_other(lab: Lab, http: httpx.AsyncClient) -> None:
    tenant = fresh_id()
    gone = await sealed(lab, tenant)
    await tenant_keys(lab).destroy(tenant)
    never = Payload(metadata=dict(gone.metadata) | {"workflow-id": b"messages-t999999999-0"}, data=b"1:x")
    kept = await sealed(lab, fresh_id())
    asked = body(gone, never, kept)
    answer = texts(await http.post("/codec/decode", json=asked, headers=operator(lab.settings)))
    assert f"the key of tenant {tenant} was destroyed" in json.loads(answer[0])
    assert "never had a key" in answer[1] and answer[2] == TEXT


async def test_strangers(lab: Lab, http: httpx.AsyncClient) -> None:
    key = await lab.service_key(fresh_id())
    for headers in (
        {},
        {"Authorization": f"Bearer {key}"},
        {"Authorization": "Basic a"},
        {"Cookie": "codec_session=x"},
    ):
        answer = await http.post("/codec/decode", json=body(await sealed(lab, 7)), headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
    assert (await http.post("/codec/encode", json={}, headers=operator(lab.settings))).status_code == 404
    for malformed in (b"", b"[1]", b"\xff"):
        answer = await http.post("/codec/decode", content=malformed, headers=operator(lab.settings))
        assert answer.status_code == 400, malformed


async def test_only_the_web_ui_may_read_across_origins(lab: Lab, http: httpx.AsyncClient) -> None:
    ui = {"Origin": lab.settings.temporal_ui_origin or ""}
    preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-namespace"}
    asked = await http.options("/codec/decode", headers=ui | preflight)
    assert asked.status_code == 204
    assert asked.headers["access-control-allow-origin"] == ui["Origin"]
    assert "x-namespace" in asked.headers["access-control-allow-headers"]
    refused = await http.post("/codec/decode", json=body(), headers=ui)
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, ui["Origin"])
    answer = await http.post("/codec/decode", json=body(), headers=ui | operator(lab.settings))
    assert answer.headers["access-control-allow-credentials"] == "true"
    for other in ({"Origin": "https://evil.example"}, {}):
        asked = await http.options("/codec/decode", headers=other | preflight)
        answer = await http.post("/codec/decode", json=body(), headers=other | operator(lab.settings))
        assert not [each for each in (*asked.headers, *answer.headers) if each.startswith("access-control")]


async def test_signed_in_by_cookie(lab: Lab, http: httpx.AsyncClient) -> None:
    assert "password" in (await http.get("/codec/login")).text
    from_here = {"Origin": str(http.base_url).rstrip("/")}
    assert (await http.post("/codec/login", data={"token": "nonsense"}, headers=from_here)).status_code == 401
    for elsewhere in (
        {},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "http://["},
        {"Origin": "null"},
    ):
        answer = await http.post("/codec/login", data={"token": "nonsense"}, headers=elsewhere)
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_site")
    page = (await http.get("/codec/login")).headers
    assert "frame-ancestors 'none'" in page["content-security-policy"] and page["x-frame-options"] == "DENY"
    token = issue(lab.settings, "kim", 60)
    cookie = (await http.post("/codec/login", data={"token": token}, headers=from_here)).headers["set-cookie"]
    assert all(word in cookie for word in ("HttpOnly", "SameSite=lax", "Path=/"))
    assert token not in cookie
    answer = await http.post("/codec/decode", json=body(await sealed(lab, fresh_id())))  # the cookie jar's
    assert texts(answer) == [TEXT]


async def test_every_reading_is_logged_without_content(lab: Lab, http: httpx.AsyncClient, api: App) -> None:
    payload = await sealed(lab, fresh_id())
    await http.post("/codec/decode", json=body(payload, payload), headers=operator(lab.settings))
    said = api.processes["api"].said()
    workflow_id = payload.metadata["workflow-id"].decode()
    (line,) = [line for line in said.splitlines() if workflow_id in line]
    assert "'kim'" in line and f"'{workflow_id}': 2" in line
    assert "canary" not in said


async def test_the_real_command_line(lab: Lab, api: App) -> None:
    id = f"messages-t{fresh_id()}-{uuid4().hex[:12]}"
    handle = await lab.temporal.start_workflow("nobody", "canary <cli>", id=id, task_queue="nobody")

    def show(*more: str) -> str:
        argv = [programs.script("temporal"), "workflow", "show", "-w", id, "--detailed"]
        argv += ["--address", lab.settings.temporal_address, *more]
        return subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE, check=True).stdout

    codec = ("--codec-endpoint", f"{api.api_url}/codec", "--codec-auth")
    assert "canary" not in show()
    assert "canary <cli>" in show(*codec, operator(lab.settings)["Authorization"])
    await handle.terminate()


def claims(settings: Settings, **changes: Any) -> dict[str, Any]:
    good = {
        "sub": "kim",
        "role": "operator",
        "iss": settings.staff_jwt_issuer,
        "aud": settings.staff_jwt_audience,
        "exp": time.time() + PATIENCE,
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": 1},
        {"exp": None},
        {"iss": "other"},
        {"iss": None},
        {"aud": "other"},
        {"aud": None},
        {"sub": None},
        {"sub": ""},
        {"role": None},
        {"role": "teacher"},
        {"role": None, "tenant_id": "7"},
        {"role": None, "tenant_id": True},
        {"role": None, "tenant_id": 2**63},
        {"iat": time.time() - 13 * 3600},
        {"exp": time.time() + 13 * 3600},
        {"iat": time.time() - 13 * 3600, "auth_time": time.time()},
    ],
)
def test_claims_that_are_refused(settings: Settings, changes: dict[str, Any]) -> None:
    key = settings.staff_jwt_key.get_secret_value() if settings.staff_jwt_key else ""
    assert verify(settings, jwt.encode(claims(settings), key, "HS256")).sub == "kim"
    with pytest.raises(HTTPException) as raised:
        verify(settings, jwt.encode(claims(settings, **changes), key, "HS256"))
    assert raised.value.status_code == 401


def test_the_algorithm_is_ours_to_choose(settings: Settings) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    both = {"staff_jwt_key": pem, "staff_jwt_algorithm": "ES256"}
    asymmetric = Settings(**settings.model_dump() | both)
    assert verify(asymmetric, jwt.encode(claims(settings), private, "ES256")).role == "operator"
    public_as_secret = jwt.encode(claims(settings), "x" * 32, "HS256")
    unsigned = jwt.encode(claims(settings), None, "none")
    longer = jwt.encode(claims(settings), settings.staff_jwt_key.get_secret_value(), "HS512")  # type: ignore[union-attr]
    for token in (public_as_secret, unsigned, longer):
        for each in (asymmetric, settings):
            with pytest.raises(HTTPException) as raised:
                verify(each, token)
            assert raised.value.status_code == 401
    with pytest.raises(ValueError):
        issue(asymmetric, "kim", 60)


@pytest.mark.parametrize(
    ("algorithm", "key"), [("HS256", "short"), ("ES256", "x" * 40), ("RS256", "-----BEGIN PRIVATE KEY-----")]
)
def test_a_key_that_cannot_be_one_ends_the_process(settings: Settings, algorithm: str, key: str) -> None:
    wrong = {"staff_jwt_key": key, "staff_jwt_algorithm": algorithm}
    with pytest.raises(ValidationError, match="STAFF_JWT_KEY") as raised:
        Settings(**settings.model_dump() | wrong)
    assert key not in str(raised.value)


@pytest.mark.parametrize("missing", [None, ""])
def test_without_a_key_nobody_reads(settings: Settings, missing: str | None) -> None:
    without = Settings(**settings.model_dump() | {"staff_jwt_key": missing})
    with pytest.raises(HTTPException) as raised:
        verify(without, issue(settings, "kim", 60))
    assert raised.value.status_code == 503 and "STAFF_JWT_KEY" in str(raised.value.detail)
