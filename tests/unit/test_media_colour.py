"""Whatever colours a source has, its renditions are BT.709 in limited range and say so, in every unit."""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from activities.video.colour import FirstPicture, colour_of
from activities.video.pictures import draw_pictures
from tests.lab import PATIENCE
from tests.unit import media

GREEN = (15, 212, 165)
_CARD = "-f lavfi -i color=0x0FD4A5:s=64x36:r=25:d=4,format=rgb24"
_TV = "scale=out_color_matrix=bt601:out_range=limited,format=yuv420p"
_HD = "scale=out_color_matrix=bt709:out_range=limited,format=yuv420p"
_X264 = "-c:v libx264 -preset ultrafast -g 25 -qp 4"
_SAYS_TV = "-colorspace smpte170m -color_primaries smpte170m -color_trc smpte170m"
_SAYS_HD = "-colorspace bt709 -color_primaries bt709 -color_trc bt709"


def colours(film: Path, time: float) -> list[int]:
    """In the middle of the picture, as a browser shows BT.709."""
    args = [
        "-vf",
        "scale=in_color_matrix=bt709",
        "-frames:v",
        "1",
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        "-",
    ]
    command = [media.TOOLS.ffmpeg, "-v", "error", "-ss", str(time), "-i", str(film), *args]
    raw = np.frombuffer(subprocess.run(command, check=True, capture_output=True).stdout, np.uint8)
    shown: list[int] = raw.reshape(-1, 3)[len(raw) // 6].tolist()
    return shown


def tags(film: Path) -> dict[str, Any]:
    entries = "stream=pix_fmt,color_range,color_space,color_transfer,color_primaries,side_data_list"
    command = [media.TOOLS.ffprobe, "-v", "error", "-show_entries", entries, "-of", "json", str(film)]
    (stream,) = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["streams"]
    found: dict[str, Any] = stream
    return found


async def published(source: Path, folder: Path) -> Path:
    source, plan = await media.prepare(source, unit_segments=1)
    units = await media.encode(source, plan, folder)
    assert len({tracks[0].init.sha256 for tracks in units}) == 1
    film = media.join(folder, units)
    assert tags(film) == {
        "pix_fmt": "yuv420p",
        "color_range": "tv",
        "color_space": "bt709",
        "color_transfer": "bt709",
        "color_primaries": "bt709",
    }
    return film


@pytest.mark.parametrize(
    ("name", "args"),
    {
        "rgb.mkv": "-c:v libx264rgb -preset ultrafast -qp 0",
        "full.mp4": f"-vf {_HD.replace('limited', 'full')} -color_range pc {_SAYS_HD} {_X264}",
        "television.mp4": f"-vf {_TV} {_SAYS_TV} {_X264}",
        "unsaid.webm": f"-vf {_TV} -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 25 -b:v 1M",
    }.items(),
)
async def test_colours_stay_what_they_were(name: str, args: str, tmp_path: Path) -> None:
    source = tmp_path / name
    media.ffmpeg(f"{_CARD} {args}", str(source))
    film = await published(source, tmp_path)
    assert colours(film, 1) == pytest.approx(GREEN, abs=6)


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (f"-vf {_HD} {_SAYS_HD}", f"-vf {_TV} {_SAYS_TV}"),
        (f"-vf {_TV}", f"-vf {_HD} {_SAYS_HD}"),
        (f"-vf {_HD} {_SAYS_HD}", f"-vf {_HD.replace('limited', 'full')} -color_range pc {_SAYS_HD}"),
    ],
)
async def test_tags_that_change_midway_change_no_colour(first: str, then: str, tmp_path: Path) -> None:
    source = tmp_path / "whole.ts"
    with source.open("wb") as whole:
        for number, part in enumerate((first, then)):
            path = tmp_path / f"{number}.ts"
            media.ffmpeg(f"{_CARD} {part} {_X264} -output_ts_offset {4 * number}", str(path))
            whole.write(path.read_bytes())
    film = await published(source, tmp_path)
    for time in (1, 3, 4.5, 7):
        assert colours(film, time) == pytest.approx(GREEN, abs=6), time


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
async def test_high_dynamic_range_is_mapped_and_white_paper_stays_white(
    transfer: str, tmp_path: Path
) -> None:
    source = tmp_path / "hdr.mp4"
    said = f"-color_primaries bt2020 -color_trc {transfer} -colorspace bt2020nc"
    light = (
        "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709,zscale=t=linear:npl=203"
    )
    hdr = f"zscale=p=bt2020,zscale=t={transfer}:m=bt2020nc:r=tv:npl=203,format=yuv420p10le"
    # The right half is white paper, the left half a fifth of its light.
    card = "color=white:s=64x36:r=25:d=2,drawbox=w=32:c=0x7B7B7B:t=fill,format=rgb24"
    media.ffmpeg(
        f"-f lavfi -i {card} -vf scale=out_color_matrix=bt709,format=yuv444p,{light},format=gbrpf32le,{hdr} "
        f"-c:v libx265 -x265-params log-level=error:master-display="
        f"G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1):max-cll=1000,400 {said}",
        str(source),
    )
    film = await published(source, tmp_path)
    grey = colours(film, 1)
    assert max(grey) - min(grey) <= 4
    assert 90 < grey[0] < 150
    _, plan = await media.prepare(source)
    assert plan.colour.hdr
    await draw_pictures(media.TOOLS, source, plan, tmp_path, timeout=PATIENCE)


async def test_what_is_transparent_lies_on_white(tmp_path: Path) -> None:
    source = tmp_path / "alpha.mov"
    card = "color=black@0:s=64x36:r=25:d=2,format=rgba"
    media.ffmpeg(f"-f lavfi -i {card} -c:v prores_ks -pix_fmt yuva444p10le", str(source))
    film = await published(source, tmp_path)
    assert colours(film, 1) == pytest.approx((255, 255, 255), abs=4)


@pytest.mark.parametrize(
    ("height", "matrix", "guess"),
    [
        (480, "unknown", "smpte170m"),
        (576, "unknown", "smpte170m"),
        (720, "unknown", "bt709"),
        (480, "bt709", "bt709"),
        (1080, "bt470bg", "bt470bg"),
    ],
)
def test_unsaid_colours_are_taken_as_players_take_them(height: int, matrix: str, guess: str) -> None:
    first = FirstPicture("yuv420p", height * 4 // 3, height, "unknown", matrix, "unknown", "unknown")
    colour = colour_of(first, "h264")
    assert (colour.matrix, colour.tagged) == (guess, matrix != "unknown")
