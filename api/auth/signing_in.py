"""A person comes in: a session begins, and the one before it in the same browser ends. And goes out."""

import secrets
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from fastapi import HTTPException, Request
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.responses import Response

from api.auth import audit, sessions
from api.auth.people import Staff
from api.auth.sessions import Purpose
from api.auth.staff import identify, unknown, verify
from api.services import Services
from clients.database import staff_sessions
from clients.database.staff_sessions import NewSession
from clients.settings import Settings

BEFORE = "staff_token"  # the cookie of release 0.5, which held the token itself and could not be ended


async def by_token(
    services: Services,
    request: Request,
    response: Response,
    purpose: Purpose,
    token: str,
    *,
    recent: bool = False,
) -> Staff:
    """Let in who pastes a valid token, which the session does not outlive. `recent`: only a token made lately
    will do. HTTPException 401 for one that is not valid, or whose session was signed out; 503 without a key
    to check it."""
    if not services.settings.takes_pasted_tokens:
        raise unknown()
    staff = verify(services.settings, token)
    if recent and time.time() - staff.authenticated_at > services.settings.staff_recent_seconds:
        raise unknown()
    if await sessions.is_signed_out(services.engine, token):
        raise unknown()
    await let_in(services.engine, services.settings, request, response, purpose, staff, token)
    return staff


async def let_in(
    engine: AsyncEngine,
    settings: Settings,
    request: Request,
    response: Response,
    purpose: Purpose,
    staff: Staff,
    token: str | None = None,
) -> None:
    """Open a session for who has shown who they are, and set its cookie. Raises the database's errors."""
    secret = secrets.token_urlsafe(32)
    ends_at = datetime.now(UTC) + timedelta(seconds=settings.staff_session_max_seconds)
    if token is not None:
        ends_at = min(ends_at, datetime.fromtimestamp(staff.exp, UTC))
    session = NewSession(
        secret_sha256=sessions.hashed(secret),
        purpose=purpose,
        sub=staff.sub,
        tenant_id=staff.tenant_id,
        operator=staff.role == "operator",
        rights=",".join(sorted(staff.rights)),
        token_sha256=None if token is None else sessions.hashed(token),
        authenticated_at=datetime.fromtimestamp(staff.authenticated_at, UTC),
        ends_at=ends_at,
    )
    before = sessions.secret_of(request, purpose)
    async with engine.begin() as connection:
        await staff_sessions.add(connection, session)
        if before:
            await staff_sessions.replace(connection, sessions.hashed(before))
    sessions.keep(response, request, purpose, secret)
    audit.by(request, f"staff {staff.sub}", staff.tenant_id)
    forget_old(request, response)


async def sign_out(services: Services, request: Request, response: Response, purpose: Purpose) -> None:
    """End the session, and with it the token that it began with."""
    if secret := sessions.secret_of(request, purpose):
        with suppress(HTTPException):
            staff = await identify(request, purpose, "cookie", use=False)
            audit.by(request, f"staff {staff.sub}", staff.tenant_id)
        await sessions.end(services.engine, secret)
    sessions.forget(response, request, purpose)
    forget_old(request, response)


def forget_old(request: Request, response: Response) -> None:
    """A cookie of release 0.5 is taken by nobody any more."""
    if BEFORE in request.cookies:
        response.delete_cookie(BEFORE, httponly=True, samesite="strict")
