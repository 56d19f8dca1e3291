"""The DASH manifest of a version: what it says of each segment is what the segment says of itself."""

from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import pytest

from api.dash import EncryptedLecture, read
from rules.captions.writing import Shown
from rules.dash import Manifest, Run, runs
from rules.fmp4 import BadSegment, read_fragment, read_init
from rules.published import listed
from tests.unit import media
from tests.unit.test_media_sound import sounds
from tests.unit.test_trim import BASE, NEW, Bucket, lecture, lecture_of, lossless

_ = lossless  # of its own accord it makes what a cut goes through as the lectures here are made
SPACE = "{urn:mpeg:dash:schema:mpd:2011}"
KOREAN = Shown(uri="captions/0a/media.m3u8", language="ko", name="한국어 <&>")


class Placed(NamedTuple):
    """A segment by a manifest: where it lies, when it begins and how long it lasts, in ticks."""

    address: str
    start: int
    duration: int


class Told(NamedTuple):
    kind: str
    language: str | None
    about: dict[str, str]
    timescale: int
    init: str
    segments: list[Placed]


def told(text: str) -> list[Told]:
    """Of each rendition, as a player reads it."""
    root = ElementTree.fromstring(text)
    found = []
    for of_all in root.iter(f"{SPACE}AdaptationSet"):
        for one in of_all.iter(f"{SPACE}Representation"):
            template = one.find(f"{SPACE}SegmentTemplate")
            if template is None or template.find(f"{SPACE}SegmentTimeline") is None:
                continue
            placed = []
            for each in template.iter(f"{SPACE}S"):
                start, duration = int(each.attrib["t"]), int(each.attrib["d"])
                for again in range(int(each.get("r", "0")) + 1):
                    address = template.attrib["media"].replace("$Number%05d$", f"{len(placed):05d}")
                    placed.append(Placed(address, start + again * duration, duration))
            found.append(
                Told(
                    of_all.attrib["contentType"],
                    of_all.get("lang"),
                    dict(one.attrib),
                    int(template.attrib["timescale"]),
                    template.attrib["initialization"],
                    placed,
                )
            )
    return found


def is_true(bucket: Bucket, prefix: str) -> Manifest:
    """Every segment of a version is at its time to the tick, no longer and no larger than said, and all of
    them are named."""
    objects: Any = bucket
    manifest = read(objects, prefix)
    named = set()
    for each in told(manifest.text([], in_parts=False)):
        init = read_init(bucket[prefix + each.init])
        assert (init.timescale, init.codec) == (each.timescale, each.about["codecs"])
        for segment in each.segments:
            data = bucket[prefix + segment.address]
            fragment = read_fragment(data, init)
            assert (segment.start, segment.duration) == (fragment.start, fragment.duration)
            if 2 * segment.duration >= max(other.duration for other in each.segments):
                rate = 8 * len(data) * each.timescale / segment.duration
                assert rate <= int(each.about["bandwidth"]) + 2
            named.add(prefix + segment.address)
    assert named == {key for key in bucket if key.startswith(prefix) and key.endswith(".m4s")}
    return manifest


async def test_every_segment_is_at_its_time_after_a_trim_too(tmp_path: Path) -> None:
    made = await lecture(tmp_path, "closed_gop")
    manifest = is_true(made.bucket, BASE)
    assert manifest.duration == made.plan.total_frames / made.plan.fps == 10
    (picture, sound) = told(manifest.text([], in_parts=False))
    assert (picture.kind, sound.kind, sound.about["audioSamplingRate"]) == ("video", "audio", "48000")
    assert (picture.about["width"], picture.about["height"], picture.about["frameRate"]) == (
        "160",
        "90",
        "25",
    )
    cut = await made.trim(1.32, 8.6)
    assert is_true(made.bucket, NEW).duration == Fraction(cut.publish.plan.total_frames, 25)
    assert told(read(made.objects, NEW).text([], in_parts=False))[1].segments[0].start > 0


@pytest.mark.slow
async def test_rates_of_thousandths_and_several_sounds(tmp_path: Path) -> None:
    made = await lecture(tmp_path, "ntsc")
    (picture,) = told(is_true(made.bucket, BASE).text([], in_parts=False))
    assert (picture.about["frameRate"], picture.timescale % 30_000) == ("30000/1001", 0)
    source, folder = tmp_path / "lecture.mp4", tmp_path / "two"
    media.ffmpeg(
        f"{sounds('one', 'two')} -map 0 -map 1 -map 2 -c:v libx264 -preset ultrafast -c:a aac "
        "-metadata:s:a:0 language=kor -metadata:s:a:1 language=eng",
        str(source),
    )
    folder.mkdir()
    both = is_true((await lecture_of(folder, source)).bucket, BASE)
    assert [each.language for each in told(both.text([], in_parts=False))] == [None, "ko", "en"]


@pytest.mark.slow
async def test_a_recording_of_sound_has_both_of_its_rates(tmp_path: Path) -> None:
    source = tmp_path / "lecture.mp3"
    media.ffmpeg("-f lavfi -i anoisesrc=d=10:a=0.2 -c:a libmp3lame -q:a 6", str(source))
    made = await lecture_of(tmp_path, source)
    renditions = told(is_true(made.bucket, BASE).text([], in_parts=False))
    assert [(each.kind, each.about["id"]) for each in renditions] == [
        ("audio", "audio"),
        ("audio", "audio64"),
    ]


async def test_captions_are_whole_or_in_parts(tmp_path: Path) -> None:
    made = await lecture(tmp_path, "long_still")
    manifest = read(made.objects, BASE)
    whole, parts = (manifest.text([KOREAN], in_parts=each) for each in (False, True))
    for text, place in ((whole, ".//*[@contentType='text']//{*}BaseURL"), (parts, ".//*[@duration='30000']")):
        root = ElementTree.fromstring(text)
        (said,) = root.findall(".//*[@contentType='text']")
        assert (said.get("lang"), said.get("mimeType")) == ("ko", "text/vtt")
        assert said.findtext(f"{SPACE}Label") == "한국어 <&>"
        (where,) = root.findall(place)
        assert (where.text or where.get("media")) in (
            "captions/0a/captions.vtt",
            "captions/0a/s$Number%05d$.vtt",
        )
    # What is encrypted whole, or not as we publish, has none.
    name = made.plan.rungs[0].name
    playlist = f"{BASE}{name}/media.m3u8"
    text = made.bucket[playlist].decode()
    key = '#EXT-X-KEY:METHOD=AES-128,URI="../key-k"\n#EXTINF'
    made.bucket[playlist] = text.replace("#EXTINF", key, 1).encode()
    with pytest.raises(EncryptedLecture):
        read(made.objects, BASE)
    for broken in (
        text.replace("#EXT-X-ENDLIST", ""),
        "#EXTM3U\n",
        text.replace("#EXT-X-MAP", "#EXT-X-NONE"),
    ):
        with pytest.raises(BadSegment):
            listed(broken)


def test_segments_of_one_length_are_told_once() -> None:
    assert runs([7, 10, 13, 16, 18, 21]) == [Run(7, 3, 3), Run(16, 2, 1), Run(18, 3, 1)]
