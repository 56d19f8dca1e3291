"""What can end any job."""

from contracts.errors.reason import C as _C
from contracts.errors.reason import F as _F
from contracts.errors.reason import R as _R
from contracts.errors.reason import add as _add

CANCELLED = _add(
    "CANCELLED",
    _C,
    "작업이 취소되었습니다.",
    "The job was cancelled.",
)
TERMINATED = _add(
    "TERMINATED",
    _F,
    "운영자가 작업을 강제로 중단했습니다. 다시 시도해 주세요.",
    "An operator terminated the workflow. Retry the job.",
)
TIMED_OUT = _add(
    "TIMED_OUT",
    _F,
    "제한 시간 안에 끝나지 않았습니다. 다시 시도해 주세요.",
    "The job did not finish in its time limit. Retry it.",
)
NO_WORKER = _add(
    "NO_WORKER",
    _F,
    "이 작업을 처리할 서버가 없어 시작하지 못했습니다. 운영자에게 알려 주세요.",
    "No worker for this job type came up in time. Start one and retry the job.",
)
START_REFUSED = _add(
    "START_REFUSED",
    _R,
    "요청의 형식이 올바르지 않아 시작할 수 없습니다.",
    "The request cannot be started as it is: too large or not well formed. Send it again corrected.",
)
PAYLOAD_LOST = _add(
    "PAYLOAD_LOST",
    _F,
    "데이터베이스를 복구하면서 요청 내용이 사라졌습니다. 다시 요청해 주세요.",
    "The database was restored, and what the job was asked for is lost. Send the request again.",
)
RESULT_LOST = _add(
    "RESULT_LOST",
    _F,
    "작업은 끝났지만 결과가 저장소에 없습니다. 다시 요청해 주세요.",
    "The job was done, and its result is in neither database nor object store. Send the request again.",
)
KEY_LOST = _add(
    "KEY_LOST",
    _F,
    "데이터베이스를 복구하면서 이 작업의 암호 키가 사라졌습니다. "
    "이미 발송되었을 수 있으니 발송 내역을 먼저 확인해 주세요.",
    "The database was restored, and the key that sealed this job is lost. Its messages may have been sent: "
    "look at the provider's list first.",
)
UNSTORABLE_TEXT = _add(
    "UNSTORABLE_TEXT",
    _R,
    "요청에 저장할 수 없는 문자가 있습니다. 고쳐서 다시 요청해 주세요.",
    "The request holds a sign that cannot be stored (NUL, half a surrogate pair). Send it again without.",
)
INTERNAL = _add(
    "INTERNAL",
    _F,
    "내부 오류로 실패했습니다. 다시 시도해 주세요. 계속되면 운영자에게 알려 주세요.",
    "An unexpected error ended the job. Retry it; the workflow's history has the details.",
)
