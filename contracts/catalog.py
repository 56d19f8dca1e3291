"""Job types: one row for each, with all that bridge, API, workflows, database and console know of it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

from contracts import payloads
from contracts.ai import AiInput
from contracts.ai_jobs import PLAIN, AiJob
from contracts.base import Contract
from contracts.jobs import JobRef, JobRequest
from contracts.messaging import DigestPayload, MessagesInput, SendRequest, by_mail
from contracts.names import TaskQueue, WorkflowType
from contracts.payloads import AiPayload
from contracts.trim import TrimInput
from contracts.video import DeleteInput, EncodeInput

Payload = dict[str, Any]


class Domain(StrEnum):
    VIDEO = "video"
    MESSAGING = "messaging"
    AI = "ai"


def by_tenant(ref: JobRef, _payload: Payload) -> tuple[str, float]:
    """Fairness key and weight: tenants take turns."""
    return str(ref.tenant_id or 0), 1.0


def _reference(ref: JobRef, _payload: Payload) -> Contract:
    return ref


@dataclass(frozen=True, kw_only=True)
class JobType:
    """`ko` and `en` are what people call it. `payload` is what it is asked with, `asked` the same over HTTP
    where that differs. `task_queue` takes the workflow, which gets what `build` makes, unless `other_queue`
    says another; `activity_queue` takes the single activity of a `job.run`, which is named as the type.

    `kept_for_retry`: its payload names objects and ids and nobody's texts, passwords or phones, so it stays
    sealed for a week when the job fails or is cancelled. `shows_progress`: its workflow answers the query.
    `ours`: other jobs make it, and nobody asks for it. `ai`: where the course of an AI job differs.
    """

    name: str
    ko: str
    en: str
    domain: Domain
    payload: type[BaseModel]
    asked: type[BaseModel] | None = None
    workflow: WorkflowType = WorkflowType.JOB
    task_queue: TaskQueue = TaskQueue.OPS
    other_queue: Callable[[Payload], TaskQueue | None] = lambda _payload: None
    activity_queue: TaskQueue | None = None
    build: Callable[[JobRef, Payload], Contract] = _reference
    summary: Callable[[JobRef, Payload], str] = lambda ref, _payload: ref.job_type
    priority: int = 3
    id_prefix: str | None = None
    fairness: Callable[[JobRef, Payload], tuple[str, float]] = by_tenant
    kept_for_retry: bool = False
    shows_progress: bool = False
    ours: bool = False
    ai: AiJob = PLAIN


def _video(
    model: type[EncodeInput] | type[DeleteInput] | type[TrimInput],
) -> Callable[[JobRef, Payload], Contract]:
    return lambda ref, payload: model(job_id=ref.job_id, tenant_id=ref.tenant_id, **payload)


# Basic is served three times as often as lite, and tenants of a tier in turns.
_WEIGHTS = {"lite": 1.0, "basic": 3.0}


def _by_tier(ref: JobRef, payload: Payload) -> tuple[str, float]:
    tier = payload.get("tier", "basic")
    return f"{tier}:{ref.tenant_id or 0}", _WEIGHTS.get(tier, 1.0)


def _ai(
    name: str,
    ko: str,
    en: str,
    payload: type[AiPayload],
    *,
    asked: type[AiPayload] | None = None,
    kept_for_retry: bool = True,
    ai: AiJob = PLAIN,
) -> JobType:
    return JobType(
        name=f"ai.{name}",
        ko=ko,
        en=en,
        domain=Domain.AI,
        payload=payload,
        asked=asked,
        workflow=WorkflowType.AI,
        build=lambda ref, payload: AiInput(job=ref, tier=payload.get("tier", "basic")),
        activity_queue=TaskQueue.AI,  # of those accepted by release 0.1, which run as `job.run`
        fairness=_by_tier,
        kept_for_retry=kept_for_retry,
        shows_progress=True,
        ai=ai,
    )


def _messages(name: str, en: str, payload: type[BaseModel]) -> JobType:
    # The recipients lie in Postgres and the payload is sealed there: Temporal gets a reference. The prefix
    # makes `clients.codec` encrypt whatever else these workflows carry.
    return JobType(
        name=name,
        ko="문자 발송",
        en=en,
        domain=Domain.MESSAGING,
        payload=payload,
        workflow=WorkflowType.MESSAGES,
        task_queue=TaskQueue.MESSAGING,
        other_queue=lambda payload: TaskQueue.MAIL if by_mail(payload) else None,
        build=lambda ref, _payload: MessagesInput(job=ref),
        summary=lambda _ref, _payload: "Messages to parents",
        priority=2,
        activity_queue=TaskQueue.MESSAGING,  # of those accepted by release 0.1, which run as `job.run`
        id_prefix="messages",
        shows_progress=True,
    )


_ROWS = (
    JobType(
        name="video.encode",
        ko="강의 변환",
        en="Lecture encoding",
        domain=Domain.VIDEO,
        payload=payloads.EncodePayload,
        workflow=WorkflowType.ENCODE,
        task_queue=TaskQueue.VIDEO_LIGHT,
        build=_video(EncodeInput),
        summary=lambda _ref, payload: f"Encode video {payload['video_id']}",
        kept_for_retry=True,
        shows_progress=True,
    ),
    JobType(
        name="video.delete",
        ko="강의 삭제",
        en="Lecture deletion",
        domain=Domain.VIDEO,
        payload=payloads.DeletePayload,
        workflow=WorkflowType.DELETE,
        task_queue=TaskQueue.VIDEO_LIGHT,
        build=_video(DeleteInput),
        summary=lambda _ref, payload: f"Delete video {payload['video_id']}",
        priority=2,
        kept_for_retry=True,
    ),
    JobType(
        name="video.trim",
        ko="강의 자르기",
        en="Lecture trim",
        domain=Domain.VIDEO,
        payload=payloads.TrimPayload,
        workflow=WorkflowType.TRIM,
        task_queue=TaskQueue.VIDEO_LIGHT,
        build=_video(TrimInput),
        summary=lambda _ref, payload: f"Trim video {payload['video_id']}",
        kept_for_retry=True,
        shows_progress=True,
    ),
    JobType(
        name="video.download",
        ko="강의 파일 만들기",
        en="Lecture file",
        domain=Domain.VIDEO,
        payload=payloads.DownloadPayload,
        activity_queue=TaskQueue.VIDEO_ENCODE,
        summary=lambda _ref, payload: f"Make a file of video {payload['video_id']}",
        kept_for_retry=True,
    ),
    _messages("messages.send", "Text messages", SendRequest),
    _messages("messaging.send", "Text message", payloads.SendMessage),
    JobType(
        name="messages.digest",
        ko="알림 묶음",
        en="Several notices in one text",
        domain=Domain.MESSAGING,
        payload=DigestPayload,
        workflow=WorkflowType.DIGEST,
        task_queue=TaskQueue.DIGEST,
        build=lambda ref, payload: MessagesInput(job=ref, **payload),
        summary=lambda _ref, _payload: "Several notices in one text",
        priority=2,
        id_prefix="messages",
        shows_progress=True,
        ours=True,
    ),
    _ai("ocr", "문서 인식", "Document reading", payloads.OcrPayload),
    _ai("omr_grading", "답안지 채점", "Answer sheets", payloads.OmrPayload),
    _ai(
        "homework_video_analysis",
        "과제 영상 분석",
        "Homework video",
        payloads.SubmissionPayload,
        ai=AiJob(
            asks_models=True, film="handwriting"
        ),  # without its model it still gives frames and measures
    ),
    _ai("question_segmentation", "문항 나누기", "Question finding", payloads.DocumentPayload),
    _ai(
        "handwriting_analysis",
        "손글씨 분석",
        "Handwriting",
        payloads.DocumentPayload,
        ai=AiJob(needs="handwriting", written_pages=True),
    ),
    _ai(
        "excel_parsing",
        "명단 가져오기",
        "Roster import",
        payloads.ExcelParsingPayload,
        asked=payloads.RosterRequest,
        kept_for_retry=False,
        ai=AiJob(at_once=True, in_rows=True, of_people=True),
    ),
    _ai(
        "roster_undo",
        "명단 가져오기 되돌리기",
        "Roster import taken back",
        payloads.RosterUndoPayload,
        ai=AiJob(in_rows=True, undoes=True),
    ),
    _ai("attendance_excel_export", "출석부 내보내기", "Attendance export", payloads.AttendanceExportPayload),
    _ai("staff_excel_export", "근무 기록 내보내기", "Staff export", payloads.StaffExportPayload),
    _ai(
        "embedding",
        "임베딩",
        "Embedding",
        payloads.EmbeddingPayload,
        kept_for_retry=False,
        ai=AiJob(asks_models=True, needs="embedding"),
    ),
    _ai(
        "problem_generation",
        "문제 생성",
        "Problem generation",
        payloads.ProblemGenerationPayload,
        kept_for_retry=False,
        ai=AiJob(asks_models=True, needs="chat"),
    ),
    _ai(
        "captions", "자막 올리기", "Captions", payloads.CaptionsPayload, ai=AiJob(in_rows=True, captions=True)
    ),
    _ai(
        "transcription",
        "자막 만들기",
        "Subtitles",
        payloads.TranscriptionPayload,
        kept_for_retry=False,
        ai=AiJob(
            asks_models=True, in_rows=True, needs="transcription", film="transcription", of_lectures=True
        ),
    ),
)

EXTERNAL = "external."


class _Catalog(dict[str, JobType]):
    """A job type of others is known by its name, `external.<name>`: which of them are taken is a setting of
    the bridge, and every process can deal with one that was."""

    def __missing__(self, name: str) -> JobType:
        if not name.startswith(EXTERNAL):
            raise KeyError(name)
        return JobType(
            name=name,
            ko=f"외부 작업 {name.removeprefix(EXTERNAL)}",
            en=f"External: {name.removeprefix(EXTERNAL)}",
            domain=Domain.AI,
            payload=AiPayload,
            activity_queue=TaskQueue.EXTERNAL,
            fairness=_by_tier,
        )


CATALOG: dict[str, JobType] = _Catalog((row.name, row) for row in _ROWS)


def ai_payloads() -> dict[str, type[AiPayload]]:
    """What the AI queues carry, by the names they use."""
    return {
        name.removeprefix("ai."): row.payload
        for name, row in CATALOG.items()
        if row.domain is Domain.AI and issubclass(row.payload, AiPayload)
    }


def ai_job(ref: JobRef) -> AiJob:
    return CATALOG[ref.job_type].ai


def kept_for_retry() -> frozenset[str]:
    return frozenset(name for name, row in CATALOG.items() if row.kept_for_retry)


def workflow_id(request: JobRequest) -> str:
    """Readable, unique, and derived from the request alone: `video.encode-t7-v42-1b9d6bcd9c0f`."""
    video = f"-v{request.payload['video_id']}" if request.payload.get("video_id") else ""
    kind = CATALOG[request.job_type].id_prefix or request.job_type
    return f"{kind}-t{request.tenant_id or 0}{video}-{request.job_id.hex[:12]}"
