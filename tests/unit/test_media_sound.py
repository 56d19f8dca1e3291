"""Recordings of sound alone, and sources with several sounds."""

import subprocess
from pathlib import Path

import m3u8
import numpy as np
import pytest
from PIL import Image

from activities.video import audible
from activities.video.audio import AudioOutput, encode_audio
from activities.video.media_files import TrackFiles
from activities.video.probe import MediaError, probe
from activities.video.sound_files import missing_part
from activities.video.texts import take_texts
from activities.video.waveform import draw_sound
from contracts import errors
from contracts.video import EncodePlan
from rules.captions.writing import Chapter
from rules.playlists import master_playlist, media_playlist
from tests.lab import PATIENCE
from tests.unit import media
from tests.unit.test_media_audio import loudest, samples
from tests.unit.test_media_playlists import track
from tests.unit.test_media_texts import CHAPTERS

RATE = 48_000
CLICK = "aevalsrc='if(eq(n,96000),0.9,0.01*sin(880*t))':s=48000:d=3.3"
# What a recorder or an editor writes: its name, ffmpeg's arguments, by how many samples its clock may be off.
KINDS = {
    "mp3, of a constant rate": ("mp3", "-c:a libmp3lame -b:a 64k", 1200),
    "mp3, of a variable rate, that does not say how long it is": (
        "mp3",
        "-c:a libmp3lame -q:a 6 -write_xing 0",
        2400,
    ),
    "m4a": ("m4a", "-c:a aac", 48),
    "alac": ("m4a", "-c:a alac", 48),
    "wav": ("wav", "-c:a pcm_s24le", 48),
    "wav of telephony": ("wav", "-c:a pcm_mulaw -ar 8000 -ac 1", 480),
    "flac": ("flac", "-c:a flac", 48),
    "ogg": ("ogg", "-c:a libvorbis", 480),
    "opus": ("opus", "-c:a libopus", 480),
    "aac": ("aac", "-c:a aac", 1200),
    "mka": ("mka", "-c:a libopus", 480),
    "webm": ("webm", "-c:a libopus", 480),
    "wma": ("wma", "-c:a wmav2", 4800),
    "aiff": ("aiff", "-c:a pcm_s16be", 48),
    "ts": ("ts", "-c:a aac", 1200),
}
SLOW = pytest.mark.slow


async def heard(source: Path, out: Path) -> tuple[EncodePlan, list[AudioOutput], list[Path]]:
    """The lecture's sounds as files of their own."""
    source, plan = await media.prepare(source)
    outputs = await encode_audio(media.TOOLS, source, plan, out, timeout=PATIENCE)
    return plan, outputs, [joined(out, output.track) for output in outputs]


def joined(out: Path, track: TrackFiles) -> Path:
    whole = out / f"{track.name}.mp4"
    whole.write_bytes(b"".join((out / file.name).read_bytes() for file in (track.init, *track.segments)))
    return whole


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=SLOW) for kind in KINDS])
async def test_a_recording_of_sound_is_a_lecture(kind: str, tmp_path: Path) -> None:
    extension, args, off = KINDS[kind]
    source = tmp_path / f"lecture.{extension}"
    media.ffmpeg(f"-f lavfi -i {CLICK} {args}", str(source))

    plan, outputs, files = await heard(source, tmp_path)

    assert not plan.rungs and plan.unit_count == 0
    assert plan.duration == pytest.approx(3.3, abs=0.15)
    assert [output.track.name for output in outputs] == ["audio", "audio64"]
    for output, file in zip(outputs, files, strict=True):
        assert abs(loudest(file) - 2 * RATE) <= off
        assert abs(sum(each.duration for each in output.track.segments) - plan.duration) < 0.065
        assert output.exception is None or output.exception.startswith("peaks")


async def test_a_recording_with_a_cover_and_chapters(tmp_path: Path) -> None:
    """All that players get of it: rates, levels, cover, chapters, a wave to find the place by."""
    source = tmp_path / "lecture.mp3"
    (tmp_path / "chapters.txt").write_text(CHAPTERS)
    media.ffmpeg(
        "-f lavfi -i aevalsrc=0.1*sin(2000*t)*lt(mod(t\\,4)\\,2):s=48000:d=6 "
        f"-f lavfi -i color=red:s=300x200:d=0.04 -i {tmp_path}/chapters.txt "
        "-map 0 -map 1 -map_metadata 2 -map_chapters 2 -c:a libmp3lame -q:a 6 "
        "-write_xing 0 -c:v png -disposition:v attached_pic",
        str(source),
    )
    plan, outputs, _ = await heard(source, tmp_path)
    assert plan.duration == pytest.approx(6, abs=0.15)
    assert all(abs(output.loudness + 16) <= 1 and output.true_peak <= -1 for output in outputs)

    tracks = [track(plan, output.track) for output in outputs]
    for each in tracks:
        (tmp_path / each.name / "media.m3u8").write_text(media_playlist(each))
    (tmp_path / "master.m3u8").write_text(master_playlist(plan, [], tracks))
    master = m3u8.load(str(tmp_path / "master.m3u8"))
    assert [variant.uri for variant in master.playlists] == ["audio/media.m3u8", "audio64/media.m3u8"]
    assert {variant.stream_info.codecs for variant in master.playlists} == {"mp4a.40.2"}
    rates = [variant.stream_info.bandwidth for variant in master.playlists]
    assert rates[0] > 100_000 > rates[1] * 1.2
    played = subprocess.run(
        [media.TOOLS.ffmpeg, "-v", "warning", "-i", tmp_path / "master.m3u8", "-map", "0", "-f", "null", "-"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert played.stderr == ""

    files = await draw_sound(media.TOOLS, source, plan, tmp_path, timeout=PATIENCE)
    assert [file.name for file in files] == ["poster.jpg", "storyboard-00.jpg", "storyboard.vtt"]
    poster = np.asarray(Image.open(tmp_path / "poster.jpg").convert("RGB"), dtype=float)
    assert poster.shape == (200, 300, 3) and np.abs(poster.mean((0, 1)) - (254, 0, 0)).max() < 4
    sheet = np.asarray(Image.open(tmp_path / "storyboard-00.jpg").convert("L"), dtype=float)
    tiles = [sheet[:90, 160 * number : 160 * (number + 1)] for number in range(3)]
    inked = [(tile < 180).mean() for tile in tiles]
    assert inked[0] > 0.1 > 3 * inked[1] and inked[2] > 0.1, "loud, quiet, loud"
    brought = await take_texts(media.TOOLS, source, plan, tmp_path, timeout=PATIENCE)
    assert brought.chapters == [Chapter(0.0, "하나"), Chapter(pytest.approx(2.5, abs=0.05), "둘")]


@pytest.mark.parametrize(
    ("kind", "args", "refused"),
    [
        ("wav", "-c:a pcm_s16le", True),
        pytest.param("flac", "-c:a flac", True, marks=SLOW),
        pytest.param("aiff", "-c:a pcm_s16be", True, marks=SLOW),
        pytest.param("m4a", "-c:a aac -movflags +faststart", True, marks=SLOW),
        pytest.param("mp3", "-c:a libmp3lame -q:a 6", False, marks=SLOW),
        pytest.param("mp3", "-c:a libmp3lame -q:a 6 -write_xing 0", None, marks=SLOW),
        pytest.param("ogg", "-c:a libvorbis", None, marks=SLOW),
    ],
)
async def test_what_a_head_promises_is_looked_for(
    kind: str, args: str, refused: bool | None, tmp_path: Path
) -> None:
    """Half of what was recorded. What counts nothing is as long as it is."""
    source = tmp_path / f"lecture.{kind}"
    media.ffmpeg(f"-f lavfi -i sine=d=20:r=16000 {args}", str(source))
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    if refused:
        with pytest.raises(MediaError) as caught:
            await probe(media.TOOLS, source, max_seconds=30)
        assert caught.value.code == errors.DECODE_FAILED
        return
    info = await probe(media.TOOLS, source, max_seconds=30)
    assert info.missing_end == (pytest.approx(10, abs=1) if refused is False else 0.0)


@pytest.mark.parametrize(
    ("length", "part"), [(1000, 0.0), (2000, 1.0), (0, 0.0), (2**32 - 1, 0.0), (500, 0.0)]
)
def test_what_a_wav_says_of_its_size(length: int, part: float, tmp_path: Path) -> None:
    """Who writes to a pipe says nothing, or the most there is."""
    head = b"RIFF\0\0\0\0WAVEfmt \x03\0\0\0abc\0data" + length.to_bytes(4, "little")
    (tmp_path / "a.wav").write_bytes(head + bytes(1000))
    assert missing_part(tmp_path / "a.wav") == part


@pytest.mark.slow
async def test_a_recording_without_a_cover_shows_its_wave(tmp_path: Path) -> None:
    source = tmp_path / "lecture.wav"
    media.ffmpeg("-f lavfi -i aevalsrc=0.5*sin(2000*t)*gt(t\\,3):s=48000:d=6", str(source))
    source, plan = await media.prepare(source)
    await draw_sound(media.TOOLS, source, plan, tmp_path, timeout=PATIENCE)
    poster = Image.open(tmp_path / "poster.jpg")
    assert poster.size == (1280, 720)
    ink = np.asarray(poster.convert("L"), dtype=float) < 180
    assert ink[:, 700:].mean() > 0.2 > 0.02 > ink[:, :580].mean()


@pytest.mark.slow
async def test_recordings_joined_are_as_long_as_both(tmp_path: Path) -> None:
    """A chained Ogg: its clock begins again with the second one."""
    for number, frequency in enumerate((440, 880)):
        media.ffmpeg(
            f"-f lavfi -i sine=f={frequency}:d=3:r=48000 -c:a libopus", str(tmp_path / f"{number}.opus")
        )
    source = tmp_path / "both.opus"
    source.write_bytes(b"".join((tmp_path / f"{number}.opus").read_bytes() for number in (0, 1)))
    plan, _, (file, _) = await heard(source, tmp_path)
    assert plan.duration == pytest.approx(6, abs=0.2)
    assert [pitch(file, at) for at in (1.5, 4.5)] == [440, 880]


def pitch(path: Path, at: float) -> int:
    """Hz of the strongest tone in the half second at `at`, to ten."""
    part = np.array(samples(path)[round(at * RATE) : round((at + 0.5) * RATE)], dtype=float)
    return int(round(np.argmax(np.abs(np.fft.rfft(part))) * 2, -1))


def sounds(*kinds: str) -> str:
    """Inputs of a picture and of sounds that are told apart: two people, and others of no use."""
    talk = "aevalsrc='(0.02+0.3*gt(sin({0}*t),0.2))*sin({1}*t)':s=48000:d=6"
    made = {
        "one": talk.format(5, 2764),
        "two": talk.format(3, 5529),
        "one again": talk.format(5, 2764),
        "mute": "anullsrc=r=48000:d=6",
    }
    return "-f lavfi -i color=s=64x64:r=10:d=6 " + " ".join(f"-f lavfi -i {made[kind]}" for kind in kinds)


KEPT = {
    "two languages": (("one:kor", "two:eng"), [("ko", "한국어"), ("en", "English")]),
    "the default one comes first": (
        ("one:kor", "two:eng:-disposition:a:0 0 -disposition:a:1 default"),
        [("en", "English"), ("ko", "한국어")],
    ),
    "a mute one": (("mute:kor", "two:eng"), [("en", "English")]),
    "a mute one behind": (("two:eng", "mute:kor"), [("en", "English")]),
    "the same sound under two languages": (("one:kor:-c:a:1 ac3", "one again:eng"), [("ko", "한국어")]),
    "a commentary": (
        ("one:kor", "two:kor:-disposition:a:1 comment"),
        [("ko", "한국어"), ("ko", "한국어 2")],
    ),
    "a title": (
        ("one:kor", "two:kor:-metadata:s:a:1 title=해설"),
        [("ko", "한국어"), ("ko", "해설")],
    ),
    "a recorder's microphone of its own": (("one:und", "two:und"), [("und", "Audio")]),
}


QUICK = ("the same sound under two languages",)


@pytest.mark.parametrize(
    "case", [*QUICK, *(pytest.param(case, marks=SLOW) for case in KEPT if case not in QUICK)]
)
async def test_sounds_that_are_there_to_be_chosen_are_kept(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audible, "_LOOK", 1.0)
    given, kept = KEPT[case]
    kinds, languages, more = zip(*((each + "::").split(":", 2) for each in given), strict=True)
    named = [f"-metadata:s:a:{number} language={each}" for number, each in enumerate(languages)]
    maps = " ".join(f"-map {number}" for number in range(len(given) + 1))
    path = tmp_path / "several.mkv"
    extra = " ".join(each.rstrip(":") for each in more)
    media.ffmpeg(f"{sounds(*kinds)} {maps} -c:v mpeg4 -c:a aac {' '.join(named)} {extra}", str(path))
    found = (await probe(media.TOOLS, path, max_seconds=30)).sounds
    assert [(each.language, each.label) for each in found] == kept


async def test_of_no_language_anything_is_lost(tmp_path: Path) -> None:
    """One begins late, the other ends late; and what they are called by a phone's settings is understood."""
    source = tmp_path / "both.mka"
    one, two = "aevalsrc=0.3*sin(4000*t)*gt(mod(t\\,3)\\,1):s=16000:d=3", "sine=300:r=16000:d=5"
    media.ffmpeg(
        f"-itsoffset 1 -f lavfi -i {one} -f lavfi -i {two} -map 0 -map 1 -c:a pcm_s16le "
        "-metadata:s:a:0 language=ko_KR -metadata:s:a:1 language=en_US",
        str(source),
    )
    info = await probe(media.TOOLS, source, max_seconds=30)
    assert [sound.language for sound in info.sounds] == ["ko", "en"]
    assert (info.audio_start, info.audio_end) == pytest.approx((0, 5), abs=0.05)


async def test_an_mp3_with_a_cover_larger_than_what_is_looked_at(tmp_path: Path) -> None:
    """A megabyte of it comes before the sound, in a file whose name says nothing."""
    source = tmp_path / "lecture"
    media.ffmpeg("-f lavfi -i sine=d=2:r=16000 -c:a libmp3lame -b:a 64k -f mp3 -id3v2_version 0", str(source))
    length = 1_100_000
    size = bytes(length >> 7 * place & 0x7F for place in (3, 2, 1, 0))
    source.write_bytes(b"ID3\x04\0\0" + size + bytes(length) + source.read_bytes())
    assert (await probe(media.TOOLS, source, max_seconds=30)).audio_end == pytest.approx(2, abs=0.15)


@pytest.mark.slow
@pytest.mark.parametrize("container", ["mp4", "ts", "m4a"])
async def test_each_language_is_a_rendition_that_players_offer(container: str, tmp_path: Path) -> None:
    source = tmp_path / f"both.{container}"
    maps = "-map 1 -map 2" if container == "m4a" else "-map 0 -map 1 -map 2"
    media.ffmpeg(
        f"{sounds('one', 'two')} {maps} -c:v mpeg4 -c:a aac -metadata:s:a:0 language=kor "
        "-metadata:s:a:1 language=eng",
        str(source),
    )
    plan, outputs, files = await heard(source, tmp_path)
    assert [output.track.name for output in outputs] == ["audio", "audio2"]
    assert [pitch(file, 0.5) // 100 for file in files] == [4, 8]
    tracks = [track(plan, output.track) for output in outputs]
    video = [tracks[0].model_copy(update={"name": rung.name}) for rung in plan.rungs]
    master = m3u8.loads(master_playlist(plan, video, tracks))
    assert [(each.language, each.name, each.default, each.autoselect, each.uri) for each in master.media] == [
        ("ko", "한국어", "YES", "YES", "audio/media.m3u8"),
        ("en", "English", "NO", "YES", "audio2/media.m3u8"),
    ]
    assert {variant.stream_info.audio for variant in master.playlists} == {"audio"}
    assert len(master.playlists) == max(1, len(plan.rungs))
