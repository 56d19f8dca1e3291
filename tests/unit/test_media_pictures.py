"""Poster and storyboard of odd sources, and of a lecture of hours."""

import re
import subprocess
from math import ceil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from activities.video.ffmpeg import FfmpegFailed
from activities.video.pictures import (
    MAX_TILES,
    SHEET,
    draw_pictures,
    layout,
    storyboard,
    tile_size,
)
from tests.lab import PATIENCE
from tests.unit.media import SOURCES, TOOLS, ffmpeg, make, prepare

CUE = re.compile(
    r"(\d\d:\d\d:\d\d\.\d{3}) --> (\d\d:\d\d:\d\d\.\d{3})\n(.+\.jpg)#xywh=(\d+),(\d+),(\d+),(\d+)\n"
)


@pytest.mark.parametrize("name", SOURCES)
async def test_every_source_has_pictures(tmp_path: Path, name: str) -> None:
    source, plan = await prepare(make(tmp_path, name))
    out = tmp_path / "out"
    out.mkdir()
    seen: list[int] = []
    files = await draw_pictures(TOOLS, source, plan, out, timeout=PATIENCE, on_frames=seen.append)
    assert sorted(files) == sorted(out.iterdir())
    cues = CUE.findall((out / "storyboard.vtt").read_text())
    interval, tiles = layout(plan.duration)
    assert len(cues) == tiles == ceil(plan.duration / interval)
    assert seen and seen[-1] == tiles
    sheet = Image.open(out / "storyboard-00.jpg")
    width, height = tile_size(plan)
    assert sheet.size == (10 * width, 10 * height)
    for _, _, file, x, y, w, h in cues:
        assert file == "storyboard-00.jpg"
        tile = sheet.crop((int(x), int(y), int(x) + int(w), int(y) + int(h)))
        assert np.asarray(tile).std() > 20, "a tile is blank"
    blank = sheet.crop((9 * width, 9 * height, 10 * width, 10 * height))
    assert np.asarray(blank).std() < 2
    poster = Image.open(out / "poster.jpg")
    assert poster.size == (plan.rungs[-1].width, plan.rungs[-1].height)


async def test_a_tile_shows_its_time(tmp_path: Path) -> None:
    """A grey that grows with time, a keyframe a second."""
    source = tmp_path / "grey.mp4"
    grey = "-f lavfi -i color=black:s=320x180:r=5:d=40,geq=lum='16+5*T':cb=128:cr=128"
    ffmpeg(f"{grey} -c:v libx264 -preset ultrafast -g 5", str(source))
    source, plan = await prepare(source)
    await draw_pictures(TOOLS, source, plan, tmp_path, timeout=PATIENCE)
    sheet = np.asarray(Image.open(tmp_path / "storyboard-00.jpg").convert("L"), dtype=float)
    shown = [
        sheet[int(y) + 20 : int(y) + 70, int(x) + 20 : int(x) + 140].mean()
        for _, _, _, x, y, _, _ in CUE.findall((tmp_path / "storyboard.vtt").read_text())
    ]
    assert len(shown) == 20
    steps = np.diff(shown)
    assert steps.mean() == pytest.approx(2 * 5 * 255 / 219, rel=0.05)
    assert steps.min() > 0
    poster = np.asarray(Image.open(tmp_path / "poster.jpg").convert("L"), dtype=float)
    assert poster.mean() == pytest.approx(shown[2], abs=3)


@pytest.mark.parametrize("hours", [0.001, 0.05, 0.5, 1.5, 3, 6])
def test_a_long_lecture_has_wider_steps_and_no_more_sheets(hours: float) -> None:
    duration = hours * 3600
    interval, tiles = layout(duration)
    assert 1 <= tiles <= MAX_TILES
    assert (tiles - 1) * interval < duration <= tiles * interval
    track = storyboard(duration, interval, tiles, (160, 90))
    assert track.startswith("WEBVTT\n\n")
    cues = CUE.findall(track)
    assert len(cues) == tiles
    assert [begin for begin, *_ in cues[1:]] == [end for _, end, *_ in cues[:-1]]
    assert len({file for _, _, file, *_ in cues}) == ceil(tiles / SHEET) <= 4
    assert len({cue[2:] for cue in cues}) == tiles


async def test_what_is_no_video_has_none(tmp_path: Path) -> None:
    source, plan = await prepare(make(tmp_path, "closed_gop"))
    source.write_bytes(b"no video")
    with pytest.raises(FfmpegFailed):
        await draw_pictures(TOOLS, source, plan, tmp_path, timeout=PATIENCE)


def test_only_keyframes_are_read(tmp_path: Path) -> None:
    source = make(tmp_path, "closed_gop")
    keys = ["-skip_frame:v", "nokey", "-discard:v", "nokey"]
    argv = [TOOLS.ffmpeg, "-v", "verbose", *keys, "-i", str(source), "-map", "0:v", "-f", "null", "-"]
    said = subprocess.run(argv, check=True, capture_output=True, text=True).stderr
    (packets,) = re.findall(r"Total: (\d+) packets .* demuxed", said)
    assert 5 <= int(packets) < 10  # of 250 and the sound


@pytest.mark.parametrize("keyframes", [25, 9999])
async def test_a_tile_shows_its_time_whatever_the_keyframes(keyframes: int, tmp_path: Path) -> None:
    source = tmp_path / "grey.mp4"
    grey = "-f lavfi -i color=black:s=320x180:r=25:d=20,geq=lum='16+10*T':cb=128:cr=128"
    ffmpeg(f"{grey} -c:v libx264 -preset ultrafast -x264-params keyint={keyframes}:scenecut=0", str(source))
    source, plan = await prepare(source)
    await draw_pictures(TOOLS, source, plan, tmp_path, timeout=PATIENCE)
    sheet = np.asarray(Image.open(tmp_path / "storyboard-00.jpg").convert("L"), dtype=float)
    shown = [sheet[20:70, 160 * tile + 20 : 160 * tile + 140].mean() for tile in range(10)]
    assert np.diff(shown) == pytest.approx(np.full(9, 20 * 255 / 219), abs=4)


async def test_pictures_of_an_interlaced_source_have_no_comb(tmp_path: Path) -> None:
    """A bar runs across: each field has it elsewhere."""
    source = tmp_path / "comb.ts"
    inputs = "-f lavfi -i color=black:s=320x180:r=50:d=8 -f lavfi -i color=white:s=20x180:r=50:d=8"
    across = "-filter_complex overlay=x=mod(t*400\\,300),tinterlace=interleave_top"
    ffmpeg(f"{inputs} {across} -c:v mpeg2video -q:v 2 -flags +ildct+ilme -g 12", str(source))
    source, plan = await prepare(source)
    assert plan.interlaced
    await draw_pictures(TOOLS, source, plan, tmp_path, timeout=PATIENCE)
    poster = np.asarray(Image.open(tmp_path / "poster.jpg").convert("L"), dtype=float)
    assert poster.max() > 150
    combed = np.abs(poster[2:-2:2] - (poster[1:-3:2] + poster[3:-1:2]) / 2) > 60
    assert combed.mean() < 0.002
