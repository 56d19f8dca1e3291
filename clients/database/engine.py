"""One connection pool a process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import boto3
from sqlalchemy import event
from sqlalchemy.engine import Engine, ExceptionContext
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from clients.connections import PostgresPart

LIMITS = {"statement_timeout": 15_000, "lock_timeout": 5_000, "idle_in_transaction_session_timeout": 30_000}
NO_MORE_WRITES = "25006"  # read_only_sql_transaction: it was the primary until a moment ago


def create_engine(settings: PostgresPart, application_name: str) -> AsyncEngine:
    """A pool that survives a database restart, a failover, and idle connections cut by a network in between.

    Connections are pinged when taken and dropped after five minutes; a statement may take 15 s, waiting
    for a lock 5 s, so that a sick database gives an error to retry and not a hang. A server that refuses to
    write answers pings all the same: its first refusal drops every connection of the pool, and new ones go to
    the server that writes (`DB_TARGET_SESSION_ATTRS`).

    Behind PgBouncer these limits are the role's own (`deploy/postgres/roles.sql`).
    """
    arguments: dict[str, Any] = {
        "application_name": application_name,
        "connect_timeout": 5,
        "keepalives_idle": 30,
        "tcp_user_timeout": 15_000,
    }
    if settings.db_pgbouncer:
        arguments["prepare_threshold"] = None
    else:
        arguments["options"] = " ".join(f"-c {name}={value}" for name, value in LIMITS.items())
    engine = create_async_engine(
        settings.database_url(),
        pool_size=settings.db_pool_size,
        max_overflow=0,
        pool_timeout=10,
        pool_pre_ping=True,
        pool_recycle=300,
        connect_args=arguments,
    )
    event.listen(engine.sync_engine, "handle_error", _leave_who_does_not_write)
    if settings.db_auth == "iam":
        sign_in_by_role(engine.sync_engine, settings)
    return engine


@asynccontextmanager
async def opened(settings: PostgresPart, application_name: str) -> AsyncIterator[AsyncEngine]:
    """A pool for as long as it is used."""
    engine = create_engine(settings, application_name)
    try:
        yield engine
    finally:
        await engine.dispose()


def sign_in_by_role(engine: Engine, settings: PostgresPart) -> None:
    """Every new connection of this (synchronous) engine signs in with a fresh token of the AWS role."""
    rds = boto3.client("rds", region_name=settings.aws_region)

    def give_token(_dialect: object, _record: object, _args: object, parameters: dict[str, Any]) -> None:
        parameters["password"] = rds.generate_db_auth_token(
            DBHostname=settings.db_host, Port=settings.db_port, DBUsername=settings.db_user
        )

    event.listen(engine, "do_connect", give_token)


def _leave_who_does_not_write(context: ExceptionContext) -> None:
    if getattr(context.original_exception, "sqlstate", None) == NO_MORE_WRITES:
        context.is_disconnect = True
