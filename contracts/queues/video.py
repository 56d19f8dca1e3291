"""`academy-video-jobs`: encode an upload, or delete a video's objects."""

import hashlib
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from contracts.fields import BLANK_IS_NONE, BigId, ObjectKey, QueueMessage, Timestamp, require_prefix
from contracts.jobs import JobRequest, payload_sha256
from contracts.payloads import TrimPayload
from contracts.queues.poison import Poison, PoisonCode

ENCODE = "video.encode"
DELETE = "video.delete"
TRIM, DOWNLOAD = "video.trim", "video.download"  # over HTTP only

VOLATILE = frozenset({"tenant_code"})  # an encode is the same with and without


class EncodeMessage(QueueMessage):
    """Both producers' encode: the older names the occurrence by `created_at`, the later by `job_id`."""

    tenant_id: BigId
    video_id: BigId
    file_key: ObjectKey
    tenant_code: str | None = Field(default=None, max_length=64)
    job_id: UUID | None = None
    created_at: Timestamp | None = Field(default=None, validate_default=True)
    attempt: int = Field(default=1, strict=True, ge=0, le=2**31 - 1)

    @field_validator("file_key")
    @classmethod
    def _own(cls, key: str, info: ValidationInfo) -> str:
        if "tenant_id" in info.data:
            # What `video.delete` may erase, and nothing that it may not.
            require_prefix(key, f"tenants/{info.data['tenant_id']}/video/raw/")
        return key

    @field_validator("created_at")
    @classmethod
    def _dated(cls, at: Any, info: ValidationInfo) -> Any:
        if at is None and info.data.get("job_id") is None:
            raise PydanticCustomError("missing", "needed where there is no job_id")
        return at

    @property
    def occurrence(self) -> str:
        """A producer that tries again sends `attempt` + 1, and means a new encode by it."""
        if self.job_id:
            return f"{self.job_id}:{self.attempt}"
        assert self.created_at
        return f"{self.video_id}:{self.created_at.isoformat()}:{self.attempt}"


class DeleteMessage(QueueMessage):
    """`hls_prefix` is checked, not used: a shorter one would erase other videos."""

    tenant_id: BigId
    video_id: BigId
    file_key: Annotated[ObjectKey | None, BLANK_IS_NONE] = None
    hls_prefix: str
    created_at: Timestamp

    @field_validator("file_key")
    @classmethod
    def _own_upload(cls, key: str | None, info: ValidationInfo) -> str | None:
        if key and "tenant_id" in info.data:
            require_prefix(key, f"tenants/{info.data['tenant_id']}/video/raw/")
        return key

    @field_validator("hls_prefix")
    @classmethod
    def _exactly_this_video(cls, prefix: str, info: ValidationInfo) -> str:
        if {"tenant_id", "video_id"} <= info.data.keys():
            own = f"tenants/{info.data['tenant_id']}/video/hls/{info.data['video_id']}"
            if prefix not in (own, own + "/"):
                raise PydanticCustomError("foreign_key_prefix", "not this video's prefix")
        return prefix


def encode_subject(video_id: int, file_key: str) -> str:
    """What one encode at a time works on: this file of this video."""
    return f"{ENCODE}:{video_id}:{hashlib.sha256(file_key.encode()).hexdigest()[:16]}"


def trim_request(tenant_id: int, wanted: TrimPayload, key: str) -> JobRequest:
    """A trim that is asked for over HTTP under an idempotency key. The same part of the same version joins
    the one that is open."""
    payload = wanted.model_dump()
    return JobRequest(
        job_type=TRIM,
        tenant_id=tenant_id,
        idempotency_key=f"api:{key}",
        subject=f"{TRIM}:{wanted.video_id}:{wanted.version}",
        payload=payload,
        payload_sha256=payload_sha256(payload, VOLATILE),
        source="api",
    )


def download_request(tenant_id: int, video_id: int, version: str, key: str) -> JobRequest:
    """The file of a version, asked for over HTTP. One that is being made answers everybody."""
    payload = {"video_id": video_id}
    return JobRequest(
        job_type=DOWNLOAD,
        tenant_id=tenant_id,
        idempotency_key=f"api:{key}",
        subject=f"{DOWNLOAD}:{video_id}:{version}",
        payload=payload,
        payload_sha256=payload_sha256(payload, VOLATILE),
        source="api",
    )


def read(body: dict[str, Any], queue: str, message_id: str) -> JobRequest:
    """Raises Poison on an unknown action, ValidationError on fields."""
    action = body.get("action")
    if action is None:
        return _encode(EncodeMessage.model_validate(body), queue)
    if action == "delete_r2":
        return _delete(DeleteMessage.model_validate(body), queue)
    raise Poison(PoisonCode.UNKNOWN_ACTION, "action is neither absent nor delete_r2")


def _encode(message: EncodeMessage, queue: str) -> JobRequest:
    payload = message.model_dump(include={"video_id", "file_key", "tenant_code"}, exclude_none=True)
    return JobRequest(
        job_type=ENCODE,
        tenant_id=message.tenant_id,
        idempotency_key=message.occurrence,
        attempt=message.attempt,
        external_id=str(message.job_id) if message.job_id else None,
        subject=encode_subject(message.video_id, message.file_key),
        payload=payload,
        payload_sha256=payload_sha256(payload, VOLATILE),
        source=f"sqs:{queue}",
    )


def _delete(message: DeleteMessage, queue: str) -> JobRequest:
    payload = {"video_id": message.video_id, "file_key": message.file_key or ""}
    return JobRequest(
        job_type=DELETE,
        tenant_id=message.tenant_id,
        idempotency_key=f"{message.video_id}:{message.created_at.isoformat()}",
        subject=f"{DELETE}:{message.video_id}",
        payload=payload,
        payload_sha256=payload_sha256(payload, VOLATILE),
        source=f"sqs:{queue}",
    )
