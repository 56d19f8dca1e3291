"""Sessions of staff: what begins one, what it is good for, and all that ends it."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import func, update

import api.app
from api.auth.sessions import Purpose
from api.auth.staff import issue
from api.middleware import requests
from clients.database.staff_sessions import StaffSession
from devstack.app import App
from devstack.stack import Stack
from tests import signed_in
from tests.api.conftest import Caller
from tests.lab import PATIENCE

pytestmark = pytest.mark.asyncio(loop_scope="module")
TLS = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}


@pytest_asyncio.fixture(loop_scope="module")
async def http(academy: Caller, app: App) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=app.api_url, timeout=PATIENCE) as client:
        yield client


async def sign_in(http: httpx.AsyncClient, token: str, **headers: str) -> httpx.Response:
    origin = {"Origin": str(http.base_url).rstrip("/")}
    return await http.post("/console/login", data={"token": token}, headers=origin | headers)


async def works(http: httpx.AsyncClient, cookie: dict[str, str] | None = None) -> bool:
    """In the console and the API alike."""
    page = await http.get("/console/", headers=cookie)
    answer = await http.get("/api/v1/jobs", headers=cookie)
    assert (page.status_code == 200) is (answer.status_code == 200)
    return answer.status_code == 200


def token(academy: Caller) -> str:
    return issue(academy.lab.settings, "kim", 600, academy.tenant)


async def test_a_cookie_dies_with_its_session(academy: Caller, http: httpx.AsyncClient) -> None:
    pasted = token(academy)
    bearer = {"Authorization": f"Bearer {pasted}"}
    answer = await sign_in(http, pasted)
    cookie = {"Cookie": answer.headers["set-cookie"].partition(";")[0]}
    assert pasted not in cookie["Cookie"] and await works(http)
    out = await http.post("/console/logout", headers={"Origin": str(http.base_url).rstrip("/")})
    assert out.status_code == 303 and out.headers["clear-site-data"] == '"cache"'
    http.cookies.clear()
    assert not await works(http, cookie), "what was copied out of the browser is worth nothing"
    assert (await http.get("/api/v1/jobs", headers=bearer)).status_code == 401, (
        "nor the token that was pasted"
    )
    assert (await sign_in(http, pasted)).status_code == 401
    assert (
        await http.get("/api/v1/jobs", headers={"Authorization": f"Bearer {token(academy)}x"})
    ).status_code


async def test_a_token_is_no_cookie(academy: Caller, http: httpx.AsyncClient) -> None:
    """Also not in that of the release before, which held it."""
    for name in ("staff_session", "staff_token", "__Host-staff_session", "codec_session"):
        assert not await works(http, {"Cookie": f"{name}={token(academy)}"}), name


@pytest.mark.parametrize(
    "change",
    [
        {"used_at": func.now() - timedelta(minutes=31)},
        {"ends_at": func.now()},
        {"ended_at": func.now()},
    ],
)
async def test_what_ends_a_session(academy: Caller, http: httpx.AsyncClient, change: dict[str, Any]) -> None:
    cookie = await signed_in.header(academy.lab, academy.tenant)
    assert await works(http, cookie)
    async with academy.lab.engine.begin() as connection:
        mine = StaffSession.tenant_id == academy.tenant
        await connection.execute(update(StaffSession).where(mine).values(change))
    assert not await works(http, cookie)


async def test_an_open_window_is_no_use(academy: Caller, http: httpx.AsyncClient) -> None:
    async def age(minutes: int) -> None:
        async with academy.lab.engine.begin() as connection:
            mine = StaffSession.tenant_id == academy.tenant
            ago = func.now() - timedelta(minutes=minutes)
            await connection.execute(update(StaffSession).where(mine).values(used_at=ago))

    cookie = await signed_in.header(academy.lab, academy.tenant)
    await age(20)
    assert await works(http, cookie)
    await age(20)
    stream = cookie | {"Accept": "text/event-stream"}
    async with http.stream("GET", "/console/jobs/stream", headers=stream) as answer:
        assert answer.status_code == 200
    async with academy.lab.engine.begin() as connection:
        mine = StaffSession.tenant_id == academy.tenant
        older = StaffSession.used_at < func.now() - timedelta(minutes=15)
        found = await connection.execute(update(StaffSession).where(mine, older).values(used_at=func.now()))
    assert found.rowcount, "the stream was no use of it"


async def test_each_cookie_is_good_for_its_own_purpose(academy: Caller, http: httpx.AsyncClient) -> None:
    secrets = {}
    for purpose in Purpose:
        (secrets[purpose],) = (await signed_in.cookie(academy.lab, academy.tenant, purpose=purpose)).values()
    for purpose, secret in secrets.items():
        own = purpose is Purpose.CONSOLE
        assert await works(http, {"Cookie": f"staff_session={secret}"}) is own
        cookie = {"Cookie": f"codec_session={secret}"}
        answer = await http.post("/codec/decode", json={"payloads": []}, headers=cookie)
        assert answer.status_code == (401 if own else 200)


async def test_behind_a_named_proxy_all_is_over_tls(academy: Caller, behind: httpx.AsyncClient) -> None:
    origin = {"Origin": f"https://{behind.base_url.netloc.decode()}"}
    answer = await sign_in(behind, token(academy), **TLS, **origin)
    flags = answer.headers["set-cookie"]
    assert flags.startswith("__Host-staff_session=") and "Domain" not in flags
    assert all(word in flags for word in ("Secure", "HttpOnly", "Path=/", "SameSite=strict"))
    cookie = {"Cookie": flags.partition(";")[0]}
    assert (await behind.get("/api/v1/jobs", headers=cookie | TLS)).status_code == 200
    assert (await behind.get("/api/v1/jobs", headers=cookie)).status_code == 401, "it came in the clear"
    for path in ("/healthz", "/console/login", "/api/v1/jobs", "/nothing"):
        said = (await behind.get(path, headers=TLS)).headers.get("strict-transport-security", "")
        assert "max-age=31536000" in said, path
    assert "strict-transport-security" not in (await behind.get("/healthz")).headers


@pytest_asyncio.fixture(loop_scope="module")
async def behind(academy: Caller, stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    """The application in this process, behind a proxy, which is this test."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (stack.environment() | {"API_PROXIES": "127.0.0.1"}).items():
            patch.setenv(name, value)
        patch.setattr(requests, "configure_logging", lambda: None)  # ours is pytest's
        async with api.app.lifespan(api.app.app):
            transport = httpx.ASGITransport(api.app.served, client=("127.0.0.1", 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://console") as client:
                yield client


async def test_who_is_not_behind_it_cannot_say_so(http: httpx.AsyncClient) -> None:
    answer = await http.get("/healthz", headers=TLS)
    assert "strict-transport-security" not in answer.headers
