"""Each process as a role of its own: what its code uses is granted, and nothing else."""

import pkgutil
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

import grimp
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError
from temporalio.client import Client

import clients.database
from clients.database import mails
from clients.database.engine import create_engine
from clients.database.models import Base
from clients.settings import Settings
from clients.vault import Vault
from devstack.app import running
from devstack.producer import ai_body
from devstack.stack import Stack
from intake.submit import Submitter
from tests.integration.conftest import admin
from tests.lab import Lab, fresh_id, make_roles
from tests.messages import Mail, phones

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy/postgres/roles.sql"
STARTS = {
    "api": "api.app",
    "bridge": "workers.bridge_main",
    "video": "workers.video",
    "ai": "workers.ai",
    "messaging": "workers.messaging",
    "ops": "workers.ops",
}
PASSWORD = "of-the-role's own"
APPEND_ONLY = {"audit_records", "credit_entries", "job_events", "notification_log"}


def granted() -> dict[str, set[str]]:
    found = re.findall(r"\('(\w+)', '\{([^}]*)\}'\)", FILE.read_text())
    return {process: {name.strip() for name in names.split(",")} for process, names in found}


def used() -> dict[str, set[str]]:
    """The tables that the modules name which a process loads."""
    for module in pkgutil.iter_modules(clients.database.__path__):  # tables stand beside their queries
        import_module(f"clients.database.{module.name}")
    tables = {mapper.class_.__name__: mapper.class_.__tablename__ for mapper in Base.registry.mappers}
    packages = ("api", "workers", "activities", "intake", "clients", "contracts", "rules", "workflows")
    graph = grimp.build_graph(*packages)
    found = {}
    for process, start in STARTS.items():
        modules = {start, *graph.find_upstream_modules(start)}
        files = [ROOT / f"{module.replace('.', '/')}.py" for module in modules]
        queries = [file.read_text() for file in files if file.exists() and "models" not in file.stem]
        found[process] = {
            table for name, table in tables.items() for query in queries if names(query, name, table)
        }
    return found


def names(query: str, model: str, table: str) -> bool:
    imported = re.search(rf"^from clients\.database\S* import (\([^)]*|[^(\n]*)\b{model}\b", query, re.M)
    at_home = len(re.findall(rf"\b{model}\b", query)) > 1 and f"class {model}(" in query
    return bool(imported or at_home or re.search(rf"\b(FROM|JOIN|USING|INTO|UPDATE) {table}\b", query))


def test_what_is_granted_is_what_the_code_uses() -> None:
    assert granted() == used()


@pytest.fixture(scope="module")
def roles(stack: Stack) -> Iterator[Settings]:
    """The shared stack's database, with the roles."""
    settings = stack.settings()
    for _ in range(2):  # it may be run again
        make_roles(settings, PASSWORD, *STARTS)
    yield settings
    for process in STARTS:
        admin(settings, f"DROP OWNED BY academy_{process}; DROP ROLE academy_{process}", settings.db_name)


def as_role(settings: Settings, process: str) -> Settings:
    return Settings.model_validate(
        settings.model_dump() | {"db_user": f"academy_{process}", "db_password": PASSWORD}
    )


async def test_a_role_does_what_its_process_does_and_nothing_else(roles: Settings, lab: Lab) -> None:
    for process in STARTS:
        engine = create_engine(as_role(roles, process), "test")
        client: Client = lab.temporal
        vault = Vault(roles.payload_keys.get_secret_value())
        await Submitter(engine, client, vault).rehearse()
        for statement in forbidden(process):
            async with engine.connect() as connection:
                with pytest.raises(DBAPIError, match=r"permission denied|must be owner"):
                    await connection.execute(text(statement))
        async with engine.connect() as connection:
            assert 0 < len(await mails.lineage(connection)) <= 64, "anybody may ask which database this is"
            for numbers in ("video_ids", "class_ids"):
                may = select(func.has_sequence_privilege(numbers, "USAGE"))
                assert (await connection.execute(may)).scalar_one() is (process == "api"), (process, numbers)
        await engine.dispose()


def forbidden(process: str) -> Iterator[str]:
    everything = set(Base.metadata.tables)
    for table in everything - granted()[process]:
        yield f"SELECT FROM {table}"
    for table in {"credit_entries"} if process == "ops" else APPEND_ONLY:  # `ops` ends what was kept for long
        yield f"DELETE FROM {table}"
    yield "CREATE TABLE mine (id int)"
    yield "TRUNCATE jobs"
    yield "DROP TABLE jobs"
    yield "ALTER TABLE jobs DISABLE TRIGGER ALL"
    yield "COPY jobs TO PROGRAM 'true'"
    yield "CREATE ROLE other"


def test_limits_hold_where_a_pooler_drops_options(roles: Settings) -> None:
    rows: list[Any] = admin(roles, "SELECT rolname, rolconfig FROM pg_roles WHERE rolname LIKE 'academy\\_%'")
    assert len(rows) == len(STARTS)
    for _, limits in rows:
        assert {each.partition("=")[0] for each in limits} >= {"statement_timeout", "lock_timeout"}


@pytest.mark.slow
async def test_the_whole_works_with_roles(
    stack: Stack, roles: Settings, mail: Mail, small_lecture: Path
) -> None:
    """A lecture is encoded, an export tried and a text sent by processes that sign in as themselves."""
    lab = mail.lab
    async with AsyncExitStack() as apps:
        for process in STARTS:
            role = {"DB_USER": f"academy_{process}", "DB_PASSWORD": PASSWORD}
            await apps.enter_async_context(running(stack, process, **role, RETIRE_GRACE_SECONDS="0"))
        tenant, video = fresh_id(), fresh_id()
        lab.send_encode(tenant, video, small_lecture)
        payload = {"tenant_id": str(tenant), "lecture_id": 7}
        lab.send("ai-lite", ai_body(tenant, uuid4().hex, "attendance_excel_export", payload))
        writer = await mail.account()
        sent = await mail.ended(await mail.send(writer, phones(3)))
        done = {job.job_type: (job.state, job.error_code) for job in await lab.ended(tenant, 2)}
        assert done["video.encode"] == (sent.state, None) == ("DONE", None)
        # The role may look: nobody has attended.
        assert done["ai.attendance_excel_export"] == ("REJECTED_BAD_INPUT", "NOTHING_TO_EXPORT")
        assert (await lab.video(tenant, video)).status == "READY"
