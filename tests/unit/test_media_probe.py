"""What a source is, and what is turned away: quickly, with the code that people are shown."""

import os
import random
from fractions import Fraction
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from activities.video import audible
from activities.video.errors import media_errors
from activities.video.ffmpeg import FfmpegFailed
from activities.video.probe import MediaError, probe, read_stream
from contracts import errors
from tests.lab import PATIENCE, cpu_seconds
from tests.unit import media

CLIP = "-f lavfi -i testsrc2=s=160x90:d=3"


def _playlist(folder: Path, path: Path) -> None:
    media.ffmpeg(CLIP, str(folder / "real.ts"))
    lines = "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nfile://{0}\n#EXT-X-ENDLIST\n"
    path.write_text(lines.format(folder / "real.ts"))


def _concat(folder: Path, path: Path) -> None:
    media.ffmpeg(CLIP, str(folder / "real.mp4"))
    path.write_text("ffconcat version 1.0\nfile real.mp4\n")


def _cut(folder: Path, path: Path) -> None:
    media.ffmpeg(f"{CLIP} -movflags +faststart -g 10", str(folder / "real.mp4"))
    data = (folder / "real.mp4").read_bytes()
    path.write_bytes(data[: len(data) // 2])


def _headless(folder: Path, path: Path) -> None:
    media.ffmpeg(CLIP, str(folder / "real.mp4"))
    path.write_bytes((folder / "real.mp4").read_bytes()[:-1000])  # the moov box is at the end


def _noise(folder: Path, path: Path) -> None:
    """A sound container, whose pictures are all zeros."""
    media.ffmpeg(f"{CLIP} -c:v libx264 -movflags +faststart", str(path))
    data = path.read_bytes()
    start = data.index(b"mdat") + 4
    path.write_bytes(data[:start] + bytes(len(data) - start))


def _words(folder: Path, path: Path) -> None:
    (folder / "a.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nwords\n")
    media.ffmpeg(f"-i {folder}/a.srt -c:s mov_text", str(path))


def _like_mp3(_: Path, path: Path) -> None:
    frame = bytes.fromhex("fffb9064") + bytes(413)
    noise = random.Random(1).randbytes
    path.write_bytes(noise(300) + 5 * frame + noise(200))


def _noise_for_sound(folder: Path, path: Path) -> None:
    media.ffmpeg("-f lavfi -i sine=d=3 -c:a aac -movflags +faststart", str(folder / "real.m4a"))
    data = (folder / "real.m4a").read_bytes()
    start = data.index(b"mdat") + 4
    path.write_bytes(data[:start] + b"\xff" * (len(data) - start))


HOSTILE = {
    "playlist of a local file": (errors.NOT_A_VIDEO, _playlist),
    "concat script": (errors.NOT_A_VIDEO, _concat),
    "text": (errors.NOT_A_VIDEO, lambda _, path: path.write_text("not a video\n" * 1000)),
    "empty": (errors.NOT_A_VIDEO, lambda _, path: path.touch()),
    "zeros": (errors.NOT_A_VIDEO, lambda _, path: path.write_bytes(bytes(100_000))),
    "still picture": (
        errors.NOT_A_VIDEO,
        lambda _, path: media.ffmpeg("-f lavfi -i color -frames:v 1 -f image2 -c:v png", str(path)),
    ),
    "cut, index lost": (errors.NOT_A_VIDEO, _headless),
    "cut, index kept": (errors.DECODE_FAILED, _cut),
    "noise": (errors.DECODE_FAILED, _noise),
    "words without picture or sound": (errors.NOT_A_VIDEO, _words),
    "noise that looks like MP3 here and there": (errors.NOT_A_VIDEO, _like_mp3),
    "sound of noise": (errors.DECODE_FAILED, _noise_for_sound),
    "sound that is too long": (
        errors.VIDEO_TOO_LONG,
        lambda _, path: media.ffmpeg("-f lavfi -i sine=d=31:r=8000 -f mp3 -b:a 8k", str(path)),
    ),
    "a picture that no lecture has": (
        errors.CODEC_NOT_SUPPORTED,
        lambda _, path: media.ffmpeg("-f lavfi -i testsrc2=d=1 -c:v magicyuv -f matroska", str(path)),
    ),
    "a sound that no lecture has": (
        errors.CODEC_NOT_SUPPORTED,
        lambda _, path: media.ffmpeg(
            "-f lavfi -i testsrc2=d=1 -f lavfi -i sine=d=1 -c:v mpeg4 -c:a truehd -strict -2 -f matroska",
            str(path),
        ),
    ),
    "too wide": (
        errors.PICTURE_TOO_LARGE,
        lambda _, path: media.ffmpeg(
            "-f lavfi -i color=s=8200x16:d=0.1 -c:v libx264 -preset ultrafast", str(path)
        ),
    ),
    "too many pixels": (
        errors.PICTURE_TOO_LARGE,
        lambda _, path: media.ffmpeg("-f lavfi -i color=s=8000x4000:d=0.04 -c:v mpeg4", str(path)),
    ),
    "too long": (
        errors.VIDEO_TOO_LONG,
        lambda _, path: media.ffmpeg("-f lavfi -i testsrc2=s=64x64:r=5:d=31 -c:v mpeg4", str(path)),
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_what_is_no_fit_video_is_named_and_refused_at_once(name: str, tmp_path: Path) -> None:
    code, write = HOSTILE[name]
    path = tmp_path / "upload.mp4"
    write(tmp_path, path)
    before = cpu_seconds(os.getpid())

    with pytest.raises(MediaError) as caught:
        await probe(media.TOOLS, path, max_seconds=30)

    assert caught.value.code == code
    assert cpu_seconds(os.getpid()) - before < 5


async def test_a_workflow_of_before_knows_no_lecture_of_sound(tmp_path: Path) -> None:
    path = tmp_path / "upload.mp4"
    media.ffmpeg("-f lavfi -i sine=d=1 -f mp3", str(path))
    with pytest.raises(MediaError) as caught:
        await probe(media.TOOLS, path, max_seconds=30, sound_alone=False)
    assert caught.value.code == errors.NO_VIDEO_STREAM


async def test_a_codec_off_the_list_is_told_by_its_name(tmp_path: Path) -> None:
    """Nor is its decoder reached by who did not look before: MagicYUV's has a hole in some builds."""
    path = tmp_path / "upload.mkv"
    media.ffmpeg("-f lavfi -i testsrc2=d=0.2 -c:v magicyuv", str(path))
    with pytest.raises(ApplicationError, match=r"upload it again\.: magicyuv$"), media_errors():
        await probe(media.TOOLS, path, max_seconds=30)
    with pytest.raises(FfmpegFailed):
        await read_stream(media.TOOLS, path, 0, [], "frame=pts", PATIENCE, print)


async def test_of_two_pictures_the_default_one_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "two.mkv"
    media.ffmpeg(
        f"-f lavfi -i color=s=64x64:d=3 {CLIP} -map 0 -map 1 -disposition:v:0 0 -disposition:v:1 default",
        str(path),
    )
    _, plan = await media.prepare(path)
    (tracks,) = await media.encode(path, plan, tmp_path)
    shown = await probe(media.TOOLS, media.join(tmp_path, [tracks]), max_seconds=30)
    assert plan.video_stream == 1
    assert (shown.width, shown.height) == (160, 90)
    black = media.decoded(f"-i {path} -map 0:0 -vf scale=160:90")
    assert not {d for _, d in black} & {d for _, d in media.decoded(f"-i {media.join(tmp_path, [tracks])}")}


@pytest.mark.parametrize(
    ("sounds", "taken"),
    [
        (("mute", "talk"), 2),
        (("late", "talk"), 1),
        (("mute", "mute"), 1),
        (("talk", "mute"), 1),
        (("mute",), 1),
    ],
)
async def test_of_several_sounds_one_that_is_heard(
    sounds: tuple[str, ...], taken: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recorders write one for each source, and the first may be a microphone that was off."""
    monkeypatch.setattr(audible, "_LOOK", 1.0)
    heard = {
        "mute": "anullsrc=d=3",
        "talk": "sine=d=3",
        "late": "aevalsrc=if(gt(t\\,2)\\,sin(2000*t)/2\\,0):d=3",
    }
    made = " ".join(f"-f lavfi -i {heard[each]}" for each in sounds)
    maps = " ".join(f"-map {number}" for number in range(len(sounds) + 1))
    path = tmp_path / "sounds.mp4"
    media.ffmpeg(f"-f lavfi -i color=s=64x64:d=3 {made} {maps}", str(path))
    assert (await probe(media.TOOLS, path, max_seconds=30)).audio_stream == taken


async def test_shown_size_follows_rotation_and_pixel_shape(tmp_path: Path) -> None:
    path = tmp_path / "sar.mp4"
    media.ffmpeg("-f lavfi -i testsrc2=s=320x360:d=1 -vf setsar=2/1", str(path))
    turned = tmp_path / "turned.mp4"
    media.ffmpeg(f"-display_rotation 90 -i {path} -c copy", str(turned))

    info, other = [await probe(media.TOOLS, file, max_seconds=30) for file in (path, turned)]

    assert (info.width, info.height) == (640, 360)
    assert (other.width, other.height) == (360, 640)


async def test_packets_tell_rate_gaps_and_where_streams_start(tmp_path: Path) -> None:
    fast = await probe(media.TOOLS, media.make(tmp_path, "ntsc_mkv"), max_seconds=30)
    assert fast.constant_rate
    assert fast.frame_rate == pytest.approx(30000 / 1001, rel=1e-4)
    assert fast.frames == 300
    assert fast.max_keyframe_gap == pytest.approx(75 * 1001 / 30000, abs=0.002)

    slow = await probe(media.TOOLS, media.make(tmp_path, "variable_rate"), max_seconds=30)
    assert not slow.constant_rate
    assert slow.max_frame_gap > 0.1

    early = await probe(media.TOOLS, media.make(tmp_path, "sound_first"), max_seconds=30)
    assert early.video_start - early.audio_start == pytest.approx(1.5, abs=0.05)

    edited = await probe(media.TOOLS, media.make(tmp_path, "edit_list"), max_seconds=30)
    assert edited.video_start == 0
    assert edited.frames == round((edited.video_end - edited.video_start) * 25)


@pytest.mark.parametrize(
    ("name", "source", "rate"),
    [
        ("dropped.mp4", "testsrc2=s=64x36:r=30:d=10,select=gt(random(1)\\,0.21)", Fraction(30)),
        ("dropped.mkv", "testsrc2=s=64x36:r=30:d=10,select=gt(random(1)\\,0.21)", Fraction(30)),
        ("dropped.mp4", "testsrc2=s=64x36:r=25:d=10,select=gt(random(1)\\,0.4)", Fraction(25)),
        ("halved.mp4", "testsrc2=s=64x36:r=15000/1001:d=10", Fraction(15000, 1001)),
        ("halved.mkv", "testsrc2=s=64x36:r=15000/1001:d=10", Fraction(15000, 1001)),
        ("slides.mp4", "testsrc2=s=64x36:r=5:d=10", Fraction(5)),
        ("slides.mp4", "testsrc2=s=64x36:r=5:d=20,select=gt(random(1)\\,0.5)", Fraction(5)),
    ],
)
async def test_a_lecture_keeps_its_clock(name: str, source: str, rate: Fraction, tmp_path: Path) -> None:
    path = tmp_path / name
    media.ffmpeg(f"-f lavfi -i {source} -fps_mode vfr -c:v libx264 -preset ultrafast -bf 0", str(path))
    _, plan = await media.prepare(path)
    assert plan.fps == rate


@pytest.mark.parametrize("first", [0, 1])
async def test_a_clock_that_jumps_makes_no_lecture_too_long(first: int, tmp_path: Path) -> None:
    """Two recordings of 4 s joined, hours apart or one from the start of the clock again."""
    parts = []
    for number, offset in enumerate((0, 20_000)):
        parts.append(tmp_path / f"{number}.ts")
        streams = "-f lavfi -i testsrc2=s=64x36:r=25:d=4 -f lavfi -i sine=d=4:r=48000"
        media.ffmpeg(f"{streams} -g 25 -c:a aac -output_ts_offset {offset}", str(parts[-1]))
    source = tmp_path / "whole.ts"
    source.write_bytes(parts[first].read_bytes() + parts[1 - first].read_bytes())

    info = await probe(media.TOOLS, source, max_seconds=10)
    assert info.needs_remux and info.clock_jumps
    with pytest.raises(MediaError, match="VIDEO_TOO_LONG"):
        await probe(media.TOOLS, parts[0], max_seconds=3)
    _, plan = await media.prepare(source)
    assert plan.duration == pytest.approx(8, abs=0.1)
