"""A part of a lecture: every frame and every packet of sound of it, at its place, as the whole has it."""

from __future__ import annotations

import base64
import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, MagicMock
from uuid import UUID

import m3u8
import pytest
from temporalio.exceptions import ApplicationError

from activities.video import trimming
from activities.video.audio import encode_audio
from activities.video.cutting import Edge, Kept, of_picture, of_sound, outward
from activities.video.encode import encode_stretch
from activities.video.publication import Publication
from activities.video.stored import StoredVersion
from activities.video.storing import SegmentStore
from activities.video.trimming import TrimActivities, frames_of
from clients.objects import ObjectMissing
from clients.vault import Vault
from contracts.trim import Cut, CutInput, MadeOf, TrimBegun, TrimInput
from contracts.video import EncodePlan, PublishInput, SegmentManifest, SourceRef
from rules.captions.cues import Cue, within
from rules.captions.writing import Chapter, chapters_within
from tests.lab import PATIENCE
from tests.unit import media
from tests.unit.test_media_sound import sounds

BASE, NEW = "tenants/7/video/hls/42/aaaaaaaaaaaa-1/", "tenants/7/video/hls/42/bbbbbbbbbbbb-1/"
VAULT = Vault(f"k:{base64.b64encode(bytes(32)).decode()}")
JOB = UUID(int=7)
MADE = datetime(2026, 11, 1, tzinfo=UTC)


SOURCE, UNKNOWN = MadeOf(key="source"), MadeOf(key="")


class Bucket(dict[str, bytes]):
    """All of it was written at once, but for what `later` names."""

    later: str = ""

    def put(self, key: str, data: bytes | Path, _type: str, **_: Any) -> None:
        self[key] = data if isinstance(data, bytes) else data.read_bytes()

    def get(self, key: str) -> bytes:  # type: ignore[override]
        if key not in self:
            raise ObjectMissing
        return self[key]

    def list(self, prefix: str) -> list[tuple[str, int]]:
        return [(key, len(data)) for key, data in self.items() if key.startswith(prefix)]

    def written(self, prefix: str) -> list[tuple[str, int, datetime]]:
        return [(key, size, MADE + timedelta(hours=key == self.later)) for key, size in self.list(prefix)]

    def head(self, key: str) -> SourceRef:
        return SourceRef(key=key, etag="e", size=len(self.get(key)))


class Source:
    """What `ProbeActivities` and `Sources` know of a file."""

    def __init__(self, path: Path, plan: EncodePlan) -> None:
        self._path = path
        self._plan = plan

    async def plan(self, *_: object) -> EncodePlan:
        return self._plan

    @asynccontextmanager
    async def of(self, _plan: EncodePlan) -> AsyncIterator[Path]:
        yield self._path


class Lecture:
    """A source and the version that was made of it, nothing lost in its picture."""

    marks: dict[str, Path] | None = None

    def __init__(self, path: Path, plan: EncodePlan, folder: Path) -> None:
        self.path, self.plan, self.folder = path, plan, folder
        self.bucket = Bucket()
        self.bucket["source"] = b"x"
        self.objects: Any = self.bucket

    async def make(self) -> None:
        store = SegmentStore(self.objects, VAULT)
        manifests = []
        for unit, tracks in enumerate(
            await media.encode(self.path, self.plan, self.folder, self.marks, **media.LOSSLESS)
        ):
            stored = await store.upload(self.plan, self.folder / str(unit), tracks)
            manifest = SegmentManifest(encoder=self.plan.encoder, units=[unit], tracks=stored)
            manifests.append(await store.write(f"{BASE}work/{unit}.json", manifest))
        audio = None
        if self.plan.has_audio:
            (self.folder / "sound").mkdir()
            sounds = await encode_audio(
                media.TOOLS, self.path, self.plan, self.folder / "sound", timeout=PATIENCE
            )
            stored = await store.upload(self.plan, self.folder / "sound", [each.track for each in sounds])
            audio = await store.accept(
                self.plan, "audio", [SegmentManifest(encoder=self.plan.encoder, units=[], tracks=stored)]
            )
        self.publish(
            PublishInput(
                job_id=JOB,
                tenant_id=7,
                video_id=42,
                epoch=1,
                plan=self.plan,
                batches=manifests,
                audio=audio,
            )
        )

    def publish(self, what: PublishInput) -> None:
        Publication.read(self.objects, what).check_and_write_playlists()

    async def trim(self, start: float, end: float | None, base: str = BASE, made_of: MadeOf = SOURCE) -> Cut:
        prefix = NEW if base == BASE else NEW.replace("b", "c")
        activities = TrimActivities(
            objects=self.objects,
            board=AsyncMock(),
            probing=Source(self.path, self.plan),  # type: ignore[arg-type]
            sources=Source(self.path, self.plan),  # type: ignore[arg-type]
            tools=media.TOOLS,
            encoder="e",
            scratch=self.folder,
            room=MagicMock(),
            vault=VAULT,
            encrypt=False,
        )
        trim = TrimInput(job_id=JOB, tenant_id=7, video_id=42, version="x", start=start, end=end)
        begun = TrimBegun(epoch=1, base=base, made_of=made_of)
        cut = await activities.cut(CutInput(trim=trim, epoch=1, prefix=prefix, begun=begun))
        self.publish(cut.publish)
        return cut

    def whole(self, prefix: str, track: str) -> Path:
        """What a player puts together."""
        version = StoredVersion(self.objects, VAULT, prefix)
        stored = next(each for each in (*version.video, *version.sound) if each.name == track)
        path = self.folder / f"{prefix.split('/')[-2]}-{track}.mp4"
        parts = [version.segment(stored, number) for number in range(len(stored.files))]
        path.write_bytes(stored.init_bytes + b"".join(parts))
        return path


async def lecture(folder: Path, name: str, **changes: Any) -> Lecture:
    return await lecture_of(folder, media.make(folder, name), **changes)


async def lecture_of(folder: Path, source: Path, **changes: Any) -> Lecture:
    (folder / "made").mkdir(exist_ok=True)
    path, plan = await media.prepare(source, prefix=BASE, **changes)
    made = Lecture(path, plan, folder / "made")
    await made.make()
    return made


@pytest.fixture(autouse=True)
def lossless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trimming, "encode_stretch", partial(encode_stretch, quality=media.LOSSLESS))


def packets(path: Path) -> list[tuple[Fraction, str]]:
    """(time, md5) of every packet of sound, as it is stored."""
    command = [media.TOOLS.ffmpeg, "-v", "error", "-copyts", "-i", str(path), "-map", "0:a", "-c", "copy"]
    text = subprocess.run(
        [*command, "-f", "framemd5", "-"], check=True, capture_output=True, text=True, timeout=PATIENCE
    ).stdout
    rows = [line.split(",") for line in text.splitlines() if not line.startswith("#")]
    return [(Fraction(int(row[2]), 48_000), row[5].strip()) for row in rows]


def pictures(lecture: Lecture, prefix: str) -> list[tuple[Fraction, str]]:
    return media.decoded(f"-copyts -i {lecture.whole(prefix, lecture.plan.rungs[0].name)}")


def holds(lecture: Lecture, cut: Cut, base: str, new: str, first: int, end: int) -> None:
    """Frames `first` to before `end` of `base` are those of `new`, and so is its sound."""
    fps = lecture.plan.fps
    whole, part = pictures(lecture, base), pictures(lecture, new)
    assert [digest for _, digest in part] == [digest for _, digest in whole[first:end]]
    assert [time for time, _ in part] == [frame / fps for frame in range(end - first)]
    assert cut.publish.plan.total_frames == end - first
    if not lecture.plan.has_audio:
        return
    heard = packets(lecture.whole(base, "audio"))
    begin = first / fps
    since = [(time - begin, digest) for time, digest in heard if time >= begin]
    found = packets(lecture.whole(new, "audio"))
    assert 0 <= found[0][0] < Fraction(1024, 48_000)
    assert found == [(pytest.approx(time, abs=1 / 48_000), digest) for time, digest in since[: len(found)]]
    assert abs(found[-1][0] + Fraction(1024, 48_000) - (end - first) / fps) <= Fraction(1024, 48_000)


async def test_every_frame_and_packet_of_a_part_is_at_its_place(tmp_path: Path) -> None:
    made = await lecture(tmp_path, "closed_gop")
    cut = await made.trim(1.32, 8.6)
    holds(made, cut, BASE, NEW, 33, 215)
    assert (cut.start, cut.end, cut.inexact) == (1.32, 8.6, None)
    assert cut.made_of == MadeOf(key="source", etag="e", first_frame=33, start=1.32)

    name = made.plan.rungs[0].name
    listed = m3u8.loads(made.bucket[f"{NEW}{name}/media.m3u8"].decode())
    # What the cut goes through is made again, and a tail of less than a second joins; the rest is as it was.
    assert [segment.duration for segment in listed.segments] == [2.68, 4.6]
    old, new = (StoredVersion(made.objects, VAULT, prefix) for prefix in (BASE, NEW))
    kept = old.segment(old.video[0], 1)
    assert kept[-len(kept) // 2 :] in new.segment(new.video[0], 1)
    rates = [each.stream_info for each in m3u8.loads(made.bucket[f"{NEW}master.m3u8"].decode()).playlists]
    sound = m3u8.loads(made.bucket[f"{NEW}audio/media.m3u8"].decode())
    peak = sum(
        max(
            8 * len(made.bucket[f"{NEW}{folder}/{each.uri}"]) / each.duration
            for each in playlist.segments
            if each.duration * 2 >= max(other.duration for other in playlist.segments)
        )
        for folder, playlist in ((name, listed), ("audio", sound))
    )
    assert rates[0].bandwidth == pytest.approx(peak, abs=2)
    assert {"poster.jpg", "storyboard.vtt"} <= {key.removeprefix(NEW) for key in made.bucket}
    assert "00:00:06.000 --> 00:00:07.280" in made.bucket[f"{NEW}storyboard.vtt"].decode()

    # What was cut is cut again, from the same source.
    again = await made.trim(0.2, 5.04, NEW, cut.made_of)
    holds(made, again, NEW, NEW.replace("b", "c"), 5, 126)
    assert again.made_of == MadeOf(key="source", etag="e", first_frame=38, start=1.52)


@pytest.mark.slow
async def test_without_its_source_the_cut_falls_on_borders_and_says_so(tmp_path: Path) -> None:
    made = await lecture(tmp_path, "closed_gop")
    for made_of, later, why in (
        (UNKNOWN, "", "source_unknown"),
        (MadeOf(key="gone"), "", "source_gone"),
        (MadeOf(key="source", etag="other"), "", "source_differs"),
        (SOURCE, "source", "source_differs"),
        (MadeOf(key="source", etag="e", first_frame=9), "", "source_differs"),
    ):
        made.bucket.later = later
        cut = await made.trim(4.52, 7.6, made_of=made_of)
        assert (cut.start, cut.end, cut.inexact) == (4.0, 8.0, why)
        # What was not proven now is not proven by the time of the version that is made now.
        known = made_of if made_of.etag else UNKNOWN
        begin = made_of.first_frame + 100
        assert cut.made_of == known.model_copy(update={"first_frame": begin, "start": 4.0})
    holds(made, cut, BASE, NEW, 100, 200)
    # An encoder that says something else of its segments.
    name = made.plan.rungs[0].name
    made.bucket[f"{BASE}{name}/init.mp4"] += b"\0\0\0\x08free"
    made.bucket.later = ""
    assert (await made.trim(4.52, 7.6)).inexact == "encoder_differs"
    # On borders nothing is needed.
    assert (await made.trim(4, 8, made_of=UNKNOWN)).inexact is None


@pytest.mark.slow
async def test_rates_of_thousandths_and_open_gops_too(tmp_path: Path) -> None:
    for name, (start, end), (first, behind) in (
        ("ntsc", (2.0, 9.0), (60, 270)),
        ("open_gop", (0.04, 9.0), (1, 225)),
    ):
        made = await lecture(tmp_path, name)
        holds(made, await made.trim(start, end), BASE, NEW, first, behind)
        (tmp_path / "made").rename(tmp_path / f"made-{name}")


@pytest.mark.slow
@pytest.mark.parametrize("every", [0, 1])
async def test_what_is_encrypted_stays_so_under_its_own_key(tmp_path: Path, every: int) -> None:
    made = await lecture(tmp_path, "closed_gop", key_id="k", key_segments=every)
    holds(made, await made.trim(1.32, None), BASE, NEW, 33, 250)
    named = re.findall(r'KEY:METHOD=AES-128,URI="\.\./(.+)"', made.bucket[f"{NEW}audio/media.m3u8"].decode())
    assert named == (["keys-k/0", "keys-k/1", "keys-k/2"] if every else ["key-k"])
    assert b"moof" not in made.bucket[f"{NEW}audio/s00001.m4s"]


@pytest.mark.slow
async def test_sound_alone_is_cut_between_its_frames_without_a_source(tmp_path: Path) -> None:
    source = tmp_path / "lecture.mp3"
    media.ffmpeg("-f lavfi -i anoisesrc=d=10:a=0.2 -c:a libmp3lame -q:a 6", str(source))
    made = await lecture_of(tmp_path, source)
    cut = await made.trim(1.0, 8.0, made_of=UNKNOWN)
    assert (cut.inexact, cut.publish.plan.total_frames) == (None, 328)  # of AAC, from the 47th
    for name in ("audio", "audio64"):
        whole, part = (packets(made.whole(prefix, name)) for prefix in (BASE, NEW))
        assert [digest for _, digest in part] == [digest for _, digest in whole[47:375]]
        assert [time for time, _ in part] == [Fraction(1024 * frame, 48_000) for frame in range(328)]
    assert {"poster.jpg", "storyboard.vtt"} <= {key.removeprefix(NEW) for key in made.bucket}


@pytest.mark.slow
async def test_every_language_is_cut_alike(tmp_path: Path) -> None:
    source = tmp_path / "lecture.mp4"
    media.ffmpeg(
        f"{sounds('one', 'two')} -map 0 -map 1 -map 2 -c:v libx264 -preset ultrafast -c:a aac "
        "-metadata:s:a:0 language=kor -metadata:s:a:1 language=eng",
        str(source),
    )
    made = await lecture_of(tmp_path, source)
    holds(made, await made.trim(3.8, None), BASE, NEW, 38, 60)  # what is short at its start joins, too
    name = made.plan.rungs[0].name
    listed = m3u8.loads(made.bucket[f"{NEW}{name}/media.m3u8"].decode())
    assert [each.duration for each in listed.segments] == [2.2]
    whole, part = (packets(made.whole(prefix, "audio2")) for prefix in (BASE, NEW))
    kept = [digest for time, digest in whole if time >= 3.8]
    assert [digest for _, digest in part] == kept[: len(part)]
    before, after = (m3u8.loads(made.bucket[f"{prefix}master.m3u8"].decode()) for prefix in (BASE, NEW))
    said = [[(each.name, each.language, each.default) for each in one.media] for one in (before, after)]
    assert said[0] == said[1] == [("한국어", "ko", "YES"), ("English", "en", "NO")]


def test_segments_wholly_within_are_kept_and_short_ends_join() -> None:
    starts = [0, 100, 200, 300, 330]
    assert of_picture(starts, 33, 230, 25) == [[Edge(33, 67)], [Kept(1)], [Edge(200, 30)]]
    assert of_picture(starts, 90, 210, 25) == [[Edge(90, 10), Kept(1), Edge(200, 10)]]
    assert of_picture(starts, 100, 330, 25) == [[Kept(1)], [Kept(2)], [Kept(3)]]
    assert of_picture(starts, 120, 180, 25) == [[Edge(120, 60)]]
    assert (outward(starts, 33, 230), outward(starts, 100, 300)) == ((0, 300), (100, 300))
    # Four frames a segment; what begins before the first tick is gone, what ends half behind the last stays.
    sound = [0, 4096, 8192, 12_288]
    assert of_sound(sound, 1024, 1, 9000, 100) == [[Kept(0)], [Kept(1)], [Kept(2)]]
    assert of_sound(sound, 1024, 3073, 8191, 100) == [[Kept(1)]]
    assert of_sound(sound, 1024, 3072, 8192 + 513, 2000) == [[Kept(0), Kept(1), Kept(2)]]


def test_times_that_do_not_fit_are_refused() -> None:
    fps = Fraction(25)
    assert frames_of(1.0, None, fps, 250) == (25, 250)
    assert frames_of(1.0, 10.3, fps, 250) == (25, 250)
    for start, end in ((0.0, None), (0.0, 10.0), (5.0, 5.9), (5.0, 3.0), (1.0, 11.0), (9.5, None)):
        with pytest.raises(ApplicationError) as refused:
            frames_of(start, end, fps, 250)
        assert refused.value.type == "TRIM_OUTSIDE"


def test_captions_and_chapters_move_along() -> None:
    cues = [
        Cue(0, 900, "a"),
        Cue(500, 1500, "b"),
        Cue(2000, 2500, "c"),
        Cue(2900, 4000, "d"),
        Cue(3000, 4000, "e"),
    ]
    assert within(cues, 1000, 3000) == [Cue(0, 500, "b"), Cue(1000, 1500, "c"), Cue(1900, 2000, "d")]
    chapters = [Chapter(0.0, "a"), Chapter(10.0, "b"), Chapter(20.5, "c"), Chapter(30.0, "d")]
    assert chapters_within(chapters, 12.0, 30.0) == [Chapter(0.0, "b"), Chapter(8.5, "c")]
    assert chapters_within(chapters, 10.0, 40.0)[0] == Chapter(0.0, "b")
    assert chapters_within([Chapter(10.0, "b")], 0.5, 40.0) == [Chapter(9.5, "b")]
