"""Poster and storyboard: what a player shows before it plays, and while somebody drags along the lecture.

Only keyframes are decoded, and of an MP4 only they are read, so three hours take seconds. Where they lie too
far apart to show the time of a tile, all pictures that others refer to are.
"""

from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import Any

import ffmpeg

from activities.host.stall import STALL
from activities.video.colour import assumed, fitted, in_bt709
from activities.video.ffmpeg import SOURCE, Progress, Tools, run_ffmpeg
from activities.video.probe import MediaError
from contracts import errors
from contracts.video import EncodePlan

COLUMNS, ROWS = 10, 10
SHEET = COLUMNS * ROWS
MAX_TILES = 4 * SHEET
MIN_INTERVAL = 2  # seconds between tiles of a short lecture; a long one has MAX_TILES
TILE_SIDE = 160
SPARSE = 4  # tiles that may show the same keyframe
_KEYFRAMES = {"skip_frame:v": "nokey", "discard:v": "nokey"}
POSTER_LINES = 720
POSTER_AT = 0.1  # of the lecture: titles and empty rooms are over
POSTER, TRACK = "poster.jpg", "storyboard.vtt"


async def draw_pictures(
    tools: Tools,
    source: Path,
    plan: EncodePlan,
    out: Path,
    *,
    timeout: float,
    on_frames: Callable[[int], None] | None = None,
) -> list[Path]:
    """Draw `poster.jpg`, `storyboard-00.jpg` and so on, and `storyboard.vtt` into `out`, in one run.

    `on_frames` gets the tiles so far. Returns the files. Raises MediaError when one is missing,
    FfmpegFailed.
    """
    interval, tiles = layout(plan.duration)

    def on_progress(progress: Progress) -> None:
        if on_frames:
            on_frames(progress.frames)

    await run_ffmpeg(
        tools,
        picture_args(source, plan, out, interval, tiles),
        timeout=timeout,
        reads=[source],
        writes=[out],
        stall=STALL + plan.keyframe_gap / 4,
        on_progress=on_progress,
    )
    track = out / TRACK
    track.write_text(storyboard(plan.duration, interval, tiles, tile_size(plan)))
    files = [out / POSTER, *(out / sheet_name(number) for number in range(ceil(tiles / SHEET))), track]
    if missing := [file.name for file in files if not file.exists()]:
        raise MediaError(errors.DECODE_FAILED, f"no {', '.join(missing)}")
    return files


def layout(duration: float) -> tuple[int, int]:
    """Seconds between tiles, and how many there are."""
    interval = max(MIN_INTERVAL, ceil(duration / MAX_TILES))
    return interval, max(1, ceil(duration / interval))


def tile_size(plan: EncodePlan) -> tuple[int, int]:
    """Width and height in pixels, even, the longer one TILE_SIDE."""
    rung = plan.rungs[0]
    scale = TILE_SIDE / max(rung.width, rung.height)
    return max(2, round(rung.width * scale / 2) * 2), max(2, round(rung.height * scale / 2) * 2)


def sheet_name(number: int) -> str:
    return f"storyboard-{number:02d}.jpg"


def storyboard(duration: float, interval: int, tiles: int, size: tuple[int, int]) -> str:
    """The WebVTT track: for each stretch of time its sheet and the part of it (Media Fragments, `#xywh`)."""
    width, height = size
    cues = ["WEBVTT"]
    for tile in range(tiles):
        sheet, place = divmod(tile, SHEET)
        row, column = divmod(place, COLUMNS)
        begin, end = tile * interval, min((tile + 1) * interval, duration)
        cues.append(
            f"{_clock(begin)} --> {_clock(end)}\n"
            f"{sheet_name(sheet)}#xywh={column * width},{row * height},{width},{height}"
        )
    return "\n\n".join(cues) + "\n"


def picture_args(source: Path, plan: EncodePlan, out: Path, interval: int, tiles: int) -> list[str]:
    """ffmpeg's arguments. The first output writes nothing: its frames are the tiles, which the progress
    counts, where those of a sheet come a hundred at a time."""
    sparse = plan.keyframe_gap > SPARSE * interval
    options: dict[str, Any] = {"skip_frame:v": "noref"} if sparse else _KEYFRAMES
    if not plan.rotated:
        options = options | {"reinit_filter": 0}
    file = ffmpeg.input(f"file:{source}", threads=1, **SOURCE, **assumed(plan), **options)
    frames = file[str(plan.video_stream)].filter("setpts", f"PTS-{plan.origin:.6f}/TB")
    if plan.frame_width and (plan.interlaced or plan.colour.alpha):  # what follows takes one size only
        frames = frames.filter("scale", plan.frame_width, plan.frame_height)
    if plan.interlaced:
        frames = frames.filter("bwdif", mode="send_frame", deint="interlaced")
    frames = frames.filter("fps", fps=f"1/{interval}", start_time=0, eof_action="pass")
    # The last keyframe stands until the end.
    frames = frames.filter("tpad", stop_mode="clone", stop=tiles).filter("trim", end_frame=tiles)
    frames = in_bt709(frames, plan)
    copies = frames.filter_multi_output("split", 2)
    at = int(tiles * POSTER_AT)
    rung = max((r for r in plan.rungs if r.height <= POSTER_LINES), key=lambda r: r.height, default=None)
    shown = rung or plan.rungs[0]
    poster = copies[0].filter("trim", start_frame=at, end_frame=at + 1)
    poster = _as_jpeg(fitted(poster, shown.width, shown.height))
    width, height = tile_size(plan)
    small = _as_jpeg(fitted(copies[1], width, height)).filter_multi_output("split", 2)
    sheets = small[1].filter("tile", f"{COLUMNS}x{ROWS}")
    pattern = str(out / "storyboard-%02d.jpg")
    jpeg = {"c:v": "mjpeg", "pix_fmt": "yuvj420p", "format": "image2"}
    args: list[str] = ffmpeg.merge_outputs(
        ffmpeg.output(small[0], "-", format="null"),
        ffmpeg.output(poster, str(out / POSTER), **jpeg, **{"q:v": 3, "frames:v": 1, "update": 1}),
        ffmpeg.output(sheets, pattern, **jpeg, **{"q:v": 5, "start_number": 0, "fps_mode": "passthrough"}),
    ).get_args()
    return args


def _as_jpeg(video: Any) -> Any:
    """JFIF knows BT.601 in full range only."""
    return video.filter("scale", in_color_matrix="bt709", out_color_matrix="bt601", out_range="full")


def _clock(seconds: float) -> str:
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{thousandths:03d}"
