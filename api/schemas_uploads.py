"""What uploads take and answer."""

import unicodedata
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from contracts.base import Outside

LARGEST = 50 * 2**30
MOST_PARTS = 10_000  # S3 and R2
PARTS_AT_ONCE = 1000

_VIDEO_KINDS = "mp4|x-m4v|quicktime|webm|x-matroska|matroska|mpeg|mp2t|x-msvideo|avi|msvideo|x-ms-wmv"
_SOUND_KINDS = "mpeg|mp3|mp4|x-m4a|m4a|x-m4b|aac|x-aac|wav|x-wav|wave|flac|x-flac|ogg|opus|webm"
# Of a lecture, whose sound may be all there is.
VIDEO_TYPE = (
    rf"(video/({_VIDEO_KINDS}|x-ms-asf|x-flv|3gpp|3gpp2|ogg|mj2|mxf|dv)"
    rf"|audio/({_SOUND_KINDS}|x-matroska|x-ms-wma|aiff|x-aiff|x-caf|amr|3gpp|3gpp2))"
)

# Macs write 한글 in names of files as single letters: it looks the same, and is not found.
Composed = AfterValidator(lambda text: text and unicodedata.normalize("NFC", text))

Purpose = Literal["video", "document", "table", "image", "captions"]


class UploadWanted(Outside):
    """The name is shown to the academy's own people beside what becomes of the file."""

    model_config = ConfigDict(extra="forbid")

    filename: Annotated[str, Composed] = Field(min_length=1, max_length=255)
    size: int = Field(ge=1, le=LARGEST, description="Bytes")
    content_type: str = Field(max_length=100, pattern=r"^[a-z0-9]+/[a-zA-Z0-9.+-]+$")
    purpose: Purpose
    session: str = Field(default="api", pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Folder of a video")


class UploadBegun(BaseModel):
    """`put`: one PUT of the whole file with its Content-Type to `upload_url`, within the hour. `multipart`:
    parts of `part_size` bytes (the last one is smaller), each to a link of `…/parts`."""

    upload_id: UUID
    file_key: str
    method: Literal["put", "multipart"]
    part_size: int | None
    upload_url: str | None


class Part(BaseModel):
    number: int
    size: int
    etag: str


class UploadShown(BaseModel):
    """`parts` are those that have arrived: the others are still to be sent."""

    upload_id: UUID
    file_key: str
    state: Literal["open", "completed", "aborted"]
    method: Literal["put", "multipart"]
    size: int | None
    content_type: str
    part_size: int | None
    parts: list[Part]


class PartsWanted(Outside):
    numbers: list[Annotated[int, Field(ge=1, le=MOST_PARTS)]] = Field(min_length=1, max_length=PARTS_AT_ONCE)


class PartLinks(BaseModel):
    urls: dict[int, str]


class VideoWanted(Outside):
    model_config = ConfigDict(extra="forbid")

    upload_id: UUID
    title: Annotated[str | None, Composed] = Field(default=None, max_length=200)


class VideoMade(BaseModel):
    video_id: int
    status: str
    file_key: str
