"""Tombstones of erased tenants, kept in the bucket as well: a database that is restored from a backup has
lost its own, and the tenant would be taken for alive.

Objects beside all tenants' prefixes, named by the number, with nothing in them. The methods that ask the
store block."""

import asyncio
import logging

from sqlalchemy.ext.asyncio import AsyncEngine

from clients.database import erasing
from clients.objects import ERASED, Objects

log = logging.getLogger(__name__)


class Tombstones:
    def __init__(self, engine: AsyncEngine, objects: Objects) -> None:
        self._engine = engine
        self._objects = objects

    def carve(self, tenant_id: int) -> None:
        """From now on the bucket knows of it, too."""
        self._objects.put(f"{ERASED}{tenant_id}", b"", "application/octet-stream", cache_control="no-store")

    def standing(self) -> set[int]:
        names = (key.removeprefix(ERASED) for key, _ in self._objects.list(ERASED))
        return {int(name) for name in names if name.isascii() and name.isdecimal()}

    async def lost(self) -> set[int]:
        """Tenants that the bucket knows as erased and the database does not. Raises the errors of both."""
        standing = await asyncio.to_thread(self.standing)
        async with self._engine.connect() as connection:
            return standing - await erasing.erased_tenants(connection)

    async def restore(self) -> set[int]:
        """Write the tombstones again that the database has lost: nothing is taken for those tenants, and no
        row is written. What the backup had of them is there until they are erased once more."""
        return {tenant_id for tenant_id in await self.lost() if await self._bury_again(tenant_id)}

    async def _bury_again(self, tenant_id: int) -> bool:
        """Unless it may begin again since we looked: `TenantKeys.renew` takes the bucket's tombstone away
        before it waits for the row that is locked here."""
        async with self._engine.connect() as connection:
            await erasing.bury(connection, tenant_id, for_good=True)
            if not await asyncio.to_thread(self._stands, tenant_id):
                return False
            await connection.commit()
        log.error("tenant %d was erased and came back with a backup: erase it again", tenant_id)
        return True

    def _stands(self, tenant_id: int) -> bool:
        name = f"{ERASED}{tenant_id}"
        return name in {key for key, _ in self._objects.list(name)}
