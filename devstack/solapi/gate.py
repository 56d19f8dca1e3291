"""In front of every call: authentication, the record of calls, and faults. Also the server that can reset."""

import asyncio
import re
import socket
import struct
from collections import deque
from typing import Any
from urllib.parse import parse_qs

from fastapi import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from devstack.solapi.answers import Refusal, parse
from devstack.solapi.auth import Authenticator
from devstack.solapi.faults import Fault, FaultBook
from devstack.solapi.provider import Provider

BODY_BYTES = 15 * 1024 * 1024
CALLS_KEPT = 50_000

_GROUP = r"/messages/v4/groups/(?P<group>\w+)"
STEPS = [
    (method, re.compile(path + "/?"), step)
    for method, path, step in (
        ("POST", "/messages/v4/send-many/detail", "send_many"),
        ("POST", "/messages/v4/groups", "create"),
        ("GET", "/messages/v4/groups", "groups"),
        ("PUT", _GROUP + "/messages", "add"),
        ("GET", _GROUP + "/messages", "messages"),
        ("POST", _GROUP + "/send", "send"),
        ("POST", _GROUP + "/schedule", "schedule"),
        ("DELETE", _GROUP + "/schedule", "cancel"),
        ("GET", _GROUP, "get"),
        ("DELETE", _GROUP, "delete"),
        ("GET", "/messages/v4/list(-old)?", "list"),
        ("GET", "/cash/v1/balance", "balance"),
        ("POST", "/storage/v1/files", "upload"),
        ("GET", r"/kakao/v2/templates(/\w+)?", "templates"),
        ("GET", "/kakao/v2/channels", "channels"),
    )
]


class ResettableProtocol(H11Protocol):
    """HTTP whose handler may end the connection by a TCP reset: `scope["state"]["reset"]()`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.app_state = {**self.app_state, "reset": self._reset}

    def _reset(self) -> None:
        # Closing a socket that lingers for zero seconds sends RST instead of FIN.
        self.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        self.transport.abort()


class Gate:
    """ASGI middleware. Pages and the control API (`/`, `/_simulator/...`) pass untouched."""

    def __init__(
        self, app: ASGIApp, provider: Provider, authenticator: Authenticator, faults: FaultBook
    ) -> None:
        self._app = app
        self._provider = provider
        self._authenticator = authenticator
        self._faults = faults
        self.calls: deque[dict[str, Any]] = deque(maxlen=CALLS_KEPT)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = _step(scope) if scope["type"] == "http" else None
        if found is None:
            await self._app(scope, receive, send)
            return
        step, group_id = found
        body = await _read(receive)
        headers = dict(scope["headers"])
        self._provider.settle()
        try:
            self._authenticator.check(headers.get(b"authorization", b"").decode("latin-1"))
            if len(body) > BODY_BYTES:
                raise Refusal(413, "RequestEntityTooLarge", "요청의 크기가 15MB를 넘습니다.")
            values = self._values(step, group_id, scope, body)
        except Refusal as refusal:
            self.calls.append({"step": step, "status": refusal.status, "values": [], "fault": None})
            await refusal.response()(scope, receive, send)
            return
        fault = self._faults.strike(step, values)
        call = {"step": step, "status": None, "values": sorted(values), "fault": fault and fault.kind}
        self.calls.append(call)
        await self._serve(fault, call, body, scope, receive, send)

    async def _serve(
        self,
        fault: Fault | None,
        call: dict[str, Any],
        body: bytes,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        kind = fault.kind if fault else None
        scope["state"]["lag"] = fault.seconds if fault and kind == "stale" else 0.0
        if kind == "reset_before":
            return await _reset(scope, receive)
        if fault and kind == "429":
            response = Refusal(429, "TooManyRequests", "요청이 너무 많습니다.").response()
            response.headers["Retry-After"] = str(fault.retry_after)
        elif kind == "503_before":
            response = _unavailable()
        else:
            response = await self._run(scope, body)
            if kind == "reset_after":
                return await _reset(scope, receive)
            if kind == "503_after":
                response = _unavailable()
            elif kind == "truncated":
                half = response.body[: len(response.body) // 2]
                response = Response(half, response.status_code, media_type="application/json")
            elif fault and kind == "slow":
                await asyncio.sleep(fault.seconds)
        call["status"] = response.status_code
        await response(scope, receive, send)

    async def _run(self, scope: Scope, body: bytes) -> Response:
        """What the application answers, not sent yet."""
        status, parts = 500, []

        async def replay() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def keep(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                parts.append(message.get("body", b""))

        await self._app(scope, replay, keep)
        return Response(b"".join(parts), status, media_type="application/json")

    def _values(self, step: str, group_id: str | None, scope: Scope, body: bytes) -> set[str]:
        """The custom fields of the group, or of the job, that a call is about."""
        if step == "list":
            group_id = next(iter(parse_qs(scope["query_string"].decode()).get("groupId", [])), None)
        fields: list[Any] = []
        if group_id is not None:
            group = self._provider.groups.get(group_id)
            fields = [group.fields] if group else []
        elif step == "create":
            fields = [parse(body).get("customFields")]
        elif step == "send_many":
            fields = [message.get("customFields") for message in parse(body).get("messages") or []]
        return {str(value) for each in fields if isinstance(each, dict) for value in each.values()}


def _step(scope: Scope) -> tuple[str, str | None] | None:
    for method, path, step in STEPS:
        if method == scope["method"] and (found := path.fullmatch(scope["path"])):
            return step, found.groupdict().get("group")
    return None


async def _read(receive: Receive) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


async def _reset(scope: Scope, receive: Receive) -> None:
    scope["state"]["reset"]()
    await receive()  # until the server has noticed that the client is gone


def _unavailable() -> Response:
    return Refusal(503, "ServiceUnavailable", "일시적으로 사용할 수 없습니다.").response()
