"""The keys by which a tenant's systems call: `python -m api.service_keys create TENANT --rights look,send`,
`list TENANT`, `revoke TENANT PREFIX`, for operators."""

import asyncio
import json
import re
import sys
from argparse import ArgumentTypeError

from sqlalchemy.exc import DBAPIError

from api.auth.service_keys import create_key, rights_of_key
from clients import operators
from clients.database import service_keys
from clients.database.erasing import is_refused
from clients.operators import NOBODY, Command, Operator, acting
from clients.settings import Settings, load
from contracts.rights import Right, rights_of

ALL = ",".join(Right)


async def create(settings: Settings, operator: Operator, tenant_id: int, rights: frozenset[Right]) -> str:
    """The key; nobody sees its secret again. SystemExit for a tenant that was erased."""
    words = ",".join(sorted(rights))
    async with acting(settings, operator, Command.CREATE_SERVICE_KEY, tenant_id, rights=words) as act:
        try:
            async with act.engine.begin() as connection:
                key = await create_key(connection, tenant_id, rights)
        except DBAPIError as error:
            if not is_refused(error):
                raise
            raise SystemExit("the tenant was erased") from None
        act.about["key"] = key.partition(".")[0]
        return key


async def revoke(settings: Settings, operator: Operator, tenant_id: int, prefix: str) -> bool:
    """Whether there was such a key. Other processes follow within seconds (`KEY_SECONDS`)."""
    async with acting(settings, operator, Command.REVOKE_SERVICE_KEY, tenant_id, key=prefix) as act:
        async with act.engine.begin() as connection:
            found = await service_keys.revoke(connection, tenant_id, prefix)
        act.status = act.status if found else NOBODY
        return found


async def show(settings: Settings, operator: Operator, tenant_id: int) -> list[str]:
    """A line of JSON for each key that was not revoked."""
    async with (
        acting(settings, operator, Command.LIST_SERVICE_KEYS, tenant_id) as act,
        act.engine.connect() as connection,
    ):
        found = await service_keys.of_tenant(connection, tenant_id)
    return [
        json.dumps(
            {
                "key": each.prefix,
                "rights": sorted(rights_of_key(each.rights)),
                "created": each.created_at.isoformat(),
            }
        )
        for each in found
    ]


def main() -> None:
    parser = operators.parser("service_keys", "Keys of tenants' systems")
    commands = parser.add_subparsers(dest="command", required=True)
    new = commands.add_parser("create", help="a new key, printed once")
    new.add_argument("tenant", type=operators.number)
    new.add_argument("--rights", type=_rights, required=True, help=f"what it may, of {ALL}")
    commands.add_parser("list", help="of a tenant").add_argument("tenant", type=operators.number)
    old = commands.add_parser("revoke", help="for ever")
    old.add_argument("tenant", type=operators.number)
    old.add_argument("prefix", type=_prefix, help="what stands before the dot")
    given = parser.parse_args()
    settings, operator = load(), operators.who(given)
    match given.command:
        case "create":
            lines = [asyncio.run(create(settings, operator, given.tenant, given.rights))]
        case "list":
            lines = asyncio.run(show(settings, operator, given.tenant))
        case _:
            if not asyncio.run(revoke(settings, operator, given.tenant, given.prefix)):
                raise SystemExit(f"tenant {given.tenant} has no key {given.prefix}")
            lines = [f"revoked: {given.prefix}"]
    sys.stdout.writelines(f"{line}\n" for line in lines)


def _prefix(text: str) -> str:
    """Never the secret, which would be recorded."""
    if not re.fullmatch(r"[\w-]{1,16}", text, re.ASCII):
        raise ArgumentTypeError("what stands before the dot")
    return text


def _rights(words: str) -> frozenset[Right]:
    try:
        found = rights_of(words)
    except ValueError:
        raise ArgumentTypeError(f"some of {ALL}") from None
    if not found:
        raise ArgumentTypeError(f"at least one of {ALL}")
    return found


if __name__ == "__main__":
    main()
