"""The playlists say what was measured, and players open them."""

import subprocess
from collections import Counter
from pathlib import Path

import m3u8
import pytest

from activities.video.audio import encode_audio
from activities.video.encryption import encrypt_tracks
from activities.video.media_files import MediaFile, TrackFiles
from contracts.video import EncodePlan, Segment, Track
from rules.playlists import iframe_playlist, master_playlist, media_playlist, rates
from tests.lab import PATIENCE
from tests.unit import media

BASE = "20260101-abcdef/"
QUICK = {"preset": "ultrafast", "crf": 23}


def track(plan: EncodePlan, files: TrackFiles) -> Track:
    def segment(file: MediaFile) -> Segment:
        return Segment(
            key=plan.prefix + file.name,
            size=file.size,
            sha256=file.sha256,
            frames=file.frames,
            duration=file.duration,
            iframe=file.iframe,
        )

    segments = [segment(file) for file in files.segments]
    return Track(name=files.name, codec=files.codec, init=segment(files.init), segments=segments)


async def publish(tmp_path: Path) -> tuple[EncodePlan, list[Track], Track]:
    """The sample in a folder as players would get it: master.m3u8 above, a version below."""
    version = tmp_path / BASE
    source, plan = await media.prepare(media.SAMPLE)
    (units,) = [
        await media.encode_unit(
            media.TOOLS, source, plan, unit=0, out=version, timeout=PATIENCE, quality=QUICK
        )
    ]
    (sound,) = await encode_audio(media.TOOLS, source, plan, version, timeout=PATIENCE)
    video, audio = [track(plan, files) for files in units], track(plan, sound.track)
    for one in (*video, audio):
        (version / one.name / "media.m3u8").write_text(media_playlist(one))
    for one in video:
        (version / one.name / "iframes.m3u8").write_text(iframe_playlist(one) or "")
    (tmp_path / "master.m3u8").write_text(master_playlist(plan, video, [audio], BASE))
    return plan, video, audio


async def test_a_version_as_players_see_it(tmp_path: Path) -> None:
    plan, video, audio = await publish(tmp_path)
    master = m3u8.load(str(tmp_path / "master.m3u8"))

    assert [v.stream_info.resolution for v in master.playlists] == [(1280, 720), (640, 360)]
    for variant in master.playlists:
        one = next(t for t in video if t.name in variant.uri)
        info = variant.stream_info
        peak = max(s.size * 8 / s.duration for s in one.segments if s.duration > 2)
        assert info.codecs == f"{one.codec},mp4a.40.2"
        assert (info.frame_rate, info.audio) == (25.0, "audio")
        assert info.bandwidth > peak > info.average_bandwidth * 0.5
        assert variant.uri.startswith(BASE)
    for one in (*video, audio):
        listed = m3u8.load(str(tmp_path / BASE / one.name / "media.m3u8"))
        assert (listed.version, listed.target_duration, listed.media_sequence) == (7, 4, 0)
        assert (listed.playlist_type, listed.is_endlist) == ("vod", True)
        assert listed.is_independent_segments
        assert listed.segment_map[0].uri == "init.mp4"
        assert [s.uri for s in listed.segments] == ["s00000.m4s", "s00001.m4s"]
        assert sum(s.duration for s in listed.segments) == pytest.approx(plan.duration, abs=0.03)

    first_pictures(tmp_path, plan, master)

    # A player of another make: every stream, the whole length, nothing to complain about.
    command = [media.TOOLS.ffmpeg, "-v", "warning", "-i", tmp_path / "master.m3u8", "-map", "0"]
    command += ["-f", "framecrc", "-c:a", "copy", "-"]
    played = subprocess.run(command, capture_output=True, text=True, check=True)
    assert played.stderr == ""
    seen = Counter(line.partition(",")[0] for line in played.stdout.splitlines() if line[0] != "#")
    assert sorted(seen.values()) == sorted([132, 132, sum(s.frames for s in audio.segments)])


def first_pictures(folder: Path, plan: EncodePlan, master: m3u8.M3U8) -> None:
    """Each range of an I-frame playlist shows, behind the init segment, the first picture of its segment."""
    assert len(master.iframe_playlists) == len(plan.rungs)
    for listed in master.iframe_playlists:
        path = folder / listed.uri
        info, parsed = listed.iframe_stream_info, m3u8.load(str(path))
        assert parsed.is_i_frames_only and parsed.is_endlist and parsed.version >= 4
        assert sum(each.duration for each in parsed.segments) == pytest.approx(plan.duration, abs=0.001)
        init = (path.parent / parsed.segment_map[0].uri).read_bytes()
        sizes = []
        for number, each in enumerate(parsed.segments):
            length, _, at = each.byterange.partition("@")
            whole = (path.parent / each.uri).read_bytes()
            (folder / "one.mp4").write_bytes(init + whole[int(at) : int(at) + int(length)])
            (folder / "all.mp4").write_bytes(init + whole)
            shown = media.decoded(f"-copyts -i {folder}/one.mp4")
            assert [digest for _, digest in shown] == [media.decoded(f"-i {folder}/all.mp4")[0][1]]
            assert shown[0][0] == pytest.approx(number * float(plan.segment_frames / plan.fps), abs=0.001)
            sizes.append(8 * int(length) / each.duration)
        assert info.bandwidth == round(max(sizes)) < master.playlists[0].stream_info.bandwidth
        assert info.resolution in [(rung.width, rung.height) for rung in plan.rungs]


def test_pictures_of_encrypted_and_of_earlier_segments_have_no_playlist() -> None:
    """A range of what is encrypted as a whole cannot be decrypted; earlier releases did not look for them."""
    known = Segment(key="p/s.m4s", size=9, sha256="", frames=1, duration=4.0, iframe=(0, 5))
    unknown = known.model_copy(update={"iframe": None})
    made = [
        iframe_playlist(Track(name="360p", codec="c", init=known, segments=segments))
        for segments in ([known, known], [known, unknown])
    ]
    assert made[0] and made[0].count("#EXT-X-BYTERANGE:5@0\ns.m4s\n") == 2
    assert made[1] is None


def test_encrypted_segments_tell_no_place_of_a_picture(tmp_path: Path) -> None:
    (tmp_path / "s00000.m4s").write_bytes(bytes(40))
    file = MediaFile("s00000.m4s", 40, "", 1, 4.0, iframe=(0, 20))
    (sealed,) = encrypt_tracks(tmp_path, [TrackFiles("360p", "c", file, [file])], lambda _: bytes(16))
    assert (sealed.segments[0].size, sealed.segments[0].iframe) == (48, None)


def test_rates_are_the_largest_segment_and_the_average_with_the_sound() -> None:
    def made(name: str, *sizes: tuple[int, float]) -> Track:
        parts = [
            Segment(key=f"p/{name}/s{n}.m4s", size=size, sha256="", frames=1, duration=duration)
            for n, (size, duration) in enumerate(sizes)
        ]
        return Track(name=name, codec="c", init=parts[0], segments=parts)

    video = made("360p", (1000, 4.0), (3000, 4.0), (500, 0.04))
    sound = made("audio", (500, 4.0), (500, 4.0))
    assert rates([video], [sound]) == [(6000 + 1000, round(4500 * 8 / 8.04) + 1000)]
    assert rates([video], []) == [(6000, round(4500 * 8 / 8.04))]


def test_durations_are_exact_and_the_target_covers_them() -> None:
    parts = [
        Segment(key=f"p/720p/s{n:05d}.m4s", size=1, sha256="", frames=120, duration=120 * 1001 / 30000)
        for n in range(3)
    ]
    text = media_playlist(Track(name="720p", codec="c", init=parts[0], segments=parts))
    assert text.count("#EXTINF:4.004000,") == 3
    assert "#EXT-X-TARGETDURATION:4\n" in text
