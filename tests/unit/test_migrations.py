"""Migrations: what is released stays as it is, and what is new stops nobody who works on the tables."""

import hashlib
import io
import subprocess
import sys
from pathlib import Path

from alembic import command
from alembic.config import Config

ROOT = Path(__file__).parents[2]
VERSIONS = ROOT / "migrations" / "versions"
RELEASED = dict(
    reversed(line.split()) for line in (ROOT / "migrations/released.sha256").read_text().splitlines()
)


def test_released_revisions_are_never_edited() -> None:
    """Databases that were made by one would differ for ever: a fault is mended by a revision of its own."""
    assert {name: hashlib.sha256((VERSIONS / name).read_bytes()).hexdigest() for name in RELEASED} == RELEASED


def test_new_revisions_can_run_beside_the_release_before(tmp_path: Path) -> None:
    """Nothing is dropped or renamed that it reads, nothing is required that it does not write, and no lock
    is held that stops it: https://squawkhq.com/docs/rules."""
    checked = squawk(new_statements(), tmp_path)
    assert checked.returncode == 0, checked.stdout


def test_the_check_sees_a_contraction(tmp_path: Path) -> None:
    for bad in (
        "ALTER TABLE jobs DROP COLUMN epoch;",
        "DROP TABLE jobs;",
        "ALTER TABLE jobs RENAME COLUMN epoch TO fence;",
        "ALTER TABLE jobs ADD COLUMN fence integer NOT NULL;",
        "ALTER TABLE jobs ALTER COLUMN subject SET NOT NULL;",
        "ALTER TABLE jobs ALTER COLUMN epoch TYPE bigint;",
        "CREATE INDEX ix_new ON jobs (epoch);",
        "ALTER TABLE jobs ADD CONSTRAINT c CHECK (epoch > 0);",
    ):
        assert squawk(f"{new_statements()}\n{bad}\n", tmp_path).returncode == 1, bad


def squawk(statements: str, folder: Path) -> subprocess.CompletedProcess[str]:
    sql = folder / "statements.sql"
    sql.write_text(statements)
    program = Path(sys.executable).with_name("squawk")
    return subprocess.run(
        [program, "--config", ROOT / "migrations/squawk.toml", sql], capture_output=True, text=True
    )


def new_statements() -> str:
    last = max(name.partition("_")[0] for name in RELEASED)
    written = io.StringIO()
    command.upgrade(Config(ROOT / "alembic.ini", output_buffer=written), f"{last}:head", sql=True)
    return written.getvalue()
