"""Errors as problem details (RFC 9457), with the `detail` and `code` that old clients read."""

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import HTTPException, RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException as AnyHTTPException

from api import metrics
from clients.database.erasing import TenantErased, is_refused
from clients.keys import KeyDestroyed
from contracts.errors import words_of
from contracts.queues import Poison
from intake.errors import INFRASTRUCTURE_ERRORS, ErrorKind, classify, is_content
from intake.submit import IdempotencyMismatch

log = logging.getLogger(__name__)

ERASED = "The tenant's data was erased."
MEDIA_TYPE = "application/problem+json"
_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 415: "not_json"}


class Problem(BaseModel):
    """What went wrong. `code` is stable and for programs, `detail` is for people."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Not Found"])
    status: int
    detail: str
    instance: str = Field(description="The path that was asked")
    code: str = Field(examples=["not_found"])
    request_id: str | None = None


def problem(
    request: Request,
    status: int,
    code: str,
    detail: str,
    *,
    headers: dict[str, str] | None = None,
    **more: Any,
) -> JSONResponse:
    request_id: str | None = getattr(request.state, "request_id", None)
    body = {
        "type": "about:blank",  # the title is the status' own; `code` tells problems apart
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": request.scope["path"],
        "code": code,
        "request_id": request_id,
    }
    shown = {"X-Request-Id": request_id} if request_id else {}
    return JSONResponse(body | more, status, shown | (headers or {}), MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Let every error of `app` be answered as a problem."""
    app.add_exception_handler(AnyHTTPException, answer_of)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Poison, _poison)
    app.add_exception_handler(IdempotencyMismatch, _mismatch)
    for kind in INFRASTRUCTURE_ERRORS:
        app.add_exception_handler(kind, _away)
    app.add_exception_handler(KeyDestroyed, _erased)
    app.add_exception_handler(TenantErased, _erased)
    app.add_exception_handler(Exception, _bug)


async def answer_of(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, AnyHTTPException)
    status, headers = error.status_code, dict(error.headers or {})
    content: Any = error.detail
    if not isinstance(content, dict):
        content = {"detail": str(content), "code": _CODES.get(status, "error")}
    return problem(request, status, headers=headers, **content)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    """An id that cannot exist is an object that is not there; the rest names the fields, not their values."""
    assert isinstance(error, RequestValidationError)
    places = [".".join(str(part) for part in each["loc"]) for each in error.errors()]
    if any(place.startswith("path.") for place in places):
        return problem(request, 404, "not_found", "There is no such object.")
    return problem(request, 422, "invalid", f"Not valid: {', '.join(places[:20])}.")


async def _poison(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Poison)
    return problem(request, 422, error.code.lower(), f"Not valid: {error.detail}.")


async def _mismatch(request: Request, _error: Exception) -> JSONResponse:
    detail = "This Idempotency-Key was used for another request."
    metrics.REUSED.inc()
    return problem(request, 422, "idempotency_mismatch", detail)


async def _away(request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, DBAPIError) and is_refused(error):
        return await _erased(request, error)
    if isinstance(error, DBAPIError) and is_content(error):  # the values, not the server: again helps nobody
        log.error("the database refuses a value: %s", type(error.orig).__name__)
        return problem(
            request, 422, "refused_by_database", "The request holds a value that cannot be stored."
        )
    if classify(error) not in (ErrorKind.UNKNOWN, ErrorKind.BACK_OFF, ErrorKind.FATAL):
        raise error
    detail = "A server that is needed does not answer. Send the same again in a moment."
    return problem(request, 503, "unavailable", detail, headers={"Retry-After": "5"})


async def _erased(request: Request, _error: Exception) -> JSONResponse:
    """The tenant's key is gone on purpose; `academy data-key renew` makes a new one."""
    return problem(request, 410, "tenant_erased", ERASED)


async def _bug(request: Request, _error: Exception) -> JSONResponse:
    return problem(request, 500, "internal", "This is a fault of ours; the request id finds it in the logs.")


def refused(status: int, code: str, detail: str, **headers: str) -> HTTPException:
    """An error to raise. Header names are written with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HTTPException(status, {"detail": detail, "code": code}, named or None)


def not_found(what: str) -> HTTPException:
    return refused(404, "not_found", f"There is no such {what}.")


def message_of(code: str | None) -> str | None:
    """What a job's error code means, for people."""
    words = words_of(code) if code else None
    return words.ko if words else code
