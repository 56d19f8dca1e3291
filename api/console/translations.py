"""What codes of ours are called on the pages, in Korean and English. Job types have theirs in the catalog."""

from collections.abc import Mapping

from api.console.operation_words import COMMAND_WORDS, OPERATION_WORDS
from api.console.result_words import MARKS
from contracts.catalog import CATALOG

STATES = {
    "PENDING": ("대기", "Waiting"),
    "SCHEDULED": ("예약됨", "Scheduled"),
    "FOR_APPROVAL": ("승인 대기", "For approval"),
    "RUNNING": ("진행 중", "Running"),
    "DONE": ("완료", "Done"),
    "FAILED": ("실패", "Failed"),
    "CANCELLED": ("취소됨", "Cancelled"),
    "REJECTED_BAD_INPUT": ("입력 오류", "Bad input"),
    "REVIEW_REQUIRED": ("확인 필요", "Needs review"),
}
STEPS = {
    "probe": ("영상 확인", "Checking the video"),
    "encode": ("영상 변환", "Encoding"),
    "cut": ("영상 자르기", "Trimming"),
    "publish": ("게시 준비", "Publishing"),
    "prepare": ("내용 확인", "Checking the text"),
    "send": ("발송", "Sending"),
    "reports": ("결과 확인", "Waiting for reports"),
    "plan": ("파일 확인", "Checking the file"),
    "run": ("처리", "Working"),
    "assemble": ("결과 정리", "Putting together"),
}
SERVERS = {
    "provider": ("신원 확인 서비스", "The identity provider"),
    "postgres": ("데이터베이스(Postgres)", "The database (Postgres)"),
    "temporal": ("Temporal", "Temporal"),
    "objects": ("파일 저장소(S3)", "The object store (S3)"),
    "queues": ("메시지 큐(SQS)", "The message queues (SQS)"),
}
EVENTS = {
    "accepted": ("접수됨", "Accepted"),
    "began": ("시작됨", "Began"),
    "stored": ("저장됨", "Stored"),
    "finished": ("끝남", "Finished"),
    "published": ("게시됨", "Published"),
    "restored": ("복구됨", "Restored"),
    "approved": ("승인됨", "Approved"),
    "refused": ("승인 거절됨", "Refused"),
    "corrected": ("사람이 고침", "Corrected"),
    "sent without credit": ("잔액 없이 보냄", "Sent without credit"),
}
DETAILS = {  # what events and records of the audit name
    "act": ("한 일", "act"),
    "schedule": ("예약된 일", "schedule"),
    "key": ("키", "key"),
    "rights": ("권한", "rights"),
    "again": ("다시", "again"),
    "chunk": ("묶음", "chunk"),
    "epoch": ("실행", "run"),
    "job": ("작업", "job"),
    "job_id": ("작업", "job"),
    "letter": ("요청", "letter"),
    "name": ("파일", "file"),
    "number": ("쪽", "page"),
    "payloads": ("이력", "payloads"),
    "phone": ("전화", "phone"),
    "queue": ("큐", "queue"),
    "reason": ("사유", "reason"),
    "recipients": ("받는 사람", "recipients"),
    "request_id": ("요청 번호", "request"),
    "class_id": ("반", "class"),
    "fields": ("바꾼 칸", "fields"),
    "session_id": ("수업 차시", "session"),
    "student": ("학생", "student"),
    "student_id": ("학생", "student"),
    "students": ("학생 수", "students"),
    "type": ("종류", "type"),
    "upload_id": ("업로드", "upload"),
    "video_id": ("강의", "lecture"),
}
VIDEOS = {
    "PENDING": ("업로드 대기", "Waiting for the upload"),
    "UPLOADED": ("업로드됨", "Uploaded"),
    "PROCESSING": ("변환 중", "Encoding"),
    "READY": ("시청 가능", "Ready"),
    "FAILED": ("실패", "Failed"),
}
RECIPIENTS = {
    "PENDING": ("대기", "Waiting"),
    "ACCEPTED": ("보냄, 결과 대기", "Sent, no report yet"),
    "DELIVERED": ("도착", "Delivered"),
    "FAILED": ("도착 실패", "Not delivered"),
    "REFUSED": ("거절됨", "Refused"),
    "UNCONFIRMED": ("확인 안 됨", "Unconfirmed"),
    "SUPPRESSED": ("보내지 않음", "Not sent"),
    "CANCELLED": ("취소됨", "Cancelled"),
}
# Nobody reports what became of an e-mail after that.
MAIL_RECIPIENTS = RECIPIENTS | {"UNCONFIRMED": ("메일 서버로 보냄", "Sent to the mail server")}
COLUMNS = {  # of a roster, in their order; the Korean ones are the task's own labels
    "name": ("이름", "Name"),
    "parent_phone": ("학부모 전화번호", "Parent's phone"),
    "other_parent_phone": ("학부모 전화번호 2", "Other parent's phone"),
    "parent_name": ("학부모 이름", "Parent's name"),
    "student_phone": ("학생 전화번호", "Student's phone"),
    "school": ("학교", "School"),
    "grade": ("학년", "Grade"),
    "class_name": ("반", "Class"),
    "gender": ("성별", "Gender"),
    "birth_date": ("생년월일", "Born"),
    "enrolled_on": ("등록일", "Enrolled"),
    "address": ("주소", "Address"),
    "memo": ("비고", "Notes"),
}
FACTS = {  # numbers of a result
    "rows": ("행", "Rows"),
    "students": ("학생", "Students"),
    "new": ("새 학생", "New"),
    "changed": ("바뀜", "Changed"),
    "unchanged": ("그대로", "Unchanged"),
    "conflicting": ("확인 필요", "Conflicts"),
    "failed": ("오류", "Errors"),
    "repeated": ("겹침", "Repeated"),
    "removed_students": ("지운 학생", "Students removed"),
    "put_back": ("되돌린 학생", "Students put back"),
    "unenrolled": ("등록 취소", "Enrolments taken back"),
    "kept": ("그대로 둔 행", "Rows left alone"),
    "enrolled": ("강의 등록", "Enrolled"),
    "pages": ("쪽", "Pages"),
    "lines": ("줄", "Lines"),
    "words": ("단어", "Words"),
    "own_lines": ("파일에 있던 줄", "Lines of the file's own"),
    "questions": ("문항", "Questions"),
    "engine_used": ("인식기", "Engine"),
    "left_out": ("보이지 않아 뺀 단어", "Words left out"),
    "tables": ("표", "Tables"),
    "removed": ("뺀 것", "Removed"),
    "sheets": ("답안지", "Sheets"),
    "empty_pages": ("빈 쪽", "Empty pages"),
    "graded": ("채점", "Graded"),
    "seconds": ("길이(초)", "Seconds"),
    "spoken_seconds": ("말한 시간(초)", "Spoken seconds"),
    "cues": ("자막", "Cues"),
    "frames": ("화면", "Frames"),
    "blank": ("빈 화면", "Blank"),
    "blurred": ("흐림", "Blurred"),
    "looked_at": ("살펴본 화면", "Looked at"),
    "unsure": ("불확실한 줄", "Unsure lines"),
    "problems": ("문제", "Problems"),
    "questions_seen": ("보인 문항", "Questions seen"),
    "questions_not_seen": ("보이지 않은 문항", "Questions not seen"),
    "model": ("모델", "Model"),
    "machine_made": ("기계가 만듦", "Machine-made"),
}
CONTENT_TYPES = {  # where a file has no name for who looks
    "application/pdf": ("PDF 파일", "A PDF"),
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ("엑셀 파일", "An Excel file"),
    "application/vnd.ms-excel": ("엑셀 파일", "An Excel file"),
    "image": ("사진", "A picture"),
    "text": ("텍스트 파일", "A text file"),
    "video": ("영상 파일", "A video"),
}
ROWS = {
    "new": ("새 학생", "New"),
    "changed": ("바뀜", "Changed"),
    "unchanged": ("그대로", "Unchanged"),
    "conflicting": ("확인 필요", "Conflict"),
    "bad": ("오류", "Error"),
}
CHANNELS = {
    "SMS": ("SMS", "SMS"),
    "LMS": ("LMS", "LMS"),
    "MMS": ("MMS", "MMS"),
    "ATA": ("알림톡", "Alimtalk"),
    "EML": ("이메일", "E-mail"),
}
TEMPLATES = {
    "PENDING": ("검수 요청 전", "Not inspected yet"),
    "INSPECTING": ("검수 중", "In inspection"),
    "APPROVED": ("승인", "Approved"),
    "REJECTED": ("반려", "Rejected"),
    "GONE": ("사라짐", "Gone"),
}
LETTERS = {
    "NOT_JSON": ("JSON이 아닙니다.", "It is not JSON."),
    "TOO_LARGE": ("너무 큽니다.", "It is too large."),
    "TOO_DEEP": ("너무 깊게 겹쳐 있습니다.", "It is nested too deeply."),
    "DUPLICATE_KEY": ("같은 항목이 두 번 있습니다.", "It gives a field twice."),
    "UNSTORABLE_TEXT": ("저장할 수 없는 글자가 있습니다.", "It holds a character that cannot be stored."),
    "NOT_AN_OBJECT": ("JSON 객체가 아닙니다.", "It is not a JSON object."),
    "INVALID_FIELD": ("빠졌거나 잘못된 항목이 있습니다.", "A field is missing or not valid."),
    "UNKNOWN_JOB_TYPE": ("모르는 작업 종류입니다.", "The job type is not known."),
    "UNKNOWN_ACTION": ("모르는 동작입니다.", "The action is not known."),
    "TENANT_MISMATCH": ("학원 번호가 서로 다릅니다.", "It names two different academies."),
    "FOREIGN_KEY_PREFIX": ("다른 학원의 파일을 가리킵니다.", "It names another academy's file."),
    "TENANT_BINDING_MISSING": (
        "다른 학원의 것을 쓰겠다는 요청인데 서명이 없습니다.",
        "It uses what another academy owns, and is not signed.",
    ),
    "TENANT_BINDING_WRONG": (
        "다른 학원의 것을 쓰겠다는 요청의 서명이 맞지 않습니다.",
        "It uses what another academy owns, and its signature is wrong.",
    ),
    "IDEMPOTENCY_MISMATCH": (
        "같은 번호로 다른 내용이 먼저 왔습니다.",
        "Its key was used with other content.",
    ),
    "START_REFUSED": ("시작할 수 없는 요청입니다.", "The request cannot be started."),
    "REFUSED_BY_DATABASE": ("데이터베이스가 받지 않았습니다.", "The database refused it."),
    "BODY_GONE": (
        "내용이 저장소에 더는 없습니다. 같은 메시지가 이미 처리되었거나 너무 오래되었습니다.",
        "Its body is not in the object store any more: a copy of it was done, or it is too old.",
    ),
    "": (
        "SQS가 여러 번 전달한 뒤 옮겼습니다. 메시지에 잘못이 있다는 뜻이 아니니 되돌리십시오. "
        "다시 오면 브리지의 로그에 사유가 있습니다.",
        "SQS moved it after too many receives, which says nothing against it: send it back. "
        "Should it come again, the bridge's log says why.",
    ),
}
DISCARDING = {
    "duplicate": ("이미 처리된 요청", "It was done already"),
    "mistaken": ("잘못 보낸 요청", "It was sent by mistake"),
    "outdated": ("너무 오래되어 필요 없음", "It is too old to be of use"),
    "trial": ("시험용", "It was a trial"),
}
DAMAGE = {
    "picture_missing": ("화면이 멈춰 있습니다", "The picture stands still"),
    "picture_broken": ("화면이 깨져 있습니다", "The picture is broken"),
    "sound_missing": ("소리가 없습니다", "There is no sound"),
    "end_missing": ("끝부분이 파일에 없습니다", "The end is not in the file"),
    "sound_silent": (
        "처음부터 끝까지 소리가 들리지 않습니다. 마이크가 켜져 있었는지 확인해 주세요.",
        "Nothing can be heard from start to end. Was the microphone on?",
    ),
    "sound_too_quiet": (
        "소리가 너무 작게 녹음되어 충분히 키울 수 없습니다. 마이크를 더 가까이 두고 녹음해 주세요.",
        "The sound was recorded too quiet to be made loud enough. Put the microphone closer.",
    ),
    "sound_clipped": (
        "소리가 너무 크게 녹음되어 찌그러집니다. 입력 음량을 낮추어 다시 녹음해 주세요.",
        "The sound was recorded too loud and is distorted. Record it with a lower input level.",
    ),
    "cut_at_segments": (
        "원본 파일이 없어 정확한 시각이 아니라 앞뒤로 몇 초 더 남겨 잘랐습니다. 시작과 끝을 확인해 주세요.",
        "Without its source it was trimmed a few seconds wider than asked. Look at its start and end.",
    ),
}
_Table = Mapping[str, tuple[str, str]]
CAPTIONS = {
    "UPLOADED": ("올린 자막", "uploaded"),
    "MACHINE": ("기계가 만듦", "made by a machine"),
    "EMBEDDED": ("영상에 들어 있던 자막", "from the video"),
}

DOUBTS = MARKS | {
    "corrected": ("고침", "corrected"),
    "unread": ("읽지 못함", "unreadable"),
    "several": ("같은 번호가 또 있음", "also on another sheet"),
}
# In the order of its buttons and keys: what is pressed most comes first.
ATTENDANCE = {
    "PRESENT": ("출석", "Present"),
    "LATE": ("지각", "Late"),
    "ABSENT": ("결석", "Absent"),
    "ONLINE": ("온라인", "Online"),
    "LEFT_EARLY": ("조퇴", "Left early"),
    "EXCUSED": ("인정결석", "Excused"),
}

ACTS = {
    "pause": ("멈추기", "pause"),
    "resume": ("다시 시작", "resume"),
    "run": ("지금 실행", "run now"),
}
SCHEDULES = {
    "reconcile": ("열린 작업 점검", "Looking at open jobs"),
    "index": ("찾기에 올리기", "Reading texts for the search"),
    "sweep": ("기한 지난 것 치우기", "Removing what has expired"),
    "sweep-objects": ("저장소의 주인 없는 파일 찾기", "Looking for objects of nobody"),
    "retain": ("보관 기간 지난 것 지우기", "Removing what was kept for long enough"),
    "scale": ("서버 수 맞추기", "Deciding how many workers there are"),
    "messages-compare": ("문자 업체 기록과 맞춰 보기", "Comparing with the provider"),
    "messages-templates": ("알림톡 템플릿 확인", "Asking for Alimtalk templates"),
}
RIGHTS = {
    "look": ("보기", "look"),
    "send": ("보내고 올리기", "send"),
    "pay": ("요금과 충전", "pay"),
    "manage": ("관리", "manage"),
}

_TABLES: Mapping[str, _Table] = {
    "doubt": DOUBTS,
    "state": STATES,
    "job_type": {name: (row.ko, row.en) for name, row in CATALOG.items()},
    "step": STEPS,
    "event": EVENTS,
    "detail": DETAILS,
    "server": SERVERS,
    "video": VIDEOS,
    "recipient": RECIPIENTS,
    "mail_recipient": MAIL_RECIPIENTS,
    "channel": CHANNELS,
    "letter": LETTERS,
    "template": TEMPLATES,
    "discarding": DISCARDING,
    "column": COLUMNS,
    "row": ROWS,
    "fact": FACTS,
    "damage": DAMAGE,
    "captions": CAPTIONS,
    "attendance": ATTENDANCE,
    "content_type": CONTENT_TYPES,
    "act": ACTS,
    "schedule": SCHEDULES,
    "right": RIGHTS,
    "operation": OPERATION_WORDS | COMMAND_WORDS,
}


class In:
    """The words in one language: `words("state", "DONE")`. A code without words stands for itself."""

    def __init__(self, lang: str) -> None:
        self._index = 0 if lang == "ko" else 1

    def __call__(self, table: str, code: str | None) -> str:
        known, code = _TABLES[table], code or ""
        both = known.get(code) or known.get(code.partition("/")[0])
        return both[self._index] if both else str(code)
