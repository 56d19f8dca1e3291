"""What a job is asked with: one model for each job type.

Payloads of AI jobs keep what they do not know: a producer may be ahead of us. They are handed on without our
defaults, so that a default added later does not change the hash of a message sent twice; whoever
runs the job validates again with the same model and gets the defaults then.
"""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from contracts.captions import LANGUAGE
from contracts.fields import (
    BLANK_IS_NONE,
    BigId,
    LooseCount,
    LooseId,
    ObjectKey,
    QueueMessage,
    Reference,
    Timestamp,
)


class EncodePayload(QueueMessage):
    """Without `file_key` the video's own file is encoded."""

    video_id: BigId
    file_key: ObjectKey | None = None


class DeletePayload(QueueMessage):
    """Everything of the video goes: its source, its versions, and what encodes of it are at."""

    video_id: BigId


VERSION = r"^[0-9a-f]{12}-[1-9][0-9]{0,8}$"
"""How a lecture calls what is shown of it."""


class TrimPayload(QueueMessage):
    """Keep `start` to `end` of a lecture, in seconds; what is not given is its start, or its end. `version`:
    of what the times are, as the lecture says."""

    model_config = ConfigDict(extra="forbid")

    video_id: BigId
    version: str = Field(pattern=VERSION)
    start: float = Field(default=0.0, ge=0, le=10**6, allow_inf_nan=False)
    end: float | None = Field(default=None, gt=0, le=10**6, allow_inf_nan=False)


class DownloadPayload(QueueMessage):
    """The file of a lecture that may be downloaded, of the version that is shown."""

    model_config = ConfigDict(extra="forbid")

    video_id: BigId


Mode = Literal["sms", "alimtalk", "both", "email"]


def _folded(value: Any) -> Any:
    """None where no mode was given. ` SMS` is sms; what is none of the modes is refused: sent as another than
    was meant, it would cost more or reach nobody."""
    return value.strip().casefold() or None if isinstance(value, str) else value


def _dated(value: Any) -> datetime | None:
    """What is no time says nothing, and never ended a message; neither does 0, nor a clock that was never
    set."""
    try:
        at = _TIMESTAMP.validate_python(value)
    except ValidationError:
        return None
    return at if at.year > 1970 else None


_TIMESTAMP: TypeAdapter[datetime] = TypeAdapter(Timestamp)


# Real lengths are the sender's business (bytes of cp949 after substitution); this only bounds.
Filled = Annotated[str, Field(max_length=10_000, pattern=r"\S")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{64}$", to_lower=True)]


def _mode(named: Mode | None, alimtalk_first: bool | None) -> Mode:
    return named or ("both" if alimtalk_first else "sms")


NOTHING_IS_NONE = BeforeValidator(lambda value: None if value in ("", 0, [], {}) else value)


class Replacement(QueueMessage):
    """Without a value it is as if it were not there: who asks for it is told that it is missing."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    key: str
    value: str | None = None


class SendMessage(QueueMessage):
    """All producers' message. `created_at` begins its validity. Where the newest name a `source_tenant_id`,
    the message is of that academy, and `tenant_id` owns the channel that it shares. Only an Alimtalk may come
    without a text. `subject` is an e-mail's, whose `to` is an address."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    tenant_id: LooseId
    source_tenant_id: Annotated[LooseId | None, BLANK_IS_NONE] = None
    created_at: Annotated[datetime | None, BeforeValidator(_dated)] = None
    to: Filled
    sender: str | None = None
    message_mode: Annotated[Mode | None, BeforeValidator(_folded)] = None
    use_alimtalk_first: bool | None = None
    text: Annotated[str | None, Field(max_length=10_000, validate_default=True)] = None
    subject: str | None = None
    reservation_id: Annotated[LooseId | None, NOTHING_IS_NONE] = None
    template_id: str | None = None
    alimtalk_replacements: Annotated[list[Replacement] | None, NOTHING_IS_NONE] = None
    business_idempotency_key: Annotated[Sha256 | None, BLANK_IS_NONE] = None
    event_type: str | None = None
    occurrence_key: str | None = None
    target_type: str | None = None
    target_id: Reference | None = None

    @field_validator("text")
    @classmethod
    def _says_something(cls, text: str | None, info: ValidationInfo) -> str | None:
        modes = info.data.get("message_mode"), info.data.get("use_alimtalk_first")
        if _mode(*modes) in ("sms", "email") and not (text or "").strip():
            raise PydanticCustomError("missing", "a text message has a text")
        return text

    @property
    def mode(self) -> Mode:
        return _mode(self.message_mode, self.use_alimtalk_first)


class Part(QueueMessage):
    """Keeps unknown fields."""

    model_config = ConfigDict(extra="allow")


class AiPayload(Part):
    """What any payload may name and must then own: a tenant and an object."""

    tenant_id: LooseId | None = None
    file_key: Annotated[ObjectKey | None, BLANK_IS_NONE] = None


class DocumentPayload(AiPayload):
    """`question_segmentation`, `handwriting_analysis`: a document, by key or by link. `password` opens a PDF;
    it stays in the sealed payload alone, as long as the job may be retried."""

    password: Annotated[str | None, Field(max_length=127), BLANK_IS_NONE] = None

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
    number: LooseCount
    region_meta: dict[str, Any] | None = None


class OmrSheet(Part):
    sheet_id: Reference | None = None


class SubmissionPayload(DocumentPayload):
    """`homework_video_analysis`, and what OCR and OMR have in common with it."""

    submission_id: Reference | None = None
    target_type: str | None = None
    target_id: Reference | None = None
    mode: Literal["scan", "photo", "auto"] | None = None
    questions: list[Question] | None = None
    omr: OmrSheet | None = None


class OcrPayload(SubmissionPayload):
    """`layer`: what becomes of the text that a PDF brings along, as OCRmyPDF's modes of these names."""

    engine: Literal["google", "tesseract", "auto"] | None = None
    layer: Literal["auto", "redo", "force", "skip"] | None = None


class OmrCorrection(QueueMessage):
    """What a person has decided about page `page` (from 1) of the file: the choices of a question (from 1;
    none: it is blank), or the whole identifier."""

    page: Annotated[LooseCount, Field(ge=1)]
    question: Annotated[LooseCount, Field(ge=1)] | None = None
    choices: list[Annotated[LooseCount, Field(ge=1)]] | None = Field(default=None, max_length=100)
    identifier: Annotated[str, Field(pattern=r"^[0-9]{1,20}$")] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.question is None) != (self.choices is None) or (self.question is None) == (
            self.identifier is None
        ):
            raise PydanticCustomError("question_or_identifier", "a question with choices, or an identifier")
        return self


class OmrPayload(SubmissionPayload):
    """`corrections` are marks that a person has decided, in place of those that are read. `corrections_of` is
    the SHA-256 of the file that this person looked at, as `file_sha256` in its results: another one may lie
    under the same key by now."""

    corrections: list[OmrCorrection] | None = Field(default=None, max_length=10_000)
    corrections_of: Annotated[str | None, Field(pattern=r"^[0-9a-f]{64}$", validate_default=True)] = None
    question_count: Annotated[LooseCount, Field(ge=1, le=1_000)] | None = None
    template_meta: dict[str, Any] | None = None

    @field_validator("corrections_of")
    @classmethod
    def _of_one_file(cls, digest: str | None, info: ValidationInfo) -> str | None:
        if digest is None and info.data.get("corrections"):
            raise PydanticCustomError("missing_with_corrections", "corrections need the digest of their file")
        return digest


RosterField = Literal[
    "name",
    "parent_phone",
    "other_parent_phone",
    "parent_name",
    "student_phone",
    "school",
    "grade",
    "class_name",
    "gender",
    "birth_date",
    "enrolled_on",
    "address",
    "memo",
]


class ExcelParsingPayload(AiPayload):
    """A roster. `initial_password` is for the accounts it makes. `columns` says what the columns of these
    labels are, whatever they would be taken for; null: nothing that is read."""

    columns: Annotated[dict[str, RosterField | None] | None, Field(max_length=200)] = None

    tenant_id: LooseId
    file_key: ObjectKey
    bucket: str = Field(min_length=1)
    initial_password: str = Field(min_length=1)
    lecture_id: LooseId | None = None
    session_id: LooseId | None = None


class RosterRequest(ExcelParsingPayload):
    """A roster asked for over HTTP: it lies in our bucket, and may be tried without writing anything."""

    bucket: SkipJsonSchema[None] = None  # type: ignore[assignment]  # refused when it is there
    dry_run: bool = False


class RosterUndoPayload(AiPayload):
    """`roster_job_id`: the job whose import is taken back."""

    tenant_id: LooseId
    roster_job_id: str = Field(pattern=r"^[A-Za-z0-9._:-]{1,100}$")


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


class CaptionsPayload(AiPayload):
    """Captions of a published lecture, from a file: SubRip, SAMI or WebVTT. They take the place of those of
    the same `language` and `name`; `default`: shown unless a viewer chooses otherwise. SAMI says its
    languages itself. `version`: of what the file's times are, as the lecture says."""

    file_key: ObjectKey
    video_id: LooseId
    version: str | None = Field(default=None, pattern=VERSION)
    language: Annotated[str | None, Field(pattern=f"^{LANGUAGE}$", max_length=35)] = None
    name: Annotated[str | None, Field(min_length=1, max_length=60, pattern=r'^[^\x00-\x1f\x7f"<>]+$')] = None
    default: bool = False


class ProblemGenerationPayload(AiPayload):
    ocr_text: str = Field(min_length=1)
    model: str | None = None
