"""Poster and storyboard of a lecture of sound: its cover if it has one, and how loud it is when.

All of the sound is decoded for it, to a rate at which hours of it are some tens of megabytes: `showwavespic`
keeps what it draws.
"""

from math import ceil
from pathlib import Path
from typing import Any

import ffmpeg

from activities.video.ffmpeg import SOURCE, FfmpegFailed, Tools, run_ffmpeg
from activities.video.header import cover, header
from activities.video.pictures import (
    COLUMNS,
    POSTER,
    POSTER_LINES,
    ROWS,
    SHEET,
    TILE_SIDE,
    TRACK,
    layout,
    sheet_name,
    storyboard,
)
from activities.video.probe import MediaError
from contracts import errors
from contracts.video import EncodePlan

_WIDE, _HIGH = POSTER_LINES * 16 // 9, POSTER_LINES
_TILE_HIGH = TILE_SIDE * 9 // 16
_RATE = 4000  # Hz: where speech has its strength; six hours are 173 MB
_AT_ONCE = 1 << 16  # samples of a frame: what is kept of each besides is little then
_PAPER, _INK = "0xf4f5f7", "0x2f5d8c"
_JPEG = {"c:v": "mjpeg", "pix_fmt": "yuvj420p", "format": "image2"}


async def draw_sound(
    tools: Tools, source: Path, plan: EncodePlan, out: Path, *, timeout: float
) -> list[Path]:
    """Draw `poster.jpg`, `storyboard-00.jpg` and so on, and `storyboard.vtt` into `out`. Returns the files.
    Raises MediaError when one is missing, FfmpegFailed."""
    interval, tiles = layout(plan.duration)
    await run_ffmpeg(
        tools,
        wave_args(source, plan, out, interval, tiles),
        timeout=timeout,
        reads=[source],
        writes=[out],
    )
    await _draw_cover(tools, source, out / POSTER, timeout)
    track = out / TRACK
    track.write_text(storyboard(plan.duration, interval, tiles, (TILE_SIDE, _TILE_HIGH)))
    files = [out / POSTER, *(out / sheet_name(number) for number in range(ceil(tiles / SHEET))), track]
    if missing := [file.name for file in files if not file.exists()]:
        raise MediaError(errors.DECODE_FAILED, f"no {', '.join(missing)}")
    return files


async def _draw_cover(tools: Tools, source: Path, poster: Path, timeout: float) -> None:
    """Over the wave, where the source has a cover that can be drawn."""
    number = cover(await header(tools, source, timeout))
    if number is None:
        return
    file = ffmpeg.input(f"file:{source}", threads=1, **SOURCE)
    shown = file[str(number)].filter(
        "scale", w=f"min(iw,{_WIDE})", h=f"min(ih,{_HIGH})", force_original_aspect_ratio="decrease"
    )
    drawn = poster.with_name("cover.jpg")
    output = _as_jpeg(shown).output(str(drawn), **_JPEG, **{"q:v": 3, "frames:v": 1, "update": 1})
    try:
        await run_ffmpeg(tools, output.get_args(), timeout=timeout, reads=[source], writes=[poster.parent])
    except FfmpegFailed as error:
        if error.code < 0:
            raise
    if drawn.exists() and drawn.stat().st_size:
        drawn.replace(poster)


def wave_args(source: Path, plan: EncodePlan, out: Path, interval: int, tiles: int) -> list[str]:
    """ffmpeg's arguments. The first output writes nothing: its progress is that of all."""
    sound = ffmpeg.input(f"file:{source}", threads=1, **SOURCE)[str(plan.audio_stream)]
    sound = sound.filter("asetpts", f"PTS-{plan.origin:.6f}/TB")
    sound = sound.filter("aresample", _RATE, **{"async": 1}, first_pts=0)
    sound = sound.filter("aformat", sample_fmts="s16", channel_layouts="mono")
    copies = sound.filter_multi_output("asplit", 3)
    poster = _wave(copies[1], plan.duration, _WIDE, _HIGH)
    # A tile is a stretch of one long picture.
    long = _wave(copies[2], tiles * interval, tiles * TILE_SIDE, _TILE_HIGH)
    sheets = long.filter("untile", f"{tiles}x1").filter("tile", f"{COLUMNS}x{ROWS}")
    pattern = str(out / "storyboard-%02d.jpg")
    args: list[str] = ffmpeg.merge_outputs(
        ffmpeg.output(copies[0], "-", format="null"),
        _as_jpeg(poster).output(str(out / POSTER), **_JPEG, **{"q:v": 3, "frames:v": 1, "update": 1}),
        _as_jpeg(sheets).output(pattern, **_JPEG, **{"q:v": 5, "start_number": 0, "fps_mode": "passthrough"}),
    ).get_args()
    return ["-copyts", "-start_at_zero", *args]


def _wave(sound: Any, seconds: float, width: int, height: int) -> Any:
    samples = ceil(seconds * _RATE)
    whole = sound.filter("apad", whole_len=samples).filter("atrim", end_sample=samples)
    wave = whole.filter("asetnsamples", _AT_ONCE, pad=0).filter(
        "showwavespic", s=f"{width}x{height}", colors=_INK, scale="sqrt", draw="full", filter="peak"
    )
    # What is no wave is transparent.
    paper = ffmpeg.input(f"color=c={_PAPER}:s={width}x{height}:r=1", format="lavfi")
    return ffmpeg.filter([paper, wave.filter("setpts", "0")], "overlay", format="rgb").filter(
        "trim", end_frame=1
    )


def _as_jpeg(video: Any) -> Any:
    """JFIF knows BT.601 in full range only."""
    return video.filter("scale", out_color_matrix="bt601", out_range="full")
