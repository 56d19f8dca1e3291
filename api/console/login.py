"""Coming in with a staff token, going out, and choosing the language."""

import time
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request
from starlette.responses import RedirectResponse, Response

from api.auth.staff import COOKIE, verify
from api.console.pages import LANGUAGES, page
from api.services import UseServices

router = APIRouter()
YEAR = 365 * 24 * 3600


@router.get("/login")
async def login_page(request: Request, next: str = "/console") -> Response:
    return page(request, "login.html", wrong=False, next=ours(next))


@router.post("/login")
async def login(
    request: Request,
    services: UseServices,
    token: Annotated[str, Form()],
    next: Annotated[str, Form()] = "/console",
) -> Response:
    """Keep a valid token in a cookie until it expires; scripts and other sites cannot use it."""
    token = token.strip()
    try:
        staff = verify(services.settings, token)
    except HTTPException as error:
        if error.status_code != 401:
            raise
        return page(request, "login.html", status=401, wrong=True, next=ours(next))
    response = RedirectResponse(ours(next), 303)
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(staff.exp - time.time()),
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return response


@router.post("/logout")
async def logout() -> Response:
    response = RedirectResponse("/console/login", 303)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response


@router.post("/language")
async def choose_language(
    request: Request, language: Annotated[str, Form()], next: Annotated[str, Form()] = "/console"
) -> Response:
    if language not in LANGUAGES:
        raise HTTPException(422)
    response = RedirectResponse(ours(next), 303)
    secure = request.url.scheme == "https"
    response.set_cookie("language", language, max_age=YEAR, secure=secure, httponly=True, samesite="strict")
    return response


def ours(path: str) -> str:
    """Where to go on: a page of the console, whatever a link says."""
    return path if path == "/console" or path.startswith("/console/") else "/console"
