"""What is stored of a unit, and when: finished segments while it is encoded, the init segment once."""

import asyncio
import threading
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from activities.video.encryption import encrypt
from activities.video.media_files import TrackFiles, media_file
from activities.video.storing import Ahead, SegmentStore
from activities.video.texts import NOTHING
from clients.objects import ObjectMissing
from contracts.video import EncodePlan
from tests.workflows.world import plan

PREFIX = "tenants/7/video/hls/42/x-1/"
KEY = bytes(16)


class Bucket:
    """`puts` in the order in which they ended; `held` keeps each waiting."""

    def __init__(self) -> None:
        self.puts: list[tuple[str, bytes]] = []
        self.held = threading.Event()
        self.held.set()

    def put(self, key: str, data: bytes | Path, _type: str) -> None:
        self.held.wait(30)
        self.puts.append((key, data if isinstance(data, bytes) else data.read_bytes()))

    def get(self, key: str) -> bytes:
        if key not in (found := dict(self.puts)):
            raise ObjectMissing
        return found[key]

    @property
    def names(self) -> list[str]:
        return sorted(key.removeprefix(PREFIX) for key, _ in self.puts)

    def stored(self, name: str) -> bytes:
        return dict(self.puts)[PREFIX + name]


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


@pytest.fixture
def store(bucket: Bucket) -> SegmentStore:
    objects: Any = bucket
    return SegmentStore(objects, MagicMock(hls_key=lambda *_: KEY))


def wrote(out: Path, *numbers: int) -> None:
    (out / "360p").mkdir(parents=True, exist_ok=True)
    (out / "360p" / "init.mp4").write_bytes(b"init")
    for number in numbers:
        (out / "360p" / f"s{number:05d}.m4s").write_bytes(b"segment %d" % number)


def track(out: Path) -> TrackFiles:
    files = [media_file(out, path) for path in sorted((out / "360p").iterdir())]
    return TrackFiles("360p", "avc1", files[0], files[1:])


def made(key_id: str | None = None) -> EncodePlan:
    return plan(PREFIX, 4).model_copy(update={"key_id": key_id})


async def looked(ahead: Ahead) -> None:
    ahead.look()
    await ahead.settle()


async def test_the_init_segment_is_stored_once(store: SegmentStore, bucket: Bucket, tmp_path: Path) -> None:
    for unit in range(3):
        out = tmp_path / str(unit)
        wrote(out, unit)
        (stored,) = await store.upload(made(), out, [track(out)])
        assert stored.init.key == f"{PREFIX}360p/init.mp4"
    assert bucket.names == ["360p/init.mp4", "360p/s00000.m4s", "360p/s00001.m4s", "360p/s00002.m4s"]


@pytest.mark.parametrize("key_id", [None, "k1"])
async def test_finished_segments_are_stored_while_later_ones_are_written(
    store: SegmentStore, bucket: Bucket, tmp_path: Path, key_id: str | None
) -> None:
    wrote(tmp_path, 4, 5)
    async with store.ahead(made(key_id), 2, tmp_path) as ahead:
        await looked(ahead)
        assert bucket.names == ["360p/s00004.m4s"]  # of the other more may come
        wrote(tmp_path, 6)
        await looked(ahead)
        (stored,) = await store.upload(made(key_id), tmp_path, [track(tmp_path)], ahead)
    assert bucket.names == ["360p/init.mp4", *(f"360p/s0000{number}.m4s" for number in (4, 5, 6))]
    for segment, number in zip(stored.segments, (4, 5, 6), strict=True):
        plain = b"segment %d" % number
        wanted = encrypt(plain, KEY, number) if key_id else plain
        assert (bucket.stored(f"360p/s0000{number}.m4s"), segment.size) == (wanted, len(wanted))


async def test_what_was_altered_after_it_was_stored_is_stored_anew(
    store: SegmentStore, bucket: Bucket, tmp_path: Path
) -> None:
    """A short tail joins the segment before it, and a second run writes other bytes."""
    wrote(tmp_path, 0, 1)
    async with store.ahead(made(), 0, tmp_path) as ahead:
        await looked(ahead)
        (tmp_path / "360p" / "s00001.m4s").unlink()
        (tmp_path / "360p" / "s00000.m4s").write_bytes(b"segment 0 and its tail")
        await store.upload(made(), tmp_path, [track(tmp_path)], ahead)
    assert bucket.stored("360p/s00000.m4s") == b"segment 0 and its tail"
    assert bucket.names.count("360p/s00000.m4s") == 2


async def test_nothing_is_written_behind_a_run_that_was_cancelled(
    store: SegmentStore, bucket: Bucket, tmp_path: Path
) -> None:
    wrote(tmp_path, 0, 1)
    begun = asyncio.Event()

    async def run() -> None:
        async with store.ahead(made(), 0, tmp_path) as ahead:
            ahead.look()
            begun.set()
            await asyncio.Event().wait()

    bucket.held.clear()
    running = asyncio.create_task(run())
    await begun.wait()
    running.cancel()
    assert (await asyncio.wait([running], timeout=0.1))[1]
    bucket.held.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert bucket.names == ["360p/s00000.m4s"]


async def test_a_link_in_the_place_of_a_segment_is_not_followed(
    store: SegmentStore, bucket: Bucket, tmp_path: Path
) -> None:
    wrote(tmp_path, 0, 1)
    secret = tmp_path / "secret"
    secret.write_text("of somebody else")
    (tmp_path / "360p" / "s00000.m4s").unlink()
    (tmp_path / "360p" / "s00000.m4s").symlink_to(secret)
    async with store.ahead(made(), 0, tmp_path) as ahead:
        await looked(ahead)
        assert not ahead.stored()
    assert bucket.puts == []


async def test_pictures_that_are_drawn_are_found(store: SegmentStore, tmp_path: Path) -> None:
    assert await store.drawn(made()) is None
    (tmp_path / "poster.jpg").write_bytes(b"poster")
    stored = await store.store_pictures(made(), [tmp_path / "poster.jpg"], NOTHING)
    assert await store.drawn(made()) == stored
