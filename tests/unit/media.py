"""Odd sources made with ffmpeg itself, and what the media tests share."""

import subprocess
from collections.abc import Mapping
from fractions import Fraction
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from activities.video.encode import encode_unit
from activities.video.ffmpeg import find_tools
from activities.video.media_files import TrackFiles
from activities.video.plan import make_plan
from activities.video.probe import of_remux, probe, remux
from contracts.video import EncodePlan, SourceRef
from tests.lab import PATIENCE

TOOLS = find_tools()
SAMPLE = Path(__file__).parents[2] / "samples" / "big-buck-bunny.mp4"
LOSSLESS = {"preset": "ultrafast", "qp": 0, "profile:v": "high444"}
_X264 = "-c:v libx264 -preset ultrafast -bf 3"
_SOUND = "-f lavfi -i sine=f=440:d=10:r=24000"


def _picture(rate: str = "25", seconds: int = 10) -> str:
    return f"-f lavfi -i testsrc2=s=160x90:r={rate}:d={seconds}"


# name → file extension, and ffmpeg's arguments one run after another; {name} is an earlier run's file.
SOURCES: dict[str, tuple[str, list[str]]] = {
    "closed_gop": ("mp4", [f"{_picture()} {_SOUND} {_X264} -g 50 -c:a aac"]),
    "open_gop": ("mp4", [f"{_picture()} {_X264} -x264-params keyint=40:open-gop=1:bframes=3:scenecut=0"]),
    "open_gop_ts": (
        "ts",
        [f"{_picture()} {_SOUND} {_X264} -x264-params keyint=150:open-gop=1:bframes=3:scenecut=0 -c:a aac"],
    ),
    "interlaced_ts": (
        "ts",
        [f"{_picture('50')} -vf tinterlace=interleave_top -c:v mpeg2video -flags +ildct+ilme -g 25 -bf 2"],
    ),
    "variable_rate": (
        "mp4",
        [f"{_picture('30')} -vf select='not(mod(n,7))+gt(random(1),0.5)' -fps_mode vfr {_X264} -g 60"],
    ),
    "long_still": (
        "mp4",
        [f"{_picture(seconds=14)} -vf select='lt(n,9)+eq(n,330)' -fps_mode vfr {_X264} -g 1"],
    ),
    "one_keyframe": ("mp4", [f"{_picture()} {_X264} -x264-params keyint=9999:scenecut=0"]),
    "edit_list": ("mp4", [f"{_picture()} {_SOUND} {_X264} -g 50 -c:a aac", "-ss 1.3 -i {previous} -c copy"]),
    "ntsc": ("mp4", [f"{_picture('30000/1001')} {_X264} -g 75"]),
    "ntsc_mkv": ("mkv", [f"{_picture('30000/1001')} {_X264} -g 75"]),
    "mpeg4_avi": ("avi", [f"{_picture()} -c:v mpeg4 -bf 2 -q:v 4"]),
    "rotated": ("mp4", [f"{_picture()} {_X264} -g 50", "-display_rotation 90 -i {previous} -c copy"]),
    "sound_first": (
        "mkv",
        [f"{_picture()} {_SOUND} {_X264} -g 50 -c:a aac", "-i {previous} -itsoffset 1.5 -i {previous} "
         "-map 1:v -map 0:a -c copy"],
    ),
    "starts_late": ("mkv", [f"{_picture()} {_X264} -g 50", "-itsoffset 7.3 -i {previous} -c copy"]),
    "odd_rate": ("mp4", [f"{_picture('13.7')} {_X264}"]),
    "half_rate_mkv": ("mkv", [f"{_picture('82.2')} {_X264} -g 240"]),
}  # fmt: skip


def ffmpeg(args: str, *out: str) -> None:
    subprocess.run([TOOLS.ffmpeg, "-v", "error", "-y", *args.split(), *out], check=True, timeout=PATIENCE)


@cache
def _made(name: str) -> bytes:
    extension, runs = SOURCES[name]
    with TemporaryDirectory() as folder:
        path = Path(folder, "none")
        for number, args in enumerate(runs):
            previous, path = path, Path(folder, f"{number}.{extension}")
            ffmpeg(args.replace("{previous}", str(previous)), str(path))
        return path.read_bytes()


def make(folder: Path, name: str) -> Path:
    path = folder / f"{name}.{SOURCES[name][0]}"
    path.write_bytes(_made(name))
    return path


async def prepare(source: Path, **changes: Any) -> tuple[Path, EncodePlan]:
    """As a worker does it: probe, remux if need be, plan. `changes` are made to the plan."""
    info = original = await probe(TOOLS, source, max_seconds=3600)
    needs_remux = info.needs_remux
    if needs_remux:
        remuxed = source.with_suffix(".remuxed")
        await remux(TOOLS, source, remuxed)
        source, info = remuxed, of_remux(await probe(TOOLS, remuxed, max_seconds=3600), original)
    ref = SourceRef(key="sources/1", etag="e", size=source.stat().st_size)
    plan = make_plan(info, ref, prefix="hls/1/v1/", encoder="e", remux=needs_remux)
    return source, plan.model_copy(update=changes)


async def encode(
    source: Path, plan: EncodePlan, out: Path, marks: Mapping[str, Path] | None = None, **quality: Any
) -> list[list[TrackFiles]]:
    """Every unit in a folder of its own, as separate workers would. [unit][rung]"""
    options: dict[str, Any] = {"quality": quality} if quality else {}
    options |= {"marks": marks} if marks else {}
    return [
        await encode_unit(TOOLS, source, plan, unit=unit, out=out / str(unit), timeout=PATIENCE, **options)
        for unit in range(plan.unit_count)
    ]


def join(out: Path, units: list[list[TrackFiles]], rung: int = 0) -> Path:
    """What a player puts together: one init segment and all media segments in order."""
    joined = out / f"joined-{rung}.mp4"
    tracks = [tracks[rung] for tracks in units]
    with joined.open("wb") as file:
        file.write((out / "0" / tracks[0].init.name).read_bytes())
        for unit, track in enumerate(tracks):
            for segment in track.segments:
                file.write((out / str(unit) / segment.name).read_bytes())
    return joined


def decoded(args: str) -> list[tuple[Fraction, str]]:
    """(presentation time, md5) of every frame."""
    command = [TOOLS.ffmpeg, "-v", "error", *args.split(), "-an", "-fps_mode", "passthrough"]
    text = subprocess.run(
        [*command, "-f", "framemd5", "-"], check=True, capture_output=True, text=True, timeout=PATIENCE
    ).stdout
    base = Fraction(0)
    frames = []
    for line in text.splitlines():
        if line.startswith("#tb 0:"):
            base = Fraction(line.split(":")[1].strip())
        elif not line.startswith("#"):
            _, _, pts, _, _, digest = (part.strip() for part in line.split(","))
            frames.append((int(pts) * base, digest))
    return frames
