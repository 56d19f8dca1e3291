"""Sessions of staff in a browser, by the hash of what their cookie holds. Callers hold the transactions."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, Index, String, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from clients.database.models import Base
from clients.database.rows import columns, one_or_none

NOTED = timedelta(minutes=1)  # so old may the last use be that is written down


class StaffSession(Base):
    """Somebody who signed in. `purpose` says whose cookie it is: the console's, or the codec's.

    `authenticated_at`: when they last showed who they are; `ends_at`: whatever they do. `token_sha256` is
    that of a pasted token, which ends with its session.
    """

    __tablename__ = "staff_sessions"

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))
    secret_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    purpose: Mapped[str] = mapped_column(String(16))
    sub: Mapped[str] = mapped_column(String(200))
    tenant_id: Mapped[int | None] = mapped_column(BigInteger)
    operator: Mapped[bool] = mapped_column(Boolean)
    rights: Mapped[str] = mapped_column(String(100))
    token_sha256: Mapped[str | None] = mapped_column(String(64))
    authenticated_at: Mapped[datetime]
    began_at: Mapped[datetime] = mapped_column(server_default=func.now())
    used_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ends_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_staff_sessions_token", "token_sha256", postgresql_where=text("token_sha256 IS NOT NULL")),
        Index("ix_staff_sessions_sub", "sub", postgresql_where=text("ended_at IS NULL")),
        Index("ix_staff_sessions_used", "used_at"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """`rights`: words between commas."""

    id: UUID
    sub: str
    tenant_id: int | None
    operator: bool
    rights: str
    authenticated_at: datetime
    used_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSession:
    secret_sha256: str
    purpose: str
    sub: str
    tenant_id: int | None
    operator: bool
    rights: str
    token_sha256: str | None
    authenticated_at: datetime
    ends_at: datetime


async def add(connection: AsyncConnection, session: NewSession) -> None:
    row = {name: getattr(session, name) for name in NewSession.__slots__}
    await connection.execute(insert(StaffSession).values(row))


async def find(
    connection: AsyncConnection, purpose: str, secret_sha256: str, idle: timedelta
) -> SessionRow | None:
    """One that is open: not signed out, not over, and used within `idle`. The clock is the database's."""
    mine = (StaffSession.secret_sha256 == secret_sha256, StaffSession.purpose == purpose)
    alive = (
        StaffSession.ended_at.is_(None),
        StaffSession.ends_at > func.now(),
        StaffSession.used_at > func.now() - idle,
    )
    query = select(*columns(StaffSession, SessionRow)).where(*mine, *alive)
    return await one_or_none(connection, query, SessionRow)


async def used(connection: AsyncConnection, session_id: UUID) -> None:
    """Note a use, unless one was noted a moment ago."""
    await connection.execute(
        update(StaffSession)
        .where(StaffSession.id == session_id, StaffSession.used_at < func.now() - NOTED)
        .values(used_at=func.now())
    )


async def end(connection: AsyncConnection, secret_sha256: str) -> None:
    """The session, and the others that began with the same token."""
    mine = StaffSession.secret_sha256 == secret_sha256
    token = select(StaffSession.token_sha256).where(mine).scalar_subquery()
    await connection.execute(
        update(StaffSession)
        .where(mine | (StaffSession.token_sha256 == token), StaffSession.ended_at.is_(None))
        .values(ended_at=func.now())
    )


async def replace(connection: AsyncConnection, secret_sha256: str) -> None:
    """End one that its person has left for another. The token that it began with goes on."""
    mine = (StaffSession.secret_sha256 == secret_sha256, StaffSession.ended_at.is_(None))
    await connection.execute(update(StaffSession).where(*mine).values(ends_at=func.now()))


async def end_all(connection: AsyncConnection, sub: str) -> int:
    """Every session of a person; of how many."""
    mine = (StaffSession.sub == sub, StaffSession.ended_at.is_(None))
    return (await connection.execute(update(StaffSession).where(*mine).values(ended_at=func.now()))).rowcount


async def is_signed_out(connection: AsyncConnection, token_sha256: str) -> bool:
    """Whether a session that began with this token was ended by a person."""
    mine = (StaffSession.token_sha256 == token_sha256, StaffSession.ended_at.is_not(None))
    return (await connection.execute(select(StaffSession.id).where(*mine).limit(1))).first() is not None
