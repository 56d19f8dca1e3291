"""Files of captions that cannot be shown with their lecture."""

from contracts.errors.reason import R as _R
from contracts.errors.reason import add as _add

CAPTIONS_FORMAT_UNKNOWN = _add(
    "CAPTIONS_FORMAT_UNKNOWN",
    _R,
    "자막 파일이 아닙니다. SRT, SMI 또는 WebVTT(.vtt) 파일을 올려 주세요.",
    "This is no file of captions. Upload SRT, SMI or WebVTT.",
)
CAPTIONS_ENCODING_UNKNOWN = _add(
    "CAPTIONS_ENCODING_UNKNOWN",
    _R,
    "자막의 글자를 읽을 수 없습니다. UTF-8로 저장해 다시 올려 주세요.",
    "The text is neither UTF-8, UTF-16 nor cp949. Save it as UTF-8 and upload it again.",
)
CAPTIONS_TIME_INVALID = _add(
    "CAPTIONS_TIME_INVALID",
    _R,
    "자막 시간을 읽을 수 없는 줄이 있습니다. 그 줄을 고쳐 다시 올려 주세요.",
    "A line's time cannot be read. Correct that line and upload the file again.",
)
CAPTIONS_ARE_A_PIECE = _add(
    "CAPTIONS_ARE_A_PIECE",
    _R,
    "자막 전체가 아니라 스트리밍용 조각입니다. 전체 자막 파일을 올려 주세요.",
    "This is one segment of a stream's captions. Upload the whole file.",
)
CAPTIONS_EMPTY = _add(
    "CAPTIONS_EMPTY",
    _R,
    "자막에 보여 줄 글이 없습니다.",
    "There is nothing to be shown in the captions.",
)
CAPTIONS_TOO_LONG = _add(
    "CAPTIONS_TOO_LONG",
    _R,
    "자막이 너무 깁니다. 자막 하나는 2,000자, 파일 하나는 20,000개와 언어 8개까지입니다.",
    "The captions are too long: 2,000 characters a cue, 20,000 cues and 8 languages a file.",
)
CAPTIONS_OUTSIDE = _add(
    "CAPTIONS_OUTSIDE",
    _R,
    "자막 시간이 모두 강의 시간 밖입니다. 이 강의의 자막이 맞는지 확인해 주세요.",
    "No cue lies within the lecture. Check that the captions belong to it.",
)
CAPTIONS_LANGUAGE_UNKNOWN = _add(
    "CAPTIONS_LANGUAGE_UNKNOWN",
    _R,
    "자막이 어느 언어인지 알 수 없습니다. 언어를 고르고 다시 올려 주세요.",
    "The file does not say its language. Say it and upload the file again.",
)
VIDEO_NOT_READY = _add(
    "VIDEO_NOT_READY",
    _R,
    "아직 볼 수 없는 강의입니다. 변환이 끝난 뒤 자막을 올려 주세요.",
    "The lecture is not shown yet. Upload captions when its encoding has ended.",
)
