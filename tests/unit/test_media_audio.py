"""The sound: in sync to the sample, as long as the picture, as loud as promised."""

import array
import subprocess
from pathlib import Path

import pytest

from activities.video.audio import AudioOutput, encode_audio
from contracts.video import EncodePlan
from tests.lab import PATIENCE
from tests.unit import media

PICTURE = "-f lavfi -i color=s=64x64:r=25:d=6"
QUIET = "0.01*sin(880*t)"


async def sound(source: Path, tmp_path: Path) -> tuple[EncodePlan, AudioOutput, Path]:
    source, plan = await media.prepare(source)
    milliseconds: list[int] = []
    (output,) = await encode_audio(
        media.TOOLS, source, plan, tmp_path, timeout=PATIENCE, on_progress=milliseconds.append
    )
    assert milliseconds == sorted(milliseconds)
    joined = tmp_path / "sound.mp4"
    files = [output.track.init, *output.track.segments]
    joined.write_bytes(b"".join((tmp_path / file.name).read_bytes() for file in files))
    return plan, output, joined


def samples(path: Path, mix: str = "anull") -> "array.array[int]":
    raw = subprocess.run(
        [
            *(media.TOOLS.ffmpeg, "-v", "error", "-i", path, "-af", mix),
            *("-f", "s16le", "-ac", "1", "-ar", "48000", "-"),
        ],
        check=True,
        capture_output=True,
    ).stdout
    return array.array("h", raw)


def loudest(path: Path) -> int:
    heard = samples(path)
    return max(range(len(heard)), key=lambda n: abs(heard[n]))


@pytest.mark.parametrize(
    ("container", "args", "shift"),
    [
        ("mov", "-c:a pcm_s16le", 0.0),
        ("mkv", "-c:a pcm_s16le", 0.0),
        ("mp4", "-c:a aac", 0.0),
        ("ts", "-c:a aac", 0.0),
        ("delayed.mkv", "-c:a pcm_s16le", 0.7),
    ],
)
async def test_a_click_stays_where_it_was(container: str, args: str, shift: float, tmp_path: Path) -> None:
    source = tmp_path / f"click.{container}"
    click = f"-f lavfi -itsoffset {shift} -i aevalsrc='if(eq(n,144000),0.9,{QUIET})':s=48000:d=5"
    media.ffmpeg(f"{PICTURE} {click} -c:v libx264 -preset ultrafast {args}", str(source))

    plan, output, joined = await sound(source, tmp_path)

    assert abs(loudest(joined) - 144000 - round(shift * 48000)) <= 48
    assert abs(sum(s.duration for s in output.track.segments) - plan.duration) < 0.05
    assert all(abs(s.duration - 4) < 0.022 for s in output.track.segments[:-1])
    assert output.track.codec == "mp4a.40.2"


@pytest.mark.parametrize(
    ("name", "wave"),
    {
        "quiet": QUIET,
        "loud": "0.99*sin(880*t)",
        "bursts": "if(lt(mod(t,1),0.05),0.99,0.04)*sin(3000*t)",
        "peaks between samples, two tries": "(random(0)-0.5)*exp(-mod(t,0.7)*8)*(0.2+0.8*lt(mod(t,3.1),0.8))",
    }.items(),
)
async def test_the_written_loudness_is_the_promised_one(name: str, wave: str, tmp_path: Path) -> None:
    source = tmp_path / "wave.mkv"
    media.ffmpeg(
        f"{PICTURE} -f lavfi -i aevalsrc='{wave}':s=48000:d=6 -c:v mpeg4 -c:a pcm_s16le", str(source)
    )

    _, output, joined = await sound(source, tmp_path)
    said = subprocess.run(
        [media.TOOLS.ffmpeg, "-nostats", "-i", joined, "-af", "ebur128=peak=true", "-f", "null", "-"],
        capture_output=True,
        text=True,
        check=True,
    ).stderr.rpartition("Summary:")[2]

    assert output.exception is None
    assert abs(float(said.split("I:")[1].split()[0]) + 16) <= 1
    assert float(said.split("Peak:")[1].split()[0]) <= -1


@pytest.mark.parametrize(
    ("wave", "reason"),
    [
        ("0", "silent, or too short to measure"),
        ("0.002*sin(880*t)", "too quiet to lift"),
        ("0.5+0.01*sin(880*t)", "too quiet to lift"),  # a recorder with a constant voltage at its input
    ],
)
async def test_what_cannot_be_made_loud_is_kept_with_the_reason(
    wave: str, reason: str, tmp_path: Path
) -> None:
    source = tmp_path / "wave.mkv"
    media.ffmpeg(
        f"{PICTURE} -f lavfi -i aevalsrc='{wave}':s=48000:d=6 -c:v mpeg4 -c:a pcm_s24le", str(source)
    )
    _, output, _ = await sound(source, tmp_path)
    assert output.exception == reason
    assert output.true_peak <= -1
    assert output.too_quiet == (reason == "too quiet to lift")


@pytest.mark.parametrize("channels", ["{wave}|0", "0|{wave}", "{wave}|0.0005*sin(500*t)"])
async def test_sound_in_one_ear_is_heard_in_both(channels: str, tmp_path: Path) -> None:
    """A lapel microphone on one channel, and the hum of an empty plug on the other."""
    source = tmp_path / "wave.mkv"
    wave = channels.format(wave="0.2*sin(2764*t)*lt(mod(t,1),0.7)")
    media.ffmpeg(
        f"{PICTURE} -f lavfi -i aevalsrc='{wave}':s=48000:d=6 -c:v mpeg4 -c:a pcm_s16le", str(source)
    )
    _, output, joined = await sound(source, tmp_path)
    assert output.exception is None
    assert abs(output.loudness + 16) <= 1
    both = [samples(joined, f"pan=mono|c0=c{ear}") for ear in (0, 1)]
    assert max(abs(left - right) for left, right in zip(*both, strict=True)) < 400  # AAC is not exact
    assert max(both[0]) > 4000


async def test_stereo_stays_stereo(tmp_path: Path) -> None:
    source = tmp_path / "wave.mkv"
    wave = "0.2*sin(2764*t)|0.05*sin(4000*t)"
    media.ffmpeg(
        f"{PICTURE} -f lavfi -i aevalsrc='{wave}':s=48000:d=6 -c:v mpeg4 -c:a pcm_s16le", str(source)
    )
    _, _, joined = await sound(source, tmp_path)
    left, right = (samples(joined, f"pan=mono|c0=c{ear}") for ear in (0, 1))
    assert max(left) > 2 * max(right)


@pytest.mark.parametrize("length", [4.04, 8.1, 8.9])
async def test_a_tail_of_less_than_a_second_joins_the_segment_before(length: float, tmp_path: Path) -> None:
    source = tmp_path / "tail.mp4"
    media.ffmpeg(
        f"-f lavfi -i color=s=64x64:r=25:d={length} -f lavfi -i sine=d={length}:r=48000 -c:a aac", str(source)
    )
    plan, output, joined = await sound(source, tmp_path)
    lengths = [segment.duration for segment in output.track.segments]
    assert lengths[-1] >= 1
    assert sum(lengths) == pytest.approx(plan.duration, abs=0.07)
    assert len(samples(joined)) / 48000 == pytest.approx(plan.duration, abs=0.07)


async def test_five_channels_become_two(tmp_path: Path) -> None:
    plan, output, joined = await sound(media.SAMPLE, tmp_path)
    said = subprocess.run([media.TOOLS.ffprobe, joined], capture_output=True, text=True, check=True).stderr
    assert "aac (LC)" in said
    assert "48000 Hz, stereo" in said
    assert output.exception is None
    assert plan.has_audio
