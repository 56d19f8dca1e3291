"""Around every request: its id, one line in the log, and the metrics. No query strings, no values."""

import logging
import re
import sys
import time
from types import TracebackType
from uuid import uuid4

from fastapi import Request
from pythonjsonlogger.json import JsonFormatter
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import metrics
from api.auth.callers import known_caller
from clients import tracing
from clients.tracebacks import told
from intake.submit import REQUEST_ID

_SANE = re.compile(r"[A-Za-z0-9._:-]{1,64}")
UNMATCHED = "unmatched"
HUNG_UP = 499  # as nginx has it: the client did not wait for an answer, which is nobody's error here

log = logging.getLogger(__name__)


class Requests:
    """The outermost middleware. Takes `X-Request-Id` where it is sane, else makes one; sends it back."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        request = Request(scope)
        request_id = request_id_of(request)
        request.state.request_id = request_id
        token = REQUEST_ID.set(request_id)
        status, stream, began = 500, False, time.perf_counter()
        answered = gone = False

        async def answering(message: Message) -> None:
            nonlocal status, stream, answered
            if message["type"] == "http.response.start":
                status, answered = message["status"], True
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                stream = headers.get("content-type", "").startswith("text/event-stream")
            await send(message)

        async def hearing() -> Message:
            nonlocal gone
            message = await receive()
            gone = gone or (message["type"] == "http.disconnect" and not answered)
            return message

        try:
            with tracing.span(f"HTTP {request.method}", request.headers.get("traceparent")) as span:
                try:
                    await self._app(scope, hearing, answering)
                finally:
                    span.add(route=template(scope), status=status)
        except ClientDisconnect:
            gone = gone or not answered
        finally:
            if gone:
                status = HUNG_UP
            seconds = time.perf_counter() - began
            route = template(scope)
            metrics.REQUESTS.labels(request.method, route, status).inc()
            if not stream:
                metrics.SECONDS.labels(request.method, route).observe(seconds)
            caller = known_caller(request)
            line = {"method": request.method, "route": route, "status": status, "ms": round(seconds * 1000)}
            log.info("request", extra=line | {"tenant": caller and caller.tenant_id})
            REQUEST_ID.reset(token)


def request_id_of(request: Request) -> str:
    """The caller's own where it is sane, else a new one."""
    given = request.headers.get("x-request-id", "")
    return given if _SANE.fullmatch(given) else uuid4().hex


def template(scope: Scope) -> str:
    """`/api/v1/jobs/{job_id}` of the route that was taken: bounded, whatever is asked for."""
    return getattr(scope.get("route"), "path", UNMATCHED)


class JsonLines(JsonFormatter):
    """One JSON object a line. Of an exception its kind and its place: its text may quote a person."""

    def formatException(
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None],
    ) -> str:
        return told(ei[1]) if ei[1] else ""


def configure_logging() -> None:
    """Everything as JSON on stderr. Uvicorn's own access log goes: it has paths with query strings."""
    handler = logging.StreamHandler(sys.stderr)
    names = {"levelname": "level", "name": "logger", "exc_info": "exception"}
    handler.setFormatter(JsonLines("%(levelname)s %(name)s %(message)s", rename_fields=names, timestamp="at"))
    handler.addFilter(_with_request_id)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("uvicorn.access").disabled = True
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    for noisy in ("httpx", "botocore", "boto3", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _with_request_id(record: logging.LogRecord) -> bool:
    if request_id := REQUEST_ID.get():
        record.request_id = request_id
    return True
