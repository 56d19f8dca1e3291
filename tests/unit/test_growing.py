"""A lecture that is watched while it is encoded: what workers tell of it, and the playlists that the API
makes of that."""

from pathlib import Path
from typing import Any, cast
from unittest.mock import MagicMock

import m3u8
import pytest

from activities.video import opening
from activities.video.audio import encode_audio
from activities.video.opening import encode_opening, openings
from activities.video.storing import SegmentStore
from api.growing import Growing, GrowingLectures, read
from clients.objects import ObjectMissing, Objects
from contracts.video import (
    PLAN,
    SOUND,
    EncodePlan,
    Segment,
    SegmentManifest,
    Track,
    ahead_key,
    opening_key,
    unit_key,
)
from rules.fmp4 import read_fragment, read_init
from tests.lab import PATIENCE
from tests.unit import media
from tests.workflows.world import plan

PREFIX = "tenants/7/video/hls/42/x-1/"


class Bucket:
    """Objects by their keys; `asked` counts lists."""

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}
        self.asked = 0

    def put(self, key: str, data: bytes | Path, _type: str) -> None:
        self.stored[key] = data if isinstance(data, bytes) else data.read_bytes()

    def get(self, key: str) -> bytes:
        if key not in self.stored:
            raise ObjectMissing
        return self.stored[key]

    def list(self, prefix: str) -> list[tuple[str, int]]:
        self.asked += 1
        return [(key, len(data)) for key, data in self.stored.items() if key.startswith(prefix)]

    @property
    def objects(self) -> Objects:
        return cast(Objects, self)


def made(units: int = 3, **changes: Any) -> EncodePlan:
    """Of units of four segments."""
    return plan(PREFIX, units).model_copy(update={"unit_segments": 4, "has_audio": True} | changes)


def track(name: str, segments: int, seconds: float = 4.0, folder: str = "") -> Track:
    def of(file: str, lasts: float) -> Segment:
        key = f"{PREFIX}{folder}{name}/{file}"
        return Segment(key=key, size=1000, sha256="", frames=100, duration=lasts, iframe=(0, 5))

    listed = [of(f"s{number:05d}.m4s", seconds) for number in range(segments)]
    return Track(name=name, codec="c", init=of("init.mp4", 0), segments=listed)


def manifest(*tracks: Track) -> bytes:
    return SegmentManifest(encoder="test", units=[], tracks=list(tracks)).model_dump_json().encode()


@pytest.mark.parametrize("key_id", [None, "k1"])
def test_a_playlist_grows_and_what_it_said_stays(key_id: str | None) -> None:
    bucket = Bucket()
    known: Growing | None = None
    told: dict[str, str] = {}

    def look(key: str = "", content: bytes = b"") -> tuple[int, int]:
        """How many segments of picture and sound there are now, to who looked before and who did not."""
        nonlocal known
        if key:
            bucket.stored[key] = content
        known, newcomer = read(bucket.objects, PREFIX, known), read(bucket.objects, PREFIX)
        counts = []
        for name in ("360p", "audio"):
            text = (known and known.media(name)) or ""
            assert text.startswith(told.get(name, ""))
            assert text == ((newcomer and newcomer.media(name)) or "")
            told[name] = text
            counts.append(text.count("#EXTINF"))
        return counts[0], counts[1]

    assert look() == (0, 0)
    assert look(PREFIX + PLAN, made(key_id=key_id, total_frames=1050).model_dump_json().encode()) == (0, 0)
    assert known and not known.can_be_watched
    assert look(ahead_key(PREFIX, 0, 1), manifest(track("360p", 1))) == (1, 0)
    assert known and not known.can_be_watched  # a film without its sound is none
    assert look(opening_key(PREFIX, 60), manifest(track("work/audio", 1))) == (1, 1)
    assert look(opening_key(PREFIX, 600), manifest(track("work/audio", 2))) == (1, 2)
    assert known and known.can_be_watched
    assert look(ahead_key(PREFIX, 0, 3), manifest(track("360p", 3))) == (3, 2)
    assert look(unit_key(PREFIX, 1), b"") == (3, 2)  # it is not what comes next
    assert look(PREFIX + SOUND, manifest(track("audio", 11, 4.01))) == (3, 11)
    assert look(unit_key(PREFIX, 0), manifest(track("360p", 4))) == (8, 11)
    assert look(unit_key(PREFIX, 2), b"") == (11, 11)  # a tail of two seconds is a segment

    master = m3u8.loads(known.master() if known else "")
    assert [each.uri for each in master.playlists] == ["360p/media.m3u8"] and not master.iframe_playlists
    assert [each.uri for each in master.media] == ["audio/media.m3u8"]
    for name in ("360p", "audio"):
        listed = m3u8.loads(told[name])
        assert (listed.playlist_type, listed.is_endlist, listed.start.time_offset) == ("event", False, 0)
        assert listed.target_duration == 5 and listed.is_independent_segments
        keys = [each.key and each.key.uri for each in listed.segments]
        assert keys == [key_id and f"../key-{key_id}"] * len(listed.segments)
    lasts = [each.duration for each in m3u8.loads(told["360p"]).segments]
    assert lasts == [*[4.0] * 10, 2.0]
    heard = m3u8.loads(told["audio"]).segments
    assert [each.uri for each in heard[1:3]] == ["../work/audio/s00001.m4s", "s00002.m4s"]
    assert [each.init_section.uri for each in heard[1:3]] == ["../work/audio/init.mp4", "init.mp4"]
    if key_id:  # what stands before a map would encrypt it
        assert '#EXT-X-KEY:METHOD=NONE\n#EXT-X-MAP:URI="init.mp4"\n' in told["audio"]

    del bucket.stored[PREFIX + PLAN]  # published, or erased
    assert read(bucket.objects, PREFIX, known) is None
    bucket.stored[PREFIX + PLAN] = b"{}"  # of a later release
    assert read(bucket.objects, PREFIX) is None


async def test_the_store_is_asked_once_however_many_watch() -> None:
    bucket = Bucket()
    bucket.stored[PREFIX + PLAN] = made(has_audio=False).model_dump_json().encode()
    bucket.stored[unit_key(PREFIX, 0)] = manifest(track("360p", 4))
    lectures = GrowingLectures(bucket.objects)
    viewer = MagicMock(growing=True, hls_prefix=PREFIX)
    for _ in range(100):
        assert await lectures.of(viewer)
    assert bucket.asked == 1
    assert await lectures.of(MagicMock(growing=False, hls_prefix=PREFIX)) is None


async def test_segments_are_told_of_while_their_unit_is_encoded(tmp_path: Path) -> None:
    source = tmp_path / "lecture.mp4"
    media.ffmpeg(
        "-f lavfi -i testsrc2=s=160x90:r=10:d=12.5 -c:v libx264 -preset ultrafast -g 50", str(source)
    )
    _, plan = await media.prepare(source, unit_segments=4)
    assert [len(each) for each in plan.segments(0)] == [40, 40, 45]
    (tracks,) = await media.encode(source, plan, tmp_path, **media.LOSSLESS)
    out, bucket = tmp_path / "0", Bucket()
    store = SegmentStore(bucket.objects, MagicMock())
    async with store.ahead(plan, 0, out) as ahead:
        (out / "90p" / "s00003.m4s").write_bytes(b"what comes next")  # so that the third looks finished
        ahead.look()
        await ahead.settle()
        ahead.tell()
        await ahead.settle()
    (key,) = [key for key in bucket.stored if "ahead" in key]
    assert key == ahead_key(plan.prefix, 0, 2)  # the third has a tail yet to come
    (told,) = SegmentManifest.model_validate_json(bucket.stored[key]).tracks
    whole = tracks[0]
    assert [each.sha256 for each in told.segments] == [each.sha256 for each in whole.segments[:2]]
    assert bucket.stored[told.init.key] == (out / whole.init.name).read_bytes()
    bucket.stored[plan.prefix + PLAN] = plan.model_dump_json().encode()
    shown = read(bucket.objects, plan.prefix)
    assert shown and (shown.media("90p") or "").count("#EXTINF:4.000000") == 2

    # What is not what was planned is not told of.
    (out / "90p" / "s00001.m4s").write_bytes((out / "90p" / "s00000.m4s").read_bytes())
    bucket.stored.clear()
    async with store.ahead(plan, 0, out) as ahead:
        ahead.look()
        await ahead.settle()
        ahead.tell()
        await ahead.settle()
    assert not [key for key in bucket.stored if "ahead" in key]


@pytest.mark.slow
async def test_the_openings_sound_goes_over_into_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "lecture.mp4"
    media.ffmpeg(
        "-f lavfi -i testsrc2=s=160x90:r=10:d=26 -f lavfi -i sine=d=26:r=44100 -preset ultrafast -c:a aac",
        str(source),
    )
    _, plan = await media.prepare(source)
    assert openings(plan) == []
    monkeypatch.setattr(opening, "SOUND_OPENINGS", (6.0, 12.0, 24.0))
    assert openings(plan) == [6.0, 12.0]
    (tmp_path / "whole").mkdir()
    first, soon = [
        await encode_opening(
            media.TOOLS, source, plan, tmp_path / str(seconds), seconds=seconds, timeout=PATIENCE
        )
        for seconds in openings(plan)
    ]
    assert (first.init, first.segments) == (soon.init, soon.segments[:1])
    (whole,) = await encode_audio(media.TOOLS, source, plan, tmp_path / "whole", timeout=PATIENCE)

    assert [file.name for file in soon.segments] == ["work/audio/s00000.m4s", "work/audio/s00001.m4s"]
    lasts = [file.duration for file in whole.track.segments]
    assert [file.duration for file in soon.segments] == lasts[:2]
    assert (soon.init.sha256, soon.codec) == (whole.track.init.sha256, whole.track.codec)
    # What comes behind them begins where they end.
    init = read_init((tmp_path / "whole" / whole.track.init.name).read_bytes())
    after = read_fragment((tmp_path / "whole" / whole.track.segments[2].name).read_bytes(), init)
    last = read_fragment((tmp_path / "12.0" / soon.segments[1].name).read_bytes(), init)
    assert last.start + last.duration == after.start
