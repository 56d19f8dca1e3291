"""A data key for each tenant, which can be destroyed: then nothing sealed with it opens any more."""

import asyncio
import os
import time
from collections.abc import Sequence
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from clients.database import erasing, keys
from clients.database.keys import KeyRow
from clients.objects import ERASED, Objects
from clients.vault import Vault, VaultError

CACHE_SECONDS = 60.0  # after this a destroyed key is gone from every process
_NONCE = 12


class KeyDestroyed(VaultError):
    """The tenant's key was destroyed: what it sealed is lost, and nothing new is sealed."""


class NoKey(VaultError):
    """The tenant never had a key, so nothing of it was sealed."""


class Sealer:
    """One tenant's key at work (AES-256-GCM, HMAC-SHA256). Cheap to get: ask for it again for each piece
    of work and do not keep it, or destroying the key would not reach you.

    `key_id` numbers the tenant's keys; what is sealed starts with it.
    """

    def __init__(self, key_id: int, key: bytes) -> None:
        self.key_id = key_id
        self._prefix = b"%d:" % key_id
        self._cipher = AESGCM(_derive(key, b"seal"))
        self._mac = HMAC(_derive(key, b"mac"), SHA256())

    def seal(self, data: bytes, aad: bytes) -> bytes:
        """`data` encrypted, bound to `aad`: it opens only with the same."""
        return self.seal_all([(data, aad)])[0]

    def seal_all(self, many: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
        """Each (data, aad) sealed. The kernel is asked for all nonces at once: each call would let go of the
        interpreter's lock, and wait for it again behind a busy event loop (5 ms a row)."""
        random = os.urandom(_NONCE * len(many))
        nonces = (random[at : at + _NONCE] for at in range(0, len(random), _NONCE))
        return [
            self._prefix + nonce + self._cipher.encrypt(nonce, data, aad)
            for nonce, (data, aad) in zip(nonces, many, strict=True)
        ]

    def open(self, sealed: bytes, aad: bytes) -> bytes:
        """Raises KeyDestroyed if an earlier key sealed it, VaultError if it is altered or bound elsewhere."""
        key_id, _, rest = sealed.partition(b":")
        if key_id.isdigit() and int(key_id) < self.key_id:
            raise KeyDestroyed(f"sealed with key {int(key_id)}, which was destroyed")
        try:
            if key_id + b":" != self._prefix:
                raise InvalidTag
            return self._cipher.decrypt(rest[:_NONCE], rest[_NONCE:], aad)
        except (InvalidTag, ValueError):  # ValueError: cut off inside the nonce
            raise VaultError("altered, of another tenant, or sealed for another place") from None

    def mac(self, text: str) -> bytes:
        """HMAC of a text, 32 bytes: a blind index, for equal texts are found and none can be guessed."""
        mac = self._mac.copy()
        mac.update(text.encode())
        return mac.finalize()


class _Cached(NamedTuple):
    since: float
    loading: asyncio.Task[Sealer]


class TenantKeys:
    """Tenants' keys in Postgres, wrapped by the ring of `vault`. Use one in each event loop."""

    def __init__(self, engine: AsyncEngine, vault: Vault) -> None:
        self._engine = engine
        self._vault = vault
        self._cache: dict[int, _Cached] = {}

    async def sealer(self, tenant_id: int) -> Sealer:
        """The tenant's key, made if it never had one. Raises KeyDestroyed, and the database's errors."""
        try:
            return await self.opener(tenant_id)
        except NoKey:
            async with self._engine.begin() as connection:
                await self._make(connection, tenant_id, 1)
            self._cache.pop(tenant_id, None)  # another's read may have begun before the key was there
            return await self.opener(tenant_id)

    async def opener(self, tenant_id: int) -> Sealer:
        """The tenant's key, to open what was sealed. Raises NoKey, KeyDestroyed, the database's errors."""
        cached = self._cache.get(tenant_id)
        if cached is None or time.monotonic() - cached.since > CACHE_SECONDS:
            # The clock starts before the read, and all who ask meanwhile share it, and its error.
            cached = _Cached(time.monotonic(), asyncio.create_task(self._load(tenant_id)))
            self._cache[tenant_id] = cached
        try:
            return await asyncio.shield(cached.loading)
        except Exception:
            if self._cache.get(tenant_id) is cached:
                del self._cache[tenant_id]
            raise

    async def destroy(self, tenant_id: int) -> None:
        """Destroy the tenant's key, for ever and for everybody; other processes follow within
        CACHE_SECONDS. A tenant that never had a key gets none from now on."""
        async with self._engine.begin() as connection:
            await self._make(connection, tenant_id, 1)  # so that there is a row to say so
            await keys.destroy(connection, tenant_id)
        self._cache.pop(tenant_id, None)

    async def alive(self, tenant_id: int) -> int:
        """How many keys of the tenant there are that open anything: one or none."""
        async with self._engine.connect() as connection:
            last = await keys.newest(connection, tenant_id)
        return 1 if last and last.wrapped else 0

    async def renew(self, tenant_id: int, objects: Objects) -> None:
        """A new key for a tenant whose key was destroyed, which may begin again; nothing if it has one. Its
        tombstone goes from the bucket first: else the reconciler would write that of the database again."""
        await asyncio.to_thread(objects.delete, f"{ERASED}{tenant_id}")
        async with self._engine.begin() as connection:
            await erasing.unearth(connection, tenant_id)
            last = await keys.newest(connection, tenant_id)
            if last is None or last.wrapped is None:
                await self._make(connection, tenant_id, last.key_id + 1 if last else 1)
        self._cache.pop(tenant_id, None)

    async def rewrap(self) -> int:
        """Wrap every key with the first of PAYLOAD_KEYS, once all processes have that; how many it was."""
        changed = 0
        async with self._engine.begin() as connection:
            for key in await keys.lock_alive(connection):
                if key.wrapped and not self._vault.is_current(key.wrapped):
                    bound_to = _bound_to(key.tenant_id, key.key_id)
                    wrapped = self._vault.encrypt(self._vault.decrypt(key.wrapped, bound_to), bound_to)
                    await keys.wrap_anew(connection, key.tenant_id, key.key_id, wrapped)
                    changed += 1
        return changed

    async def _load(self, tenant_id: int) -> Sealer:
        async with self._engine.connect() as connection:
            key = await keys.newest(connection, tenant_id)
        if key is None:
            raise NoKey(f"tenant {tenant_id} never had a key")
        if key.wrapped is None:
            raise KeyDestroyed(f"the key of tenant {tenant_id} was destroyed")
        return Sealer(key.key_id, self._vault.decrypt(key.wrapped, _bound_to(tenant_id, key.key_id)))

    async def _make(self, connection: AsyncConnection, tenant_id: int, key_id: int) -> None:
        wrapped = self._vault.encrypt(os.urandom(32), _bound_to(tenant_id, key_id))
        await keys.add(connection, KeyRow(tenant_id, key_id, wrapped))


def _bound_to(tenant_id: int, key_id: int) -> bytes:
    return b"tenant-key:%d:%d" % (tenant_id, key_id)


def _derive(key: bytes, purpose: bytes) -> bytes:
    return HKDFExpand(SHA256(), 32, purpose).derive(key)
