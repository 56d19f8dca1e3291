"""How large a request may be, of what type, how long it may take to come, and what its text may hold."""

import asyncio
import re
from urllib.parse import unquote_to_bytes

from fastapi import HTTPException, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import problem
from api.services import get_services
from contracts.base import is_storable

FORM_BYTES = 8 * 1024  # whatever is not JSON: forms with a token, which browsers keep up to 4 KiB
QUERY_BYTES = 4 * 1024
HOST = re.compile(r"[A-Za-z0-9._-]{1,255}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?")


class Bodies:
    """413 for a body above the limit, by its Content-Length or by what arrives; 415 for no JSON; 408 for one
    that does not come; 400 for a request that is none (its host, its query)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        request = Request(scope)
        if wrong := _malformed(request):
            return await problem(request, 400, "malformed", wrong)(scope, receive, send)
        if not is_storable(scope["path"]):
            return await problem(request, 404, "not_found", "There is no such path.")(scope, receive, send)
        settings = get_services(request).settings
        is_json = _is_json(request)
        limit = settings.api_max_body_bytes if is_json else min(FORM_BYTES, settings.api_max_body_bytes)
        length = request.headers.get("content-length", "")
        too_large = f"A request may have {limit} bytes."
        has_body = length not in ("", "0") or "transfer-encoding" in request.headers
        wants_json = has_body and scope["path"].startswith("/api/")
        if length.isdigit() and int(length) > (settings.api_max_body_bytes if wants_json else limit):
            return await problem(request, 413, "too_large", too_large)(scope, receive, send)
        if wants_json and not is_json:
            answer = problem(request, 415, "not_json", "Send Content-Type: application/json.")
            return await answer(scope, receive, send)
        seen, come = 0, not has_body
        deadline = asyncio.get_running_loop().time() + settings.api_body_seconds

        async def bounded() -> Message:
            nonlocal seen, come
            if come:
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                detail = f"A request must come within {settings.api_body_seconds:g} seconds."
                headers = {"Connection": "close"}
                raise HTTPException(408, {"detail": detail, "code": "too_slow"}, headers) from None
            seen += len(message.get("body", b""))
            come = not message.get("more_body", False)
            if seen > limit:
                raise HTTPException(413, {"detail": too_large, "code": "too_large"})
            return message

        await self._app(scope, bounded, send)


def _malformed(request: Request) -> str | None:
    if not HOST.fullmatch(request.headers.get("host", "none")):
        return "The Host header names no host."
    query = request.scope["query_string"]
    if len(query) > QUERY_BYTES:
        return f"A query may have {QUERY_BYTES} bytes."
    try:
        text = unquote_to_bytes(query).decode()
    except UnicodeDecodeError:
        return "The query is not UTF-8."
    return None if is_storable(text) else "The query holds NUL."


def _is_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
