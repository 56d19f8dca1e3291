"""A lecture as a file: the packets of its version at their times, and the index first."""

from fractions import Fraction
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from activities.video.download import copy, file_name, join, rung_for, wanted
from activities.video.plan import rung_of
from activities.video.stored import StoredVersion
from rules.hls_keys import HlsKey
from tests.unit import media
from tests.unit.test_trim import BASE, NEW, VAULT, lecture, packets


async def test_the_file_has_the_packets_of_the_version_at_their_times(tmp_path: Path) -> None:
    made = await lecture(tmp_path, "closed_gop")
    await made.trim(4, 8, made_of=None)  # its sound begins behind its picture
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


async def test_what_may_not_be_given_is_not(tmp_path: Path) -> None:
    made = await lecture(tmp_path, "closed_gop")
    version = StoredVersion(made.objects, VAULT, BASE)
    assert file_name(version, 90) == "download-90p.mp4"
    with pytest.raises(ApplicationError) as refused:
        wanted(version, 89)
    assert refused.value.type == "DOWNLOAD_OFF"
    version.sound[0].keys[:] = [HlsKey("k")] * len(version.sound[0].keys)
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
