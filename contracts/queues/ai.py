"""`academy-ai-jobs-lite|basic|premium`: one envelope, one payload model per job type."""

import re
from collections.abc import Collection
from typing import Annotated, Any, Literal

from pydantic import Field

from contracts.catalog import EXTERNAL, ai_payloads
from contracts.fields import LooseId, QueueMessage
from contracts.jobs import JobRequest, payload_sha256
from contracts.payloads import AiPayload
from contracts.queues.poison import Poison, PoisonCode

TIERS = frozenset({"ai-lite", "ai-basic", "ai-premium"})
_OWNED = re.compile(r"tenants/([1-9][0-9]{0,18})/")
# A presigned link differs between two sends of one request. The tier says how soon, not what.
_VOLATILE = frozenset({"created_at", "attempt", "download_url", "tier"})


class AiMessage(QueueMessage):
    """The envelope. Its `created_at` and `attempt` decide nothing here: `job_id` is the request."""

    job_id: str = Field(pattern=r"^[A-Za-z0-9._:-]{1,100}$")
    job_type: str
    tier: Literal["lite", "basic", "premium"] | None = None
    tenant_id: LooseId | None = None
    source_tenant_id: LooseId | None = None  # the academy, where `tenant_id` owns what it shares
    source_domain: str | None = None
    source_id: Annotated[str | None, Field(coerce_numbers_to_str=True)] = None
    payload: dict[str, Any]


def read(
    body: dict[str, Any], queue: str, message_id: str, external: Collection[str] = frozenset()
) -> JobRequest:
    """`external` are job types that others implement. Raises Poison on an unknown job type or another
    tenant's data, ValidationError on fields."""
    message = AiMessage.model_validate(body)
    known = dict.fromkeys(external, AiPayload) | ai_payloads()
    if message.job_type not in known:
        raise Poison(PoisonCode.UNKNOWN_JOB_TYPE, f"job_type is none of {', '.join(known)}")
    model = known[message.job_type].model_validate(message.payload)
    tenant_id = _tenant(message, model)
    payload = (
        model.model_dump(mode="json", exclude_unset=True)
        | message.model_dump(include={"source_domain", "source_id"}, exclude_none=True)
        # A tier's own queue decides, whatever the body says: whoever may write to a queue has paid for its
        # tier, and a message that operators moved to another queue was moved on purpose.
        | {"tier": queue.removeprefix("ai-") if queue in TIERS else message.tier or "basic"}
    )
    return JobRequest(
        job_type=f"{EXTERNAL if message.job_type in external else 'ai.'}{message.job_type}",
        tenant_id=tenant_id,
        idempotency_key=message.job_id,
        external_id=message.job_id,
        payload=payload,
        payload_sha256=payload_sha256(payload, _VOLATILE),
        source=f"sqs:{queue}",
    )


def _tenant(message: AiMessage, payload: AiPayload) -> int | None:
    """The job's tenant: the envelope's, else the payload's, else the one whose object it is about."""
    named = {message.tenant_id, message.source_tenant_id, None}
    if message.tenant_id and payload.tenant_id not in named:
        raise Poison(PoisonCode.TENANT_MISMATCH, "tenant_id differs from payload.tenant_id")
    tenant_id = message.source_tenant_id or message.tenant_id or payload.tenant_id
    key = payload.file_key or ""
    if tenant_id is None and (owned := _OWNED.match(key)) and int(owned[1]) < 2**63:
        tenant_id = int(owned[1])
    # AI producers also use keys outside tenants/; such a key says nothing about who owns it.
    if key.startswith("tenants/") and not key.startswith(f"tenants/{tenant_id}/"):
        raise Poison(PoisonCode.FOREIGN_KEY_PREFIX, "payload.file_key is outside the tenant's own prefix")
    return tenant_id
