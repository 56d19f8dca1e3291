"""Where a tenant's system wants to be told how its jobs ended."""

import secrets

import httpx
from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from api.auth.callers import Tenant, caller_of
from api.routing import first
from api.services import UseServices
from clients.database import callbacks
from contracts.base import Outside

router = APIRouter(prefix="/api/v1", route_class=first(caller_of))


class Endpoint(Outside):
    """`messages`: jobs of messages as well, with who got them."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(max_length=500, pattern=r"^https?://[^\s@]+$")
    messages: bool = False


class Registered(BaseModel):
    url: str
    messages: bool
    secret: str


@router.put("/callback/")
async def put_callback(body: Endpoint, tenant: Tenant, services: UseServices) -> Registered:
    """Register the address; answers the secret that signs what is sent there, the only time it is seen."""
    plain = services.settings.download_inner_addresses  # tests and development
    if not (body.url.startswith("https://") or plain) or not _has_host(body.url):
        raise HTTPException(422, {"detail": "The address must be https.", "code": "invalid_url"})
    secret = secrets.token_urlsafe(32)
    sealed = (await services.keys.sealer(tenant)).seal(secret.encode(), callbacks.SECRET)
    async with services.engine.begin() as connection:
        await callbacks.save(connection, tenant, body.url, sealed, messages=body.messages)
    return Registered(url=body.url, messages=body.messages, secret=secret)


def _has_host(url: str) -> bool:
    try:
        return bool(httpx.URL(url).host)
    except httpx.InvalidURL:
        return False
