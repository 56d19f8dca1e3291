"""How much one key may ask, and how large a request may be."""

import time

from fastapi import HTTPException, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import metrics
from api.problems import problem, refused

MANY = 10_000  # buckets that are kept


class Rates:
    """A token bucket for each caller, in this process: with N processes a key may ask N times as often.

    One shared in Redis would cost every poll a second round trip to it.
    """

    def __init__(self, per_second: float, burst: int) -> None:
        self._per_second = per_second
        self._burst = burst
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, caller: str) -> None:
        """HTTPException 429 with Retry-After when the bucket is empty."""
        now = time.monotonic()
        left, since = self._buckets.get(caller, (float(self._burst), now))
        left = min(self._burst, left + (now - since) * self._per_second)
        if left < 1:
            metrics.LIMITED.inc()
            wait = int((1 - left) / self._per_second) + 1
            raise refused(429, "too_many_requests", "This key asks too often.", Retry_After=str(wait))
        if len(self._buckets) >= MANY:
            full = now - self._burst / self._per_second
            self._buckets = {key: kept for key, kept in self._buckets.items() if kept[1] > full}
        self._buckets[caller] = (left - 1, now)


class Bodies:
    """413 for a body above the limit, by its Content-Length or by what arrives; 415 for no JSON."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        request = Request(scope)
        limit: int = request.app.state.services.settings.api_max_body_bytes
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
