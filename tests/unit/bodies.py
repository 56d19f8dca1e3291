"""Bodies as the producers write them: name -> (queue, body). People and numbers are made up."""

from typing import Any

UUID = "5f0c1c3e-8f0e-4f7e-9a38-0d6f9a2f3b11"
AT = "2026-03-02T09:15:30.123456+00:00"
UPLOAD = "tenants/7/video/raw/31/2f1e6a0c.mp4"


def _ai(job_type: str, payload: dict[str, Any], tier: str = "basic", **envelope: Any) -> tuple[str, Any]:
    body = {
        "job_id": f"{job_type}-0001",
        "job_type": job_type,
        "tier": tier,
        "payload": payload,
        "tenant_id": "7",
        "source_domain": "submissions",
        "source_id": "9001",
        "created_at": AT,
        "attempt": 1,
    }
    return f"ai-{tier}", body | envelope


_SUBMISSION = {
    "submission_id": 9001,
    "target_type": "exam",
    "target_id": 55,
    "file_key": "tenants/7/submissions/9001.jpg",
    "download_url": "https://files.example.com/9001.jpg?X-Amz-Signature=aa",
    "mode": "auto",
    "questions": [
        {"exam_question_id": 1, "number": 1, "region_meta": {"x": 10, "y": 20.5, "w": 300, "h": 80}},
        {"exam_question_id": 2, "number": 2, "region_meta": None},
    ],
    "omr": {"sheet_id": 3},
}

BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "encode": (
        "video",
        {
            "video_id": 101,
            "file_key": UPLOAD,
            "tenant_id": 7,
            "tenant_code": "limglish",
            "created_at": AT,
            "attempt": 1,
        },
    ),
    "encode with job_id": (
        "video",
        {
            "job_id": UUID,
            "video_id": 101,
            "file_key": UPLOAD,
            "tenant_id": 7,
            "created_at": 1772442930,
            "attempt": 2,
        },
    ),
    "delete": (
        "video",
        {
            "action": "delete_r2",
            "tenant_id": 7,
            "video_id": 101,
            "file_key": UPLOAD,
            "hls_prefix": "tenants/7/video/hls/101",
            "created_at": AT,
        },
    ),
    "ocr": _ai("ocr", _SUBMISSION | {"engine": "google"}, tier="lite"),
    "omr_grading": _ai(
        "omr_grading",
        _SUBMISSION | {"mode": "scan", "question_count": 20, "template_meta": {"version": 1, "columns": 4}},
    ),
    "homework_video_analysis": _ai("homework_video_analysis", _SUBMISSION, tier="premium"),
    "question_segmentation": _ai(
        "question_segmentation", {"download_url": "https://files.example.com/exam.pdf?sig=1"}
    ),
    "handwriting_analysis": _ai(
        "handwriting_analysis", {"download_url": "https://files.example.com/note.png?sig=1"}
    ),
    "excel_parsing": _ai(
        "excel_parsing",
        {
            "file_key": "excel/7/명단.xlsx",
            "bucket": "academy-excel",
            "tenant_id": 7,
            "initial_password": "made-up-1234",
            "lecture_id": 12,
            "session_id": None,
        },
        source_domain=None,
        source_id=None,
    ),
    "attendance_excel_export": _ai("attendance_excel_export", {"tenant_id": "7", "lecture_id": 12}),
    "roster_undo": _ai("roster_undo", {"tenant_id": "7", "roster_job_id": "2f0c"}),
    "staff_excel_export": _ai("staff_excel_export", {"tenant_id": "7", "year": 2026, "month": 3}),
    "embedding": _ai("embedding", {"texts": ["이차방정식", "삼각함수"], "backend": "auto"}, tier="lite"),
    "problem_generation": _ai(
        "problem_generation", {"ocr_text": "① x² = 4", "model": "any"}, tier="premium", tenant_id=None
    ),
    "transcription": _ai("transcription", {"video_id": 101}, tier="lite"),
    "captions": _ai("captions", {"video_id": 101, "file_key": "uploads/101.smi", "language": "ko"}),
    "sms": (
        "messaging",
        {
            "tenant_id": 7,
            "to": "01000000000",
            "text": "[학원] 홍길동 학생이 등원했습니다.",
            "sender": None,
            "created_at": AT,
            "message_mode": "sms",
        },
    ),
    "alimtalk": (
        "messaging",
        {
            "tenant_id": 7,
            "to": "01000000000",
            "text": "예약 안내",
            "sender": "0200000000",
            "created_at": AT,
            "reservation_id": 77,
            "template_id": "KA01TP000",
            "alimtalk_replacements": [{"key": "name", "value": "홍길동"}],
            "use_alimtalk_first": True,
        },
    ),
    "message of the later producer": (
        "messaging",
        {
            "tenant_id": 7,
            "to": "01000000000",
            "text": "출석 확인",
            "sender": "0200000000",
            "created_at": AT,
            "message_mode": "both",
            "template_id": "KA01TP000",
            "business_idempotency_key": "a3" * 32,
            "event_type": "attendance.checked",
            "occurrence_key": "2026-03-02",
            "target_type": "student",
            "target_id": 4001,
        },
    ),
}
