"""By which mail server a tenant's e-mails leave: its own, or the platform's."""

from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from clients.database import credits, mail_servers
from clients.keys import TenantKeys
from contracts.mail import MailServer


class MailServers:
    """`platform`: of those who have none. `ca`: a file with the authority that has signed their certificates,
    else this machine's authorities count."""

    def __init__(
        self, engine: AsyncEngine, keys: TenantKeys, platform: MailServer | None, ca: Path | None
    ) -> None:
        self._engine = engine
        self._keys = keys
        self._platform = platform
        self.ca = ca

    async def of(self, tenant_id: int) -> MailServer | None:
        """None where there is neither. The platform's mails are from its address, in the academy's name.
        Raises KeyDestroyed."""
        async with self._engine.connect() as connection:
            sealed = await mail_servers.find(connection, tenant_id)
            account = await credits.account(connection, tenant_id)
        if sealed is not None:
            opened = (await self._keys.sealer(tenant_id)).open(sealed, mail_servers.SEALED)
            return MailServer.model_validate_json(opened)
        name = (account.advertiser or "").strip() if account else ""
        if self._platform and name:
            return self._platform.model_copy(update={"sender_name": name})
        return self._platform
