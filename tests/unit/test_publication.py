"""What becomes a version that viewers see, of the manifests that workers wrote."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest
from temporalio.exceptions import ApplicationError

from activities.video.publication import Publication
from clients.objects import ObjectMissing, sha256
from contracts.errors import ENCODE_FAILED
from contracts.video import (
    EncodePlan,
    Manifest,
    PublishInput,
    Segment,
    SegmentManifest,
    SoundTrack,
    Track,
)
from tests.workflows.world import plan

PREFIX = "tenants/7/video/hls/42/x-1/"


class Bucket(dict[str, bytes]):
    def list(self, prefix: str) -> list[tuple[str, int]]:
        return [(key, len(data)) for key, data in self.items() if key.startswith(prefix)]

    def put(self, key: str, data: bytes, _type: str) -> None:
        self[key] = data

    def get(self, key: str) -> bytes:  # type: ignore[override]
        if key not in self:
            raise ObjectMissing
        return self[key]


def recording() -> EncodePlan:
    sounds = [SoundTrack(name="audio", stream=0), SoundTrack(name="audio64", stream=0, bitrate=64_000)]
    return plan(PREFIX, 1).model_copy(update={"rungs": [], "sounds": sounds})  # 8 s


def wrote(bucket: Bucket, name: str, lengths: Sequence[float], size: int) -> Track:
    def segment(file: str, duration: float = 0.0) -> Segment:
        bucket[f"{PREFIX}{name}/{file}"] = bytes(size)
        return Segment(key=f"{PREFIX}{name}/{file}", size=size, sha256="", frames=1, duration=duration)

    segments = [segment(f"s{number:05d}.m4s", each) for number, each in enumerate(lengths)]
    return Track(name=name, codec="mp4a.40.2", init=segment("init.mp4"), segments=segments)


def publication(bucket: Bucket, tracks: list[Track] | None) -> Publication:
    audio = None
    if tracks is not None:
        data = SegmentManifest(encoder="test", units=[], tracks=tracks).model_dump_json().encode()
        bucket[f"{PREFIX}work/audio.json"] = data
        audio = Manifest(key=f"{PREFIX}work/audio.json", sha256=sha256(data))
    objects: Any = bucket
    ref = {"job_id": uuid4(), "tenant_id": 7, "video_id": 42, "epoch": 1}
    return Publication.read(objects, PublishInput(**ref, plan=recording(), batches=[], audio=audio))


def test_a_recording_is_published_with_its_renditions() -> None:
    bucket = Bucket()
    tracks = [wrote(bucket, "audio", (4, 4.02), 64_000), wrote(bucket, "audio64", (4, 4.02), 32_000)]
    found = publication(bucket, tracks)
    found.check_and_write_playlists()
    master = bucket[f"{PREFIX}master.m3u8"].decode()
    assert "EXT-X-I-FRAME" not in master and "EXT-X-MEDIA:" not in master
    assert master.splitlines()[3:] == [
        '#EXT-X-STREAM-INF:BANDWIDTH=128000,AVERAGE-BANDWIDTH=127681,CODECS="mp4a.40.2"',
        "audio/media.m3u8",
        '#EXT-X-STREAM-INF:BANDWIDTH=64000,AVERAGE-BANDWIDTH=63840,CODECS="mp4a.40.2"',
        "audio64/media.m3u8",
    ]
    version = found.version("x")
    assert [(each["name"], each["height"], each["size"]) for each in version.renditions] == [
        ("audio", 0, 3 * 64_000),
        ("audio64", 0, 3 * 32_000),
    ]
    assert version.duration == 8.0


@pytest.mark.parametrize("lengths", [None, (4.0,), (4.0, 4.0, 4.0)])
def test_a_recording_without_its_sound_is_none(lengths: tuple[float, ...] | None) -> None:
    bucket = Bucket()
    with pytest.raises(ApplicationError) as refused:
        publication(bucket, None if lengths is None else [wrote(bucket, "audio", lengths, 9)])
    assert refused.value.type == ENCODE_FAILED
