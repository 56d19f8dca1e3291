"""The remote codec of Temporal's Web UI and CLI: shows staff what is encrypted in histories.

Protocol: https://docs.temporal.io/codec-server. Only `decode`; nobody starts private workflows by hand.
"""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, Response
from fastapi.routing import APIRoute
from google.protobuf.json_format import MessageToJson, ParseDict, ParseError
from temporalio.api.common.v1 import Payload, Payloads

from api.auth import audit, signing_in
from api.auth.people import Staff
from api.auth.sessions import Purpose
from api.auth.staff import staff_of
from api.forms import fields_of
from api.policy import PLAIN, from_our_page
from api.problems import refused
from api.services import Services, UseServices, get_services
from clients.codec import is_encrypted, open_payload, tenant_of
from clients.vault import VaultError
from contracts.queues import Poison
from contracts.queues.strict_json import decode as strict_json


class Readable(APIRoute):
    """Before anything else it is found out who asks; and the Web UI can read the reason of a refusal."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                if request.url.path == "/codec/decode" and request.method == "POST":
                    await staff_of(request, Purpose.CODEC)
                return await answer(request)
            except HTTPException as error:
                error.headers = _cors(request, get_services(request)) | dict(error.headers or {})
                raise

        return handle


router = APIRouter(prefix="/codec", include_in_schema=False, route_class=Readable)
log = logging.getLogger(__name__)
TENANTS = 100  # that one request may read of: the Web UI asks for what it shows

_PAGE = """<!doctype html><meta charset="utf-8"><title>Staff</title>
<form method="post">{}<p><label>Staff token <input name="token" type="password" size="60" autofocus></label>
<button>Sign in</button></form>"""


@router.options("/decode")
async def preflight(request: Request, services: UseServices) -> Response:
    """What the browser asks before the Web UI's request."""
    allowed = {
        "Access-Control-Allow-Methods": "POST",
        "Access-Control-Allow-Headers": "authorization, content-type, x-namespace",
        "Access-Control-Max-Age": "600",
    }
    cors = _cors(request, services)
    return Response(status_code=204, headers=cors | allowed if cors else {})


@router.post("/decode")
async def decode(request: Request, services: UseServices) -> Response:
    """Payloads in, payloads out, in the same order: the encrypted ones opened, the others as they are.

    One that cannot be opened (destroyed key, altered) comes back as a text that says why. 403 if one is
    another tenant's.
    """
    staff = await staff_of(request, Purpose.CODEC)
    payloads = await asyncio.to_thread(_parse, await request.body())
    tenants = {tenant_of(_workflow_id(each)) for each in payloads if is_encrypted(each)}
    if len(tenants) > TENANTS:
        raise HTTPException(400, {"detail": f"Of more than {TENANTS} tenants at once.", "code": "invalid"})
    opened = []
    for each in payloads:
        opened.append(await _open(request, services, staff, each))
        await asyncio.sleep(0)  # others wait their turn
    read = Counter(_workflow_id(each) for each in payloads if is_encrypted(each))
    if not read:
        audit.nothing_shown(request)
    audit.about(request, payloads=sum(read.values()))
    log.info("staff %r decoded %r", staff.sub, dict(read))
    text = await asyncio.to_thread(MessageToJson, Payloads(payloads=opened), indent=None)
    return Response(text, media_type="application/json", headers=_cors(request, services))


@router.get("/login")
async def login_page() -> HTMLResponse:
    """For the Web UI, whose requests then carry the cookie: paste a staff token here first."""
    return HTMLResponse(_PAGE.format(""), headers=PLAIN)


@router.post("/login")
async def login(request: Request, services: UseServices) -> HTMLResponse:
    """A session of its own for a valid token, in a cookie that scripts cannot read."""
    if not from_our_page(request.headers):
        raise refused(403, "cross_site", "This post comes from another site.")
    token = (await fields_of(request)).get("token", "").strip()
    page = HTMLResponse(
        _PAGE.format("<p>Signed in. The Web UI can show encrypted payloads now.</p>"), headers=PLAIN
    )
    await signing_in.by_token(services, request, page, Purpose.CODEC, token)
    return page


async def _open(request: Request, services: Services, staff: Staff, payload: Payload) -> Payload:
    if not is_encrypted(payload):
        return payload
    workflow_id = _workflow_id(payload)
    try:
        tenant = tenant_of(workflow_id)
        if not staff.may_read(tenant):
            raise HTTPException(403, {"detail": "A payload is another tenant's.", "code": "forbidden"})
        audit.of_tenant(request, tenant)
        if tenant is None:
            raise VaultError("encrypted for no workflow of ours")
        namespace = services.settings.temporal_namespace
        return await open_payload(
            services.keys, payload, tenant_id=tenant, namespace=namespace, workflow_id=workflow_id
        )
    except VaultError as error:
        text = json.dumps(f"[cannot be read: {error}]")
        return Payload(metadata={"encoding": b"json/plain"}, data=text.encode())


def _parse(body: bytes) -> list[Payload]:
    try:
        asked = strict_json(body)
        if not isinstance(asked, dict):
            raise ParseError("no object")
        return list(ParseDict(asked, Payloads(), ignore_unknown_fields=True).payloads)
    except (ParseError, Poison):
        raise HTTPException(400, {"detail": "Not a list of payloads.", "code": "invalid"}) from None


def _workflow_id(payload: Payload) -> str:
    return payload.metadata.get("workflow-id", b"").decode(errors="replace")


def _cors(request: Request, services: Services) -> dict[str, str]:
    """Leave for the Web UI's origin to read the answer, with cookies; for no other."""
    origin = services.settings.temporal_ui_origin
    if origin is None or request.headers.get("origin") != origin:
        return {}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Credentials": "true",
        "Vary": "Origin",
    }
