"""Alembic: the database is the one that the settings name.

Whoever waits for a lock on a table makes everybody wait who comes after it. So a migration waits a moment,
lets the others pass, and begins again: each revision is a transaction of its own, or can be run twice.
"""

import logging
import os
import pkgutil
import time
from importlib import import_module

from alembic import context
from psycopg.errors import LockNotAvailable
from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import OperationalError

import clients.database
from clients.connections import PostgresPart
from clients.database.engine import sign_in_by_role
from clients.database.models import Base
from clients.settings_sources import Process, read_or_exit

LOCK_TIMEOUT = "3s"  # https://www.postgresql.org/docs/current/runtime-config-client.html
TRIES, PAUSE = 30, 2.0

for module in pkgutil.iter_modules(clients.database.__path__):  # tables stand beside their queries
    import_module(f"clients.database.{module.name}")


def migrate() -> None:
    settings = read_or_exit(PostgresPart, Process.MIGRATE, os.environ)
    engine = create_engine(
        settings.database_url(),
        connect_args={"options": f"-c lock_timeout={LOCK_TIMEOUT}"},
        poolclass=NullPool,
    )
    if settings.db_auth == "iam":
        sign_in_by_role(engine, settings)
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            compare_type=True,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()


def write_sql() -> None:
    """`alembic upgrade … --sql`: statements to be read, without a database."""
    context.configure(dialect_name="postgresql", literal_binds=True, transaction_per_migration=True)
    context.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    write_sql()
else:
    for tries_left in reversed(range(TRIES)):
        try:
            migrate()
            break
        except OperationalError as error:
            if not tries_left or not isinstance(error.orig, LockNotAvailable):
                raise
            logging.getLogger("alembic").warning(
                "a long transaction holds a table that this migration needs; once more in %.0f s", PAUSE
            )
            time.sleep(PAUSE)
