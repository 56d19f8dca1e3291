"""Units encoded apart and joined show the very frames of the whole file, on one clock."""

import subprocess
from math import ceil
from pathlib import Path

import pytest

from activities.video.encode import encode_unit
from activities.video.probe import MediaError
from contracts import errors
from rules.fmp4 import BadSegment, Fragment, read_fragment, read_init
from tests.lab import PATIENCE
from tests.unit import media


def reference(source: Path, plan: media.EncodePlan) -> list[str]:
    """The whole file in one run, by the shortest command there is for it."""
    held = plan.total_frames - plan.picture_frames + 5
    ticks = plan.fps_num * ceil(90_000 / plan.fps_num)  # halfway cases depend on the clock's rounding
    clock = f"settb=1/{ticks},setpts=PTS-{plan.origin}/TB"
    if plan.interlaced:
        clock += ",bwdif=send_frame:deint=interlaced"
    colour = "scale=iw:ih:out_color_matrix=bt709:out_range=limited"
    if not plan.colour.tagged:
        colour = f"setparams=colorspace={plan.colour.matrix},{colour}"
    filters = f"{clock},fps={plan.fps}:start_time=0,tpad=stop_mode=clone:stop={held},{colour}"
    return [
        digest
        for _, digest in media.decoded(
            f"-copyts -start_at_zero -i {source} -vf {filters},format=yuv420p -frames:v {plan.total_frames}"
        )
    ]


@pytest.mark.parametrize("name", media.SOURCES)
async def test_joined_units_show_the_frames_of_the_whole_file(name: str, tmp_path: Path) -> None:
    source, plan = await media.prepare(media.make(tmp_path, name), unit_segments=1)
    assert plan.unit_count >= 3

    units = await media.encode(source, plan, tmp_path, **media.LOSSLESS)
    frames = media.decoded(f"-i {media.join(tmp_path, units)}")

    assert [digest for _, digest in frames] == reference(source, plan)
    assert [time for time, _ in frames] == [n / plan.fps for n in range(plan.total_frames)]
    assert len({tracks[0].init.sha256 for tracks in units}) == 1
    assert plan.interlaced == (name == "interlaced_ts")


async def test_a_picture_that_ends_before_the_sound_is_held(tmp_path: Path) -> None:
    source = tmp_path / "long-sound.mp4"
    media.ffmpeg("-f lavfi -i testsrc2=s=160x90:d=5 -f lavfi -i sine=d=13 -c:a aac", str(source))
    _, plan = await media.prepare(source, unit_segments=1)
    assert (plan.picture_frames, plan.total_frames, plan.unit_count) == (125, 325, 4)

    units = await media.encode(source, plan, tmp_path, **media.LOSSLESS)
    frames = media.decoded(f"-i {media.join(tmp_path, units)}")

    assert [digest for _, digest in frames] == reference(source, plan)
    assert len({digest for _, digest in frames[124:]}) == 1


async def test_a_unit_run_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    source, plan = await media.prepare(media.SAMPLE, unit_segments=1)
    assert [rung.name for rung in plan.rungs] == ["360p", "720p"]
    seen: list[int] = []
    first = await encode_unit(
        media.TOOLS, source, plan, unit=1, out=tmp_path / "a", timeout=PATIENCE, on_frames=seen.append
    )
    second = await encode_unit(media.TOOLS, source, plan, unit=1, out=tmp_path / "b", timeout=PATIENCE)

    assert first == second
    assert seen[-1] == 32
    assert sorted(path.name for path in (tmp_path / "a" / "720p").iterdir()) == ["init.mp4", "s00001.m4s"]
    assert [(track.codec, track.segments[0].frames) for track in first] == [
        ("avc1.64001e", 32),
        ("avc1.64001f", 32),
    ]


async def test_a_source_that_ends_early_is_refused_not_padded(tmp_path: Path) -> None:
    source = tmp_path / "whole.mp4"
    media.ffmpeg("-f lavfi -i testsrc2=s=160x90:d=10 -g 25 -movflags +faststart", str(source))
    _, plan = await media.prepare(source, unit_segments=1)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(source.read_bytes()[: source.stat().st_size * 9 // 10])

    with pytest.raises(MediaError) as caught:
        await encode_unit(
            media.TOOLS, cut, plan, unit=plan.unit_count - 1, out=tmp_path / "out", timeout=PATIENCE
        )

    assert caught.value.code == errors.DECODE_FAILED


@pytest.mark.parametrize(("name", "group"), [("ntsc", 60), ("odd_rate", 27)])
async def test_segments_are_two_groups_of_two_seconds(name: str, group: int, tmp_path: Path) -> None:
    source, plan = await media.prepare(media.make(tmp_path, name), unit_segments=2)
    (tracks, _) = await media.encode(source, plan, tmp_path)

    assert [segment.frames for segment in tracks[0].segments] == [2 * group] * 2
    entries = "-skip_frame nokey -show_entries frame=pts_time -of csv=p=0"
    keyframes = subprocess.run(
        [media.TOOLS.ffprobe, "-v", "error", *entries.split(), media.join(tmp_path, [tracks])],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    wanted = [float(n * group / plan.fps) for n in range(4)]
    assert [float(time.strip(",")) for time in keyframes] == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("frames", [1, 2, 24, 101, 124, 201, 202, 401, 402])
async def test_a_tail_of_less_than_a_second_joins_the_segment_before(frames: int, tmp_path: Path) -> None:
    source = tmp_path / "tail.mp4"
    picture = f"-f lavfi -i testsrc2=s=64x36:r=25:d={frames / 25}"
    media.ffmpeg(f"{picture} -c:v libx264 -preset ultrafast -g 25", str(source))
    source, plan = await media.prepare(source)
    units = await media.encode(source, plan, tmp_path, **media.LOSSLESS)
    lengths = [segment.frames for tracks in units for segment in tracks[0].segments]

    assert sum(lengths) == frames
    assert len(lengths) == 1 or lengths[-1] >= 25
    assert lengths[:-1] == [100] * (len(lengths) - 1)
    shown = media.decoded(f"-i {media.join(tmp_path, units)}")
    assert [digest for _, digest in shown] == reference(source, plan)
    assert [time for time, _ in shown] == [n / plan.fps for n in range(frames)]


async def test_a_segment_tells_its_place_and_a_cut_one_is_refused(tmp_path: Path) -> None:
    source, plan = await media.prepare(media.make(tmp_path, "ntsc"), unit_segments=2)
    (tracks, _) = await media.encode(source, plan, tmp_path)
    init = read_init((tmp_path / "0" / tracks[0].init.name).read_bytes())
    data = (tmp_path / "0" / tracks[0].segments[1].name).read_bytes()

    assert read_fragment(data, init) == Fragment(120 * 1001, 120 * 1001, 120, sync=True, step=1001)
    for cut in (data[:-1], data[: data.index(b"moof")], b""):
        with pytest.raises(BadSegment):
            read_fragment(cut, init)
