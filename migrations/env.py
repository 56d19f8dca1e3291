"""Alembic: the database is the one that the settings name."""

import pkgutil
from importlib import import_module

from alembic import context
from sqlalchemy import create_engine

import clients.database
from clients.database.models import Base
from clients.settings import load

for module in pkgutil.iter_modules(clients.database.__path__):  # tables stand beside their queries
    import_module(f"clients.database.{module.name}")

engine = create_engine(load().database_url())
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
