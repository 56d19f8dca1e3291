"""What operators type in a shell: nothing is done without its record in the audit."""

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from api import service_keys
from api.auth.service_keys import KnownKey, ServiceKeys
from clients import operators
from clients.database import audit
from clients.database.audit import AuditRecord
from clients.keys import KeyDestroyed
from clients.keys import __main__ as keys_command
from clients.operators import BEGUN, DONE, FAILED, Command, Operator
from clients.settings import Settings
from contracts.rights import Right
from devstack.stack import Stack
from tests.integration.test_keys import tenant_keys
from tests.lab import Lab, fresh_id
from workers import after_restore, erase, retention

ROOT = Path(__file__).parents[2]
KIM = Operator("kim", "root")
PHONE = "010-1234-5678"
LOOK = frozenset({Right.LOOK})
# Programs that are no command of an operator's, and why.
OTHERS = {
    "api/__main__.py": "starts the API, whose requests are recorded",
    "activities/ai/tasks/omr/sheet.py": "draws an empty sheet",
    "clients/operators.py": "makes the parsers of all others",
}


def test_every_command_is_one_of_the_audits() -> None:
    """Who reads arguments is a command that records, or is named above."""
    packages = ("api", "workers", "intake", "activities", "clients")
    files = [file for package in packages for file in (ROOT / package).rglob("*.py")]
    texts = {str(file.relative_to(ROOT)): file.read_text() for file in files}
    assert {name for name, text in texts.items() if "ArgumentParser(" in text} == set(OTHERS)
    commands = [text for text in texts.values() if "operators.parser(" in text]
    assert len(commands) == 5 and all("acting(" in text for text in commands)
    assert [each for each in Command if not any(f"Command.{each.name}" in text for text in commands)] == []


@pytest.fixture(autouse=True)
def credentials(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, stack.environment()[name])


async def records(lab: Lab, command: Command, tenant: int | None) -> list[tuple[str, dict[str, Any], int]]:
    mine = (AuditRecord.operation == command, AuditRecord.tenant_id.is_not_distinct_from(tenant))
    async with lab.engine.connect() as connection:
        rows = await connection.execute(select(AuditRecord.__table__).where(*mine).order_by(AuditRecord.id))
        found = list(rows)
    assert all(each.address and each.request_id for each in found)
    return [(each.caller, each.about, each.status) for each in found]


def commands(settings: Settings, tenant: int) -> dict[Command, Callable[[], Awaitable[Any]]]:
    soon = timedelta(0)
    return {
        Command.LOOK_AT_TENANT: lambda: erase.run(settings, KIM, tenant, False, soon),
        Command.ERASE_TENANT: lambda: erase.run(settings, KIM, tenant, True, soon),
        Command.LOOK_FOR_PERSON: lambda: erase.run_person(
            settings, KIM, tenant, None, "010-1234-5678", False
        ),
        Command.ERASE_PERSON: lambda: erase.run_person(settings, KIM, tenant, 12, None, True),
        Command.DESTROY_KEY: lambda: keys_command.destroy(settings, KIM, tenant),
        Command.RENEW_KEY: lambda: keys_command.renew(settings, KIM, tenant),
        Command.REWRAP_KEYS: lambda: keys_command.rewrap(settings, KIM),
        Command.CREATE_SERVICE_KEY: lambda: service_keys.create(settings, KIM, tenant, LOOK),
        Command.LIST_SERVICE_KEYS: lambda: service_keys.show(settings, KIM, tenant),
        Command.REVOKE_SERVICE_KEY: lambda: service_keys.revoke(settings, KIM, tenant, "abc"),
        Command.AFTER_RESTORE: lambda: after_restore.run(settings, KIM, False, 1),
        Command.REPAIR: lambda: after_restore.run(settings, KIM, True, 1),
        Command.LOOK_AT_RETENTION: lambda: retention.run(settings, KIM, enforce=False),
        Command.ENFORCE_RETENTION: lambda: retention.run(settings, KIM, enforce=True),
    }


@pytest.mark.parametrize("command", Command, ids=lambda command: command.name)
async def test_without_a_record_nothing_is_done(
    command: Command, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = fresh_id()
    sealed = (await tenant_keys(lab).sealer(tenant)).seal(b"text", b"here")
    asked: list[str] = []
    monkeypatch.setattr(audit, "add", _away)
    for what in ("erasing.bury", "erasing.tables", "service_keys.add", "service_keys.of_tenant"):
        monkeypatch.setattr(f"clients.database.{what}", lambda *_, what=what, **__: asked.append(what))
    with pytest.raises(SystemExit, match="nothing was done: the audit cannot be written"):
        await commands(lab.settings, tenant)[command]()
    assert asked == []
    assert (await tenant_keys(lab).opener(tenant)).open(sealed, b"here") == b"text"


async def _away(*_: Any) -> None:
    raise audit_is_away()


def audit_is_away() -> Exception:
    from sqlalchemy.exc import OperationalError

    return OperationalError("INSERT", None, Exception("gone"))


async def test_a_record_says_who_typed_what_and_how_it_ended(lab: Lab) -> None:
    tenant = fresh_id()
    all_of = commands(lab.settings, tenant)
    await all_of[Command.LOOK_FOR_PERSON]()
    about = {"phone": "010-****-5678", "user": "root"}
    assert await records(lab, Command.LOOK_FOR_PERSON, tenant) == [
        ("shell kim", about, BEGUN),
        ("shell kim", about, DONE),
    ]
    with pytest.raises(SystemExit):
        await all_of[Command.ERASE_PERSON]()
    assert [each[2] for each in await records(lab, Command.ERASE_PERSON, tenant)] == [BEGUN, operators.NOBODY]
    (await tenant_keys(lab).sealer(tenant)).seal(b"text", b"here")
    await all_of[Command.DESTROY_KEY]()
    assert [each[2] for each in await records(lab, Command.DESTROY_KEY, tenant)] == [BEGUN, DONE]
    with pytest.raises(KeyDestroyed):
        await tenant_keys(lab).opener(tenant)


async def test_what_fails_is_recorded_as_failed(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = fresh_id()
    monkeypatch.setattr("clients.keys.TenantKeys.destroy", _away)
    with pytest.raises(type(audit_is_away())):
        await commands(lab.settings, tenant)[Command.DESTROY_KEY]()
    assert [each[2] for each in await records(lab, Command.DESTROY_KEY, tenant)] == [BEGUN, FAILED]


async def test_a_service_key_from_its_making_to_its_end(lab: Lab) -> None:
    tenant, known = fresh_id(), ServiceKeys(lab.engine, 0.0)
    key = await service_keys.create(lab.settings, KIM, tenant, LOOK)
    prefix, _, secret = key.partition(".")
    assert await known.find(prefix, secret) == KnownKey(tenant, LOOK)
    (shown,) = map(json.loads, await service_keys.show(lab.settings, KIM, tenant))
    assert (shown["key"], shown["rights"]) == (prefix, ["look"]) and secret not in json.dumps(shown)
    assert not await service_keys.revoke(lab.settings, KIM, fresh_id(), prefix), "another's is left alone"
    assert await service_keys.revoke(lab.settings, KIM, tenant, prefix)
    assert await known.find(prefix, secret) is None
    _, made = await records(lab, Command.CREATE_SERVICE_KEY, tenant)
    assert made[1] == {"rights": "look", "key": prefix, "user": "root"}


@pytest.mark.parametrize("text", ["0", "-1", "x", "9" * 5000, "٣", "1.0", ""])
def test_no_tenant_has_such_a_number(text: str) -> None:
    parser = operators.parser("test")
    parser.add_argument("tenant", type=operators.number)
    with pytest.raises(SystemExit):
        parser.parse_args(["--as", "kim", text])
    assert operators.who(parser.parse_args(["--as", "kim@x.kr", "7"])).name == "kim@x.kr"
    for name in ("k" * 101, "two words", "a\n", "\ud800"):
        with pytest.raises(SystemExit):
            parser.parse_args(["--as", name, "7"])
