"""The console as an application of its own below `/console`: headers, errors, static files, pages."""

import logging
from pathlib import Path
from urllib.parse import quote, urlsplit

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from temporalio.service import RPCError

from api.assets import Assets
from api.auth.access import AGAIN, admitted
from api.console import (
    alimtalk,
    audit,
    classes,
    costs,
    dead_letters,
    fleet,
    home,
    jobs,
    lectures,
    login,
    messaging,
    ocr,
    oidc,
    omr,
    rosters,
    search,
    students,
    tenants,
    text_templates,
    watch,
)
from api.console.guard import Guard
from api.console.pages import NotSignedIn, ServerAway, page
from api.middleware.requests import template
from intake.errors import INFRASTRUCTURE_ERRORS, is_content

log = logging.getLogger(__name__)

STATIC = Path(__file__).with_name("static")


def site(parent: FastAPI) -> FastAPI:
    """The application to mount at `/console`; it uses the services of `parent`."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(admitted)])
    app.state = parent.state
    # What stands below messages comes before them: its paths are no job's.
    sent = (text_templates, costs, alimtalk, messaging)
    academy = (home, search, jobs, lectures, ocr, omr, classes, students, rosters, *sent)
    operators = (dead_letters, fleet, tenants, audit)
    for pages in (login, oidc, watch, *academy, *operators):
        app.include_router(pages.router)
    app.mount("/static", Assets(directory=STATIC), name="static")
    app.add_middleware(Guard)
    app.add_exception_handler(NotSignedIn, to_login)
    app.add_exception_handler(HTTPException, problem)
    app.add_exception_handler(RequestValidationError, invalid)
    for kind in (ServerAway, *INFRASTRUCTURE_ERRORS):
        app.add_exception_handler(kind, away)
    return app


async def to_login(request: Request, _error: Exception) -> Response:
    """People go to the login page and come back; scripts are told."""
    if not _is_page(request):
        return Response(status_code=401)
    return RedirectResponse(f"/console/login?next={quote(request.url.path)}", 303)


def _is_page(request: Request) -> bool:
    return request.method == "GET" and request.headers.get("sec-fetch-dest", "document") == "document"


def _is_shown(request: Request) -> bool:
    """A page, or what a form of ours leads to: both can come back to where somebody was."""
    return request.headers.get("sec-fetch-dest", "document") == "document"


async def problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail: object = error.detail
    if isinstance(detail, dict) and detail.get("code") == AGAIN and _is_shown(request):
        asked_from = urlsplit(request.headers.get("referer", "")).path or login.HOME
        path = request.url.path if request.method == "GET" else asked_from
        return RedirectResponse(f"/console/login?again=true&next={quote(path)}", 303)
    return page(request, "error.html", status=error.status_code, missing=None)


async def invalid(request: Request, _error: Exception) -> Response:
    return page(request, "error.html", status=404 if request.method == "GET" else 422, missing=None)


async def away(request: Request, error: Exception) -> Response:
    """A server does not answer; the page says which. What the database refuses is nobody's outage."""
    if isinstance(error, DBAPIError) and is_content(error):
        return await invalid(request, error)
    match error:
        case ServerAway():
            missing = error.server
        case RPCError():
            missing = "temporal"
        case _:  # the others are met by their own clients, which raise ServerAway
            missing = "postgres"
    log.warning("%s cannot be shown without %s: %s", template(request.scope), missing, type(error).__name__)
    return page(request, "error.html", status=503, missing=missing)
