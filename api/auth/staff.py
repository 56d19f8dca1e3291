"""Staff: people, who show a JSON web token as a Bearer, or the cookie of a session (`api.auth.sessions`)."""

import time
from typing import Literal
from uuid import uuid4

import jwt
from fastapi import HTTPException, Request
from pydantic import (
    ValidationError,
)

from api.auth import sessions
from api.auth.people import Staff
from api.auth.sessions import Purpose
from api.services import get_services
from clients.settings import Settings
from contracts.rights import Right


async def staff_of(request: Request, purpose: Purpose = Purpose.CONSOLE) -> Staff:
    """Who asks, once for each request. HTTPException 401 without a valid token or session of this purpose,
    503 for a token where no key to check it is configured."""
    if (known := known_staff(request)) is None:
        known = await identify(request, purpose)
        request.state.staff = known
        request.state.proven = True
    return known


def known_staff(request: Request) -> Staff | None:
    """Who asks, if that was found out before."""
    known: Staff | None = getattr(request.state, "staff", None)
    return known


async def identify(
    request: Request, purpose: Purpose, how: Literal["any", "cookie"] = "any", *, use: bool = True
) -> Staff:
    """As `staff_of`, and looked up anew. `use`: the session is being used, and does not idle."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    services = get_services(request)
    if how == "any" and scheme.lower() == "bearer":
        staff = verify(services.settings, token.strip())
        if await sessions.is_signed_out(services.engine, token.strip()):
            raise unknown()
        return staff
    secret = sessions.secret_of(request, purpose)
    session = secret and await sessions.find(services.engine, services.settings, purpose, secret, use=use)
    if not session:
        raise unknown()
    return Staff(
        sub=session.sub,
        exp=session.ends_at.timestamp(),
        auth_time=session.authenticated_at.timestamp(),
        tenant_id=session.tenant_id,
        role="operator" if session.operator else None,
        roles=sessions.rights(session),
    )


def verify(settings: Settings, token: str) -> Staff:
    """The person a token names: our algorithm, issuer and audience, not expired, and not too old: one that
    does not say since when it is may not last longer than the oldest may. Raises as `staff_of`."""
    if not settings.staff_jwt_key:
        raise HTTPException(
            503, {"detail": "Set STAFF_JWT_KEY to let staff read encrypted payloads.", "code": "no_staff_key"}
        )
    try:
        claims = jwt.decode(
            token,
            settings.staff_jwt_key.get_secret_value(),
            algorithms=[settings.staff_jwt_algorithm],
            issuer=settings.staff_jwt_issuer,
            audience=settings.staff_jwt_audience,
        )
        staff = Staff.model_validate(claims)
    except (jwt.PyJWTError, ValidationError):
        raise unknown() from None
    now, longest = time.time(), settings.staff_token_max_seconds
    if now - staff.iat > longest if staff.iat is not None else staff.exp - now > longest:
        raise unknown()
    return staff.with_rights(settings.default_rights())


def unknown() -> HTTPException:
    return HTTPException(
        401,
        {"detail": "Send Authorization: Bearer <staff token>, or sign in.", "code": "not_authenticated"},
        {"WWW-Authenticate": "Bearer"},
    )


def issue(
    settings: Settings,
    sub: str,
    seconds: int,
    tenant_id: int | None = None,
    *,
    operator: bool = False,
    rights: frozenset[Right] | None = None,
    ago: int = 0,
) -> str:
    """A token of our own for development, without a tenant an operator's; `ago` seconds old. Raises
    ValueError unless STAFF_JWT_KEY is set and symmetric: other tokens come from an identity provider."""
    if not settings.staff_jwt_key or settings.staff_jwt_algorithm != "HS256":
        raise ValueError("tokens are issued here only with STAFF_JWT_KEY and STAFF_JWT_ALGORITHM=HS256")
    now = int(time.time())
    claims: dict[str, str | int | list[str]] = {
        "sub": sub,
        "iss": settings.staff_jwt_issuer,
        "aud": settings.staff_jwt_audience,
        "iat": now - ago,
        "exp": now + seconds,
        "jti": uuid4().hex,  # or two of one second are one, and are signed out together
    }
    if tenant_id is not None:
        claims["tenant_id"] = tenant_id
    if operator or tenant_id is None:
        claims["role"] = "operator"
    if rights is not None:
        claims["roles"] = sorted(rights)
    return jwt.encode(claims, settings.staff_jwt_key.get_secret_value(), "HS256")
