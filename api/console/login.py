"""Coming in with a staff token, going out, and choosing the language."""

from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request
from starlette.responses import RedirectResponse, Response

from api.auth import sessions, signing_in
from api.auth.sessions import Purpose
from api.console.pages import LANGUAGES, page
from api.services import UseServices

router = APIRouter()
HOME = "/console/home"
YEAR = 365 * 24 * 3600


@router.get("/login")
async def login_page(request: Request, next: str = HOME, again: bool = False) -> Response:
    """`again`: who is signed in shows once more who they are."""
    return page(request, "login.html", wrong=False, next=ours(next), again=again)


@router.post("/login")
async def login(
    request: Request,
    services: UseServices,
    token: Annotated[str, Form()],
    next: Annotated[str, Form()] = HOME,
    again: Annotated[bool, Form()] = False,
) -> Response:
    """A session for a valid token; scripts and other sites cannot use its cookie."""
    response = RedirectResponse(ours(next), 303)
    try:
        await signing_in.by_token(services, request, response, Purpose.CONSOLE, token.strip(), recent=again)
    except HTTPException as error:
        if error.status_code != 401:
            raise
        return page(request, "login.html", status=401, wrong=True, next=ours(next), again=again)
    return response


@router.post("/logout")
async def logout(request: Request, services: UseServices) -> Response:
    """End the session in every process, and what this browser still keeps of our pages."""
    response = RedirectResponse("/console/login", 303, headers={"Clear-Site-Data": '"cache"'})
    await signing_in.sign_out(services, request, response, Purpose.CONSOLE)
    return response


@router.post("/language")
async def choose_language(
    request: Request, language: Annotated[str, Form()], next: Annotated[str, Form()] = HOME
) -> Response:
    if language not in LANGUAGES:
        raise HTTPException(422)
    response = RedirectResponse(ours(next), 303)
    secure = sessions.is_secure(request)
    response.set_cookie("language", language, max_age=YEAR, secure=secure, httponly=True, samesite="strict")
    return response


def ours(path: str) -> str:
    """Where to go on: a page of the console, whatever a link says."""
    return path if path == "/console" or path.startswith("/console/") else HOME
