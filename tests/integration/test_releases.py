"""A database of every release becomes one of today, and keeps what stands in it.

`tests/releases/*.sql` are dumps of databases that those releases' migrations made, with an open job and an
ended one; `-first` ones are of days on which a revision of the release had another form.
"""

import asyncio
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command

from clients.settings import Settings
from devstack.stack import ROOT
from tests.integration.conftest import admin
from tests.integration.test_schema import ALEMBIC
from tests.lab import eventually

RELEASES = sorted((ROOT / "tests/releases").glob("*.sql"))
JOBS = "SELECT id, tenant_id, job_type, workflow_id, state, finished_at FROM jobs ORDER BY id"


@pytest.mark.parametrize("dump", RELEASES, ids=lambda dump: dump.stem)
def test_a_database_of_a_release_is_brought_up_to_date(dump: Path, scratch: str, settings: Settings) -> None:
    admin(settings, dump.read_text(), scratch)
    before = admin(settings, JOBS, scratch)
    assert len(before) >= 2
    command.upgrade(ALEMBIC, "head")
    command.check(ALEMBIC)
    assert admin(settings, JOBS, scratch) == before
    assert indexes(settings, scratch) == indexes(settings, "academy")  # which was made from nothing


async def test_nobody_waits_behind_a_migration_that_waits(scratch: str, settings: Settings) -> None:
    """A long transaction holds a table that it wants to change: everybody else reads it meanwhile."""
    admin(settings, (ROOT / "tests/releases/0.1.0.sql").read_text(), scratch)
    url = settings.database_url().set(drivername="postgresql", database=scratch)
    waiting = f"SELECT 1 FROM pg_stat_activity WHERE datname = '{scratch}' AND wait_event_type = 'Lock'"

    async def waits() -> bool:
        return bool(admin(settings, waiting))

    with psycopg.connect(url.render_as_string(hide_password=False)) as holder:
        holder.execute("LOCK TABLE videos IN ACCESS SHARE MODE")
        upgrade = asyncio.ensure_future(asyncio.to_thread(command.upgrade, ALEMBIC, "head"))
        await eventually(waits, what="the migration waits for its lock")
        assert admin(settings, "SELECT count(*) FROM videos", scratch) == [(1,)]
        assert not upgrade.done()
    await upgrade
    command.check(ALEMBIC)


def indexes(settings: Settings, database: str) -> list[Any]:
    """What `alembic check` does not compare: whether they are valid, unique, and of some rows only."""
    return admin(
        settings,
        """SELECT indexrelid::regclass::text, indisvalid, indisunique, indpred IS NOT NULL FROM pg_index
        JOIN pg_class ON oid = indexrelid WHERE relnamespace = 'public'::regnamespace ORDER BY 1""",
        database,
    )
