"""`academy-messaging-jobs`: one text to one phone."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from contracts.jobs import JobRequest, payload_sha256
from contracts.queues.fields import BLANK_IS_NONE, BigId, QueueMessage, Reference

SEND = "messaging.send"

Mode = Literal["sms", "alimtalk", "both"]
_MODES = ("sms", "alimtalk", "both")


def _known_mode(value: Any) -> Any:
    """None where no mode was given. An unknown one is sms, as the producers expect."""
    return value if value in _MODES else "sms" if value else None


# Real lengths are the sender's business (bytes of cp949 after substitution); this only bounds.
Filled = Annotated[str, Field(max_length=10_000, pattern=r"\S")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{64}$", to_lower=True)]


class Replacement(QueueMessage):
    key: str
    value: Annotated[str, Field(coerce_numbers_to_str=True)]


class SendMessage(QueueMessage):
    """Both producers' message. It also carries `created_at`, which decides nothing here."""

    tenant_id: BigId
    to: Filled
    text: Filled
    sender: str | None = None
    message_mode: Annotated[Mode | None, BeforeValidator(_known_mode)] = None
    use_alimtalk_first: bool | None = None
    reservation_id: BigId | None = None
    template_id: str | None = None
    alimtalk_replacements: list[Replacement] | None = None
    business_idempotency_key: Annotated[Sha256 | None, BLANK_IS_NONE] = None
    event_type: str | None = None
    occurrence_key: str | None = None
    target_type: str | None = None
    target_id: Reference | None = None

    @property
    def mode(self) -> Mode:
        return self.message_mode or ("both" if self.use_alimtalk_first else "sms")


def read(body: dict[str, Any], queue: str, message_id: str) -> JobRequest:
    """Raises ValidationError on fields.

    An unusable business key is refused too: the message id is new with every send, so falling back to
    it could text a parent twice.
    """
    message = SendMessage.model_validate(body)
    payload = message.model_dump(
        exclude={"tenant_id", "use_alimtalk_first", "business_idempotency_key"}, exclude_none=True
    ) | {"message_mode": message.mode}
    return JobRequest(
        job_type=SEND,
        tenant_id=message.tenant_id,
        idempotency_key=message.business_idempotency_key or f"sqs:{message_id}",
        payload=payload,
        payload_sha256=payload_sha256(payload, frozenset()),
        source=f"sqs:{queue}",
    )
