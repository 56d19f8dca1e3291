"""Objects for the pages: small ones read here, others by a link of the object store."""

import asyncio
from functools import lru_cache

from fastapi import HTTPException, Request

from clients.objects import ObjectMissing, Objects
from clients.settings import Settings

LINK_SECONDS = 300


@lru_cache(maxsize=1)
def objects(settings: Settings) -> Objects:
    return Objects(settings)


async def read(request: Request, key: str) -> bytes:
    """A small object. Raises HTTPException 404."""
    store = objects(request.app.state.services.settings)
    try:
        return await asyncio.to_thread(store.get, key)
    except ObjectMissing:
        raise HTTPException(404) from None


def link(request: Request, key: str) -> str:
    """A link to an object, good for a few minutes."""
    return objects(request.app.state.services.settings).link(key, LINK_SECONDS)
