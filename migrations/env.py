"""Alembic: the database is the one that the settings name."""

from alembic import context
from sqlalchemy import create_engine

from clients.database.models import Base
from clients.settings import load

engine = create_engine(load().database_url())
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
