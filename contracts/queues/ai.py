"""`academy-ai-jobs-lite|basic|premium`: one envelope, one payload model per job type.

Payloads keep what they do not know: a producer may be ahead of us. They are handed on without our
defaults, so that a default added later does not change the hash of a message sent twice; whoever
runs the job validates again with the same model and gets the defaults then.
"""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from contracts.jobs import JobRequest, payload_sha256
from contracts.queues.fields import BLANK_IS_NONE, LooseId, ObjectKey, QueueMessage, Reference
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


class Part(QueueMessage):
    """Keeps unknown fields."""

    model_config = ConfigDict(extra="allow")


class AiPayload(Part):
    """What any payload may name and must then own: a tenant and an object."""

    tenant_id: LooseId | None = None
    file_key: Annotated[ObjectKey | None, BLANK_IS_NONE] = None


class DocumentPayload(AiPayload):
    """`question_segmentation`, `handwriting_analysis`: a document, by key or by link."""

    download_url: Annotated[str | None, Field(pattern=r"^https?://", max_length=8192), BLANK_IS_NONE] = Field(
        default=None, validate_default=True
    )

    @field_validator("download_url")
    @classmethod
    def _source(cls, url: str | None, info: ValidationInfo) -> str | None:
        if url is None and info.data.get("file_key", "invalid") is None:
            raise PydanticCustomError("missing_without_file_key", "file_key or download_url is needed")
        return url


class Question(Part):
    exam_question_id: Reference
    number: LooseId
    region_meta: dict[str, Any] | None = None


class OmrSheet(Part):
    sheet_id: Reference


class SubmissionPayload(DocumentPayload):
    """`homework_video_analysis`, and what OCR and OMR have in common with it."""

    submission_id: Reference | None = None
    target_type: str | None = None
    target_id: Reference | None = None
    mode: Literal["scan", "photo", "auto"] | None = None
    questions: list[Question] | None = None
    omr: OmrSheet | None = None


class OcrPayload(SubmissionPayload):
    engine: Literal["google", "tesseract", "auto"] | None = None


class OmrPayload(SubmissionPayload):
    question_count: Literal[10, 20, 30] | None = None
    template_meta: dict[str, Any] | None = None


class ExcelParsingPayload(AiPayload):
    """A roster. `initial_password` is for the accounts it makes."""

    tenant_id: LooseId
    file_key: ObjectKey
    bucket: str = Field(min_length=1)
    initial_password: str = Field(min_length=1)
    lecture_id: LooseId | None = None
    session_id: LooseId | None = None


class AttendanceExportPayload(AiPayload):
    tenant_id: LooseId
    lecture_id: LooseId


class StaffExportPayload(AiPayload):
    tenant_id: LooseId
    year: Annotated[LooseId, Field(ge=2000, le=2100)]
    month: Annotated[LooseId, Field(le=12)]


class EmbeddingPayload(AiPayload):
    texts: list[str] = Field(min_length=1)
    backend: str | None = None


class TranscriptionPayload(AiPayload):
    """A lecture's sound: of the upload of a video, which gets the subtitles, or of a file."""

    video_id: Annotated[LooseId | None, Field(validate_default=True)] = None

    @field_validator("video_id")
    @classmethod
    def _source(cls, video_id: int | None, info: ValidationInfo) -> int | None:
        if video_id is None and info.data.get("file_key", "invalid") is None:
            raise PydanticCustomError("missing_without_file_key", "file_key or video_id is needed")
        return video_id


class ProblemGenerationPayload(AiPayload):
    ocr_text: str = Field(min_length=1)
    model: str | None = None


AI_JOB_TYPES: dict[str, type[AiPayload]] = {
    "ocr": OcrPayload,
    "omr_grading": OmrPayload,
    "homework_video_analysis": SubmissionPayload,
    "question_segmentation": DocumentPayload,
    "handwriting_analysis": DocumentPayload,
    "excel_parsing": ExcelParsingPayload,
    "attendance_excel_export": AttendanceExportPayload,
    "staff_excel_export": StaffExportPayload,
    "embedding": EmbeddingPayload,
    "problem_generation": ProblemGenerationPayload,
    "transcription": TranscriptionPayload,
}


def read(body: dict[str, Any], queue: str, message_id: str) -> JobRequest:
    """Raises Poison on an unknown job type or another tenant's data, ValidationError on fields."""
    message = AiMessage.model_validate(body)
    if message.job_type not in AI_JOB_TYPES:
        raise Poison(PoisonCode.UNKNOWN_JOB_TYPE, f"job_type is none of {', '.join(AI_JOB_TYPES)}")
    model = AI_JOB_TYPES[message.job_type].model_validate(message.payload)
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
