"""Sources that change midway: what came first neither shifts, stretches nor spoils what comes after it."""

import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from activities.video.audio import encode_audio
from activities.video.probe import probe
from contracts.video import EncodePlan
from tests.lab import PATIENCE
from tests.unit import media

Samples = npt.NDArray[np.float64]
_X264 = "-c:v libx264 -preset ultrafast -g 25"


def joined(folder: Path, *parts: str, seconds: int = 4) -> Path:
    """Recordings of as many seconds, one behind the other on one clock, as a recorder leaves them."""
    whole = folder / "whole.ts"
    with whole.open("wb") as file:
        for number, part in enumerate(parts):
            path = folder / f"part-{number}.ts"
            media.ffmpeg(f"{part} -output_ts_offset {seconds * number}", str(path))
            file.write(path.read_bytes())
    return whole


async def heard(source: Path, folder: Path) -> tuple[EncodePlan, Samples]:
    """The lecture's sound as a player gives it, both channels, one sample a row."""
    source, plan = await media.prepare(source)
    (output,) = await encode_audio(media.TOOLS, source, plan, folder, timeout=PATIENCE)
    whole = folder / "sound.mp4"
    files = [output.track.init, *output.track.segments]
    whole.write_bytes(b"".join((folder / file.name).read_bytes() for file in files))
    raw = subprocess.run(
        [media.TOOLS.ffmpeg, "-v", "error", "-i", whole, "-f", "s16le", "-ac", "2", "-"],
        check=True,
        capture_output=True,
    ).stdout
    return plan, np.frombuffer(raw, "<i2").reshape(-1, 2).astype(float)


def pitch(sound: Samples, second: float) -> float:
    """What is heard in the half second from there, in Hz; noise is no pitch."""
    piece = sound[round(second * 48000) :][:24000].mean(axis=1)
    strength = np.abs(np.fft.rfft(piece * np.hanning(len(piece)))) ** 2
    top = int(strength.argmax())
    assert strength[max(0, top - 4) : top + 5].sum() > 0.9 * strength.sum(), f"noise at {second} s"
    return top * 2.0


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("-ac 6 -c:a ac3", "-ac 2 -c:a ac3"),
        ("-ac 2 -ar 48000 -c:a aac", "-ac 1 -ar 44100 -c:a aac"),
        ("-ac 1 -ar 22050 -c:a aac", "-ac 2 -ar 48000 -c:a aac"),
        ("-ac 2 -ar 48000 -c:a mp2", "-ac 1 -ar 32000 -c:a mp2"),
    ],
)
async def test_sound_that_changes_midway_goes_on_in_its_place(first: str, then: str, tmp_path: Path) -> None:
    picture = "-f lavfi -i color=s=64x64:r=25:d=4"
    source = joined(
        tmp_path,
        f"{picture} -f lavfi -i sine=f=500:d=4:r=48000 {_X264} {first}",
        f"{picture} -f lavfi -i sine=f=1500:d=4:r=48000 {_X264} {then}",
    )
    plan, sound = await heard(source, tmp_path)

    assert [pitch(sound, second) for second in (0.5, 3.2)] == pytest.approx([500, 500], abs=4)
    assert [pitch(sound, second) for second in (4.3, 7.2)] == pytest.approx([1500, 1500], abs=4)
    assert len(sound) / 48000 == pytest.approx(plan.duration, abs=0.07)


@pytest.mark.parametrize(
    ("extension", "codec"),
    [("flv", "-c:a nellymoser -ar 22050 -ac 1"), ("ts", "-c:a s302m -strict -2 -ar 48000 -ac 2")],
)
async def test_sound_that_matroska_does_not_hold_is_heard(extension: str, codec: str, tmp_path: Path) -> None:
    source = tmp_path / f"odd.{extension}"
    sine = "-f lavfi -i sine=f=500:d=4:r=48000"
    media.ffmpeg(f"-f lavfi -i color=s=64x64:r=25:d=4 {sine} -c:v libx264 -g 25 {codec}", str(source))
    _, sound = await heard(source, tmp_path)
    assert pitch(sound, 2) == pytest.approx(500, abs=4)


async def test_sound_that_is_announced_and_never_sent_is_none(tmp_path: Path) -> None:
    """The tables name it, and none of its packets came."""
    source = tmp_path / "announced.ts"
    media.ffmpeg(
        f"-f lavfi -i color=s=64x64:r=25:d=3 -f lavfi -i sine=d=3 {_X264} -c:a aac -streamid 1:300",
        str(source),
    )
    data = source.read_bytes()
    packets = [data[at : at + 188] for at in range(0, len(data), 188)]
    kept = [packet for packet in packets if (packet[1] & 0x1F) << 8 | packet[2] != 300]
    assert len(kept) < len(packets)
    source.write_bytes(b"".join(kept))

    info = await probe(media.TOOLS, source, max_seconds=60)
    assert info.audio_stream is None
    _, plan = await media.prepare(source)
    assert not plan.has_audio


@pytest.mark.parametrize(
    ("extension", "codec"),
    [("ts", _X264), ("webm", "-c:v libvpx -deadline realtime -cpu-used 8 -g 25 -b:v 1M")],
)
@pytest.mark.parametrize("then", ["120x90", "320x180", "90x160"])
async def test_a_picture_that_changes_its_shape_keeps_it_and_its_time(
    then: str, extension: str, codec: str, tmp_path: Path
) -> None:
    """White frames that grow darker by one step each: what a frame shows says which one it is."""

    def part(size: str, number: int) -> str:
        grey = f"color=black:s={size}:r=25:d=3,geq=lum='40+N+75*{number}':cb=128:cr=128"
        return f"-f lavfi -i {grey} {codec} -qmin 0 -qmax 4"

    source = tmp_path / f"whole.{extension}"
    if extension == "ts":
        source = joined(tmp_path, part("160x90", 0), part(then, 1), seconds=3)
    else:
        parts = [tmp_path / f"{number}.webm" for number in range(2)]
        for number, (path, size) in enumerate(zip(parts, ("160x90", then), strict=True)):
            media.ffmpeg(part(size, number), str(path))
        listed = tmp_path / "list.txt"
        listed.write_text("".join(f"file '{path}'\n" for path in parts))
        media.ffmpeg(f"-f concat -safe 0 -i {listed} -c copy", str(source))

    source, plan = await media.prepare(source, unit_segments=1)
    units = await media.encode(source, plan, tmp_path, preset="ultrafast", qp=1)
    film = media.join(tmp_path, units)
    command = f"-v error -i {film} -f rawvideo -pix_fmt gray -".split()
    raw = subprocess.run([media.TOOLS.ffmpeg, *command], check=True, capture_output=True).stdout
    frames = np.frombuffer(raw, np.uint8).reshape(-1, 90, 160).astype(float)

    assert len(frames) == plan.total_frames == 150
    shown = frames[:, 40:50, 75:85].mean(axis=(1, 2))
    steps = shown - np.arange(150) * 255 / 219
    assert np.abs(steps - np.median(steps)).max() < 2  # two frames are 2.3; VP8 is not exact
    wide, high = (int(side) for side in then.split("x"))
    width = min(160, 90 * wide // high)
    lit = (frames[140] > 60).any(axis=0).sum()
    assert abs(lit - width) <= 4
