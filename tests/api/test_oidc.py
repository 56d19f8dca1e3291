"""Staff sign in at an identity provider: the way in, and everything that does not lead in."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import select

import api.app
from api.auth import oidc
from api.middleware import requests
from clients.database.audit import AuditRecord
from clients.settings import Settings
from devstack.stack import Stack
from tests.api.conftest import Caller
from tests.integration.oidc_provider import CLIENT, SECRET, Key, OidcProvider, parts
from tests.integration.serving import bare_settings, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")
HERE = "http://console"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served() -> AsyncIterator[OidcProvider]:
    provider = OidcProvider()
    async with serving(provider.reply) as (_, port):
        provider.issuer = f"http://127.0.0.1:{port}"
        yield provider


@pytest.fixture
def provider(served: OidcProvider, academy: Caller) -> OidcProvider:
    """Honest again for each test."""
    served.__dict__ |= {
        "lies": {},
        "described": {},
        "signs": None,
        "shows": None,
        "away": False,
        "keys": [Key("one")],
    }
    served.person = {"tenant_id": academy.tenant, "roles": ["look", "send", "a role of theirs"]}
    return served


@asynccontextmanager
async def console(stack: Stack, provider: OidcProvider, **env: str) -> AsyncIterator[httpx.AsyncClient]:
    given = {"OIDC_ISSUER": provider.issuer, "OIDC_CLIENT_ID": CLIENT, "OIDC_CLIENT_SECRET": SECRET}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (stack.environment() | given | env).items():
            patch.setenv(name, value)
        patch.setattr(requests, "configure_logging", lambda: None)  # ours is pytest's
        async with api.app.lifespan(api.app.app):
            transport = httpx.ASGITransport(api.app.app)
            async with httpx.AsyncClient(transport=transport, base_url=HERE) as http:
                yield http


async def way(http: httpx.AsyncClient, next: str = "/console/lectures", again: bool = False) -> str:
    """To the provider; returns the address that it sends the person back to."""
    query = {"next": next} | ({"again": "true"} if again else {})
    answer = await http.get("/console/oidc/start", params=query)
    assert answer.status_code == 303, answer.text
    async with httpx.AsyncClient() as browser:
        back = await browser.get(answer.headers["location"])
    assert back.headers["location"].startswith(f"{HERE}/console/oidc/callback?")
    return str(back.headers["location"])


async def is_in(http: httpx.AsyncClient) -> bool:
    return (await http.get("/console/")).status_code == 200


async def test_the_way_in(academy: Caller, stack: Stack, provider: OidcProvider) -> None:
    async with console(stack, provider) as http:
        page = await http.get("/console/login")
        assert "/console/oidc/start" in page.text and 'name="token"' not in page.text
        answer = await http.get(await way(http))
        assert answer.status_code == 200 and 'content="0;url=/console/lectures"' in answer.text
        cookies = answer.headers.get_list("set-cookie")
        session = next(each for each in cookies if each.startswith("staff_session="))
        assert "samesite=strict" in session.lower() and "httponly" in session.lower()
        assert await is_in(http) and (await http.get("/console/lectures")).status_code == 200
        assert (await http.get("/console/audit")).status_code == 403, "what the provider gives, and no more"
        origin = {"Origin": HERE}
        assert (await http.post("/console/logout", headers=origin)).status_code == 303
        assert not await is_in(http)
        pasted = academy.staff(academy.tenant)["Authorization"].removeprefix("Bearer ")
        refused = await http.post("/console/login", data={"token": pasted}, headers=origin)
        assert refused.status_code == 401, "a pasted token is for development"
    async with academy.lab.engine.connect() as connection:
        mine = select(AuditRecord.caller).where(
            AuditRecord.tenant_id == academy.tenant, AuditRecord.operation == "GET /console/oidc/callback"
        )
        assert (await connection.execute(mine)).scalars().all() == ["staff kim"]


async def test_an_answer_is_good_once_and_in_its_own_browser(stack: Stack, provider: OidcProvider) -> None:
    async with console(stack, provider) as http:
        back = await way(http)
        own = dict(http.cookies)
        http.cookies.clear()
        assert (await http.get(back)).status_code == 401, "another browser"
        http.cookies.update(own)
        for wrong in (
            back.replace("state=", "state=x"),
            back.replace("code=", "code=x"),
            back.replace("iss=", "iss=x"),
            f"{HERE}/console/oidc/callback",
            f"{HERE}/console/oidc/callback?error=access_denied&state={parts(back)['state']}",
            f"{HERE}/console/oidc/callback?code={'x' * 3000}",
        ):
            assert (await http.get(wrong)).status_code == 401, wrong
        assert not await is_in(http)
        http.cookies.update(own)
        assert (await http.get(back)).status_code == 200 and await is_in(http)
        http.cookies.clear()
        http.cookies.update(own)
        assert (await http.get(back)).status_code == 401, "the same once more"
        for forged in ("", "x", "AAAA", "é"):
            http.cookies.clear()
            headers = {"Cookie": f"sign_in={forged}".encode()}
            assert (await http.get(back, headers=headers)).status_code == 401


LIES: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://elsewhere.example"},
    "another client": {"aud": "another"},
    "also another client": {"aud": [CLIENT, "another"]},
    "made for another": {"azp": "another"},
    "another nonce": {"nonce": "x" * 43},
    "no nonce": {"nonce": None},
    "expired": {"exp": int(time.time()) - 3600},
    "no end": {"exp": None},
    "of tomorrow": {"iat": int(time.time()) + 86400},
    "nobody": {"sub": None},
    "nowhere": {"tenant_id": None},
    "a tenant that is a text": {"tenant_id": "7"},
    "half a letter for a nonce": {"nonce": "\ud800"},
    "a name that cannot be stored": {"sub": "a\0b"},
    "seen at no time": {"auth_time": float("nan")},
    "seen beyond all time": {"auth_time": 10**400},
    "roles that are none": {"roles": {"look": 1}},
}


async def test_what_does_not_lead_in(
    stack: Stack, provider: OidcProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc, "LOOK_AGAIN", 0.0)
    stranger = Key("one")  # of the same name
    signs: dict[str, Callable[[dict[str, Any]], str]] = {
        "unsigned": provider.unsigned,
        "the public key as a secret": provider.by_public_key,
        "a key of the same name": lambda claims: provider.signed(claims, stranger),
        "an unknown key": lambda claims: provider.signed(claims, Key("two")),
        "no token": lambda _claims: "",
        "no words": lambda _claims: "x.y.z",
    }
    async with console(stack, provider) as http:
        for name in (*LIES, *signs):
            provider.lies, provider.signs = LIES.get(name, {}), signs.get(name)
            http.cookies.clear()
            answer = await http.get(await way(http))
            assert answer.status_code == 401 and not await is_in(http), name
        provider.lies, provider.signs = {}, None
        assert (await http.get(await way(http))).status_code == 200 and await is_in(http)


async def test_keys_rotate(stack: Stack, provider: OidcProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    async with console(stack, provider) as http:
        assert (await http.get(await way(http))).status_code == 200
        provider.keys = [Key("two", "RS256")]
        assert (await http.get(await way(http))).status_code == 401, "it looked a moment ago"
        monkeypatch.setattr(oidc, "LOOK_AGAIN", 0.0)
        assert (await http.get(await way(http))).status_code == 200


async def test_showing_it_again(academy: Caller, stack: Stack, provider: OidcProvider) -> None:
    """The provider has to ask the person, and to say when it did."""
    long_ago = int(time.time()) - 4000
    provider.person |= {"roles": ["look", "send", "pay", "manage"], "auth_time": long_ago}
    async with console(stack, provider) as http:
        assert (await http.get(await way(http))).status_code == 200
        path = "/console/rosters/00000000-0000-4000-8000-000000000000"
        asked = await http.get(path)
        assert "again=true" in asked.headers["location"]
        assert (await http.get(await way(http, again=True))).status_code == 401, "it did not ask"
        assert provider.asked[-1]["prompt"] == "login" and provider.asked[-1]["max_age"] == "0"
        provider.person["auth_time"] = int(time.time())
        assert (await http.get(await way(http, path, again=True))).status_code == 200
        assert (await http.get(path)).status_code == 404, "and now there is none of this number"


async def test_a_provider_that_is_away_or_another(stack: Stack, provider: OidcProvider) -> None:
    async with console(stack, provider) as http:
        provider.away = True
        answer = await http.get("/console/oidc/start", headers={"Accept-Language": "en"})
        assert answer.status_code == 503 and "The identity provider" in answer.text
        provider.away = False
        for lie in (
            {"issuer": "https://elsewhere.example"},
            {"token_endpoint": "file:///etc/passwd"},
            {"jwks_uri": None},
        ):
            provider.described = lie
            assert (await http.get("/console/oidc/start")).status_code == 503, lie
        provider.described = {}
        for keys in (7, [7], [{"kty": "EC"}], [{"kid": ["x"]}]):
            provider.shows = keys
            assert (await http.get(await way(http))).status_code in (401, 503), keys
        provider.shows = None
        back = await way(http)
        provider.away = True
        assert (await http.get(back)).status_code == 503


async def test_the_way_leads_nowhere_else(stack: Stack, provider: OidcProvider) -> None:
    async with console(stack, provider) as http:
        answer = await http.get(await way(http, "https://elsewhere.example/console"))
        assert 'content="0;url=/console/home"' in answer.text


async def test_settings_that_cannot_be() -> None:
    whole = {"oidc_issuer": "https://id.example", "oidc_client_id": "x", "oidc_client_secret": "y"}
    assert isinstance(bare_settings(**whole), Settings)
    for name in whole:
        with pytest.raises(ValueError, match="OIDC_ISSUER"):
            bare_settings(**{key: value for key, value in whole.items() if key != name})
    with pytest.raises(ValueError, match="must be https"):
        bare_settings(**whole | {"oidc_issuer": "http://id.example"})
