"""Who calls: a service key `prefix.secret` of one tenant. The tenant comes from the key and nowhere else."""

import hashlib
import hmac
import secrets
from typing import Annotated

from fastapi import Depends, Header, HTTPException, Request
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from clients.database.models import ServiceKey


async def tenant_of(request: Request, authorization: Annotated[str, Header()] = "") -> int:
    """The calling tenant. 401 for a missing, unknown or revoked key, without saying which."""
    scheme, _, key = authorization.partition(" ")
    prefix, _, secret = key.strip().partition(".")
    if scheme.lower() == "bearer" and secret:
        async with request.app.state.services.engine.connect() as connection:
            known = select(ServiceKey).where(ServiceKey.prefix == prefix, ServiceKey.revoked_at.is_(None))
            row = (await connection.execute(known)).one_or_none()
        if row and hmac.compare_digest(row.secret_sha256, _hash(secret)):
            tenant: int = row.tenant_id
            return tenant
    raise HTTPException(
        401, {"detail": "Send Authorization: Bearer <service key>.", "code": "not_authenticated"}
    )


Tenant = Annotated[int, Depends(tenant_of)]


async def create_key(connection: AsyncConnection, tenant_id: int) -> str:
    """A new service key of a tenant; the only time its secret is seen."""
    prefix, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    row = {"prefix": prefix, "tenant_id": tenant_id, "secret_sha256": _hash(secret)}
    await connection.execute(insert(ServiceKey).values(row))
    return f"{prefix}.{secret}"


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
