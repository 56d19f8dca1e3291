"""What is in a source file: its header, every packet's timestamp, and whether its first frame decodes."""

import json
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ffmpeg

from activities.host.stall import STALL
from activities.host.threads import in_thread
from activities.video.colour import FirstPicture, colour_of
from activities.video.ffmpeg import (
    MAX_PIXELS,
    SOURCE,
    FfmpegFailed,
    Progress,
    Tools,
    run,
    run_ffmpeg,
)
from activities.video.packets import TrackScan
from activities.video.sound import FLAC, evened
from contracts import errors
from contracts.video import Colour, Streams

MAX_SIDE = 8192
_NOT_LISTED = re.compile(r"Codec \((\w+)\) not on whitelist")
_HEADER = (
    "format=format_name,start_time,duration"
    ":stream=index,codec_type,codec_name,width,height,sample_aspect_ratio,field_order,start_time,duration"
    ":stream_disposition=attached_pic,timed_thumbnails,still_image,default:stream_side_data=rotation"
)
_PACKET = "packet=stream_index,pts_time,dts_time,duration_time,flags"
_DECLARES = {"matroska", "flv", "avi", "asf"}  # their header says how long they are
_ROUNDING = 1.0  # seconds by which a header's length may be off
_SEEKABLE = {"mov", "matroska"}  # the others have no index that finds a frame exactly
_SOUND_FILES = "mp3,wav,w64,flac,ogg,aac,aiff,caf,amr"
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
    video_gaps: list[tuple[float, float]] = field(default_factory=list)  # see `packets.LONG_GAP`
    audio_gaps: list[tuple[float, float]] = field(default_factory=list)
    video_broken: list[tuple[float, float]] = field(default_factory=list)  # as `TrackScan.broken`
    audio_broken: list[tuple[float, float]] = field(default_factory=list)
    lost_its_way: bool = False  # the demuxer had to look for where the file goes on
    clock_jumps: bool = False
    rotated: bool = False
    frame_width: int = 0  # of the first picture, before it is turned
    frame_height: int = 0
    colour: Colour = field(default_factory=Colour)
    missing_end: float = 0.0  # seconds that the file says it had more

    @property
    def streams(self) -> Streams:
        return Streams(video=self.video_stream, audio=self.audio_stream, clock_jumps=self.clock_jumps)


async def probe(tools: Tools, path: Path, *, max_seconds: float, timeout: float = 900) -> SourceInfo:
    """Inspect a local file. Raises MediaError for what is not, or is not welcome as, a video.

    `timeout` bounds each of three steps by the wall clock. Clocks that jump are mended by `remux` only: how
    long such a file is shows when its remux is probed.
    """
    head = await _header(tools, path, timeout)
    container = str(head["format"]["format_name"]).split(",")[0]
    video = _pick(head["streams"], "video")
    if video is None:
        raise MediaError(errors.NO_VIDEO_STREAM, container)
    width, height = _shown_size(video)
    origin = float(head["format"].get("start_time", 0))
    declared = float(head["format"].get("duration", 0))
    trusted = container in _SEEKABLE
    if trusted and declared > max_seconds:
        raise MediaError(errors.VIDEO_TOO_LONG, f"{declared:.0f} s")

    tracks, lost_its_way = await _scan(tools, path, container, timeout)
    # A sender may announce sound and send none, or send another.
    audio = _pick([s for s in head["streams"] if tracks[s["index"]].frames], "audio")
    picture, sound = tracks[video["index"]], tracks[audio["index"]] if audio else TrackScan()
    end = max((track.end for track in tracks.values() if track.frames), default=0.0)
    if not picture.frames:
        raise MediaError(errors.NOT_A_VIDEO, "no video packet")
    if trusted and max(picture.end, sound.end) - origin > max_seconds:
        raise MediaError(errors.VIDEO_TOO_LONG, f"{max(picture.end, sound.end) - origin:.0f} s")
    missing = 0.0
    if container == "mov":
        missing = float(video.get("duration", 0)) - (picture.end - picture.start)
        if audio and sound.frames:
            missing = max(missing, float(audio.get("duration", 0)) - (sound.end - sound.start))
        if unread := await in_thread(unread_fragments, path):
            missing = max(missing, unread / max(1, path.stat().st_size - unread) * (end - origin))
    elif container in _DECLARES:
        missing = declared - end
    if missing > max(1.0, declared / 50):
        raise MediaError(errors.DECODE_FAILED, f"the last {missing:.1f} s are not in the file")
    first = await _decode_one(tools, path, video["index"], timeout)

    rate, constant = picture.rate()
    return SourceInfo(
        container=container,
        needs_remux=not trusted,
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
        audio_stream=audio["index"] if audio else None,
        audio_start=sound.start - origin if sound.frames else 0.0,
        audio_end=sound.end - origin if sound.frames else 0.0,
        video_gaps=_from(origin, picture.gaps),
        audio_gaps=_from(origin, sound.gaps),
        video_broken=_from(origin, picture.broken),
        audio_broken=_from(origin, sound.broken),
        lost_its_way=lost_its_way,
        clock_jumps=picture.jumps or sound.jumps,
        rotated=_rotation(video) != 0,
        frame_width=first.width,
        frame_height=first.height,
        colour=colour_of(first, str(video.get("codec_name", ""))),
        missing_end=missing if missing > _ROUNDING else 0.0,
    )


def _from(origin: float, stretches: list[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(since - origin, until - origin) for since, until in stretches]


async def remux(
    tools: Tools, source: Path, out: Path, *, streams: Streams | None = None, timeout: float = 3600
) -> None:
    """Copy the picture into a Matroska file, whose index finds every keyframe, and the sound as `evened`
    leaves it: Matroska does not hold every codec, and of AAC its first configuration only.

    For `SourceInfo.needs_remux`: remux, probe the result, plan from that with `remux=True`; every
    worker remuxes likewise before it encodes. `streams` is what `probe` found in the source, asked again if
    absent. Raises MediaError.
    """
    if streams is None:
        streams = (await probe(tools, source, max_seconds=float("inf"), timeout=timeout)).streams
    try:
        await _copy(tools, source, out, streams, "+genpts", timeout)
    except FfmpegFailed as error:
        if error.code < 0:
            raise
        try:  # one broken packet of sound ends a copy: without those that the demuxer calls corrupt
            await _copy(tools, source, out, streams, "+genpts+discardcorrupt", timeout)
        except FfmpegFailed as again:
            raise MediaError(errors.DECODE_FAILED, str(again)) from again


async def _copy(tools: Tools, source: Path, out: Path, streams: Streams, flags: str, timeout: float) -> None:
    out.touch()  # and no other file of the folder is written
    file = ffmpeg.input(f"file:{source}", fflags=flags, threads=1, **SOURCE)
    taken = [file[str(streams.video)]]
    if streams.audio is not None:
        taken.append(evened(file[str(streams.audio)]))
    copy = ffmpeg.output(*taken, f"file:{out}", format="matroska", **{"c:v": "copy"}, **FLAC)
    # ffmpeg mends clocks by what it thinks a packet lasts: wrongly where the sound changes its rate.
    clock = [] if streams.clock_jumps else ["-copyts", "-start_at_zero"]
    await run_ffmpeg(tools, [*clock, *copy.get_args()], timeout=timeout, reads=[source], writes=[out])


async def _header(tools: Tools, path: Path, timeout: float) -> dict[str, Any]:
    lines: list[str] = []
    try:
        await _ffprobe(tools, path, ["-of", "json", "-show_entries", _HEADER], timeout, lines.append)
    except FfmpegFailed as error:
        if unlisted := _NOT_LISTED.search(error.stderr_tail):
            raise MediaError(errors.CODEC_NOT_SUPPORTED, unlisted[1]) from error
        code = errors.NO_VIDEO_STREAM if await _is_sound(tools, path, timeout) else errors.NOT_A_VIDEO
        raise MediaError(code, str(error)) from error
    head: dict[str, Any] = json.loads("".join(lines))
    if not head.get("streams") or "format_name" not in head.get("format", {}):
        raise MediaError(errors.NOT_A_VIDEO, "no streams")
    return head


async def _is_sound(tools: Tools, path: Path, timeout: float) -> bool:
    """Whether a file in no format of ours is one of sound, which is then said of it."""
    kinds: list[str] = []
    args = ["-of", "csv=p=0", "-show_entries", "stream=codec_type"]
    try:
        await _ffprobe(tools, path, args, timeout, kinds.append, format_whitelist=_SOUND_FILES)
    except FfmpegFailed:
        return False
    # A cover counts as a picture, as long as there is sound.
    return "audio" in {kind.strip(",\n ") for kind in kinds}


async def _ffprobe(
    tools: Tools,
    path: Path,
    args: list[str],
    timeout: float,
    on_line: Callable[[str], None],
    **other: str,
) -> str:
    # Pixels up to the longest side squared, so that a picture that is too large is known by its size.
    options = SOURCE | {"max_pixels": MAX_SIDE**2} | other
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
    await _ffprobe(tools, path, [*args, "-show_entries", entries, "-of", "compact"], timeout, on_line)


async def start_of(tools: Tools, path: Path, timeout: float) -> float:
    """Where the container's clock begins."""
    lines: list[str] = []
    await _ffprobe(
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
    return (height, width) if round(_rotation(video) / 90) % 2 else (width, height)


def _rotation(video: dict[str, Any]) -> float:
    return next((float(s["rotation"]) for s in video.get("side_data_list", []) if "rotation" in s), 0.0)


async def _scan(
    tools: Tools, path: Path, container: str, timeout: float
) -> tuple[dict[int, TrackScan], bool]:
    """Every stream by its number, and whether the demuxer complained."""
    tracks: dict[int, TrackScan] = defaultdict(TrackScan)

    def on_line(line: str) -> None:
        index, pts, dts, duration, flags = line.split(",")[:5]
        time = pts if pts != "N/A" else dts
        if time != "N/A":
            tracks[int(index)].add(float(time), 0.0 if duration == "N/A" else float(duration), flags)

    try:
        said = await _ffprobe(tools, path, ["-of", "csv=p=0", "-show_entries", _PACKET], timeout, on_line)
    except FfmpegFailed as error:
        raise MediaError(errors.NOT_A_VIDEO, str(error)) from error
    for track in tracks.values():
        track.finish()
    return tracks, bool(re.search(rf"^\[{container}[, ]", said, re.MULTILINE))


async def _decode_one(tools: Tools, path: Path, stream: int, timeout: float) -> FirstPicture:
    """Header and packets may look fine while nothing can be decoded: an unknown codec, encryption, noise."""
    frames: list[Progress] = []
    lines: list[str] = []
    file = ffmpeg.input(f"file:{path}", threads=1, **SOURCE)
    shown = file[str(stream)].filter("showinfo", checksum=0)
    args = ["-noautorotate", *shown.output("-", format="null", **{"frames:v": 1}).get_args()]

    def on_said(line: str) -> None:
        if "showinfo" in line:
            lines.append(line)

    try:
        said = await run_ffmpeg(
            tools,
            args,
            timeout=timeout,
            reads=[path],
            on_progress=frames.append,
            on_said=on_said,
            log_level="info",
        )
    except FfmpegFailed as error:
        raise MediaError(errors.DECODE_FAILED, str(error)) from error
    if not frames or not frames[-1].frames:
        raise MediaError(errors.DECODE_FAILED, f"no frame decodes: {said[-300:].strip()}")
    return FirstPicture.read("\n".join(lines))
