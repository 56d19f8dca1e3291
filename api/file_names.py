"""What uploaded files were called. Names of files name people: they are sealed with their academy's key, and
opened for nobody else."""

import asyncio
from collections.abc import Mapping
from pathlib import PurePosixPath
from uuid import UUID

from clients.keys import KeyDestroyed, NoKey, Sealer, TenantKeys
from clients.vault import VaultError

_BOUND_TO = b"name of upload "


async def sealed(keys: TenantKeys, tenant: int, upload_id: UUID, filename: str) -> bytes | None:
    """None where the academy's key was destroyed: then its files have no names."""
    name = PurePosixPath(filename.replace("\\", "/")).name
    try:
        sealer = await keys.sealer(tenant)
    except KeyDestroyed:
        return None
    return sealer.seal(name.encode(), _BOUND_TO + upload_id.bytes)


async def opened(keys: TenantKeys, tenant: int, names: Mapping[UUID, bytes]) -> dict[UUID, str]:
    """Upload → what its file was called, of those that open. Raises the database's errors."""
    if not names:
        return {}
    try:
        opener = await keys.opener(tenant)
    except (KeyDestroyed, NoKey):
        return {}
    return await asyncio.to_thread(_open_all, opener, names)


def _open_all(opener: Sealer, names: Mapping[UUID, bytes]) -> dict[UUID, str]:
    made = {}
    for upload_id, name in names.items():
        try:
            made[upload_id] = opener.open(name, _BOUND_TO + upload_id.bytes).decode()
        except VaultError:
            continue  # of a key that was destroyed before the present one
    return made
