"""What can end a lecture's encode, or its trim."""

from contracts.errors.reason import C as _C
from contracts.errors.reason import F as _F
from contracts.errors.reason import R as _R
from contracts.errors.reason import add as _add

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
    _R,
    "파일이 너무 큽니다. 더 작은 파일로 나누어 업로드해 주세요.",
    "The file is larger than allowed. Upload it in smaller parts.",
)
NOT_A_VIDEO = _add(
    "NOT_A_VIDEO",
    _R,
    "영상 파일이 아니거나 손상되었습니다. MP4, MOV, MKV 파일로 다시 저장해 업로드해 주세요.",
    "The file is not a video or is damaged. Export it as MP4, MOV or MKV and upload it again.",
)
NO_VIDEO_STREAM = _add(
    "NO_VIDEO_STREAM",
    _R,
    "파일에 영상이 없고 소리만 있습니다. 영상이 포함된 파일을 업로드해 주세요.",
    "The file has no picture. Upload a file that contains video.",
)
VIDEO_TOO_LONG = _add(
    "VIDEO_TOO_LONG",
    _R,
    "영상이 너무 깁니다. 나누어 업로드해 주세요.",
    "The video is longer than allowed. Upload it in parts.",
)
PICTURE_TOO_LARGE = _add(
    "PICTURE_TOO_LARGE",
    _R,
    "영상 해상도가 너무 큽니다. 4K 이하로 저장해 업로드해 주세요.",
    "The picture has more pixels than allowed. Export it at 4K or below.",
)
CODEC_NOT_SUPPORTED = _add(
    "CODEC_NOT_SUPPORTED",
    _R,
    "지원하지 않는 코덱으로 만든 영상입니다. H.264와 AAC를 쓰는 MP4로 다시 저장해 업로드해 주세요.",
    "A codec of the file is not accepted. Export it as MP4 with H.264 and AAC and upload it again.",
)
DECODE_FAILED = _add(
    "DECODE_FAILED",
    _R,
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
    _C,
    "처리 중에 영상이 삭제되었습니다.",
    "The video was deleted while it was being processed.",
)
SUPERSEDED = _add(
    "SUPERSEDED",
    _C,
    "더 새로운 파일이 이미 게시되었습니다.",
    "A newer upload of this video has been published already.",
)
VERSION_CHANGED = _add(
    "VERSION_CHANGED",
    _C,
    "그 사이에 강의가 새로 게시되었습니다. 지금 영상을 보고 시간을 다시 정해 주세요.",
    "The lecture shows another version than the times were meant for. Look at it and set them again.",
)
LECTURE_BUSY = _add(
    "LECTURE_BUSY",
    _R,
    "강의를 변환하거나 자르는 중입니다. 끝난 뒤에 잘라 주세요.",
    "The lecture is being encoded or trimmed. Trim it when that has ended.",
)
TRIM_OUTSIDE = _add(
    "TRIM_OUTSIDE",
    _R,
    "자를 시간이 강의에 맞지 않습니다. 시작과 끝을 강의 안에서, 1초 이상 남게 정해 주세요.",
    "The times do not fit the lecture. Keep a second or more of it, and less than all.",
)
DOWNLOAD_OFF = _add(
    "DOWNLOAD_OFF",
    _R,
    "내려받을 수 없는 강의입니다. 강의에서 내려받기를 먼저 허용해 주세요.",
    "The lecture may not be downloaded, or has no rendition that small. Allow it first.",
)
DOWNLOAD_ENCRYPTED = _add(
    "DOWNLOAD_ENCRYPTED",
    _R,
    "암호화한 강의는 내려받을 수 없습니다.",
    "An encrypted lecture is not given away as a file.",
)
DOWNLOAD_TOO_LARGE = _add(
    "DOWNLOAD_TOO_LARGE",
    _R,
    "파일이 5 GB를 넘습니다. 더 낮은 화질로 허용해 주세요.",
    "The file would be larger than 5 GB. Allow fewer lines.",
)
