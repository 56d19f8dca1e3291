"""Staff: people, who show a JSON web token, as a Bearer or as the cookie that the login page sets."""

import time
from typing import Self

import jwt
from fastapi import HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field, StrictInt, ValidationError, model_validator

from api.services import get_services
from clients.settings import Settings

COOKIE = "staff_token"


class Staff(BaseModel):
    """Who it is, and what they may read: everything (`role: operator`), or what is their tenant's."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    sub: str = Field(min_length=1, max_length=200)
    exp: float
    tenant_id: StrictInt | None = None
    role: str | None = None

    @model_validator(mode="after")
    def _may_something(self) -> Self:
        if self.tenant_id is None and self.role != "operator":
            raise ValueError("neither of a tenant nor an operator")
        return self

    def may_read(self, tenant_id: int | None) -> bool:
        return self.role == "operator" or (tenant_id is not None and self.tenant_id == tenant_id)


def staff_of(request: Request) -> Staff:
    """Who asks. HTTPException 401 without a valid token, 503 where no key to check it is configured."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        token = request.cookies.get(COOKIE, "")
    staff = verify(get_services(request).settings, token.strip())
    request.state.proven = True
    return staff


def verify(settings: Settings, token: str) -> Staff:
    """The person a token names: our algorithm, issuer and audience, not expired. Raises as `staff_of`."""
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
        return Staff.model_validate(claims)
    except (jwt.PyJWTError, ValidationError):
        raise HTTPException(
            401,
            {"detail": "Send Authorization: Bearer <staff token>, or sign in.", "code": "not_authenticated"},
            {"WWW-Authenticate": "Bearer"},
        ) from None


def issue(
    settings: Settings, sub: str, seconds: int, tenant_id: int | None = None, *, operator: bool = False
) -> str:
    """A token of our own for development, without a tenant an operator's. Raises ValueError unless
    STAFF_JWT_KEY is set and symmetric: other tokens come from an identity provider."""
    if not settings.staff_jwt_key or settings.staff_jwt_algorithm != "HS256":
        raise ValueError("tokens are issued here only with STAFF_JWT_KEY and STAFF_JWT_ALGORITHM=HS256")
    claims: dict[str, str | int] = {
        "sub": sub,
        "iss": settings.staff_jwt_issuer,
        "aud": settings.staff_jwt_audience,
        "exp": int(time.time()) + seconds,
    }
    if tenant_id is not None:
        claims["tenant_id"] = tenant_id
    if operator or tenant_id is None:
        claims["role"] = "operator"
    return jwt.encode(claims, settings.staff_jwt_key.get_secret_value(), "HS256")
