"""Who calls: a service key `prefix.secret` of one tenant, or staff with a token (`api.staff`).

The tenant comes from the credential and nowhere else. Only an operator, whose token names none, says for
which tenant they act, by `X-Tenant-Id`; a stream of events may take it from the query, because browsers
send no headers for those.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyCookie, HTTPBearer
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.auth.staff import COOKIE, verify
from api.cache import Fresh
from api.problems import refused
from clients.database.models import ServiceKey

KEY_SECONDS = 10.0  # a revoked key works for so long in processes that know it
SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
TENANT_HEADER = "X-Tenant-Id"


@dataclass(frozen=True)
class Caller:
    """`name` tells callers apart for their limits; `tenant_id` is None for an operator who named none."""

    name: str
    tenant_id: int | None


class ServiceKeys:
    """Which tenant a service key is of. Known keys are looked up again after `seconds`."""

    def __init__(self, engine: AsyncEngine, seconds: float = KEY_SECONDS) -> None:
        self._engine = engine
        self._known = Fresh(self._look_up, seconds)

    async def tenant(self, prefix: str, secret: str) -> int | None:
        return await self._known.get((prefix, _hash(secret)))

    async def _look_up(self, key: tuple[str, str]) -> int | None:
        prefix, secret_sha256 = key
        known = select(ServiceKey).where(ServiceKey.prefix == prefix, ServiceKey.revoked_at.is_(None))
        async with self._engine.connect() as connection:
            row = (await connection.execute(known)).one_or_none()
        if row and hmac.compare_digest(row.secret_sha256, secret_sha256):
            tenant: int = row.tenant_id
            return tenant
        return None


async def caller_of(request: Request) -> Caller:
    """Who asks, once for each request. HTTPException 401 without a valid credential, without saying what
    is wrong with it; 403 for a tenant that is not theirs to name; 429 above the caller's rate."""
    known: Caller | None = getattr(request.state, "caller", None)
    if known is None:
        known = await _identify(request)
        request.app.state.services.rates.take(known.name)
        request.state.caller, request.state.tenant = known, known.tenant_id
    return known


async def tenant_of(
    request: Request,
    _key: Annotated[object, Security(HTTPBearer(auto_error=False))],
    _cookie: Annotated[object, Security(APIKeyCookie(name=COOKIE, auto_error=False))],
) -> int:
    """The tenant that the caller acts for. Raises as `caller_of`; 400 for an operator who named none."""
    caller = await caller_of(request)
    if caller.tenant_id is None:
        raise refused(400, "tenant_needed", f"Operators name the tenant in {TENANT_HEADER}.")
    return caller.tenant_id


Tenant = Annotated[int, Depends(tenant_of)]


async def same_origin(request: Request) -> None:
    """403 for an unsafe request that another site made a browser send along with our cookie."""
    if request.method in SAFE or COOKIE not in request.cookies or "authorization" in request.headers:
        return
    if not request.url.path.startswith("/api/"):
        return
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin", "")
    ours = site == "same-origin" if site else urlsplit(origin).netloc == request.headers.get("host")
    if not ours:
        raise refused(403, "cross_site", "Requests with a cookie must come from our own pages.")


async def create_key(connection: AsyncConnection, tenant_id: int) -> str:
    """A new service key of a tenant; the only time its secret is seen."""
    prefix, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    row = {"prefix": prefix, "tenant_id": tenant_id, "secret_sha256": _hash(secret)}
    await connection.execute(insert(ServiceKey).values(row))
    return f"{prefix}.{secret}"


async def _identify(request: Request) -> Caller:
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    credential = credential.strip()
    if not scheme and COOKIE in request.cookies:
        return _staff(request, request.cookies[COOKIE])
    if scheme.lower() == "bearer" and credential.count(".") == 2:
        return _staff(request, credential)
    prefix, _, secret = credential.partition(".")
    if scheme.lower() == "bearer" and secret:
        tenant = await request.app.state.services.service_keys.tenant(prefix, secret)
        if tenant is not None:
            _names_no_tenant(request)
            return Caller(f"key {prefix}", tenant)
    raise refused(401, "not_authenticated", "Send Authorization: Bearer <service key or staff token>.")


def _staff(request: Request, token: str) -> Caller:
    staff = verify(request.app.state.services.settings, token)
    if staff.role != "operator" or staff.tenant_id is not None:
        _names_no_tenant(request)
        return Caller(f"staff {staff.sub}", staff.tenant_id)
    named = _named_tenant(request)
    if named is None:
        return Caller(f"staff {staff.sub}", None)
    if not (named.isascii() and named.isdigit() and 0 < int(named) < 2**63):
        raise refused(404, "not_found", "There is no such tenant.")
    return Caller(f"staff {staff.sub}", int(named))


def _named_tenant(request: Request) -> str | None:
    in_query = request.query_params.get("tenant_id") if request.url.path.endswith("/events") else None
    return request.headers.get(TENANT_HEADER) or in_query


def _names_no_tenant(request: Request) -> None:
    if _named_tenant(request) is not None:
        raise refused(403, "not_an_operator", f"Only operators may send {TENANT_HEADER}.")


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
