"""People whose browser has a session, as if they had signed in with a token."""

from fastapi import Request, Response

from api.auth.sessions import Purpose, cookie_name
from api.auth.signing_in import let_in
from api.auth.staff import issue, verify
from contracts.rights import Right
from tests.lab import Lab


async def cookie(
    lab: Lab,
    tenant: int | None,
    *,
    operator: bool = False,
    seconds: int = 3600,
    rights: frozenset[Right] | None = None,
    ago: int = 0,
    purpose: Purpose = Purpose.CONSOLE,
    token: str | None = None,
) -> dict[str, str]:
    """Name and value of the cookie of somebody who signed in `ago` seconds ago, over plain HTTP."""
    settings = lab.settings
    token = token or issue(settings, "minji", seconds, tenant, operator=operator, rights=rights, ago=ago)
    scope = {"type": "http", "scheme": "http", "path": "/", "query_string": b"", "headers": []}
    request, response = Request(scope | {"server": ("console", 80)}), Response()
    await let_in(lab.engine, settings, request, response, purpose, verify(settings, token), token)
    secret = response.headers["set-cookie"].partition("=")[2].partition(";")[0]
    return {cookie_name(request, purpose): secret}


async def header(
    lab: Lab, tenant: int | None, *, operator: bool = False, seconds: int = 3600, ago: int = 0
) -> dict[str, str]:
    """The same as a request's header."""
    signed = await cookie(lab, tenant, operator=operator, seconds=seconds, ago=ago)
    ((name, value),) = signed.items()
    return {"Cookie": f"{name}={value}"}
