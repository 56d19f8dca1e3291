"""`Idempotency-Key` on every POST (draft-ietf-httpapi-idempotency-key-header): asked twice, done once.

The first answer is kept for a day and given again; another request under the same key is refused. What was
refused did nothing, so its key is free again. Answers with `Cache-Control: no-store` (links that expire,
tokens) are not kept: such an operation is idempotent under the key itself, and is run again.
"""

import asyncio
import hashlib
import json
import re
import time
from dataclasses import dataclass

from fastapi import HTTPException, Request, Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import metrics
from api.auth.callers import Caller, caller_of
from api.problems import problem
from api.services import get_services
from clients.database import idempotency
from clients.database.idempotency import Known

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
WAIT = 10.0  # seconds for the same request that is at work
_KEY = re.compile(r"[\x21-\x7e]{1,100}")


class Idempotency:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].startswith("/api/"):
            return await self._app(scope, receive, send)
        request = Request(scope, receive)
        key = request.headers.get(HEADER)
        if key is None:
            return await self._app(scope, receive, send)
        if not _KEY.fullmatch(key):
            answer = problem(request, 422, "invalid", f"{HEADER} has 1 to 100 visible ASCII characters.")
            return await answer(scope, receive, send)
        try:
            caller = await caller_of(request)
        except HTTPException:
            return await self._app(scope, receive, send)  # which says why
        once = _Once(request, caller, key, await request.body())
        await once.run(self._app, scope, send)


@dataclass
class _Once:
    request: Request
    caller: Caller
    key: str
    body: bytes

    def __post_init__(self) -> None:
        services = get_services(self.request)
        self.engine, self.vault = services.engine, services.vault
        self.tenant_id = self.caller.tenant_id or 0
        path, query = self.request.scope["path"], self.request.scope["query_string"]
        asked = f"POST {path}?".encode() + query + b"\n" + self.body
        # The answer is for who asked: another of the tenant, with other rights, has asked another request.
        self.sha256 = hashlib.sha256(self.caller.name.encode() + b"\n" + asked).hexdigest()
        self.sha256_of_old = hashlib.sha256(asked).hexdigest()  # as release 0.5 wrote it, for a day
        self.bound_to = f"idempotency:{self.tenant_id}:{self.key}".encode()

    async def run(self, app: ASGIApp, scope: Scope, send: Send) -> None:
        known = await self._claim()
        if known is None or (known.same_request and known.status and not known.sealed_answer):
            return await self._ask(app, scope, send, again=known is not None)
        if not known.same_request:
            metrics.REUSED.inc()
            detail = f"This {HEADER} was used for another request."
            answer: Response = problem(self.request, 422, "idempotency_mismatch", detail)
        elif known.sealed_answer is None:
            detail = "The same request is still at work."
            answer = problem(self.request, 409, "in_progress", detail, headers={"Retry-After": "5"})
        else:
            assert known.status
            metrics.REPLAYED.inc()
            headers, _, body = self.vault.decrypt(known.sealed_answer, self.bound_to).partition(b"\n")
            answer = Response(body, known.status, json.loads(headers) | {REPLAYED: "true"})
        await answer(scope, self.request.receive, send)

    async def _claim(self) -> Known | None:
        """The key, or what became of it; waits for the same request that is at work."""
        deadline, pause = time.monotonic() + WAIT, 0.05
        while True:
            async with self.engine.begin() as connection:
                known = await idempotency.claim(
                    connection, self.vault, self.tenant_id, self.key, self.sha256, self.sha256_of_old
                )
            if known is None or known.status or not known.same_request or time.monotonic() > deadline:
                return known
            await asyncio.sleep(pause)
            pause = min(2 * pause, 1.0)

    async def _ask(self, app: ASGIApp, scope: Scope, send: Send, *, again: bool) -> None:
        status, headers, parts, sent, settled = 500, Headers(), [], False, again

        async def body_again() -> Message:
            nonlocal sent
            if sent:
                return await self.request.receive()
            sent = True
            return {"type": "http.request", "body": self.body, "more_body": False}

        async def noting(message: Message) -> None:
            nonlocal status, headers, settled
            if message["type"] == "http.response.start":
                status, headers = message["status"], Headers(raw=list(message["headers"]))
                if again:
                    MutableHeaders(scope=message)[REPLAYED] = "true"
            else:
                parts.append(message.get("body", b""))
                if not settled and not message.get("more_body"):
                    await self._remember(status, headers, b"".join(parts))
                    settled = True
            await send(message)

        try:
            await app(scope, body_again, noting)
        finally:
            if not settled:  # a fault of ours, or the client has gone
                async with self.engine.begin() as connection:
                    await idempotency.give_back(connection, self.tenant_id, self.key)

    async def _remember(self, status: int, headers: Headers, body: bytes) -> None:
        """Before the answer leaves: who has it may ask again at once."""
        async with self.engine.begin() as connection:
            if not 200 <= status < 300:
                await idempotency.give_back(connection, self.tenant_id, self.key)
                return
            sealed = None
            if "no-store" not in headers.get("cache-control", ""):
                kept = {"content-type": headers.get("content-type", "application/json")}
                sealed = self.vault.encrypt(json.dumps(kept).encode() + b"\n" + body, self.bound_to)
            await idempotency.keep(connection, self.tenant_id, self.key, status, sealed)
