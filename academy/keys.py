"""`academy key`: by which a tenant's systems call; `academy data-key`: by which its data is sealed; `academy
staff`: tokens of people, for development."""

import re
from typing import Annotated

import typer
from sqlalchemy.exc import DBAPIError

from academy.shared import OPERATOR, RIGHTS, Json, OfTenant, Tenant, checked, group, run, say, show_each
from api.auth import staff as tokens
from api.auth.service_keys import create_key, rights_of_key
from clients.database import service_keys
from clients.database.erasing import is_refused
from clients.database.service_keys import ShownKeyRow
from clients.keys import TenantKeys
from clients.objects import Objects
from clients.operators import NOBODY, Act, Command, Operator, acting
from clients.settings import Settings, load
from clients.vault import Vault
from contracts.rights import Right

key = group("Keys by which a tenant's systems call the API.")
data_key = group("Keys by which tenants' data is sealed.")
staff = group("People who use the console.")


def _prefix(text: str) -> str:
    """Never the secret, which would be recorded."""
    if not re.fullmatch(r"[\w-]{1,16}", text, re.ASCII):
        raise ValueError("what stands before the dot")
    return text


async def create(settings: Settings, operator: Operator, tenant_id: int, rights: frozenset[Right]) -> str:
    """The key; nobody sees its secret again. SystemExit for a tenant that was erased."""
    words = ",".join(sorted(rights))
    async with acting(settings, operator, Command.CREATE_SERVICE_KEY, tenant_id, rights=words) as act:
        try:
            async with act.engine.begin() as connection:
                made = await create_key(connection, tenant_id, rights)
        except DBAPIError as error:
            if not is_refused(error):
                raise
            raise SystemExit("the tenant was erased") from None
        act.about["key"] = made.partition(".")[0]
        return made


async def revoke(settings: Settings, operator: Operator, tenant_id: int, prefix: str) -> bool:
    """Whether there was such a key. Other processes follow within seconds (`KEY_SECONDS`)."""
    async with acting(settings, operator, Command.REVOKE_SERVICE_KEY, tenant_id, key=prefix) as act:
        async with act.engine.begin() as connection:
            found = await service_keys.revoke(connection, tenant_id, prefix)
        act.status = act.status if found else NOBODY
        return found


async def not_revoked(settings: Settings, operator: Operator, tenant_id: int) -> list[ShownKeyRow]:
    async with (
        acting(settings, operator, Command.LIST_SERVICE_KEYS, tenant_id) as act,
        act.engine.connect() as connection,
    ):
        return await service_keys.of_tenant(connection, tenant_id)


@key.command("create")
def create_service_key(
    tenant: Tenant,
    rights: Annotated[
        frozenset[Right],
        typer.Option(parser=RIGHTS, metavar="RIGHTS", help=f"What it may, of {','.join(Right)}."),
    ],
    as_json: Json = False,
) -> None:
    """Make a service key. It is printed once."""
    made = run(create(load(), OPERATOR.get(), tenant, rights))
    say(made, as_json, key=made, rights=sorted(rights))


@key.command("list")
def list_service_keys(tenant: Tenant, as_json: Json = False) -> None:
    """List a tenant's service keys that were not revoked, without their secrets."""
    found = run(not_revoked(load(), OPERATOR.get(), tenant))
    rows = [
        {"key": each.prefix, "rights": sorted(rights_of_key(each.rights)), "created": each.created_at}
        for each in found
    ]
    show_each(rows, as_json)


@key.command("revoke")
def revoke_service_key(
    tenant: Tenant,
    prefix: Annotated[
        str,
        typer.Argument(parser=checked(_prefix), metavar="PREFIX", help="What stands before the key's dot."),
    ],
    as_json: Json = False,
) -> None:
    """Take a service key back, for ever."""
    if not run(revoke(load(), OPERATOR.get(), tenant, prefix)):
        raise SystemExit(f"tenant {tenant} has no key {prefix}")
    say(f"revoked: {prefix}", as_json, revoked=prefix)


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


@data_key.command("rewrap")
def rewrap_data_keys(as_json: Json = False) -> None:
    """Wrap every data key with the first of PAYLOAD_KEYS."""
    changed = run(rewrap(load(), OPERATOR.get()))
    say(f"{changed} keys wrapped anew", as_json, wrapped=changed)


@data_key.command("destroy")
def destroy_data_key(tenant: Tenant, as_json: Json = False) -> None:
    """Make what a tenant's key has sealed unreadable, for ever: names, phones, texts, histories."""
    run(destroy(load(), OPERATOR.get(), tenant))
    say(f"destroyed: the data key of tenant {tenant}", as_json, destroyed=tenant)


@data_key.command("renew")
def renew_data_key(tenant: Tenant, as_json: Json = False) -> None:
    """Let a tenant whose data key was destroyed begin again, with a new one."""
    run(renew(load(), OPERATOR.get(), tenant))
    say(f"renewed: the data key of tenant {tenant}", as_json, renewed=tenant)


async def issue(settings: Settings, operator: Operator, tenant_id: int | None, seconds: int) -> str:
    """A staff token. SystemExit where another than us issues them."""
    async with acting(settings, operator, Command.ISSUE_STAFF_TOKEN, tenant_id, seconds=seconds):
        try:
            return tokens.issue(settings, operator.name, seconds, tenant_id)
        except ValueError as error:
            raise SystemExit(str(error)) from None


@staff.command("token")
def issue_staff_token(
    tenant: OfTenant = None,
    seconds: Annotated[int, typer.Option(min=60, max=43_200, help="How long it is good for.")] = 3600,
    as_json: Json = False,
) -> None:
    """Issue a staff token with all rights, for development: an operator's, or with --tenant one academy's."""
    token = run(issue(load(), OPERATOR.get(), tenant, seconds))
    say(token, as_json, token=token)
