"""Asking ffprobe what a file is: its format, its streams, and what is in one of them."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from activities.host.stall import STALL
from activities.video.ffmpeg import MAX_PIXELS, SOURCE, FfmpegFailed, Tools, run
from contracts import errors

MAX_SIDE = 8192
_NOT_LISTED = re.compile(r"Codec \((\w+)\) not on whitelist")
_HEADER = (
    "format=format_name,start_time,duration,probe_score"
    ":stream=index,codec_type,codec_name,width,height,sample_aspect_ratio,field_order,start_time,duration"
    ":stream_disposition=attached_pic,timed_thumbnails,still_image,default"
    ",comment,dub,original,visual_impaired,hearing_impaired"
    ":stream_tags=language,title:stream_side_data=rotation"
)
# Of 100, of a file that is nothing but sound: noise looks like a little MP3 to who looks for it. An MP3 whose
# cover is larger than what is looked at has 48.
_SURE = 48
_NOT_MOVING = ("attached_pic", "timed_thumbnails", "still_image")


class MediaError(Exception):
    """The source cannot become HLS. `code` is one of `contracts.errors`; `detail` is for logs."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


async def header(tools: Tools, path: Path, timeout: float) -> dict[str, Any]:
    lines: list[str] = []
    try:
        await ffprobe(tools, path, ["-of", "json", "-show_entries", _HEADER], timeout, lines.append)
    except FfmpegFailed as error:
        if unlisted := _NOT_LISTED.search(error.stderr_tail):
            raise MediaError(errors.CODEC_NOT_SUPPORTED, unlisted[1]) from error
        raise MediaError(errors.NOT_A_VIDEO, str(error)) from error
    head: dict[str, Any] = json.loads("".join(lines))
    if not head.get("streams") or "format_name" not in head.get("format", {}):
        raise MediaError(errors.NOT_A_VIDEO, "no streams")
    return head


def require_sound(head: dict[str, Any]) -> None:
    """Of a file without a moving picture. Raises MediaError where it has no sound either."""
    if not fitting(head["streams"], "audio"):
        raise MediaError(errors.NOT_A_VIDEO, "neither picture nor sound")
    if int(head["format"].get("probe_score", 0)) < _SURE:
        raise MediaError(errors.NOT_A_VIDEO, f"{head['format']['format_name']}, as it seems")


def cover(head: dict[str, Any]) -> int | None:
    """The number of the picture that a file of sound brings along."""
    pictures = (
        stream["index"]
        for stream in head["streams"]
        if stream.get("codec_type") == "video" and stream.get("disposition", {}).get("attached_pic")
    )
    return next(pictures, None)


async def ffprobe(
    tools: Tools,
    path: Path,
    args: list[str],
    timeout: float,
    on_line: Callable[[str], None],
) -> str:
    # Pixels up to the longest side squared, so that a picture that is too large is known by its size.
    options = SOURCE | {"max_pixels": MAX_SIDE**2}
    source = [word for name, value in options.items() for word in (f"-{name}", str(value))]
    return await run(
        [tools.ffprobe, "-v", "error", *source, *args, f"file:{path}"],
        timeout=timeout,
        reads=[path],
        stall=STALL,
        on_line=on_line,
    )


async def read_stream(
    tools: Tools,
    path: Path,
    stream: int,
    options: list[str],
    entries: str,
    timeout: float,
    on_line: Callable[[str], None],
) -> None:
    """Decode one stream; packets, frames and their `entries` come to `on_line`, one a line."""
    args = ["-select_streams", str(stream), *options, "-show_packets", "-show_frames"]
    await ffprobe(tools, path, [*args, "-show_entries", entries, "-of", "compact"], timeout, on_line)


async def start_of(tools: Tools, path: Path, timeout: float) -> float:
    """Where the container's clock begins."""
    lines: list[str] = []
    await ffprobe(
        tools, path, ["-of", "csv=p=0", "-show_entries", "format=start_time"], timeout, lines.append
    )
    text = "".join(lines).strip()
    return 0.0 if text in ("", "N/A") else float(text)


def unread_fragments(path: Path) -> int:
    """Bytes of a fragmented MP4 behind the place where its boxes stop making sense. Others have an index."""
    size, at, fragmented = path.stat().st_size, 0, False
    with path.open("rb") as file:
        while at + 8 <= size:
            file.seek(at)
            head = file.read(16)
            length, name = int.from_bytes(head[:4]), head[4:8]
            if length == 1:
                length = int.from_bytes(head[8:16])
            if length == 0 and name == b"mdat":  # until the end
                return 0
            if length < 8 or not name.isalnum():
                break
            fragmented = fragmented or name == b"moof"
            at += length
    return max(0, size - at) if fragmented else 0


def fitting(streams: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """The streams of a kind, the default one first; cover art and thumbnails are not video."""
    fit = [
        stream
        for stream in streams
        if stream.get("codec_type") == kind
        and not any(stream.get("disposition", {}).get(name) for name in _NOT_MOVING)
    ]
    return sorted(fit, key=lambda s: (-s.get("disposition", {}).get("default", 0), s["index"]))


def pick(streams: list[dict[str, Any]], kind: str) -> dict[str, Any] | None:
    """The default stream of a kind, else the first."""
    return next(iter(fitting(streams, kind)), None)


def shown_size(video: dict[str, Any]) -> tuple[int, int]:
    width, height = int(video.get("width", 0)), int(video.get("height", 0))
    if width < 2 or height < 2:
        raise MediaError(errors.NOT_A_VIDEO, f"picture of {width}x{height}")
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise MediaError(errors.PICTURE_TOO_LARGE, f"{width}x{height}")
    across, _, down = str(video.get("sample_aspect_ratio", "1:1")).partition(":")
    if across.isdigit() and down.isdigit() and int(across) and int(down):
        width = round(width * int(across) / int(down))
    return (height, width) if round(rotation(video) / 90) % 2 else (width, height)


def rotation(video: dict[str, Any]) -> float:
    return next((float(s["rotation"]) for s in video.get("side_data_list", []) if "rotation" in s), 0.0)
