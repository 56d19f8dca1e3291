"""Requests for jobs, made of what was asked for over HTTP."""

from typing import Any

from api.auth.callers import Caller
from api.problems import refused
from api.schemas import job_request
from api.services import Services
from contracts.catalog import CATALOG, Domain
from contracts.jobs import JobRequest, payload_sha256
from contracts.messaging import ASKED_BY, SendRequest


def ai_request(
    services: Services,
    *,
    tenant: int,
    name: str,
    tier: str,
    payload: dict[str, Any],
    envelope: dict[str, Any],
    key: str,
) -> JobRequest:
    """Raises Poison; HTTPException 422 for a file that is not below the tenant's own prefix."""
    file_key = payload.get("file_key")
    if file_key and not str(file_key).startswith(f"tenants/{tenant}/"):
        raise refused(422, "foreign_key_prefix", f"Files of jobs lie below tenants/{tenant}/.")
    payload = payload | {"tenant_id": tenant}
    if name == "excel_parsing":
        payload["bucket"] = services.settings.r2_bucket
    return job_request(f"ai-{tier}", tenant, envelope | {"job_type": name, "payload": payload}, key)


def asked_by(job_request: JobRequest, caller: Caller) -> JobRequest:
    """A request with who asks in its payload, where that counts: of messages. It is no part of what is asked
    for, so the same request of another person is the same."""
    if CATALOG[job_request.job_type].domain is not Domain.MESSAGING:
        return job_request
    return job_request.model_copy(update={"payload": job_request.payload | {ASKED_BY: caller.name}})


def messages_request(tenant: int, body: SendRequest, key: str) -> JobRequest:
    """HTTPException 422 for what names nobody, or objects that are not the tenant's."""
    if body.recipients and body.recipients_key:
        raise refused(422, "invalid_recipients", "Give recipients or recipients_key, not both.")
    if not body.recipients and not body.recipients_key:
        raise refused(422, "invalid_recipients", "Give at least one recipient.")
    for named, prefix in (
        (body.recipients_key, f"tenants/{tenant}/messages/"),
        (body.draft.image_key, f"tenants/{tenant}/"),
    ):
        if named and (not named.startswith(prefix) or ".." in named):
            raise refused(422, "invalid_key", f"Objects of messages lie below {prefix}.")
    payload = body.model_dump(mode="json", exclude_defaults=True)
    return JobRequest(
        job_type="messages.send",
        tenant_id=tenant,
        idempotency_key=f"api:{key}",
        payload=payload,
        payload_sha256=payload_sha256(payload, frozenset()),
        source="api",
    )
