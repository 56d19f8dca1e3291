"""`academy-messaging-jobs`: one text to one phone."""

from datetime import datetime
from typing import Any

from contracts.jobs import JobRequest, payload_sha256
from contracts.messaging import request_of
from contracts.payloads import SendMessage

SEND, DIGEST = "messaging.send", "messages.digest"
_VOLATILE = frozenset({"created_at"})  # a producer that sends again writes it anew


def read(body: dict[str, Any], queue: str, message_id: str) -> JobRequest:
    """Raises ValidationError on fields.

    An unusable business key is refused too: the message id is new with every send, so falling back to
    it could text a parent twice.
    """
    message = SendMessage.model_validate(body)
    others = {"tenant_id", "source_tenant_id", "use_alimtalk_first", "business_idempotency_key"}
    if message.mode != "email":  # producers of text messages have never had one
        others.add("subject")
    payload = message.model_dump(
        mode="json",
        exclude=others,
        exclude_none=True,
    ) | {"message_mode": message.mode}
    if message.source_tenant_id not in (None, message.tenant_id):
        payload["channel_tenant_id"] = message.tenant_id
    request_of(SEND, payload)  # what the job makes of it: a field too long for that would never end
    return JobRequest(
        job_type=SEND,
        tenant_id=message.source_tenant_id or message.tenant_id,
        idempotency_key=message.business_idempotency_key or f"sqs:{message_id}",
        payload=payload,
        payload_sha256=payload_sha256(payload, _VOLATILE),
        source=f"sqs:{queue}",
    )


def digest_request(tenant_id: int, closes_at: datetime) -> JobRequest:
    """What sends a tenant's notices whose windows close then: one for each minute."""
    payload = {"closes_at": closes_at.isoformat()}
    return JobRequest(
        job_type=DIGEST,
        tenant_id=tenant_id,
        idempotency_key=f"{closes_at:%Y%m%dT%H%MZ}",
        payload=payload,
        payload_sha256=payload_sha256(payload, frozenset()),
        source="digest",
    )
