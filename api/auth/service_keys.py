"""Service keys, `prefix.secret` of one tenant each, with rights. The database has hashes of the secrets."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.cache import Fresh
from clients.database import service_keys
from clients.database.service_keys import ServiceKeyRow
from contracts.rights import EVERYTHING, Right

KEY_SECONDS = 5.0  # a revoked key works for so long in processes that know it


@dataclass(frozen=True)
class KnownKey:
    tenant_id: int
    rights: frozenset[Right]


class ServiceKeys:
    """Whose a service key is, and what it may. Known keys are looked up again after `seconds`."""

    def __init__(self, engine: AsyncEngine, seconds: float = KEY_SECONDS) -> None:
        self._engine = engine
        self._known = Fresh(self._look_up, seconds)

    async def find(self, prefix: str, secret: str) -> KnownKey | None:
        return await self._known.get((prefix, _hash(secret)))

    async def _look_up(self, key: tuple[str, str]) -> KnownKey | None:
        prefix, secret_sha256 = key
        async with self._engine.connect() as connection:
            known = await service_keys.find(connection, prefix)
        if known and hmac.compare_digest(known.secret_sha256, secret_sha256):
            return KnownKey(known.tenant_id, rights_of_key(known.rights))
        return None


def rights_of_key(written: str | None) -> frozenset[Right]:
    """Of its row. A word that this release does not know is none of its rights."""
    return EVERYTHING if written is None else frozenset(Right) & frozenset(written.split(","))


async def create_key(connection: AsyncConnection, tenant_id: int, rights: frozenset[Right]) -> str:
    """A new service key of a tenant; the only time its secret is seen."""
    prefix, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    words = ",".join(sorted(rights))
    await service_keys.add(connection, ServiceKeyRow(prefix, tenant_id, _hash(secret), words))
    return f"{prefix}.{secret}"


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
