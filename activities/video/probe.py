"""What is in a source file: its header, every packet's timestamp, and whether its first frame decodes."""

import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg

from activities.host.stall import STALL
from activities.video.ffmpeg import MAX_PIXELS, SOURCE, FfmpegFailed, Progress, Tools, run, run_ffmpeg
from activities.video.packets import TrackScan
from contracts import errors

MAX_SIDE = 8192
_HEADER = (
    "format=format_name,start_time,duration"
    ":stream=index,codec_type,width,height,sample_aspect_ratio,field_order,start_time,duration"
    ":stream_disposition=attached_pic,timed_thumbnails,still_image,default:stream_side_data=rotation"
)
_PACKET = "packet=stream_index,pts_time,dts_time,duration_time,flags"
_SEEKABLE = {"mov", "matroska"}  # the others have no index that finds a frame exactly
_NOT_MOVING = ("attached_pic", "timed_thumbnails", "still_image")


class MediaError(Exception):
    """The source cannot become HLS. `code` is one of `contracts.errors`; `detail` is for logs."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


@dataclass(frozen=True)
class SourceInfo:
    """Times are seconds from the start of the container; the size is as shown (pixel shape, rotation).

    `frame_rate` is exact for a constant rate, else the average. Gaps are between neighbours on screen.
    """

    container: str
    needs_remux: bool
    width: int
    height: int
    interlaced: bool
    frame_rate: float
    constant_rate: bool
    frames: int
    video_stream: int
    video_start: float
    video_end: float
    max_frame_gap: float
    max_keyframe_gap: float
    audio_stream: int | None
    audio_start: float
    audio_end: float


async def probe(tools: Tools, path: Path, *, max_seconds: float, timeout: float = 900) -> SourceInfo:
    """Inspect a local file. Raises MediaError for what is not, or is not welcome as, a video.

    `timeout` bounds each of three steps by the wall clock.
    """
    head = await _header(tools, path, timeout)
    container = str(head["format"]["format_name"]).split(",")[0]
    video = _pick(head["streams"], "video")
    if video is None:
        raise MediaError(errors.NO_VIDEO_STREAM, container)
    audio = _pick(head["streams"], "audio")
    width, height = _shown_size(video)
    origin = float(head["format"].get("start_time", 0))
    declared = float(head["format"].get("duration", 0))
    if declared > max_seconds:
        raise MediaError(errors.VIDEO_TOO_LONG, f"{declared:.0f} s")

    picture, sound, end = await _scan(tools, path, video["index"], audio["index"] if audio else None, timeout)
    if not picture.frames:
        raise MediaError(errors.NOT_A_VIDEO, "no video packet")
    if max(picture.end, sound.end) - origin > max_seconds:
        raise MediaError(errors.VIDEO_TOO_LONG, f"{max(picture.end, sound.end) - origin:.0f} s")
    missing = 0.0
    if container == "mov":
        missing = float(video.get("duration", 0)) - (picture.end - picture.start)
    elif container == "matroska":
        missing = declared - end
    if missing > max(1.0, declared / 50):
        raise MediaError(errors.DECODE_FAILED, f"the last {missing:.1f} s are not in the file")
    await _decode_one(tools, path, video["index"], timeout)

    rate, constant = picture.rate()
    return SourceInfo(
        container=container,
        needs_remux=container not in _SEEKABLE,
        width=width,
        height=height,
        interlaced=video.get("field_order", "progressive") in ("tt", "bb", "tb", "bt"),
        frame_rate=rate,
        constant_rate=constant,
        frames=picture.frames,
        video_stream=video["index"],
        video_start=picture.start - origin,
        video_end=picture.end - origin,
        max_frame_gap=picture.max_gap,
        max_keyframe_gap=picture.max_keyframe_gap,
        audio_stream=audio["index"] if audio and sound.frames else None,
        audio_start=sound.start - origin if sound.frames else 0.0,
        audio_end=sound.end - origin if sound.frames else 0.0,
    )


async def remux(tools: Tools, source: Path, out: Path, *, timeout: float = 3600) -> None:
    """Copy the first video and audio stream into a Matroska file, whose index finds every keyframe.

    For `SourceInfo.needs_remux`: remux, probe the result, plan from that with `remux=True`; every
    worker remuxes likewise before it encodes. Raises MediaError.
    """
    file = ffmpeg.input(f"file:{source}", fflags="+genpts", **SOURCE)
    copy = ffmpeg.output(file["V:0"], file["a:0?"], f"file:{out}", format="matroska", c="copy")
    try:
        await run_ffmpeg(tools, copy.get_args(), timeout=timeout)
    except FfmpegFailed as error:
        raise MediaError(errors.DECODE_FAILED, str(error)) from error


async def _header(tools: Tools, path: Path, timeout: float) -> dict[str, Any]:
    lines: list[str] = []
    try:
        await _ffprobe(tools, path, ["-of", "json", "-show_entries", _HEADER], timeout, lines.append)
    except FfmpegFailed as error:
        raise MediaError(errors.NOT_A_VIDEO, str(error)) from error
    head: dict[str, Any] = json.loads("".join(lines))
    if not head.get("streams") or "format_name" not in head.get("format", {}):
        raise MediaError(errors.NOT_A_VIDEO, "no streams")
    return head


async def _ffprobe(
    tools: Tools, path: Path, args: list[str], timeout: float, on_line: Callable[[str], None]
) -> None:
    # Pixels up to the longest side squared, so that a picture that is too large is known by its size.
    options = SOURCE | {"max_pixels": MAX_SIDE**2}
    source = [word for name, value in options.items() for word in (f"-{name}", str(value))]
    await run(
        [tools.ffprobe, "-v", "error", *source, *args, f"file:{path}"],
        timeout=timeout,
        stall=STALL,
        on_line=on_line,
    )


def _pick(streams: list[dict[str, Any]], kind: str) -> dict[str, Any] | None:
    """The default stream of a kind, else the first; cover art and thumbnails are not video."""
    fit = [
        stream
        for stream in streams
        if stream.get("codec_type") == kind
        and not any(stream.get("disposition", {}).get(name) for name in _NOT_MOVING)
    ]
    return max(fit, key=lambda s: (s.get("disposition", {}).get("default", 0), -s["index"]), default=None)


def _shown_size(video: dict[str, Any]) -> tuple[int, int]:
    width, height = int(video.get("width", 0)), int(video.get("height", 0))
    if width < 2 or height < 2:
        raise MediaError(errors.NOT_A_VIDEO, f"picture of {width}x{height}")
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise MediaError(errors.PICTURE_TOO_LARGE, f"{width}x{height}")
    across, _, down = str(video.get("sample_aspect_ratio", "1:1")).partition(":")
    if across.isdigit() and down.isdigit() and int(across) and int(down):
        width = round(width * int(across) / int(down))
    rotation = next((s["rotation"] for s in video.get("side_data_list", []) if "rotation" in s), 0)
    return (height, width) if round(rotation / 90) % 2 else (width, height)


async def _scan(
    tools: Tools, path: Path, video: int, audio: int | None, timeout: float
) -> tuple[TrackScan, TrackScan, float]:
    """The picture, the sound, and the end of the last packet of any stream."""
    tracks: dict[int, TrackScan] = defaultdict(TrackScan)

    def on_line(line: str) -> None:
        index, pts, dts, duration, flags = line.split(",")[:5]
        time = pts if pts != "N/A" else dts
        if time != "N/A":
            tracks[int(index)].add(float(time), 0.0 if duration == "N/A" else float(duration), flags)

    try:
        await _ffprobe(tools, path, ["-of", "csv=p=0", "-show_entries", _PACKET], timeout, on_line)
    except FfmpegFailed as error:
        raise MediaError(errors.NOT_A_VIDEO, str(error)) from error
    for track in tracks.values():
        track.finish()
    end = max((track.end for track in tracks.values()), default=0.0)
    return tracks[video], tracks[audio] if audio is not None else TrackScan(), end


async def _decode_one(tools: Tools, path: Path, stream: int, timeout: float) -> None:
    """Header and packets may look fine while nothing can be decoded: an unknown codec, encryption, noise."""
    frames: list[Progress] = []
    file = ffmpeg.input(f"file:{path}", threads=1, **SOURCE)
    args = file[str(stream)].output("-", format="null", **{"frames:v": 1}).get_args()
    try:
        said = await run_ffmpeg(tools, args, timeout=timeout, on_progress=frames.append)
    except FfmpegFailed as error:
        raise MediaError(errors.DECODE_FAILED, str(error)) from error
    if not frames or not frames[-1].frames:
        raise MediaError(errors.DECODE_FAILED, f"no frame decodes: {said[-300:].strip()}")
