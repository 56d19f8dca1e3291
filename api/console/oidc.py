"""Signing in at the identity provider: the way there, and back."""

import logging
from html import escape

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.auth import signing_in
from api.auth.oidc import ON_THE_WAY, NotLetIn, Provider, ProviderAway
from api.auth.sessions import HOST, Purpose, is_secure
from api.console.login import HOME, ours
from api.console.pages import ServerAway, page
from api.services import Services, UseServices

router = APIRouter()
log = logging.getLogger(__name__)
LONGEST = 4000  # characters of what comes back


@router.get("/oidc/start")
async def start(request: Request, services: UseServices, next: str = HOME, again: bool = False) -> Response:
    """Off to the provider. The cookie comes back with the person, from another site (SameSite=Lax)."""
    uri = f"{request.url.scheme}://{request.headers['host']}/console/oidc/callback"
    try:
        asked = await _provider(services).ask(uri, ours(next), again=again)
    except ProviderAway as error:
        log.warning("the identity provider: %s", error)
        raise ServerAway("provider") from None
    response = RedirectResponse(asked.url, 303)
    response.set_cookie(
        _cookie(request),
        asked.kept,
        max_age=ON_THE_WAY,
        path="/",
        secure=is_secure(request),
        httponly=True,
        samesite="lax",
    )
    return response


@router.get("/oidc/callback")
async def callback(
    request: Request, services: UseServices, state: str = "", code: str = "", iss: str | None = None
) -> Response:
    """Back again. A page of ours goes on: after a redirect from elsewhere, browsers would not send the
    session's cookie (SameSite=Strict)."""
    kept = request.cookies.get(_cookie(request), "")
    try:
        if max(map(len, (state, code, iss or "", kept))) > LONGEST:
            raise NotLetIn("too long")
        known = await _provider(services).answered(kept, state=state, code=code, issuer=iss)
    except ProviderAway as error:
        log.warning("the identity provider: %s", error)
        raise ServerAway("provider") from None
    except NotLetIn as error:
        log.warning("not let in: %s", error)
        return page(request, "login.html", status=401, wrong=True, next=HOME, again=False)
    where = escape(known.next, quote=True)
    response = HTMLResponse(
        f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={where}">'
        f'<title>…</title><a href="{where}">…</a>'
    )
    await signing_in.let_in(
        services.engine, services.settings, request, response, Purpose.CONSOLE, known.staff
    )
    response.delete_cookie(_cookie(request), path="/", secure=is_secure(request), httponly=True)
    return response


def _provider(services: Services) -> Provider:
    """HTTPException 404 where none is set."""
    if services.provider is None:
        raise HTTPException(404)
    return services.provider


def _cookie(request: Request) -> str:
    return (HOST if is_secure(request) else "") + "sign_in"
