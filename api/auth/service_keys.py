"""Service keys, `prefix.secret` of one tenant each. The database has hashes of the secrets."""

import hashlib
import hmac
import secrets

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.cache import Fresh
from clients.database import service_keys
from clients.database.service_keys import ServiceKeyRow

KEY_SECONDS = 5.0  # a revoked key works for so long in processes that know it


class ServiceKeys:
    """Which tenant a service key is of. Known keys are looked up again after `seconds`."""

    def __init__(self, engine: AsyncEngine, seconds: float = KEY_SECONDS) -> None:
        self._engine = engine
        self._known = Fresh(self._look_up, seconds)

    async def tenant(self, prefix: str, secret: str) -> int | None:
        return await self._known.get((prefix, _hash(secret)))

    async def _look_up(self, key: tuple[str, str]) -> int | None:
        prefix, secret_sha256 = key
        async with self._engine.connect() as connection:
            known = await service_keys.find(connection, prefix)
        if known and hmac.compare_digest(known.secret_sha256, secret_sha256):
            return known.tenant_id
        return None


async def create_key(connection: AsyncConnection, tenant_id: int) -> str:
    """A new service key of a tenant; the only time its secret is seen."""
    prefix, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    await service_keys.add(connection, ServiceKeyRow(prefix, tenant_id, _hash(secret)))
    return f"{prefix}.{secret}"


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
