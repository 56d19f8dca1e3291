"""What is in a source file: its header, every packet's timestamp, and whether what comes first decodes."""

import asyncio
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import ffmpeg

from activities.host.threads import in_thread
from activities.video.audible import Kept, decodes, kept_of
from activities.video.colour import FirstPicture, colour_of
from activities.video.ffmpeg import SOURCE, FfmpegFailed, Progress, Tools, run_ffmpeg
from activities.video.header import MediaError as MediaError
from activities.video.header import (
    ffprobe,
    fitting,
    header,
    pick,
    require_sound,
    rotation,
    shown_size,
    unread_fragments,
)
from activities.video.header import read_stream as read_stream
from activities.video.header import start_of as start_of
from activities.video.packets import TrackScan
from activities.video.places import CODECS, Places
from activities.video.sound import FLAC, evened
from activities.video.sound_files import is_counted, missing_part
from contracts import errors
from contracts.video import Colour, Streams

_PACKET = "packet=stream_index,pts_time,dts_time,duration_time,size,pos,flags"
_DECLARES = {"matroska", "flv", "avi", "asf", "flac", "aiff"}  # they say how long they are
_ROUNDING = 1.0  # seconds by which a header's length may be off
_AT_FIRST = 0.5  # seconds; decoders may leave out the very first pictures
T = TypeVar("T")
_SEEKABLE = {"mov", "matroska"}  # the others have no index that finds a frame exactly


@dataclass(frozen=True)
class SourceInfo:
    """Times are seconds from the start of the container; the size is as shown (pixel shape, rotation).
    Without a `video_stream` it is a recording of sound, and what is said of a picture means nothing.

    `frame_rate` is exact for a constant rate, else the average. Gaps are between neighbours on screen.
    `sounds`: those that are kept, the first is `audio_stream`; `audio_start` to `audio_end` has all of them.
    """

    container: str
    needs_remux: bool
    audio_stream: int | None
    audio_start: float
    audio_end: float
    width: int = 0
    height: int = 0
    interlaced: bool = False
    frame_rate: float = 25.0
    constant_rate: bool = True
    frames: int = 0
    video_stream: int | None = None
    video_start: float = 0.0
    video_end: float = 0.0
    max_frame_gap: float = 0.0
    max_keyframe_gap: float = 0.0
    sounds: list[Kept] = field(default_factory=list)
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
    origin: float = 0.0  # where the container's clock begins
    places: Places | None = None  # of the picture, where they tell what is read
    sound_places: Places | None = None

    @property
    def streams(self) -> Streams:
        return Streams(
            video=self.video_stream,
            audio=self.audio_stream,
            others=[sound.stream for sound in self.sounds[1:]],
            clock_jumps=self.clock_jumps,
        )


class Untold(Exception):
    """The index of a file and its beginning do not tell all that is asked."""


async def probe(
    tools: Tools,
    path: Path,
    *,
    max_seconds: float,
    timeout: float = 900,
    sound_alone: bool = True,
    indexed: bool = False,
    whole: bool = True,
) -> SourceInfo:
    """Inspect a local file. Raises MediaError for what is not, or is not welcome as, a lecture;
    `sound_alone`: whether one without a picture is. `indexed`: what its index (`index_of`) says of packets is
    believed, so that parts and the whole tell alike. Not `whole`: an indexed one, what `index_of` names and
    holes; raises Untold where that does not tell everything, and what else it raises may be untrue.

    `timeout` bounds each of its steps by the wall clock. Clocks that jump are mended by `remux` only:
    how long such a file is shows when its remux is probed.
    """
    head = await header(tools, path, timeout)
    container = str(head["format"]["format_name"]).split(",")[0]
    video = pick(head["streams"], "video")
    if video is None:
        require_sound(head)
        if not sound_alone:
            raise MediaError(errors.NO_VIDEO_STREAM, container)
    width, height = shown_size(video) if video else (0, 0)
    origin = float(head["format"].get("start_time", 0))
    declared = float(head["format"].get("duration", 0))
    trusted = container in _SEEKABLE
    indexed = indexed and _told_by_index(container, head)
    if not whole and not indexed:
        raise Untold(container)
    if trusted and declared > max_seconds:
        raise MediaError(errors.VIDEO_TOO_LONG, f"{declared:.0f} s")

    async with _beside(_first_picture(tools, path, video, timeout)) as decoding:
        tracks, places, lost_its_way = await _scan(tools, path, container, indexed, timeout)
        if indexed and video and not tracks[video["index"]].predicted:  # so say those that list none, too
            if not whole:
                raise Untold(container)
            tracks, places, lost_its_way = await _scan(tools, path, container, False, timeout)
        # A sender may announce sound and send none, or send another.
        sent = fitting([s for s in head["streams"] if tracks[s["index"]].frames], "audio")
        sounds = await kept_of(tools, path, sent, timeout)
        audio = next((s for s in sent if sounds and s["index"] == sounds[0].stream), None)
        picture = tracks[video["index"]] if video else TrackScan()
        sound = tracks[audio["index"]] if audio else TrackScan()
        # Languages need not begin and end together, and none loses anything.
        kept = [tracks[each.stream] for each in sounds] or [sound]
        heard_from, heard_until = min(each.start for each in kept), max(each.end for each in kept)
        end = max((track.end for track in tracks.values() if track.frames), default=0.0)
        if not (picture if video else sound).frames:
            raise MediaError(errors.NOT_A_VIDEO, f"no {'video' if video else 'audio'} packet")
        jumps = picture.jumps or any(each.jumps for each in kept)
        if (trusted or not jumps) and max(picture.end, heard_until) - origin > max_seconds:
            raise MediaError(errors.VIDEO_TOO_LONG, f"{max(picture.end, heard_until) - origin:.0f} s")
        missing = 0.0
        if container == "mov":
            missing = _missing(video, picture) if video else 0.0
            if audio and sound.frames:
                missing = max(missing, _missing(audio, sound))
            if unread := await in_thread(unread_fragments, path):
                missing = max(missing, unread / max(1, path.stat().st_size - unread) * (end - origin))
        elif container in _DECLARES:
            told = max((tracks[each["index"]].end for each in sent), default=0.0)
            missing = declared - (end if video else told - origin)
        elif container == "wav":
            missing = await in_thread(missing_part, path) * (sound.end - origin)
        elif container == "mp3" and await in_thread(is_counted, path):
            missing = declared - (sound.end - origin)
        # Editors cut an MP3 and leave its first frame, with its count, as it was.
        if missing > max(1.0, declared / 50) and container != "mp3":
            raise MediaError(errors.DECODE_FAILED, f"the last {missing:.1f} s are not in the file")
        first = await decoding
    if not whole and (lost_its_way or missing > _ROUNDING or picture.broken or sound.broken):
        raise Untold(container)
    if not whole and first and first.time + origin > picture.start + _AT_FIRST:  # the first lies in a hole
        raise Untold(container)
    if not video and audio and not await decodes(tools, path, audio["index"], timeout):
        raise MediaError(errors.DECODE_FAILED, "no sound decodes")

    info = SourceInfo(
        container=container,
        # Without a picture nobody seeks in it: only a clock has to be mended.
        needs_remux=not trusted if video else jumps,
        audio_stream=audio["index"] if audio else None,
        audio_start=heard_from - origin if sound.frames else 0.0,
        audio_end=heard_until - origin if sound.frames else 0.0,
        sounds=sounds,
        audio_gaps=_from(origin, sound.gaps),
        audio_broken=_from(origin, sound.broken),
        lost_its_way=lost_its_way,
        clock_jumps=jumps,
        missing_end=missing if missing > _ROUNDING else 0.0,
        origin=origin,
    )
    if video is None or first is None:
        return info
    rate, constant = picture.rate()
    return replace(
        info,
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
        video_gaps=_from(origin, picture.gaps),
        video_broken=_from(origin, picture.broken),
        rotated=rotation(video) != 0,
        frame_width=first.width,
        frame_height=first.height,
        colour=colour_of(first, str(video.get("codec_name", ""))),
        places=places[video["index"]] if places and video.get("codec_name") in CODECS else None,
        sound_places=places[audio["index"]] if places and audio else None,
    )


def _told_by_index(container: str, head: dict[str, Any]) -> bool:
    """Whether the packets are as the index has them: other codecs are parsed, and of several sounds each is
    listened to."""
    video, sounds = pick(head["streams"], "video"), fitting(head["streams"], "audio")
    return (
        container == "mov"
        and video is not None
        and video.get("codec_name") in CODECS
        and [each.get("codec_name") for each in sounds] in ([], ["aac"])
    )


def of_remux(info: SourceInfo, original: SourceInfo) -> SourceInfo:
    """What `probe` found in a remux, whose sounds follow one another and say nothing of themselves."""
    if info.audio_stream is None:
        return info
    first = info.audio_stream
    sounds = [each._replace(stream=first + number) for number, each in enumerate(original.sounds)]
    return replace(info, sounds=sounds)


def _missing(stream: dict[str, Any], scan: TrackScan) -> float:
    """Seconds that the index tells of a stream and its packets do not have."""
    return float(stream.get("duration", 0)) - (scan.end - scan.start) if scan.frames else 0.0


def _from(origin: float, stretches: list[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(since - origin, until - origin) for since, until in stretches]


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, T]) -> AsyncIterator[asyncio.Task[T]]:
    """`work` goes on while the body runs, and is cancelled where that ends without having waited for it."""
    running = asyncio.create_task(work)
    try:
        yield running
    finally:
        running.cancel()
        await asyncio.wait([running])
        if not running.cancelled():
            running.exception()  # nobody else may ask for it


async def remux(
    tools: Tools, source: Path, out: Path, *, streams: Streams | None = None, timeout: float = 3600
) -> None:
    """Copy the picture into a Matroska file, whose index finds every keyframe, and each sound as `evened`
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
    taken = [] if streams.video is None else [file[str(streams.video)]]
    for number in (streams.audio, *streams.others):
        if number is not None:
            taken.append(evened(file[str(number)]))
    copy = ffmpeg.output(*taken, f"file:{out}", format="matroska", **{"c:v": "copy"}, **FLAC)
    # ffmpeg mends clocks by what it thinks a packet lasts: wrongly where the sound changes its rate.
    clock = [] if streams.clock_jumps else ["-copyts", "-start_at_zero"]
    await run_ffmpeg(tools, [*clock, *copy.get_args()], timeout=timeout, reads=[source], writes=[out])


async def _scan(
    tools: Tools, path: Path, container: str, indexed: bool, timeout: float
) -> tuple[dict[int, TrackScan], dict[int, Places], bool]:
    """Every stream by its number, where it lies in the file, and whether the demuxer complained."""
    as_index_says = ["-fflags", "+noparse"] if indexed else []  # a parser takes holes for no keyframes
    tracks: dict[int, TrackScan] = defaultdict(TrackScan)
    places: dict[int, Places] = defaultdict(Places)

    def on_line(line: str) -> None:
        index, pts, dts, duration, size, at, flags = line.split(",")[:7]
        if indexed and size == "0":  # parsers leave out what shows nothing
            return
        time = pts if pts != "N/A" else dts
        if time != "N/A":
            tracks[int(index)].add(float(time), 0.0 if duration == "N/A" else float(duration), flags)
            if at != "N/A" and container == "mov":
                places[int(index)].add(float(time), "K" in flags, int(at), int(size))

    try:
        args = [*as_index_says, "-of", "csv=p=0", "-show_entries", _PACKET]
        said = await ffprobe(tools, path, args, timeout, on_line)
    except FfmpegFailed as error:
        raise MediaError(errors.NOT_A_VIDEO, str(error)) from error
    for track in tracks.values():
        track.finish()
    return tracks, places, bool(re.search(rf"^\[{container}[, ]", said, re.MULTILINE))


async def _first_picture(
    tools: Tools, path: Path, video: dict[str, Any] | None, timeout: float
) -> FirstPicture | None:
    """Header and packets may look fine while nothing can be decoded: an unknown codec, encryption, noise."""
    if video is None:
        return None
    frames: list[Progress] = []
    lines: list[str] = []
    file = ffmpeg.input(f"file:{path}", threads=1, **SOURCE)
    shown = file[str(video["index"])].filter("showinfo", checksum=0)
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
