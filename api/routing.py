"""Routes that know who asks before they read what is asked, and that read JSON as the queues do."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from api.problems import refused
from contracts.queues import Poison, PoisonCode
from contracts.queues.strict_json import decode, require_bigints

Gate = Callable[[Request], Awaitable[object]]
SMALL = 16 * 1024  # bytes that are read at once; more would hold up the others

_STATUS = {PoisonCode.TOO_LARGE: 413}
_CODE = {PoisonCode.NOT_JSON: "invalid"}  # as FastAPI's own


class StrictRequest(Request):
    """`json` in UTF-8, no key twice, nothing that Postgres cannot store; large ones in a thread."""

    async def json(self) -> Any:
        """HTTPException 422 for what is not such JSON, 413 for too many values."""
        if not hasattr(self, "_strict"):
            body = await self.body()
            try:
                small = len(body) <= SMALL
                self._strict = _read(body) if small else await asyncio.to_thread(_read, body)
            except Poison as poison:
                code = _CODE.get(poison.code, poison.code.lower())
                raise refused(_STATUS.get(poison.code, 422), code, f"Not valid: {poison.detail}.") from None
        return self._strict


def _read(body: bytes) -> Any:
    value = decode(body)
    require_bigints(value)
    return value


def first(gate: Gate) -> type[APIRoute]:
    """The class of routes whose body is read after `gate`, which raises HTTPException for strangers."""

    class Guarded(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            answer = super().get_route_handler()

            async def handle(request: Request) -> Response:
                await gate(request)
                return await answer(StrictRequest(request.scope, request.receive))

            return handle

    return Guarded
