"""Tenants' keys: made once, wrapped, destroyed for everybody, and fast enough for ten thousand values."""

import asyncio
import base64
import os
import time
from typing import Any

import pytest
from sqlalchemy import select, update

from clients import keys
from clients.database import keys as database_keys
from clients.database.keys import TenantKey
from clients.keys import KeyDestroyed, NoKey, TenantKeys
from clients.vault import Vault, VaultError
from tests.lab import PATIENCE, Lab, fresh_id


def tenant_keys(lab: Lab) -> TenantKeys:
    """As another process has them: with a cache of its own."""
    return TenantKeys(lab.engine, Vault(lab.settings.payload_keys.get_secret_value()))


def ring(*names: str) -> str:
    return ",".join(f"{name}:{base64.b64encode(name.encode().ljust(32)).decode()}" for name in names)


async def rows(lab: Lab, tenant: int) -> list[tuple[int, bytes | None]]:
    asked = select(TenantKey.key_id, TenantKey.wrapped).where(TenantKey.tenant_id == tenant)
    async with lab.engine.connect() as connection:
        return [
            (row.key_id, row.wrapped) for row in await connection.execute(asked.order_by(TenantKey.key_id))
        ]


async def test_processes_that_race_for_the_first_key_get_the_same(lab: Lab) -> None:
    tenant = fresh_id()
    sealers = await asyncio.gather(*(tenant_keys(lab).sealer(tenant) for _ in range(8)))
    assert {sealers[-1].open(each.seal(b"text", b"here"), b"here") for each in sealers} == {b"text"}
    assert len({each.mac("01012345678") for each in sealers}) == 1
    assert len(await rows(lab, tenant)) == 1


async def test_who_makes_the_first_key_has_it_whoever_looked_before(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another's read begins before the key is there, and ends when it is."""
    tenant, own = fresh_id(), tenant_keys(lab)
    make = own._make
    made, others = asyncio.Event(), []

    async def late(tenant_id: int) -> keys.Sealer:
        await made.wait()
        raise NoKey("it was not there")

    async def meanwhile(*args: Any) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(own, "_load", late)
            others.append(asyncio.create_task(own.opener(tenant)))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        await make(*args)
        asyncio.get_running_loop().call_later(0.1, made.set)

    monkeypatch.setattr(own, "_make", meanwhile)
    assert (await own.sealer(tenant)).key_id == 1
    assert [type(each) for each in await asyncio.gather(*others, return_exceptions=True)] == [NoKey]


async def test_what_is_sealed_is_bound_to_place_and_tenant(lab: Lab) -> None:
    own = tenant_keys(lab)
    mine, other = await own.sealer(fresh_id()), await own.sealer(fresh_id())
    sealed = mine.seal(b"text", b"here")
    assert b"text" not in sealed and mine.seal(b"text", b"here") != sealed
    for opener, at in ((mine, b"there"), (other, b"here")):
        with pytest.raises(VaultError):
            opener.open(sealed, at)
    for altered in (
        sealed[:-1],
        sealed[:-1] + bytes([sealed[-1] ^ 1]),
        b"",
        b"text",
        b"1:",
        b"2" + sealed[1:],
    ):
        with pytest.raises(VaultError):
            mine.open(altered, b"here")
    assert mine.mac("01012345678") != other.mac("01012345678")
    assert mine.mac("01012345678") != mine.mac("01012345679")


async def test_a_wrapped_key_of_one_tenant_is_none_for_another(lab: Lab) -> None:
    one, two = fresh_id(), fresh_id()
    await tenant_keys(lab).sealer(one)
    await tenant_keys(lab).sealer(two)
    ((_, wrapped),) = await rows(lab, one)
    async with lab.engine.begin() as connection:
        await connection.execute(update(TenantKey).where(TenantKey.tenant_id == two).values(wrapped=wrapped))
    with pytest.raises(VaultError):
        await tenant_keys(lab).opener(two)


async def test_reading_makes_no_key(lab: Lab) -> None:
    tenant = fresh_id()
    with pytest.raises(NoKey):
        await tenant_keys(lab).opener(tenant)
    assert await rows(lab, tenant) == []


async def test_destroyed_for_everybody_until_renewed(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant, here, elsewhere = fresh_id(), tenant_keys(lab), tenant_keys(lab)
    sealed = (await here.sealer(tenant)).seal(b"text", b"here")
    await elsewhere.sealer(tenant)
    await here.destroy(tenant)
    assert await rows(lab, tenant) == [(1, None)]
    with pytest.raises(KeyDestroyed):
        await here.sealer(tenant)
    with pytest.raises(KeyDestroyed):
        await tenant_keys(lab).opener(tenant)
    # Another process goes on with what it remembers, and no longer than CACHE_SECONDS.
    now = time.monotonic()
    monkeypatch.setattr(keys.time, "monotonic", lambda: now + 50)
    assert (await elsewhere.sealer(tenant)).open(sealed, b"here") == b"text"
    monkeypatch.setattr(keys.time, "monotonic", lambda: now + 61)
    with pytest.raises(KeyDestroyed):
        await elsewhere.sealer(tenant)
    monkeypatch.undo()
    await here.renew(tenant, lab.objects)
    await elsewhere.renew(tenant, lab.objects)  # there is one now: left alone
    renewed = await elsewhere.sealer(tenant)
    assert renewed.key_id == 2 and [each for each, _ in await rows(lab, tenant)] == [1, 2]
    assert renewed.open(renewed.seal(b"new", b"here"), b"here") == b"new"
    with pytest.raises(KeyDestroyed):
        renewed.open(sealed, b"here")


async def test_destroyed_before_it_was_made(lab: Lab) -> None:
    tenant = fresh_id()
    await tenant_keys(lab).destroy(tenant)
    with pytest.raises(KeyDestroyed):
        await tenant_keys(lab).sealer(tenant)


async def test_rotation_of_the_wrapping_key(own_lab: Lab) -> None:
    tenant, gone = fresh_id(), fresh_id()
    old = TenantKeys(own_lab.engine, Vault(ring("old")))
    sealed = (await old.sealer(tenant)).seal(b"text", b"here")
    await old.destroy(gone)
    both = TenantKeys(own_lab.engine, Vault(ring("new", "old")))
    assert (await both.sealer(tenant)).open(sealed, b"here") == b"text"
    with pytest.raises(VaultError):
        await TenantKeys(own_lab.engine, Vault(ring("new"))).sealer(tenant)
    assert (await both.rewrap(), await both.rewrap()) == (1, 0)
    new = TenantKeys(own_lab.engine, Vault(ring("new")))
    assert (await new.sealer(tenant)).open(sealed, b"here") == b"text"
    with pytest.raises(KeyDestroyed):
        await new.sealer(gone)


async def test_a_failed_read_is_not_remembered(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    own, tenant = tenant_keys(lab), fresh_id()
    monkeypatch.setattr(database_keys, "newest", asyncio.timeout)  # not to be awaited: a TypeError
    with pytest.raises(TypeError):
        await own.sealer(tenant)
    monkeypatch.undo()
    assert (await own.sealer(tenant)).key_id == 1


async def test_ten_thousand_values(lab: Lab) -> None:
    sealer = await tenant_keys(lab).sealer(fresh_id())
    values = [os.urandom(20) for _ in range(10_000)]
    start = time.process_time()
    sealed = [sealer.seal(each, b"row %d" % index) for index, each in enumerate(values)]
    assert [sealer.open(each, b"row %d" % index) for index, each in enumerate(sealed)] == values
    hashes = {sealer.mac(str(index)) for index in range(10_000)}
    spent = time.process_time() - start
    assert len(hashes) == 10_000
    assert spent < 1, f"{spent:.2f} s of processor time to seal, open and hash 10,000 values"


async def test_operators_command(lab: Lab) -> None:
    tenant = fresh_id()
    sealed = (await tenant_keys(lab).sealer(tenant)).seal(b"text", b"here")

    async def run(*arguments: str) -> str:
        process = lab.stack.python(f"keys-{tenant}-{arguments[0]}", "-m", "clients.keys", *arguments)
        await asyncio.to_thread(process.start)
        assert await asyncio.to_thread(process.wait, PATIENCE) == 0, process.said()
        return process.said()

    assert "0 keys" in await run("rewrap")
    assert str(tenant) in await run("destroy", str(tenant))
    with pytest.raises(KeyDestroyed):
        await tenant_keys(lab).sealer(tenant)
    await run("renew", str(tenant))
    with pytest.raises(KeyDestroyed):
        (await tenant_keys(lab).sealer(tenant)).open(sealed, b"here")
