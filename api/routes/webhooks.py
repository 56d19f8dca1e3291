"""Solapi's webhook. What it says is a hint: the workflow reads the truth over the API.

So a forged, repeated or reordered call can do nothing but make a workflow look earlier.
"""

import hashlib
import hmac
import time
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, HTTPException, Request
from pydantic import FailFast, Field

from api.routing import first
from api.services import UseServices, get_services
from clients.database import messaging
from intake.submit import RPC_TIMEOUT

MAX_ITEMS = 10_000
HINT_EVERY = 5.0  # seconds for each workflow: thousands of reports must not become as many signals


class Hints:
    """Which workflows were woken lately; the polls of the workflow cover what is not passed on."""

    def __init__(self) -> None:
        self._woken: dict[str, float] = {}

    def take(self, workflow_id: str) -> bool:
        now = time.monotonic()
        if now - self._woken.get(workflow_id, -HINT_EVERY) < HINT_EVERY:
            return False
        if len(self._woken) > MAX_ITEMS:
            self._woken = {key: at for key, at in self._woken.items() if now - at < HINT_EVERY}
        self._woken[workflow_id] = now
        return True


hints = Hints()


Items = Annotated[list[dict[str, Any]], Field(max_length=MAX_ITEMS), FailFast()]


async def _documented(x_solapi_secret: Annotated[str, Header()] = "") -> None:
    """The header that `from_solapi` looks at."""


async def from_solapi(request: Request) -> None:
    """401 without Solapi's token, the SHA-1 of the shared secret."""
    secret = get_services(request).settings.solapi_webhook_secret
    shown = request.headers.get("x-solapi-secret", "")
    if secret is None:
        raise HTTPException(503, {"detail": "Set SOLAPI_WEBHOOK_SECRET.", "code": "no_webhook_secret"})
    expected = hashlib.sha1(secret.get_secret_value().encode()).hexdigest()  # noqa: S324 - Solapi's choice
    if not hmac.compare_digest(expected.encode(), shown.encode()):
        raise HTTPException(401, {"detail": "Not Solapi's token.", "code": "not_authenticated"})
    request.state.proven = True


router = APIRouter(prefix="/api/v1", route_class=first(from_solapi))


@router.post("/webhooks/solapi", dependencies=[Depends(_documented)])
async def reports(items: Items, services: UseServices) -> dict[str, int]:
    """Wake the workflows of the groups that are named; items come flat or wrapped in `data`. 5xx when
    Temporal or Postgres is away, so that the provider calls again."""
    groups = {group for item in items if (group := _group(item))}
    if not groups:
        return {"woken": 0}
    async with services.engine.connect() as connection:
        workflows = await messaging.workflows_of_groups(connection, sorted(groups))
    woken = [each for each in workflows if hints.take(each)]
    for workflow_id in woken:
        await services.temporal.get_workflow_handle(workflow_id).signal("report", rpc_timeout=RPC_TIMEOUT)
    return {"woken": len(woken)}


def _group(item: dict[str, Any]) -> str | None:
    data = item.get("data", item)
    group = data.get("groupId") if isinstance(data, dict) else None
    return group if isinstance(group, str) and len(group) <= 64 else None
