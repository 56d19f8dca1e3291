"""`python -m clients.keys destroy|renew TENANT` and `python -m clients.keys rewrap`, for operators."""

import asyncio
import sys

from clients import operators
from clients.keys import TenantKeys
from clients.objects import Objects
from clients.operators import Act, Command, Operator, acting
from clients.settings import Settings, load
from clients.vault import Vault


async def rewrap(settings: Settings, operator: Operator) -> int:
    """How many keys were wrapped anew."""
    async with acting(settings, operator, Command.REWRAP_KEYS, None) as act:
        changed = await _keys(act, settings).rewrap()
        act.about["keys"] = changed
        return changed


async def destroy(settings: Settings, operator: Operator, tenant_id: int) -> None:
    async with acting(settings, operator, Command.DESTROY_KEY, tenant_id) as act:
        await _keys(act, settings).destroy(tenant_id)


async def renew(settings: Settings, operator: Operator, tenant_id: int) -> None:
    async with acting(settings, operator, Command.RENEW_KEY, tenant_id) as act:
        await _keys(act, settings).renew(tenant_id, Objects(settings))


def _keys(act: Act, settings: Settings) -> TenantKeys:
    return TenantKeys(act.engine, Vault(settings.payload_keys.get_secret_value()))


def main() -> None:
    parser = operators.parser("keys", "Tenants' data keys")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("rewrap", help="wrap every key with the first of PAYLOAD_KEYS")
    for name, text in (("destroy", "for ever"), ("renew", "a new key after the old one was destroyed")):
        commands.add_parser(name, help=text).add_argument("tenant", type=operators.number)
    given = parser.parse_args()
    settings, operator = load(), operators.who(given)
    match given.command:
        case "rewrap":
            said = f"{asyncio.run(rewrap(settings, operator))} keys wrapped anew"
        case "destroy":
            asyncio.run(destroy(settings, operator, given.tenant))
            said = f"destroy: tenant {given.tenant}"
        case _:
            asyncio.run(renew(settings, operator, given.tenant))
            said = f"renew: tenant {given.tenant}"
    sys.stdout.write(f"{said}\n")


if __name__ == "__main__":
    main()
