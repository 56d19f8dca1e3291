"""Copies of sources on a worker's disk: right or fetched again, whole or absent, and nobody's who is gone."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from activities.host import source_cache
from activities.host.room import Room
from activities.host.source_cache import SourceCache, keep_swept
from activities.host.trouble import HostTrouble
from clients.objects import Objects, md5_of
from contracts.errors import ErrorType
from contracts.video import SourceRef
from tests.lab import PATIENCE, Lab, eventually, fresh_id

DATA = os.urandom(300_000)
HOLDS = """
import asyncio, sys
from pathlib import Path
from unittest.mock import MagicMock
from activities.host.room import Room
from activities.host.source_cache import SourceCache
from contracts.video import SourceRef

async def main():
    folder = Path(sys.argv[1])
    cache = SourceCache(folder, 10**9, MagicMock(), Room(folder.parent))
    async with cache.held(SourceRef.model_validate_json(sys.argv[2]), private=True) as path:
        print(path, flush=True)
        await asyncio.sleep(10**6)

asyncio.run(main())
"""


def source_of(lab: Lab, data: bytes = DATA) -> SourceRef:
    key = f"tenants/{fresh_id()}/video/raw/1/a.mp4"
    lab.objects.put(key, data, "video/mp4")
    return lab.objects.head(key)


def in_parts(lab: Lab) -> SourceRef:
    """Its ETag is no MD5."""
    key, s3, bucket = f"tenants/{fresh_id()}/video/raw/1/b.mp4", lab.objects._s3, lab.settings.r2_bucket
    upload = s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=1, Body=DATA)
    parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
    s3.complete_multipart_upload(
        Bucket=bucket,
        Key=key,
        UploadId=upload,
        MultipartUpload={"Parts": parts},  # type: ignore[typeddict-item]
    )
    source = lab.objects.head(key)
    assert "-" in source.etag
    return source


def cache_at(folder: Path, objects: Objects, limit: int = 10**9, idle: float | None = None) -> SourceCache:
    return SourceCache(folder / "sources", limit, objects, Room(folder, kept=0), idle)


async def double(original: Path, target: Path) -> None:
    target.write_bytes(2 * original.read_bytes())


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def alter_in_secret(path: Path) -> None:
    """As a disk does it: neither size nor time tells."""
    before = path.stat()
    with path.open("r+b") as file:
        file.write(b"damaged")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def lose(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("again", ["the same process", "another"])
@pytest.mark.parametrize("derive", [None, double])
@pytest.mark.parametrize("damage", [cut, alter_in_secret, lose])
async def test_a_damaged_copy_is_fetched_again(
    lab: Lab, tmp_path: Path, damage: Callable[[Path], None], derive: None, again: str
) -> None:
    cache, source = cache_at(tmp_path, lab.objects), source_of(lab)
    wanted = 2 * DATA if derive else DATA
    async with cache.held(source, derive) as path:
        assert path.read_bytes() == wanted
    damage(path)
    if again == "another":
        cache = cache_at(tmp_path, lab.objects)
    async with cache.held(source, derive) as path:
        assert path.read_bytes() == wanted


async def test_a_good_copy_is_not_fetched_again(lab: Lab, tmp_path: Path) -> None:
    source = source_of(lab)
    async with cache_at(tmp_path, lab.objects).held(source) as path:
        first = path.stat().st_ino
    async with cache_at(tmp_path, lab.objects).held(source) as path:
        assert path.stat().st_ino == first


async def test_several_at_once_fetch_it_once(lab: Lab, tmp_path: Path) -> None:
    """Also within one process, whose loop a lock that waits would stop for ever."""
    cache, other, source = cache_at(tmp_path, lab.objects), cache_at(tmp_path, lab.objects), source_of(lab)

    async def hold(by: SourceCache) -> int:
        async with by.held(source) as path:
            assert path.read_bytes() == DATA
            return path.stat().st_ino

    async with asyncio.timeout(PATIENCE):
        found = await asyncio.gather(*(hold(by) for by in (cache, cache, other, cache)))
    assert len(set(found)) == 1


@pytest.mark.parametrize("made", [source_of, in_parts])
async def test_what_came_damaged_is_known_before_the_file_is_judged(
    lab: Lab, tmp_path: Path, made: Callable[[Lab], SourceRef]
) -> None:
    cache, source = cache_at(tmp_path, lab.objects), made(lab)
    async with cache.held(source) as path:
        await cache.check(source)
        # It lies as it came, and came wrong.
        path.write_bytes(bytes(len(DATA)))
        (lock,) = path.parent.glob("*.lock")
        zeros = md5_of(path)
        lock.write_text(f"{zeros} {zeros}")
        with pytest.raises(HostTrouble) as caught:
            await cache.check(source)
    assert caught.value.kind is ErrorType.SOURCE_DAMAGED
    async with cache.held(source) as path:
        assert path.read_bytes() == DATA
        await cache.check(source)


async def test_a_download_that_was_torn_is_not_believed(lab: Lab, tmp_path: Path) -> None:
    """A power cut may leave zeros where bytes had been written."""
    cache, source = cache_at(tmp_path, lab.objects), source_of(lab)
    async with cache.held(source) as path:
        pass
    path.unlink()
    path.with_name(f"{path.name}.part").write_bytes(bytes(100_000))
    with pytest.raises(ConnectionError, match="other bytes"):
        async with cache.held(source):
            pass
    async with cache.held(source) as path:
        assert path.read_bytes() == DATA


async def test_what_holds_people_goes_with_its_last_reader(lab: Lab, tmp_path: Path) -> None:
    cache, other, source = cache_at(tmp_path, lab.objects), cache_at(tmp_path, lab.objects), source_of(lab)
    async with cache.held(source, private=True) as path:
        async with other.held(source, private=True):
            modes = {each.stat().st_mode & 0o777 for each in path.parent.iterdir()}
            assert modes == {0o600} and path.parent.stat().st_mode & 0o777 == 0o700
        other.sweep()
        assert path.read_bytes() == DATA, "somebody reads it still"
    assert list(path.parent.iterdir()) == []


async def test_a_disk_in_trouble_is_swept_the_next_time(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(source_cache, "SWEEP_EVERY", 0.02)
    cache = cache_at(tmp_path, lab.objects)
    in_the_way, forgotten = (cache._folder / f"{name}.private.lock" for name in ("a", "b"))
    in_the_way.mkdir()
    sweeping = asyncio.create_task(keep_swept(cache))
    await eventually(
        lambda: asyncio.sleep(0, "Is a directory" in caplog.text), what="it says why", every=0.02
    )
    in_the_way.rmdir()
    forgotten.touch()
    await eventually(lambda: asyncio.sleep(0, not forgotten.exists()), what="swept", every=0.02)
    sweeping.cancel()


async def test_what_a_killed_worker_leaves_of_people_goes_when_another_begins(
    lab: Lab, tmp_path: Path
) -> None:
    source = source_of(lab)
    cache = cache_at(tmp_path, lab.objects)
    async with cache.held(source, private=True) as path:  # for one that has no store
        argv = [sys.executable, "-c", HOLDS, str(path.parent), source.model_dump_json()]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            try:
                assert await asyncio.to_thread(process.stdout.readline) == f"{path}\n"
                cache_at(tmp_path, lab.objects)
                assert path.exists(), "it is read"
            finally:
                process.kill()
    path.with_name(f"{path.name}.lock").touch()
    path.touch()
    cache_at(tmp_path, lab.objects)
    assert list(path.parent.iterdir()) == []


async def test_the_oldest_go_with_their_locks(lab: Lab, tmp_path: Path) -> None:
    cache = cache_at(tmp_path, lab.objects, limit=2 * len(DATA))
    async with cache.held(source_of(lab)) as read:
        for _ in range(3):
            async with cache.held(source_of(lab)) as last:
                pass
        names = {read.name, last.name}
        assert {each.name for each in read.parent.iterdir()} == names | {f"{name}.lock" for name in names}
    idle = cache_at(tmp_path, lab.objects, idle=-1)
    assert list(read.parent.iterdir()) == []
    with pytest.raises(HostTrouble, match="lacks room"):
        await asyncio.to_thread(idle.make_room, 2**60)
