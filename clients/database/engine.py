"""One connection pool a process."""

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from clients.settings import Settings

LIMITS = {"statement_timeout": 15_000, "lock_timeout": 5_000, "idle_in_transaction_session_timeout": 30_000}


def create_engine(settings: Settings, application_name: str) -> AsyncEngine:
    """A pool that survives a database restart and idle connections cut by a network in between.

    Connections are pinged when taken and dropped after five minutes; a statement may take 15 s, waiting
    for a lock 5 s, so that a sick database gives an error to retry and not a hang.
    """
    return create_async_engine(
        settings.database_url(),
        pool_size=settings.db_pool_size,
        max_overflow=0,
        pool_timeout=10,
        pool_pre_ping=True,
        pool_recycle=300,
        connect_args={
            "application_name": application_name,
            "connect_timeout": 5,
            "keepalives_idle": 30,
            "tcp_user_timeout": 15_000,
            "options": " ".join(f"-c {name}={value}" for name, value in LIMITS.items()),
        },
    )
