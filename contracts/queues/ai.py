"""`academy-ai-jobs-lite|basic|premium`: one envelope, one payload model per job type."""

from typing import Annotated, Any, Literal

from pydantic import Field

from contracts.catalog import ai_payloads
from contracts.fields import LooseId, QueueMessage
from contracts.jobs import JobRequest, payload_sha256
from contracts.payloads import AiPayload
from contracts.queues.poison import Poison, PoisonCode

# A presigned link differs between two sends of one request. The tier says how soon, not what.
_VOLATILE = frozenset({"created_at", "attempt", "download_url", "tier"})


class AiMessage(QueueMessage):
    """The envelope. Its `created_at` and `attempt` decide nothing here: `job_id` is the request."""

    job_id: str = Field(pattern=r"^[A-Za-z0-9._:-]{1,100}$")
    job_type: str
    tier: Literal["lite", "basic", "premium"] | None = None
    tenant_id: LooseId | None = None
    source_domain: str | None = None
    source_id: Annotated[str | None, Field(coerce_numbers_to_str=True)] = None
    payload: dict[str, Any]


def read(body: dict[str, Any], queue: str, message_id: str) -> JobRequest:
    """Raises Poison on an unknown job type or another tenant's data, ValidationError on fields."""
    message = AiMessage.model_validate(body)
    known = ai_payloads()
    if message.job_type not in known:
        raise Poison(PoisonCode.UNKNOWN_JOB_TYPE, f"job_type is none of {', '.join(known)}")
    model = known[message.job_type].model_validate(message.payload)
    tenant_id = _tenant(message, model)
    payload = (
        model.model_dump(mode="json", exclude_unset=True)
        | message.model_dump(include={"source_domain", "source_id"}, exclude_none=True)
        # The queue decides, whatever the body says: whoever may write to a queue has paid for its tier,
        # and a message that operators moved to another queue was moved on purpose.
        | {"tier": queue.removeprefix("ai-")}
    )
    return JobRequest(
        job_type=f"ai.{message.job_type}",
        tenant_id=tenant_id,
        idempotency_key=message.job_id,
        external_id=message.job_id,
        payload=payload,
        payload_sha256=payload_sha256(payload, _VOLATILE),
        source=f"sqs:{queue}",
    )


def _tenant(message: AiMessage, payload: AiPayload) -> int | None:
    """The job's tenant: the envelope's, or the payload's where the envelope has none."""
    if message.tenant_id and payload.tenant_id and message.tenant_id != payload.tenant_id:
        raise Poison(PoisonCode.TENANT_MISMATCH, "tenant_id differs from payload.tenant_id")
    tenant_id = message.tenant_id or payload.tenant_id
    key = payload.file_key or ""
    # AI producers also use keys outside tenants/; such a key says nothing about who owns it.
    if key.startswith("tenants/") and not key.startswith(f"tenants/{tenant_id}/"):
        raise Poison(PoisonCode.FOREIGN_KEY_PREFIX, "payload.file_key is outside the tenant's own prefix")
    return tenant_id
