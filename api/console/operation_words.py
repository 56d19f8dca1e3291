"""What the audit calls the operations and commands that it records, in both languages."""

from clients.operators import Command

_JOB = ("작업 결과 보기", "Looked at a job's result")
_START = ("작업 시작", "Started a job")
_UPLOAD = ("파일 올리기", "Uploaded a file")
_MESSAGES = ("문자 발송", "Sent messages")
_SIGNED_IN = ("로그인", "Signed in")

OPERATION_WORDS = {
    "GET /api/v1/jobs/{job_id}/": _JOB,
    "GET /api/v1/jobs/{job_id}": _JOB,
    "GET /console/jobs/{job_id}": _JOB,
    "GET /console/jobs/{job_id}/files/{name}": ("결과 파일 내려받기", "Downloaded a result"),
    "GET /console/ocr/{job_id}": ("인식한 문서 보기", "Looked at a document"),
    "GET /console/ocr/{job_id}/pages/{number}": ("인식한 쪽 보기", "Looked at a page"),
    "GET /console/rosters/{job_id}": ("명단 보기", "Looked at a roster"),
    "GET /console/messages/{job_id}": ("받는 사람 보기", "Looked at recipients"),
    "GET /api/v1/messages/{job_id}/recipients/": ("받는 사람 보기", "Looked at recipients"),
    "GET /console/audit": ("접속기록 보기", "Looked at the audit"),
    "POST /codec/decode": ("암호화된 이력 보기", "Read an encrypted history"),
    "POST /api/v1/jobs": _START,
    "POST /api/v1/ai/jobs/": _START,
    "POST /api/v1/excel/jobs/": ("명단 가져오기", "Imported a roster"),
    "POST /api/v1/jobs/{job_id}/cancel": ("작업 취소", "Cancelled a job"),
    "POST /api/v1/jobs/{job_id}/retry": ("작업 다시 하기", "Ran a job again"),
    "POST /api/v1/media/videos/{video_id}/retry/": ("강의 다시 변환", "Encoded a lecture again"),
    "POST /api/v1/uploads": _UPLOAD,
    "POST /api/v1/uploads/{upload_id}/parts": _UPLOAD,
    "POST /api/v1/uploads/{upload_id}/complete": _UPLOAD,
    "POST /api/v1/media/videos/upload/init/": _UPLOAD,
    "POST /api/v1/media/videos/{video_id}/upload/complete/": _UPLOAD,
    "DELETE /api/v1/uploads/{upload_id}": ("올리기 그만두기", "Gave up an upload"),
    "POST /api/v1/videos": ("강의 만들기", "Made a lecture"),
    "DELETE /api/v1/videos/{video_id}/captions/{caption_id}": ("자막 지우기", "Took captions away"),
    "PUT /api/v1/videos/{video_id}/chapters": ("강의 목차 바꾸기", "Changed a lecture's chapters"),
    "POST /api/v1/media/videos/{video_id}/playback/start/": ("강의 재생", "Began to watch a lecture"),
    "POST /api/v1/messaging/send/": _MESSAGES,
    "POST /api/v1/messages/": _MESSAGES,
    "POST /api/v1/messages/{job_id}/cancel/": ("문자 발송 취소", "Cancelled messages"),
    "POST /api/v1/reservations/{reservation_id}/cancel/": ("예약 취소", "Cancelled a reservation"),
    "POST /api/v1/opt-outs/": ("광고 수신 거부", "Opted a phone out"),
    "PUT /api/v1/callback/": ("알림 주소 바꾸기", "Changed the callback address"),
    "PUT /api/v1/tenants/{tenant_id}/messaging-account/": ("문자 요금 바꾸기", "Changed prices of messages"),
    "POST /api/v1/tenants/{tenant_id}/credit/": ("충전", "Added credit"),
    "POST /codec/login": _SIGNED_IN,
    "POST /console/login": _SIGNED_IN,
    "GET /console/oidc/callback": _SIGNED_IN,
    "POST /console/logout": ("로그아웃", "Signed out"),
    "POST /console/letters": ("처리 불가 요청 되돌리기", "Sent dead letters back"),
    "POST /console/letters/discard": ("처리 불가 요청 버리기", "Discarded a dead letter"),
}

COMMAND_WORDS = {
    Command.DESTROY_KEY: ("명령: 학원 열쇠 없애기", "Command: destroyed an academy's key"),
    Command.RENEW_KEY: ("명령: 학원 다시 시작", "Command: let an academy begin again"),
    Command.REWRAP_KEYS: ("명령: 학원 열쇠 다시 감싸기", "Command: wrapped keys anew"),
    Command.CREATE_SERVICE_KEY: ("명령: 서비스 키 만들기", "Command: made a service key"),
    Command.REVOKE_SERVICE_KEY: ("명령: 서비스 키 거두기", "Command: revoked a service key"),
    Command.LIST_SERVICE_KEYS: ("명령: 서비스 키 보기", "Command: listed service keys"),
    Command.ADD_TENANT: ("명령: 학원 추가", "Command: added an academy"),
    Command.ISSUE_STAFF_TOKEN: ("명령: 직원 토큰 발급", "Command: issued a staff token"),
    Command.SHOW_ACCOUNT: ("명령: 문자 계정 조회", "Command: looked at a messaging account"),
    Command.SHOW_ACCOUNT_NUMBERS: (
        "명령: 문자 계정과 발신번호 조회",
        "Command: looked at a messaging account and its numbers",
    ),
    Command.SET_ACCOUNT: ("명령: 문자 계정 변경", "Command: changed a messaging account"),
    Command.ADD_CREDIT: ("명령: 충전", "Command: added credit"),
    Command.SHOW_RESULT: ("명령: 작업 결과 조회", "Command: looked at a job's result"),
    Command.CANCEL_JOB: ("명령: 작업 취소", "Command: cancelled a job"),
    Command.RETRY_JOB: ("명령: 작업 재시도", "Command: ran a job again"),
    Command.SEND_BACK: ("명령: 처리 불가 요청 되돌리기", "Command: sent dead letters back"),
    Command.DISCARD: ("명령: 처리 불가 요청 폐기", "Command: discarded a dead letter"),
    Command.LOOK_AT_TENANT: ("명령: 학원 자료 세기", "Command: counted what there is of an academy"),
    Command.ERASE_TENANT: ("명령: 학원 지우기", "Command: erased an academy"),
    Command.LOOK_FOR_PERSON: ("명령: 한 사람의 자료 찾기", "Command: looked for a person"),
    Command.ERASE_PERSON: ("명령: 한 사람 지우기", "Command: erased a person"),
    Command.AFTER_RESTORE: ("명령: 복구 뒤 견주기", "Command: compared after a restore"),
    Command.REPAIR: ("명령: 복구 뒤 고치기", "Command: repaired after a restore"),
    Command.LOOK_AT_RETENTION: ("명령: 보관 기한 지난 것 세기", "Command: counted what is over its time"),
    Command.ENFORCE_RETENTION: ("명령: 보관 기한 지난 것 지우기", "Command: removed what is over its time"),
}
