"""Whatever is kept has a period or a reason, and what is over goes; what is not over stays."""

import pkgutil
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, insert, select

import clients.database
from academy.upkeep import retain
from clients.database import retention
from clients.database.audit import AuditRecord
from clients.database.models import Base, Job, JobEvent
from clients.database.retention import RULES
from clients.database.staff_sessions import StaffSession
from clients.operators import Operator
from contracts.states import JobState
from intake.retention import Retention, as_markdown, prefix_of, rules
from tests.lab import Lab, fresh_id

for module in pkgutil.iter_modules(clients.database.__path__):
    import_module(f"clients.database.{module.name}")
ROOT = Path(__file__).parents[2]
DAY = timedelta(days=1)


def test_every_table_and_prefix_has_its_rule() -> None:
    assert {each.table for each in RULES} == set(Base.metadata.tables)
    for each in RULES:
        assert each.why and bool(each.kept) is bool(each.old or each.elsewhere) is bool(each.since), (
            each.table
        )
    for key in (
        *(
            f"tenants/7/{each}/x"
            for each in ["ai/uploads", "ai/sources", "ai/results/j", "ai/work/y", "messages"]
        ),
        *(f"tenants/7/video/{each}" for each in ("raw/a.mp4", "hls/1/x-1/s.m4s")),
        "dead-letters/x",
    ):
        assert prefix_of(key), key
    assert as_markdown() in (ROOT / "docs/retention.md").read_text()


async def test_every_rule_is_a_statement_that_runs(lab: Lab) -> None:
    """In a time in which nothing was there yet."""
    async with lab.engine.begin() as connection:
        for rule in RULES:
            if rule.old:
                assert await retention.enforce_some(connection, rule, datetime(2001, 1, 1, tzinfo=UTC)) == 0


async def ended(lab: Lab, tenant: int, days: float, **values: Any) -> Any:
    at = datetime.now(UTC) - timedelta(days=days)
    row = {
        "id": uuid4(),
        "tenant_id": tenant,
        "job_type": "ai.ocr",
        "idempotency_key": uuid4().hex,
        "external_id": "x",
        "workflow_id": uuid4().hex,
        "payload_sha256": "",
        "source": "test",
        "state": JobState.DONE,
        "finished_at": at,
        "result": {"summary": {}},
    }
    async with lab.engine.begin() as connection:
        await connection.execute(insert(Job).values(row | values))
        await connection.execute(insert(JobEvent).values(job_id=row["id"], kind="done"))
    return row["id"]


async def test_what_is_over_goes_and_the_rest_stays(lab: Lab) -> None:
    tenant = fresh_id()
    await lab.service_key(tenant)
    gone = await ended(lab, tenant, 1096)
    emptied = await ended(lab, tenant, 366)
    young = await ended(lab, tenant, 364)
    lecture = await ended(lab, tenant, 1096, job_type="video.encode")
    still_open = await ended(lab, tenant, 0, finished_at=None, state=JobState.RUNNING)
    async with lab.engine.begin() as connection:
        for days in (91, 89):
            used = func.now() - timedelta(days=days)
            row = {"secret_sha256": uuid4().hex, "purpose": "console", "sub": f"{days}", "tenant_id": tenant}
            more = {"operator": False, "rights": "", "authenticated_at": used, "ends_at": used}
            await connection.execute(insert(StaffSession).values(row | more | {"used_at": used}))
    key = f"tenants/{tenant}/ai/results/{uuid4()}/result.json"
    lab.objects.put(key, b"{}", "application/json")

    async def left() -> tuple[set[Any], set[Any], set[str], set[Any]]:
        async with lab.engine.connect() as connection:
            rows = (await connection.execute(select(Job.id, Job.result).where(Job.tenant_id == tenant))).all()
            subs = await connection.execute(select(StaffSession.sub).where(StaffSession.tenant_id == tenant))
            with_events = await connection.execute(select(JobEvent.job_id))
        ids = {each.id for each in rows}
        return (
            ids,
            {each.id for each in rows if each.result is not None},
            set(subs.scalars()),
            set(with_events.scalars()) & ids,
        )

    before = await left()
    objects = Retention(lab.settings, lab.engine, lab.objects)
    dry = {each.what: each for each in await objects.run(enforce=False)}
    assert dry["rows of jobs"].over >= 1 and not any(each.removed for each in dry.values())
    assert await left() == before
    told = {each.what: each for each in await objects.run(enforce=True)}
    assert told["rows of jobs"].removed == dry["rows of jobs"].over
    ids, with_result, subs, with_events = await left()
    assert ids == {emptied, young, lecture, still_open} and gone not in ids
    assert with_result == {young, lecture, still_open}
    assert subs == {"89"}
    assert with_events == {young, still_open}
    assert lab.objects.get(key) == b"{}", "it is of today"
    over = await objects.run(enforce=False, now=datetime.now(UTC) + 366 * DAY)
    assert {each.what: each for each in over}["objects tenants/{t}/ai/results/"].over >= 1


async def test_the_audit_goes_by_its_own_period_and_never_before_a_year(lab: Lab) -> None:
    """Older rows are made as the owner of the database could: with the trigger off."""
    tenant = fresh_id()
    row = {"caller": "x", "tenant_id": tenant, "operation": "x", "about": {}, "status": 200}
    async with lab.engine.begin() as connection:
        for days in (800, 400, 1):
            at = func.now() - timedelta(days=days)
            more = {"address": str(days), "request_id": "", "at": at}
            await connection.execute(insert(AuditRecord).values(row | more))
    (audit,) = (each for each in rules(lab.settings) if each.table == "audit_records")
    assert audit.kept == timedelta(days=731)
    await retain(lab.settings, Operator("kim", "kim"), enforce=True)

    async def left() -> set[str]:
        mine = select(AuditRecord.address).where(AuditRecord.tenant_id == tenant)
        async with lab.engine.connect() as connection:
            return set((await connection.execute(mine)).scalars())

    assert await left() == {"400", "1"}
    with pytest.raises(Exception, match="kept as they are"):
        async with lab.engine.begin() as connection:
            await retention.enforce_some(connection, audit, datetime.now(UTC) + DAY)
    assert await left() == {"400", "1"}


def test_a_year_is_the_least(lab: Lab) -> None:
    with pytest.raises(ValueError, match="audit_days"):
        type(lab.settings)(**lab.settings.model_dump() | {"audit_days": 365})
