"""Every way a job can end badly: the code that code branches on, and the sentence that people read.

A code says who acts: `bad_input` the person who uploaded, the others operators.
"""

from typing import NamedTuple

from contracts.jobs import JobState


class Reason(NamedTuple):
    state: JobState
    ko: str
    en: str


REASONS: dict[str, Reason] = {}


def _add(code: str, state: JobState, ko: str, en: str) -> str:
    REASONS[code] = Reason(state, ko, en)
    return code


_F, _R = JobState.FAILED, JobState.REJECTED_BAD_INPUT

SOURCE_MISSING = _add(
    "SOURCE_MISSING",
    _F,
    "업로드된 원본 파일을 찾을 수 없습니다. 영상을 다시 업로드해 주세요.",
    "The uploaded file is not in storage. Upload the video again.",
)
SOURCE_CHANGED = _add(
    "SOURCE_CHANGED",
    _F,
    "처리 중에 원본 파일이 바뀌었습니다. 다시 시도해 주세요.",
    "The source file changed while it was being processed. Retry the video.",
)
SOURCE_TOO_LARGE = _add(
    "SOURCE_TOO_LARGE",
    _F,
    "파일이 너무 큽니다. 더 작은 파일로 나누어 업로드해 주세요.",
    "The file is larger than allowed. Upload it in smaller parts.",
)
NOT_A_VIDEO = _add(
    "NOT_A_VIDEO",
    _F,
    "영상 파일이 아니거나 손상되었습니다. MP4, MOV, MKV 파일로 다시 저장해 업로드해 주세요.",
    "The file is not a video or is damaged. Export it as MP4, MOV or MKV and upload it again.",
)
NO_VIDEO_STREAM = _add(
    "NO_VIDEO_STREAM",
    _F,
    "파일에 영상이 없고 소리만 있습니다. 영상이 포함된 파일을 업로드해 주세요.",
    "The file has no picture. Upload a file that contains video.",
)
VIDEO_TOO_LONG = _add(
    "VIDEO_TOO_LONG",
    _F,
    "영상이 너무 깁니다. 나누어 업로드해 주세요.",
    "The video is longer than allowed. Upload it in parts.",
)
PICTURE_TOO_LARGE = _add(
    "PICTURE_TOO_LARGE",
    _F,
    "영상 해상도가 너무 큽니다. 4K 이하로 저장해 업로드해 주세요.",
    "The picture has more pixels than allowed. Export it at 4K or below.",
)
DECODE_FAILED = _add(
    "DECODE_FAILED",
    _F,
    "영상의 일부를 읽을 수 없습니다. 다시 저장해 업로드해 주세요.",
    "Part of the video cannot be decoded. Export it again and upload it.",
)
ENCODE_FAILED = _add(
    "ENCODE_FAILED",
    _F,
    "영상 변환에 실패했습니다. 다시 시도해 주세요. 계속되면 운영자에게 알려 주세요.",
    "The encoder failed several times. Retry; if it happens again tell the operators.",
)
VIDEO_DELETED = _add(
    "VIDEO_DELETED",
    JobState.CANCELLED,
    "처리 중에 영상이 삭제되었습니다.",
    "The video was deleted while it was being processed.",
)
SUPERSEDED = _add(
    "SUPERSEDED",
    JobState.CANCELLED,
    "더 새로운 파일이 이미 게시되었습니다.",
    "A newer upload of this video has been published already.",
)
CANCELLED = _add(
    "CANCELLED",
    JobState.CANCELLED,
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
INTERNAL = _add(
    "INTERNAL",
    _F,
    "내부 오류로 실패했습니다. 다시 시도해 주세요. 계속되면 운영자에게 알려 주세요.",
    "An unexpected error ended the job. Retry it; the workflow's history has the details.",
)
