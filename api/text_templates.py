"""Texts that an academy keeps, opened for itself alone."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from api.problems import message_of, refused
from api.services import Services
from clients.database import text_templates
from clients.database.text_templates import TemplateRow
from clients.keys import Sealer
from contracts.text_templates import TextTemplate
from rules.messaging.template import names
from rules.messaging.text import clean
from rules.messaging.unsendable import Unsendable


@dataclass(frozen=True)
class Kept:
    """A version of a text, opened. It prints no text."""

    name: str
    version: int
    written_by: str
    written_at: datetime
    content: TextTemplate

    @property
    def variables(self) -> list[str]:
        return sorted(names((self.content.text, self.content.subject or "")))


async def opened(services: Services, tenant: int, rows: Sequence[TemplateRow]) -> list[Kept]:
    """Raises KeyDestroyed."""
    if not rows:
        return []
    sealer = await services.keys.opener(tenant)
    return await asyncio.to_thread(lambda: [_open(sealer, row) for row in rows])


async def find(services: Services, tenant: int, name: str, version: int | None = None) -> Kept | None:
    """A version of a text, or the last."""
    async with services.engine.connect() as connection:
        row = await text_templates.find(connection, tenant, name, version)
    return (await opened(services, tenant, [row]))[0] if row else None


async def write(
    services: Services, tenant: int, name: str, content: TextTemplate, by: str, after: int | None
) -> Kept:
    """A new version, unless the last says the same. HTTPException 422 for what no message can carry, 409
    where the last version is not `after` (None: whatever it is; 0: there is none)."""
    try:
        clean(content.text, "text")
        clean(content.subject or "", "subject")
    except Unsendable as error:
        told = f"{message_of(error.code)} {error.detail.get('character', '')}"
        raise refused(422, error.code, told.strip()) from None
    last = await find(services, tenant, name)
    if last and last.content == content:
        return last
    version = last.version if last else 0
    if after is None or after == version:
        sealer = await services.keys.sealer(tenant)
        sealed = sealer.seal(content.model_dump_json().encode(), _bound_to(name, version + 1))
        async with services.engine.begin() as connection:
            if await text_templates.add(connection, tenant, name, version, sealed, by):
                made = await text_templates.find(connection, tenant, name, version + 1)
                assert made is not None, "it was written just now"
                return Kept(name, made.version, by, made.written_at, content)
    raise refused(409, "changed_meanwhile", "Somebody has written another version. Look at it first.")


def _open(sealer: Sealer, row: TemplateRow) -> Kept:
    text = sealer.open(row.sealed, _bound_to(row.name, row.version))
    return Kept(row.name, row.version, row.written_by, row.written_at, TextTemplate.model_validate_json(text))


def _bound_to(name: str, version: int) -> bytes:
    return f"text template {version} {name}".encode()
