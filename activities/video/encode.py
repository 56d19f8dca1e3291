"""Encoding one unit: a few final, globally timestamped HLS segments of every rendition, in one run."""

import asyncio
import struct
from collections.abc import Callable, Mapping
from fractions import Fraction
from math import ceil
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import ffmpeg

from activities.host.stall import STALL
from activities.video.colour import assumed, fitted, in_bt709, tagged
from activities.video.damage import Ear
from activities.video.ffmpeg import SOURCE, Progress, Tools, run_ffmpeg
from activities.video.marking import marked
from activities.video.media_files import MediaFile, TrackFiles, join_tail, media_file
from activities.video.probe import MediaError
from contracts import errors
from contracts.video import EncodePlan, Rung
from rules.fmp4 import BadSegment, Fragment, Init, first_picture, read_fragment, read_init

_SLACK = 2  # frames that rounding at the end of the source may take away; the last picture is held
QUALITY: dict[str, Any] = {"preset": "veryfast", "crf": 23}

MARKED = struct.pack(">I4s", 8, b"free")  # a box that players pass over (ISO/IEC 14496-12, 8.1.2)


class Stretch(NamedTuple):
    """Frames of the output that one run encodes. `number`: of its first segment."""

    first: int
    frames: int
    number: int = 0


def stretch_of(plan: EncodePlan, unit: int) -> Stretch:
    first = unit * plan.unit_frames
    return Stretch(first, min(plan.unit_frames, plan.total_frames - first), unit * plan.unit_segments)


async def encode_unit(
    tools: Tools,
    source: Path,
    plan: EncodePlan,
    *,
    unit: int,
    out: Path,
    timeout: float,
    on_frames: Callable[[int], None] | None = None,
    on_said: Callable[[str], None] | None = None,
    reach: int = 0,
    quality: dict[str, Any] = QUALITY,
    marks: Mapping[str, Path] = MappingProxyType({}),
) -> list[TrackFiles]:
    """Encode unit `unit` of `plan`, as `encode_stretch`. The same unit gives the same bytes on every worker
    with the plan's encoder."""
    return await encode_stretch(
        tools,
        source,
        plan,
        stretch_of(plan, unit),
        out=out,
        timeout=timeout,
        on_frames=on_frames,
        on_said=on_said,
        reach=reach,
        quality=quality,
        marks=marks,
    )


async def encode_stretch(
    tools: Tools,
    source: Path,
    plan: EncodePlan,
    stretch: Stretch,
    *,
    out: Path,
    timeout: float,
    on_frames: Callable[[int], None] | None = None,
    on_said: Callable[[str], None] | None = None,
    reach: int = 0,
    quality: dict[str, Any] = QUALITY,
    marks: Mapping[str, Path] = MappingProxyType({}),
) -> list[TrackFiles]:
    """Encode some frames of `plan` into `out/{rung}/init.mp4` and `out/{rung}/s00012.m4s`.

    `source` is the local file (already remuxed when the plan says so), `out` a fresh folder.
    `on_frames` gets the frames written so far in this run, only when they advance, `on_said` ffmpeg's log.
    `reach`, in frames, is for a stretch without a picture: the last one before it is held. `marks`: of a plan
    with a mark its pictures, by rendition. One TrackFiles for each rung, in the plan's order. Raises
    MediaError(DECODE_FAILED) when the source runs out of frames, FfmpegFailed, BadSegment.
    """
    for rung in plan.rungs:
        (out / rung.name).mkdir(parents=True, exist_ok=True)
    seen = 0

    def on_progress(progress: Progress) -> None:
        nonlocal seen
        if progress.frames > seen:
            seen = progress.frames
            if on_frames:
                on_frames(seen)

    args = stretch_args(source, plan, stretch, out, quality, reach, marks)
    # A seek decodes from the keyframe before, silently: a sparse source needs more patience.
    stall = STALL + plan.keyframe_gap / 4
    await run_ffmpeg(
        tools,
        args,
        timeout=timeout,
        reads=[source, *marks.values()],
        writes=[out],
        stall=stall,
        on_progress=on_progress,
        on_said=on_said,
        log_level=Ear.LEVEL,
    )
    if seen < stretch.frames:
        what = f"{seen} of {stretch.frames} frames from {stretch.first}"
        raise MediaError(errors.DECODE_FAILED, what)
    return [await asyncio.to_thread(_accept, out, plan, stretch, rung) for rung in plan.rungs]


def stretch_args(
    source: Path,
    plan: EncodePlan,
    stretch: Stretch,
    out: Path,
    quality: dict[str, Any],
    reach: int = 0,
    marks: Mapping[str, Path] = MappingProxyType({}),
) -> list[str]:
    """ffmpeg's arguments for some frames."""
    first, frames, _ = stretch
    picture = plan.picture_frames or plan.total_frames
    # A unit after the end of the picture starts at its last frame, holds that and drops what is before.
    begin = max(0, min(first, picture - 1) - reach)
    start = begin / plan.fps
    seek = max(0.0, float(start) + plan.origin - plan.preroll)
    options = {**SOURCE, **assumed(plan), **({"ss": f"{seek:.6f}"} if seek else {})}
    # Pictures that change their shape or colour midway pass the same graph: a new one would begin at
    # `start_time` again. But what turns a picture would read beyond a smaller one.
    if not plan.rotated:
        options["reinit_filter"] = 0
    video = ffmpeg.input(f"file:{source}", threads=1, **options)[str(plan.video_stream)]
    # In ticks that divide a frame, so that every unit rounds a source frame to the same output frame;
    # coarser than the microseconds in which `fps` keeps its start.
    ticks = plan.fps_num * ceil(90_000 / plan.fps_num)
    video = video.filter("settb", f"1/{ticks}").filter("setpts", f"PTS-{round(plan.origin * ticks)}")
    if plan.frame_width and (plan.interlaced or plan.colour.alpha):  # what follows takes one size only
        video = video.filter("scale", plan.frame_width, plan.frame_height)
    if plan.interlaced:
        video = video.filter("bwdif", mode="send_frame", deint="interlaced")
    video = video.filter("fps", fps=f"{plan.fps_num}/{plan.fps_den}", start_time=f"{float(start):.9f}")
    held = max(0, first + frames - max(picture, begin)) + _SLACK + (reach and reach + frames)
    video = video.filter("tpad", stop_mode="clone", stop=held)
    if begin < first:
        video = video.filter("trim", start_frame=first - begin)
    copies = in_bt709(video, plan).filter_multi_output("split", len(plan.rungs))
    renditions = [
        tagged(marked(fitted(copies[index], rung.width, rung.height), plan, rung, marks))
        for index, rung in enumerate(plan.rungs)
    ]
    output = ffmpeg.output(
        *renditions, str(out / "%v" / "media.m3u8"), **_output(plan, stretch, out, quality)
    )
    return ["-copyts", "-start_at_zero", *output.get_args()]


def _output(plan: EncodePlan, stretch: Stretch, out: Path, quality: dict[str, Any]) -> dict[str, Any]:
    names = [rung.name for rung in plan.rungs]
    gop = plan.gop_frames
    options: dict[str, Any] = {
        "frames:v": stretch.frames,
        "c:v": "libx264",
        "profile:v": "high",
        **quality,
        "x264-params": f"keyint={gop}:min-keyint={gop}:scenecut=0:open-gop=0:bframes=3"
        ":threads=1:lookahead-threads=1",
        "avoid_negative_ts": "disabled",
        "format": "hls",
        # Half a frame early: at 29.97 the sum of rounded durations must not miss the keyframe.
        "hls_time": f"{float((plan.segment_frames - Fraction(1, 2)) / plan.fps):.6f}",
        "hls_playlist_type": "vod",
        "hls_segment_type": "fmp4",
        "hls_flags": "independent_segments",
        "hls_segment_options": "movflags=+frag_discont",
        "start_number": stretch.number,
        "hls_fmp4_init_filename": "init.mp4",
        "hls_segment_filename": str(out / "%v" / "s%05d.m4s"),
        "var_stream_map": " ".join(f"v:{index},name:{name}" for index, name in enumerate(names)),
    }
    for index, rung in enumerate(plan.rungs):
        options[f"maxrate:v:{index}"] = options[f"bufsize:v:{index}"] = rung.max_bitrate
    return options


def _accept(out: Path, plan: EncodePlan, stretch: Stretch, rung: Rung) -> TrackFiles:
    """What was written, believed only after counting: a cut file looks valid to ffprobe."""
    folder = out / rung.name
    (folder / "media.m3u8").unlink()
    init_file = next(folder.glob("init*.mp4")).rename(folder / "init.mp4")  # ffmpeg adds the stream's number
    data = init_of(plan, init_file.read_bytes())
    init_file.write_bytes(data)
    init = read_init(data)
    planned = plan.segments_of(stretch.first, stretch.first + stretch.frames)
    tail = folder / f"s{stretch.number + len(planned):05d}.m4s"
    if tail.exists():
        join_tail(folder / f"s{stretch.number + len(planned) - 1:05d}.m4s", tail)
    segments = [
        accept_segment(out, plan, rung.name, init, number, frames)
        for number, frames in enumerate(planned, stretch.number)
    ]
    return TrackFiles(rung.name, init.codec, media_file(out, init_file), segments)


def init_of(plan: EncodePlan, written: bytes) -> bytes:
    """The init segment that is stored of what ffmpeg wrote. That of a lecture with a mark ends with MARKED: a
    trim of 0.6, which knows no marks, finds that its own segments would differ, and cuts at borders."""
    return written + MARKED if plan.mark and not written.endswith(MARKED) else written


def accept_segment(
    out: Path, plan: EncodePlan, rung: str, init: Init, number: int, frames: range
) -> MediaFile:
    """The segment of this number, which has exactly these frames of the plan. Raises BadSegment."""
    path = out / rung / f"s{number:05d}.m4s"
    data = path.read_bytes()
    fragment = read_fragment(data, init)
    step = init.timescale / plan.fps  # a whole number: of the rate the timescale is made
    wanted = Fragment(
        round(frames.start * step), round(len(frames) * step), len(frames), sync=True, step=round(step)
    )
    if fragment != wanted:
        raise BadSegment(f"{path.name} of {rung}: {fragment}, wanted {wanted}")
    return media_file(out, path, len(frames), len(frames) / plan.fps, first_picture(data))
