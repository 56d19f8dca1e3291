"""Objects for the pages: small ones read here, others by a link of the object store."""

import asyncio

from botocore.exceptions import BotoCoreError, ClientError
from fastapi import HTTPException, Request

from api.console.pages import Away
from clients.objects import ObjectMissing

LINK_SECONDS = 300


async def read(request: Request, key: str) -> bytes:
    """A small object. Raises HTTPException 404, Away."""
    try:
        content: bytes = await asyncio.to_thread(request.app.state.services.objects.get, key)
    except ObjectMissing:
        raise HTTPException(404) from None
    except (BotoCoreError, ClientError):
        raise Away("objects") from None
    return content


async def exists(request: Request, key: str) -> bool:
    """Raises Away."""
    try:
        await asyncio.to_thread(request.app.state.services.objects.head, key)
    except ObjectMissing:
        return False
    except (BotoCoreError, ClientError):
        raise Away("objects") from None
    return True


def link(request: Request, key: str) -> str:
    """A link to an object, good for a few minutes."""
    address: str = request.app.state.services.objects.link(key, LINK_SECONDS)
    return address
