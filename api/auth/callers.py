"""Who calls: a service key `prefix.secret` of one tenant, or staff with a token (`api.auth.staff`).

The tenant comes from the credential and nowhere else. Only an operator, whose token names none, says for
which tenant they act, by `X-Tenant-Id`; a stream of events may take it from the query, because browsers
send no headers for those.
"""

import re
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, HTTPException, Request, Security
from fastapi.security import APIKeyCookie, HTTPBearer

from api.auth.people import Staff
from api.auth.sessions import COOKIE, Purpose, secret_of
from api.auth.staff import identify
from api.problems import ERASED, refused
from api.services import get_services
from contracts.rights import EVERYTHING, Right
from intake.errors import INFRASTRUCTURE_ERRORS

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
TENANT_ID = re.compile(r"[1-9][0-9]{0,17}")
TENANT_HEADER = "X-Tenant-Id"


@dataclass(frozen=True)
class Caller:
    """`name` tells callers apart for their limits; `tenant_id` is None for an operator who named none.
    `authenticated_at`: when a person last showed who they are, in seconds since 1970; None of a system.
    `belongs_to`: the tenant that a person is of, whomever they act for."""

    name: str
    tenant_id: int | None
    rights: frozenset[Right] = EVERYTHING
    authenticated_at: float | None = None
    belongs_to: int | None = None


def caller_for(staff: Staff, tenant_id: int | None = None) -> Caller:
    """A person, who acts for their tenant, or as an operator for the one that they named."""
    tenant = staff.tenant_id if tenant_id is None else tenant_id
    return Caller(f"staff {staff.sub}", tenant, staff.rights, staff.authenticated_at, staff.tenant_id)


def known_caller(request: Request) -> Caller | None:
    """Who asks, if that was found out before."""
    known: Caller | None = getattr(request.state, "caller", None)
    return known


async def caller_of(request: Request) -> Caller:
    """Who asks, once for each request. HTTPException 401 without a valid credential, without saying what
    is wrong with it; 403 for a tenant that is not theirs to name; 410 for one that was erased;
    429 above the caller's rate."""
    known = known_caller(request)
    if known is None:
        known = await _identify(request)
        get_services(request).rates.take(known.name)
        if known.tenant_id is not None:
            tombstone = await get_services(request).tombstones.get(known.tenant_id)
            if tombstone and tombstone.erasing_at:
                raise refused(410, "tenant_erased", ERASED)
        request.state.caller = known
        request.state.proven = True
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
    if request.method in SAFE or "authorization" in request.headers:
        return
    if not secret_of(request, Purpose.CONSOLE):
        return
    if not request.url.path.startswith("/api/"):
        return
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin", "")
    ours = site == "same-origin" if site else host_of(origin) == request.headers.get("host")
    if not ours:
        raise refused(403, "cross_site", "Requests with a cookie must come from our own pages.")


def host_of(origin: str) -> str:
    """Host and port of an `Origin`; empty for what is none."""
    try:
        return urlsplit(origin).netloc
    except ValueError:  # `http://[`
        return ""


async def still_known(request: Request) -> bool:
    """Whether the credential of a request that goes on would be taken now. An outage revokes nothing."""
    try:
        return await _identify(request, use=False) == known_caller(request)
    except HTTPException:
        return False
    except INFRASTRUCTURE_ERRORS:
        return True


async def _identify(request: Request, *, use: bool = True) -> Caller:
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    credential = credential.strip()
    if not scheme and secret_of(request, Purpose.CONSOLE):
        return _staff(request, await identify(request, Purpose.CONSOLE, "cookie", use=use))
    if scheme.lower() == "bearer" and credential.count(".") == 2:
        return _staff(request, await identify(request, Purpose.CONSOLE))
    prefix, _, secret = credential.partition(".")
    if scheme.lower() == "bearer" and secret:
        key = await get_services(request).service_keys.find(prefix, secret)
        if key is not None:
            _names_no_tenant(request)
            return Caller(f"key {prefix}", key.tenant_id, key.rights)
    raise refused(401, "not_authenticated", "Send Authorization: Bearer <service key or staff token>.")


def _staff(request: Request, staff: Staff) -> Caller:
    if staff.role != "operator" or staff.tenant_id is not None:
        _names_no_tenant(request)
        return caller_for(staff)
    named = _named_tenant(request)
    if named is None:
        return caller_for(staff)
    if not TENANT_ID.fullmatch(named):
        raise refused(404, "not_found", "There is no such tenant.")
    return caller_for(staff, int(named))


def _named_tenant(request: Request) -> str | None:
    in_query = request.query_params.get("tenant_id") if request.url.path.endswith("/events") else None
    return request.headers.get(TENANT_HEADER) or in_query


def _names_no_tenant(request: Request) -> None:
    if _named_tenant(request) is not None:
        raise refused(403, "not_an_operator", f"Only operators may send {TENANT_HEADER}.")
