"""How large a request may be, and of what type."""

from fastapi import HTTPException, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import problem
from api.services import get_services


class Bodies:
    """413 for a body above the limit, by its Content-Length or by what arrives; 415 for no JSON."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        request = Request(scope)
        limit = get_services(request).settings.api_max_body_bytes
        length = request.headers.get("content-length", "")
        too_large = f"A request may have {limit} bytes."
        if length.isdigit() and int(length) > limit:
            return await problem(request, 413, "too_large", too_large)(scope, receive, send)
        has_body = length not in ("", "0") or "transfer-encoding" in request.headers
        if has_body and request.url.path.startswith("/api/") and not _is_json(request):
            answer = problem(request, 415, "not_json", "Send Content-Type: application/json.")
            return await answer(scope, receive, send)
        seen = 0

        async def bounded() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise HTTPException(413, {"detail": too_large, "code": "too_large"})
            return message

        await self._app(scope, bounded, send)


def _is_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
