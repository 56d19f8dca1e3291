"""What the columns of a tenant's rosters are, as somebody has said, by the whole line of labels: another line
is another roster, and nothing is offered for it."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from api.services import Services
from clients.database import roster_columns
from clients.database.roster_columns import NamedRow
from clients.keys import KeyDestroyed, NoKey, Sealer
from clients.vault import VaultError
from rules.roster.columns import plain

_BOUND_TO = b"columns of a roster "
MOST = 200  # that are listed

Fields = Mapping[str, str | None]


class Named(NamedTuple):
    """`id` is the header's blind index in hexadecimal digits."""

    id: str
    labels: list[str]
    columns: dict[str, str | None]
    updated_at: datetime


async def remember(services: Services, tenant: int, labels: Sequence[str], columns: Fields) -> str:
    """The id of what is kept. Raises KeyDestroyed, the database's errors."""
    sealer = await services.keys.sealer(tenant)
    mac = _mac(sealer, labels)
    text = json.dumps({"labels": list(labels), "columns": dict(columns)}, ensure_ascii=False)
    async with services.engine.begin() as connection:
        await roster_columns.remember(connection, tenant, mac, sealer.seal(text.encode(), _BOUND_TO + mac))
    return mac.hex()


async def offered(services: Services, tenant: int, labels: Sequence[str]) -> dict[str, str | None] | None:
    """What was said last time about the same line of labels."""
    try:
        sealer = await services.keys.opener(tenant)
    except (KeyDestroyed, NoKey):
        return None
    async with services.engine.connect() as connection:
        rows = await roster_columns.of_headers(connection, tenant, [_mac(sealer, labels)])
    found = _opened(sealer, rows)
    return found[0].columns if found else None


async def listed(services: Services, tenant: int) -> list[Named]:
    """The newest first."""
    try:
        sealer = await services.keys.opener(tenant)
    except (KeyDestroyed, NoKey):
        return []
    async with services.engine.connect() as connection:
        rows = await roster_columns.newest(connection, tenant, MOST)
    return _opened(sealer, rows)


def _mac(sealer: Sealer, labels: Sequence[str]) -> bytes:
    """Spaces, signs and case tell no labels apart, their order does."""
    return sealer.mac("header\n" + "\n".join(map(plain, labels)))


def _opened(sealer: Sealer, rows: Sequence[NamedRow]) -> list[Named]:
    made = []
    for row in rows:
        try:
            found = json.loads(sealer.open(row.sealed, _BOUND_TO + row.header_mac))
        except VaultError:
            continue  # of a key that was destroyed before the present one
        made.append(Named(row.header_mac.hex(), found["labels"], found["columns"], row.updated_at))
    return made
