"""Reads of personal data and changes are written into the audit before their answer leaves.

Without its record no answer is given: where Postgres does not take it, the answer is a 503. What was
changed by then stays changed, and is asked for again under the same `Idempotency-Key`."""

import logging
import re

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.auth.audit import Trail
from api.auth.operations import Record
from api.problems import problem
from api.services import get_services
from clients.database import audit
from clients.database.audit import NewRecord
from contracts.base import is_storable
from intake.errors import INFRASTRUCTURE_ERRORS

log = logging.getLogger(__name__)
_SHORT = re.compile(r"[\w .:*-]{1,100}", re.ASCII)  # a path's own words; others are strangers'


class NotRecorded(Exception):
    """The audit could not be written."""


class Audited:
    """Around the routes, inside of what answers for them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        failed = False

        async def recording(message: Message) -> None:
            nonlocal failed
            if failed:
                raise NotRecorded
            if message["type"] == "http.response.start":
                try:
                    await _record(scope, message["status"])
                except INFRASTRUCTURE_ERRORS as error:
                    log.warning("the audit cannot be written: %s", type(error).__name__)
                    failed = True
                    raise NotRecorded from None
            await send(message)

        try:
            await self._app(scope, receive, recording)
        except Exception:  # frameworks wrap what is raised when an answer begins
            if not failed:
                raise
        if failed:
            detail = "A server that is needed does not answer. Send the same again in a moment."
            answer = problem(Request(scope), 503, "unavailable", detail, headers={"Retry-After": "5"})
            await answer(scope, receive, send)


async def _record(scope: Scope, status: int) -> None:
    trail: Trail | None = scope.get("state", {}).get("trail")
    if trail is None or trail.operation is None or not trail.caller:
        return
    kind = trail.operation.record
    if kind is Record.NOTHING or (kind is Record.READ and trail.nothing_shown and status < 400):
        return
    request = Request(scope)
    named = {
        name: value if isinstance(value, int) or _SHORT.fullmatch(value) else "(something else)"
        for name, value in (request.path_params | trail.about).items()
        if isinstance(value, int | str)
    }
    records = [
        NewRecord(
            caller=trail.caller if is_storable(trail.caller) else "staff (unreadable)",
            tenant_id=tenant_id,
            operation=trail.name,
            about=named,
            status=status,
            address=request.client.host[:64] if request.client else "",
            request_id=getattr(request.state, "request_id", ""),
        )
        for tenant_id in trail.tenants or [None]
    ]
    async with get_services(request).engine.begin() as connection:
        await audit.add(connection, records)
