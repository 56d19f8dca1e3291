"""A lecture as a file: the packets of its version at their times, and the index first."""

import subprocess
from fractions import Fraction
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from activities.video.download import copy, file_name, join, rung_for, wanted
from activities.video.languages import in_a_container
from activities.video.plan import rung_of
from activities.video.stored import StoredVersion
from tests.unit import media
from tests.unit.test_media_sound import sounds
from tests.unit.test_trim import BASE, NEW, UNKNOWN, VAULT, lecture, lecture_of, packets


async def test_the_file_has_the_packets_of_the_version_at_their_times(tmp_path: Path) -> None:
    made = await lecture(tmp_path, "closed_gop")
    await made.trim(4, 8, made_of=UNKNOWN)  # its sound begins behind its picture
    for prefix, seconds in ((BASE, 10), (NEW, 4)):
        version = StoredVersion(made.objects, VAULT, prefix)
        tracks = wanted(version, 720)
        paths = [tmp_path / f"{track.name}.mp4" for track in tracks]
        for track, path in zip(tracks, paths, strict=True):
            join(version, track, path)
        out = tmp_path / "lecture.mp4"
        await copy(media.TOOLS, version, paths, out)
        data = out.read_bytes()
        assert data.index(b"moov") < data.index(b"mdat") and b"moof" not in data
        shown = media.decoded(f"-i {out}")
        assert [time for time, _ in shown] == [Fraction(frame, 25) for frame in range(25 * seconds)]
        name = version.rungs[0].name
        assert shown == media.decoded(f"-copyts -i {made.whole(prefix, name)}")
        (first, *_), (heard, *_) = packets(out), packets(made.whole(prefix, "audio"))
        assert first == (pytest.approx(heard[0], abs=1 / 48_000), heard[1])
        assert len(packets(out)) == len(packets(made.whole(prefix, "audio")))


@pytest.mark.slow
async def test_every_sound_is_called_as_players_call_it(tmp_path: Path) -> None:
    source = tmp_path / "source.mp4"
    media.ffmpeg(
        f"{sounds('one', 'two')} -map 0 -map 1 -map 2 -c:v libx264 -preset ultrafast -c:a aac "
        "-metadata:s:a:0 language=kor -metadata:s:a:1 language=eng",
        str(source),
    )
    made = await lecture_of(tmp_path, source)
    version = StoredVersion(made.objects, VAULT, BASE)
    tracks = wanted(version, 720)
    paths = [tmp_path / f"{track.name}.mp4" for track in tracks]
    for track, path in zip(tracks, paths, strict=True):
        join(version, track, path)
    out = tmp_path / "lecture.mp4"
    await copy(media.TOOLS, version, paths, out)
    shown = [
        "-select_streams",
        "a",
        "-show_entries",
        "stream_tags=language,handler_name:stream_disposition=default",
    ]
    argv = [media.TOOLS.ffprobe, "-v", "error", *shown, "-of", "csv=p=0", str(out)]
    found = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()
    assert found == ["1,kor,한국어", "0,eng,English"]


def test_languages_are_said_as_containers_do() -> None:
    said = {"ko": "kor", "zh": "zho", "fr": "fra", "de": "deu", "und": "und", "fil": "fil", "xx": "und"}
    assert {each: in_a_container(each) for each in said} == said


async def test_what_may_not_be_given_is_not(tmp_path: Path) -> None:
    made = await lecture(tmp_path, "closed_gop")
    version = StoredVersion(made.objects, VAULT, BASE)
    assert file_name(version, 90) == "download-90p.mp4"
    with pytest.raises(ApplicationError) as refused:
        wanted(version, 89)
    assert refused.value.type == "DOWNLOAD_OFF"
    version._key = bytes(16)
    with pytest.raises(ApplicationError) as refused:
        wanted(version, 720)
    assert refused.value.type == "DOWNLOAD_ENCRYPTED"


def test_the_largest_rendition_of_at_most_so_many_lines() -> None:
    rungs = [rung_of(640, 360), rung_of(1280, 720), rung_of(1080, 1920)]
    assert [rung_for(rungs, lines) for lines in (144, 360, 719, 720, 2160)] == [
        None,
        rungs[0],
        rungs[0],
        rungs[1],
        rungs[2],
    ]
