"""Sessions of staff in a browser. The cookie holds a secret, the database its hash and whose it is.

A session ends when somebody signs out, when it was not used for a while, and in any case at its end; all of
it at once in every process, for nothing of it is cached.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import HTTPConnection
from starlette.responses import Response

from clients.database import staff_sessions
from clients.database.staff_sessions import SessionRow
from clients.settings import Settings
from contracts.rights import Right, rights_of


class Purpose(StrEnum):
    """The console's cookie stays on its own site (SameSite=Strict). The codec's is sent from Temporal's Web
    UI as well (Lax), and is good for nothing else."""

    CONSOLE = "console"
    CODEC = "codec"


_NAMES = {Purpose.CONSOLE: "staff_session", Purpose.CODEC: "codec_session"}
COOKIE = _NAMES[Purpose.CONSOLE]
# Browsers take a cookie of this name over TLS only, and no subdomain can set one (RFC 6265bis, 4.1.3.2).
HOST = "__Host-"
COOKIES = [prefix + name for name in _NAMES.values() for prefix in (HOST, "")]


def cookie_name(request: HTTPConnection, purpose: Purpose) -> str:
    """Over plain HTTP, which is for development, the name has no prefix."""
    return (HOST if is_secure(request) else "") + _NAMES[purpose]


def is_secure(request: HTTPConnection) -> bool:
    """Whether the browser came over TLS: to us, or to a proxy in API_PROXIES, which says so."""
    return request.url.scheme == "https"


def secret_of(request: HTTPConnection, purpose: Purpose) -> str:
    """What the request's cookie holds; empty without one."""
    return request.cookies.get(cookie_name(request, purpose), "")


def keep(response: Response, request: HTTPConnection, purpose: Purpose, secret: str) -> None:
    """Set the cookie. It goes with the browser's window; how long it is good for, the database knows."""
    response.set_cookie(
        cookie_name(request, purpose),
        secret,
        path="/",
        secure=is_secure(request),
        httponly=True,
        samesite="strict" if purpose is Purpose.CONSOLE else "lax",
    )


def forget(response: Response, request: HTTPConnection, purpose: Purpose) -> None:
    secure = is_secure(request)
    response.delete_cookie(cookie_name(request, purpose), path="/", secure=secure, httponly=True)


async def find(
    engine: AsyncEngine, settings: Settings, purpose: Purpose, secret: str, *, use: bool
) -> SessionRow | None:
    """The open session of a secret. `use`: and note that it is used. Raises the database's errors."""
    idle = timedelta(seconds=settings.staff_session_idle_seconds)
    async with engine.connect() as connection:
        found = await staff_sessions.find(connection, purpose, hashed(secret), idle)
    if found and use and datetime.now(UTC) - found.used_at > staff_sessions.NOTED:
        async with engine.begin() as connection:
            await staff_sessions.used(connection, found.id)
    return found


async def end(engine: AsyncEngine, secret: str) -> None:
    async with engine.begin() as connection:
        await staff_sessions.end(connection, hashed(secret))


async def is_signed_out(engine: AsyncEngine, token: str) -> bool:
    """Whether a session that began with this token was signed out: then the token is good for nothing."""
    async with engine.connect() as connection:
        return await staff_sessions.is_signed_out(connection, hashed(token))


def rights(session: SessionRow) -> frozenset[Right]:
    return rights_of(session.rights)


def hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest()
