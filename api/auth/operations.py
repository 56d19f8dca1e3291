"""Every operation of the API, the console and the codec: what one must be allowed for it, and what is
recorded.

An operation that is not here is refused (`api.auth.access`), and `tests/api/test_access.py` names it.
"""

from dataclasses import dataclass
from enum import StrEnum

from contracts.rights import Right

LOOK, SEND, PAY, MANAGE = Right.LOOK, Right.SEND, Right.PAY, Right.MANAGE


class Record(StrEnum):
    """READ: of data of persons. CHANGE: of anything."""

    NOTHING = "nothing"
    READ = "read"
    CHANGE = "change"


@dataclass(frozen=True)
class Operation:
    """`right`: None for what is open to all, or has a door of its own. `again`: people must have shown
    lately who they are. `why` nothing is recorded."""

    right: Right | None
    record: Record
    again: bool = False
    why: str = ""


def looks(why: str) -> Operation:
    """Shows nothing of persons."""
    return Operation(LOOK, Record.NOTHING, why=why)


def reads(right: Right = LOOK, *, again: bool = False) -> Operation:
    return Operation(right, Record.READ, again)


def changes(right: Right = SEND, *, again: bool = False) -> Operation:
    return Operation(right, Record.CHANGE, again)


def unrecorded(why: str, right: Right | None = None) -> Operation:
    return Operation(right, Record.NOTHING, why=why)


PROGRESS = looks("where a job stands: numbers and words of ours")
LECTURES = looks("lectures, and nobody who watches them")
COSTS = looks("counts and money of sendings, and which of the staff sent them")
TEXTS = looks("texts with variables in them, and nobody's values")
CLASSES = looks("classes and days, and how many are in them")
UPLOADS = looks("the name and the size of an upload")
OPEN = unrecorded("open to everybody: nothing of anybody")
PLAYER = unrecorded("a student's own player, by its token; what it did is kept in playback_sessions")

OPERATIONS: dict[str, Operation] = {
    "GET /api/v1/jobs/{job_id}/": reads(),
    "GET /api/v1/jobs/{job_id}/progress/": reads(),
    "GET /api/v1/{asked_from}/excel_job_status/{job_id}/": reads(),
    "GET /api/v1/core/job_progress/{job_id}/": PROGRESS,
    "GET /api/v1/media/videos/{video_id}/progress/": PROGRESS,
    "POST /api/v1/media/videos/{video_id}/retry/": changes(),
    "POST /api/v1/jobs": changes(),
    "GET /api/v1/jobs": PROGRESS,
    "GET /api/v1/jobs/{job_id}": reads(),
    "GET /api/v1/jobs/{job_id}/log": PROGRESS,
    "GET /api/v1/jobs/{job_id}/events": PROGRESS,
    "POST /api/v1/jobs/{job_id}/cancel": changes(),
    "POST /api/v1/jobs/{job_id}/retry": changes(),
    "GET /api/v1/roster-columns": looks("labels of columns, and what they are"),
    "PUT /api/v1/roster-columns": changes(MANAGE),
    "DELETE /api/v1/roster-columns/{header_id}": changes(MANAGE),
    "GET /api/v1/students/{student_id}/changes": reads(again=True),
    "POST /api/v1/uploads": changes(),
    "GET /api/v1/uploads/{upload_id}": UPLOADS,
    "POST /api/v1/uploads/{upload_id}/parts": changes(),
    "POST /api/v1/uploads/{upload_id}/complete": changes(),
    "DELETE /api/v1/uploads/{upload_id}": changes(),
    "POST /api/v1/videos": changes(),
    "GET /api/v1/videos/{video_id}/captions": LECTURES,
    "DELETE /api/v1/videos/{video_id}/captions/{caption_id}": changes(),
    "GET /api/v1/videos/{video_id}/chapters": LECTURES,
    "PUT /api/v1/videos/{video_id}/chapters": changes(),
    "GET /api/v1/search/lectures": LECTURES,
    "GET /api/v1/search/documents": reads(),
    "GET /api/v1/documents/{job_id}/pages/{number}/text": reads(),
    "PUT /api/v1/documents/{job_id}/pages/{number}/text": changes(),
    "GET /api/v1/videos": LECTURES,
    "GET /api/v1/videos/{video_id}": LECTURES,
    "PATCH /api/v1/videos/{video_id}": changes(),
    "PUT /api/v1/videos/{video_id}/students/{student_id}": changes(MANAGE),
    "POST /api/v1/videos/{video_id}/students/{student_id}/link": changes(),
    "POST /api/v1/students": changes(MANAGE),
    "GET /api/v1/students": reads(again=True),
    "GET /api/v1/students/{student_id}": reads(MANAGE, again=True),
    "PATCH /api/v1/students/{student_id}": changes(MANAGE),
    "POST /api/v1/students/{student_id}/leave": changes(MANAGE),
    "POST /api/v1/students/{student_id}/return": changes(MANAGE),
    "POST /api/v1/students/{student_id}/opt-outs": changes(),
    "GET /api/v1/students/{student_id}/videos": reads(),
    "POST /api/v1/classes": changes(MANAGE),
    "GET /api/v1/classes": CLASSES,
    "PUT /api/v1/classes/{class_id}": changes(MANAGE),
    "POST /api/v1/classes/{class_id}/students": changes(MANAGE),
    "PUT /api/v1/classes/{class_id}/students/{student_id}": changes(MANAGE),
    "DELETE /api/v1/classes/{class_id}/students/{student_id}": changes(MANAGE),
    "POST /api/v1/sessions": changes(MANAGE),
    "GET /api/v1/sessions": CLASSES,
    "PUT /api/v1/sessions/{session_id}": changes(MANAGE),
    "POST /api/v1/sessions/{session_id}/students": changes(MANAGE),
    "DELETE /api/v1/sessions/{session_id}/students/{student_id}": changes(MANAGE),
    "GET /api/v1/sessions/{session_id}/attendance": reads(),
    "PUT /api/v1/sessions/{session_id}/attendance": changes(),
    "POST /api/v1/media/videos/upload/init/": changes(),
    "POST /api/v1/media/videos/{video_id}/upload/complete/": changes(),
    "POST /api/v1/media/videos/{video_id}/playback/start/": changes(LOOK),
    "POST /api/v1/media/videos/{video_id}/playback/join/": PLAYER,
    "POST /api/v1/media/videos/{video_id}/playback/refresh/": PLAYER,
    "POST /api/v1/media/videos/{video_id}/playback/heartbeat/": PLAYER,
    "POST /api/v1/media/videos/{video_id}/playback/events/": PLAYER,
    "POST /api/v1/media/videos/{video_id}/playback/end/": PLAYER,
    "GET /api/v1/play/{link}/{path:path}": PLAYER,
    "POST /api/v1/ai/jobs/": changes(),
    "POST /api/v1/excel/jobs/": changes(MANAGE),
    "POST /api/v1/messaging/send/": changes(SEND, again=True),
    "POST /api/v1/messages/": changes(SEND, again=True),
    "GET /api/v1/messages/{job_id}/": looks("counts and money of a sending"),
    "GET /api/v1/messages/{job_id}/recipients.xlsx": reads(again=True),
    "GET /api/v1/messages/{job_id}/recipients/": reads(again=True),
    "POST /api/v1/messages/{job_id}/cancel/": changes(),
    "POST /api/v1/messages/{job_id}/approve/": changes(MANAGE, again=True),
    "POST /api/v1/messages/{job_id}/refuse/": changes(MANAGE, again=True),
    "GET /api/v1/message-costs": COSTS,
    "GET /api/v1/message-costs.xlsx": COSTS,
    "GET /api/v1/message-templates": TEXTS,
    "GET /api/v1/message-templates/{name}": TEXTS,
    "PUT /api/v1/message-templates/{name}": changes(),
    "DELETE /api/v1/message-templates/{name}": changes(),
    "GET /api/v1/alimtalk-templates": TEXTS,
    "GET /api/v1/alimtalk-categories": TEXTS,
    "POST /api/v1/alimtalk-templates": changes(MANAGE),
    "POST /api/v1/alimtalk-templates/{template_id}/inspection": changes(MANAGE),
    "DELETE /api/v1/alimtalk-templates/{template_id}/inspection": changes(MANAGE),
    "POST /api/v1/reservations/{reservation_id}/cancel/": changes(),
    "POST /api/v1/opt-outs/": changes(),
    "PUT /api/v1/callback/": changes(MANAGE, again=True),
    "PUT /api/v1/tenants/{tenant_id}/messaging-account/": changes(PAY, again=True),
    "PATCH /api/v1/tenants/{tenant_id}/messaging-account/": changes(PAY, again=True),
    "POST /api/v1/tenants/{tenant_id}/credit/": changes(PAY, again=True),
    "PUT /api/v1/tenants/{tenant_id}/mail-server/": changes(MANAGE, again=True),
    "GET /api/v1/tenants/{tenant_id}/mail-server/": Operation(
        MANAGE, Record.NOTHING, again=True, why="an address of a server"
    ),
    "DELETE /api/v1/tenants/{tenant_id}/mail-server/": changes(MANAGE, again=True),
    "POST /api/v1/webhooks/solapi": unrecorded("the provider, by its secret: a hint that changes nothing"),
    "GET /healthz": OPEN,
    "GET /readyz": OPEN,
    "GET /metrics": OPEN,
    "GET /docs": OPEN,
    "OPTIONS /codec/decode": OPEN,
    "POST /codec/decode": reads(),
    "GET /codec/login": OPEN,
    "POST /codec/login": Operation(None, Record.CHANGE),
    "GET /console/login": OPEN,
    "GET /console/oidc/start": OPEN,
    "GET /console/oidc/callback": Operation(None, Record.CHANGE),
    "POST /console/login": Operation(None, Record.CHANGE),
    "POST /console/logout": Operation(None, Record.CHANGE),
    "POST /console/language": unrecorded("a cookie of the browser's own"),
    "GET /console/": PROGRESS,
    "GET /console/watch": OPEN,
    "GET /console/home": looks("where jobs stand, and the credit"),
    "GET /console/jobs/stream": PROGRESS,
    "GET /console/jobs/{job_id}": reads(),
    "GET /console/jobs/{job_id}/files/{name}": reads(again=True),
    "GET /console/search": reads(),
    "GET /console/lectures": LECTURES,
    "GET /console/lectures/{video_id}": LECTURES,
    "GET /console/lectures/{video_id}/poster": LECTURES,
    "GET /console/ocr": PROGRESS,
    "GET /console/ocr/{job_id}": reads(),
    "GET /console/ocr/{job_id}/pages/{number}": reads(),
    "GET /console/omr": PROGRESS,
    "GET /console/omr/{job_id}": reads(),
    "GET /console/rosters": PROGRESS,
    "GET /console/rosters/{job_id}": reads(MANAGE, again=True),
    "GET /console/classes": CLASSES,
    "GET /console/classes/{class_id}": reads(),
    "GET /console/sessions/{session_id}": reads(),
    "GET /console/students": reads(again=True),
    "GET /console/students/{student_id}": reads(),
    "GET /console/messages": looks("counts and money of sendings"),
    "GET /console/messages/new": looks("an empty form"),
    "GET /console/messages/templates": TEXTS,
    "GET /console/messages/alimtalk": TEXTS,
    "GET /console/messages/costs": COSTS,
    "POST /console/messages/preview": unrecorded(
        "what the browser sent comes back, and is kept nowhere", SEND
    ),
    "GET /console/messages/{job_id}": reads(),
    "GET /console/letters": looks("letters without their bodies"),
    "POST /console/letters": changes(MANAGE),
    "POST /console/letters/discard": changes(MANAGE),
    "GET /console/fleet": looks("servers"),
    "POST /console/fleet/queues": changes(MANAGE),
    "POST /console/fleet/schedules": changes(MANAGE),
    "GET /console/tenants": looks("numbers of academies, and their credit"),
    "GET /console/tenants/{tenant_id}": reads(PAY, again=True),
    "POST /console/tenants/{tenant_id}/keys": changes(MANAGE, again=True),
    "POST /console/tenants/{tenant_id}/keys/revoke": changes(MANAGE),
    "GET /console/audit": reads(MANAGE),
}

# What a job of a type needs besides, however it is asked for. All others need SEND.
JOB_TYPES: dict[str, Operation] = {
    "video.delete": changes(MANAGE),
    "messages.send": changes(SEND, again=True),
    "messaging.send": changes(SEND, again=True),
    "ai.excel_parsing": changes(MANAGE),
    "ai.roster_undo": changes(MANAGE, again=True),
    "ai.attendance_excel_export": changes(SEND, again=True),
    "ai.staff_excel_export": changes(MANAGE, again=True),
}
