"""A tenant is erased from every place, whatever kills it on the way; others are not touched."""

import itertools
import json
import pkgutil
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from importlib import import_module
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Column, Enum, func, insert, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError

import clients.database
from academy import erasing as erasing_command
from activities.orphans import TENANT_ERASED, OrphanActivities
from clients import keys
from clients.database import erasing
from clients.database.academy_models import Student
from clients.database.erasing import BLANKED, KEPT, TenantErased, of_tenant, tables
from clients.database.messaging_models import CreditEntry
from clients.database.models import Base
from clients.keys import KeyDestroyed
from clients.operators import Operator
from clients.vault import Vault
from devstack.stack import Stack
from intake.erasing import TERMINATED, Servers, TenantEraser, names_tenant
from intake.errors import ErrorKind, classify
from intake.submit import Submitter
from tests.integration.conftest import admin
from tests.integration.test_database import job_request
from tests.integration.test_keys import tenant_keys
from tests.lab import Lab, PatientSubmitter, fresh_id

pytestmark = pytest.mark.slow

for module in pkgutil.iter_modules(clients.database.__path__):
    import_module(f"clients.database.{module.name}")

ONE_SECOND = timedelta(seconds=1)
KIM = Operator("kim", "root")


@pytest.fixture
async def servers(stack: Stack, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Servers]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, stack.environment()[name])
    servers = await erasing_command.open_servers(lab.settings)
    yield servers
    async with lab.engine.begin() as connection:  # made up, and nobody can open them
        await connection.exec_driver_sql("DELETE FROM tenant_keys WHERE tenant_id > 10000000")
    await servers.redis.aclose()
    await servers.engine.dispose()


def value(column: Column[Any], written: dict[tuple[str, str], Any], tenant: int) -> Any:
    for key in column.foreign_keys:
        return written[key.column.table.name, key.column.name]
    if column.name == "tenant_id" or (column.table.name, column.name) == ("tenants", "id"):
        return tenant
    if column.table.name == "orphans" and column.name == "prefix":
        return f"tenants/{tenant}/video/hls/1/"
    if isinstance(column.type, JSONB):
        return {}
    if isinstance(column.type, Enum) and column.type.enum_class:
        return next(iter(column.type.enum_class))
    kind = column.type.python_type
    if issubclass(kind, StrEnum):
        return next(iter(kind))
    if column.name == "ended_at":
        return datetime(2031, 1, 1, tzinfo=UTC)
    return {
        int: fresh_id(), str: uuid4().hex[:3], bytes: uuid4().bytes, bool: False, float: 1.0, dict: {},
        list: [],
        Decimal: Decimal(1), datetime: datetime(2030, 1, 1, tzinfo=UTC), date: date(2030, 1, 1),
    }.get(kind, uuid4())  # fmt: skip


def must_be_given(column: Column[Any]) -> bool:
    given = bool(column.identity or column.nullable or column.server_default)
    return bool(column.foreign_keys) or column.name == "tenant_id" or not given


async def fill(lab: Lab, tenant: int) -> None:
    """A row of the tenant in every table there is, also in tables that nobody has thought of here."""
    written: dict[tuple[str, str], Any] = {}
    async with lab.engine.begin() as connection:
        for table in Base.metadata.sorted_tables:
            row = {
                column.name: value(column, written, tenant)
                for column in table.columns
                if column.foreign_keys
                or column.name == "tenant_id"
                or not (column.identity or column.nullable or column.server_default)
            }
            if table.name in BLANKED:
                row |= dict.fromkeys(BLANKED[table.name], "personal")
            if table.name == "tenant_keys":
                row["wrapped"] = b"a key"
            made = await connection.execute(insert(table).values(row).returning(*table.columns))
            for name, what in made.one()._asdict().items():
                written[table.name, name] = what


async def rows(lab: Lab, tenant: int) -> dict[str, int]:
    counts = {}
    async with lab.engine.connect() as connection:
        for table in tables():
            if table.name != "provider_turns":
                mine = select(func.count()).select_from(table).where(of_tenant(table, tenant))
                counts[table.name] = (await connection.execute(mine)).scalar_one()
    return counts


async def everywhere(lab: Lab, servers: Servers, tenant: int) -> None:
    """Something of the tenant in every place."""
    await fill(lab, tenant)
    submitter = PatientSubmitter(lab.engine, lab.temporal, _vault(lab))
    await submitter.submit(job_request(tenant, key=uuid4().hex))
    await tenant_keys(lab).renew(tenant, lab.objects)
    names = "video/raw/a.mp4 video/hls/1/x-1/s.m4s ai/work/y/z ai/results/j/r ai/sources/s messages/list x"
    for name in names.split():
        lab.objects.put(f"tenants/{tenant}/{name}", b"of somebody", "text/plain")
    servers.store.begin(f"tenants/{tenant}/video/raw/b.mp4", "video/mp4")
    await servers.redis.set(f"tenant:{tenant}:job:1:progress", "{}")
    async with lab.engine.connect() as connection:
        known = await erasing.known(connection, tenant)
    await servers.redis.set(f"job:{known.jobs.pop()}:progress", "{}")
    body = json.dumps({"tenant_id": tenant, "phone": "01012345678"})
    servers.bodies.store(f"a letter of {tenant}", body)
    queue = servers.queues["messaging"]
    url = queue._dlq_url
    queue._sqs.send_message(QueueUrl=url, MessageBody=body)


def _vault(lab: Lab) -> Vault:
    return Vault(lab.settings.payload_keys.get_secret_value())


def eraser(servers: Servers, tenant: int) -> TenantEraser:
    return TenantEraser(servers, tenant, ONE_SECOND)


async def left(servers: Servers, tenant: int) -> dict[str, int]:
    return {each.place: each.left for each in await eraser(servers, tenant).look() if each.left}


def test_every_table_is_erased_or_kept_with_its_reason(lab: Lab) -> None:
    """And nothing can be written any more where rows are erased: the database itself refuses it."""
    for table in Base.metadata.sorted_tables:
        if table.name not in KEPT:
            of_tenant(table, 7)
    assert {*BLANKED} <= {*KEPT} <= {*Base.metadata.tables}
    guarded = admin(
        lab.settings,
        "SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'refuse_erased'",
        lab.settings.db_name,
    )
    by_their_jobs = {"job_events", "orphans"}
    assert {name for (name,) in guarded} == {*Base.metadata.tables} - {*KEPT} - by_their_jobs


async def test_a_tenant_is_gone_from_every_place_and_its_neighbour_is_not(lab: Lab, servers: Servers) -> None:
    async def erase(*, for_ever: bool) -> dict[str, int]:
        """What is left."""
        told = await erasing_command.erase_tenant(
            lab.settings, KIM, tenant, for_ever=for_ever, patience=ONE_SECOND
        )
        return told.left

    tenant, other = fresh_id() + 10_000_000, fresh_id() + 20_000_000
    for each in (tenant, other):
        await everywhere(lab, servers, each)
    before, of_other = await rows(lab, tenant), await left(servers, other)
    assert all(before.values()), before
    assert sum((await erase(for_ever=False)).values()) > 40  # a look changes nothing
    before["audit_records"] += 2  # who looked, and how that ended
    assert await rows(lab, tenant) == before

    # Where nobody works on it, it is terminated, and its worker might write yet: not silent.
    assert await erase(for_ever=True) in ({TERMINATED: 1}, {})
    assert await erase(for_ever=True) == {}
    assert await left(servers, tenant) == {}
    assert {name for name, count in (await rows(lab, tenant)).items() if count} == {*KEPT} - {
        "provider_turns"
    }
    assert lab.keys(f"tenants/{tenant}/") == [] and await lab.workflows(tenant) == []
    async with lab.engine.connect() as connection:
        mine = select(CreditEntry.amount, CreditEntry.reference).where(CreditEntry.tenant_id == tenant)
        assert [tuple(row) for row in await connection.execute(mine)] == [(Decimal(1), None)]
    # Numbers in place names are of tenants. Progress may expire, or be written by who works on the stack.
    progress = {"progress in Redis": of_other["progress in Redis"]}
    assert (await left(servers, other)) | progress == of_other


async def test_nothing_is_taken_for_an_erased_tenant(lab: Lab, servers: Servers) -> None:
    tenant = fresh_id() + 30_000_000
    await eraser(servers, tenant).erase()
    submitter = Submitter(lab.engine, lab.temporal, _vault(lab))
    with pytest.raises(TenantErased):
        await submitter.submit(job_request(tenant, key="late"))
    with pytest.raises(KeyDestroyed):
        await tenant_keys(lab).sealer(tenant)
    with pytest.raises(DBAPIError) as refused:
        async with lab.engine.begin() as connection:
            await connection.execute(insert(Student).values(tenant_id=tenant, identity_mac=b"m", sealed=b"s"))
    assert erasing.is_refused(refused.value) and classify(refused.value) is ErrorKind.POISON
    # A link of before, or a worker: the daily sweep finds it.
    lab.objects.put(f"tenants/{tenant}/video/raw/late.mp4", b"late", "video/mp4")
    sweeping = OrphanActivities(
        engine=lab.engine, temporal=lab.temporal, objects=lab.objects,
        grace=timedelta(0), replaced=timedelta(0), now=lambda: datetime.now(UTC) + ONE_SECOND,
    )  # fmt: skip
    found = {each.prefix: each.why async for each in sweeping.find()}
    assert found[f"tenants/{tenant}/video/"] == TENANT_ERASED
    # It begins again when an operator says so.
    await tenant_keys(lab).renew(tenant, lab.objects)
    await tenant_keys(lab).sealer(tenant)
    await submitter.submit(job_request(tenant, key="again"))


async def test_killed_anywhere_it_is_finished_by_the_next_run(
    lab: Lab, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = fresh_id() + 40_000_000
    await everywhere(lab, servers, tenant)

    class Killed(BaseException):
        pass

    def dies(*args: Any, **kwargs: Any) -> Any:
        if args[-1] is not False:  # a look is no step
            raise Killed

    erasing_some, tables_done = erasing.erase_some, itertools.count()

    async def dies_between_tables(*args: Any) -> int:
        if next(tables_done) % 15 == 14:
            raise Killed
        return await erasing_some(*args)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(TenantEraser, "_erase_progress", dies)
        await eraser(servers, tenant).erase()
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(type(servers.store), "erase_tenant", dies)
        await eraser(servers, tenant).erase()
    with monkeypatch.context() as patch:
        patch.setattr(erasing, "erase_some", dies_between_tables)
        with pytest.raises(Killed):
            await eraser(servers, tenant).erase()
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(keys.TenantKeys, "destroy", dies)
        await eraser(servers, tenant).erase()
    await eraser(servers, tenant).erase()
    assert await left(servers, tenant) == {}


@pytest.mark.parametrize(
    ("body", "is_his"),
    [
        ('{"tenant_id": 7}', True),
        ('{"tenant_id": "7"}', True),
        (r'{"\u0074enant_id": 7, "x": 1}', True),
        ('{"payload": {"tenant_id": 7}', True),  # cut off
        ('{"file_key": "tenants/7/video/raw/a"}', True),
        ('{"tenant_id": 77}', False),
        ('{"tenant_id": 17}', False),
        ('{"video_id": 7}', False),
        ("7", False),
        ("[" * 100_000, False),
    ],
)
def test_whose_a_dead_letter_is(body: str, is_his: bool) -> None:
    assert names_tenant(body, 7) is is_his
