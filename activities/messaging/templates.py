"""Keeping in step with what the provider says of Alimtalk templates."""

import logging
from itertools import groupby
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from activities.implements import implements
from activities.messaging.provider import CREDENTIALS, provider_errors
from clients.database import alimtalk
from clients.database.alimtalk import Change
from clients.solapi import Refused
from clients.solapi_templates import TemplateCalls
from contracts.activities import messages
from contracts.alimtalk import APPROVED, Synced
from rules.messaging.registered import shown

log = logging.getLogger(__name__)


class TemplateActivities:
    def __init__(self, engine: AsyncEngine, templates: TemplateCalls) -> None:
        self._engine = engine
        self._templates = templates

    @implements(messages.SYNC_TEMPLATES)
    async def sync(self) -> Synced:
        """Ask the provider for the templates of each academy's own channel, and write down what it says. A
        channel that it refuses keeps nobody else's from being looked at."""
        async with self._engine.connect() as connection:
            channels = await alimtalk.channels(connection)
        found = Synced()
        for channel_id, academies in groupby(channels, key=lambda each: each.pf_id):
            listed = await self._listed(channel_id)
            if listed is None:
                continue
            seen = [template for each in listed if (template := shown(each))]
            for tenant in [each.tenant_id for each in academies]:
                async with self._engine.begin() as connection:
                    changes = await alimtalk.note(connection, tenant, seen, whole=len(seen) == len(listed))
                _tell(tenant, changes)
                found = Synced(
                    academies=found.academies + 1,
                    templates=found.templates + len(seen),
                    changed=found.changed + len(changes),
                )
        return found

    async def _listed(self, channel_id: str) -> list[dict[str, Any]] | None:
        with provider_errors():
            try:
                return await self._templates.of_channel(channel_id)
            except Refused as error:
                if error.code in CREDENTIALS:
                    raise
                log.warning("the provider does not list the templates of a channel: %s", error.code)
                return None


def _tell(tenant: int, changes: list[Change]) -> None:
    for each in changes:
        level = logging.WARNING if each.before == APPROVED else logging.INFO
        log.log(
            level, "template %s of tenant %s: %s", each.template_id, tenant, f"{each.before} → {each.after}"
        )
