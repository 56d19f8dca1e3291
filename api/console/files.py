"""Objects for the pages: small ones read here, others by a link of the object store."""

import asyncio

from botocore.exceptions import BotoCoreError, ClientError
from fastapi import HTTPException

from api.console.pages import ServerAway
from api.services import Services
from clients.objects import ObjectMissing

LINK_SECONDS = 300


async def read(services: Services, key: str) -> bytes:
    """A small object. Raises HTTPException 404, ServerAway."""
    try:
        return await asyncio.to_thread(services.objects.get, key)
    except ObjectMissing:
        raise HTTPException(404) from None
    except (BotoCoreError, ClientError):
        raise ServerAway("objects") from None


async def exists(services: Services, key: str) -> bool:
    """Raises ServerAway."""
    try:
        return await asyncio.to_thread(services.objects.etag, key) is not None
    except (BotoCoreError, ClientError):
        raise ServerAway("objects") from None


def link(services: Services, key: str) -> str:
    """A link to an object, good for a few minutes."""
    return services.objects.link(key, LINK_SECONDS)
