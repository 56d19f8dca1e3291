"""Requests for jobs, made of what was asked for over HTTP."""

import asyncio
from collections.abc import Sequence
from typing import Any

from api import text_templates
from api.auth.callers import Caller
from api.problems import refused
from api.schemas import job_request
from api.services import Services
from api.text_templates import Kept
from clients.database import jobs
from contracts.catalog import CATALOG, Domain
from contracts.jobs import JobRequest, payload_sha256
from contracts.messaging import ASKED_BY, CLASS_IDS, SendRequest


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


def to_classes(job_request: JobRequest, class_ids: Sequence[int]) -> JobRequest:
    """A request with the classes that it is to, for who asks what a class has cost. It is known again by its
    recipients."""
    return job_request.model_copy(update={"payload": job_request.payload | {CLASS_IDS: list(class_ids)}})


async def messages_request(services: Services, tenant: int, body: SendRequest, key: str) -> JobRequest:
    """HTTPException 422 for what names nobody, a text that is not kept, or objects of others."""
    draft, kept = body.draft, None
    if draft.text_template is not None:
        if draft.text or draft.subject:
            raise refused(422, "text_twice", "Give text and subject, or text_template, not both.")
        kept = await text_templates.find(services, tenant, draft.text_template, draft.text_template_version)
        if kept is None and not await _was_asked(services, tenant, key):
            raise refused(422, "unknown_text_template", "There is no such text_template.")
    return await asyncio.to_thread(messages_job, tenant, body, key, kept)


async def _was_asked(services: Services, tenant: int, key: str) -> bool:
    """Then the text that was accepted stands, whatever has become of its template."""
    async with services.engine.connect() as connection:
        return await jobs.was_asked(connection, tenant, "messages.send", f"api:{key}")


def messages_job(tenant: int, body: SendRequest, key: str, kept: Kept | None = None) -> JobRequest:
    """The request with the words of `kept` in it: what becomes of that later changes nothing. It is known
    again by what was asked for, so the same request after another version was written is the same.
    HTTPException 422."""
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
    asked = body.model_dump(mode="json", exclude_defaults=True)
    asked["draft"] = asked.get("draft", {}) | {
        "text": body.draft.text
    }  # workers of the release before want one
    payload = asked
    if kept:
        words = {
            "text": kept.content.text,
            "subject": kept.content.subject,
            "text_template_version": kept.version,
        }
        payload = asked | {"draft": asked["draft"] | words}
    return JobRequest(
        job_type="messages.send",
        tenant_id=tenant,
        idempotency_key=f"api:{key}",
        payload=payload,
        payload_sha256=payload_sha256(asked, frozenset()),
        source="api",
    )
