"""Of a source no more is fetched than is read, and what was damaged meanwhile is fetched again."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.host.room import Room
from activities.host.source_cache import SourceCache
from activities.host.source_parts import PIECE
from activities.video.builds import ASKED_OF_OTHERS, leave_to_its_host
from activities.video.probe import MediaError
from activities.video.sources import Sources
from clients.objects import md5
from contracts.errors import DECODE_FAILED, ErrorType
from contracts.video import BatchInput, SourceParts, SourceRef
from tests.unit.test_encoding_tries import encoding
from tests.workflows.world import encode_input, plan

DATA = os.urandom(3 * PIECE)
SOURCE = SourceRef(key="tenants/7/video/raw/1/a.mp4", etag=f'"{md5(DATA)}"', size=len(DATA))
SPAN = (1000, PIECE + 2000)


class Store:
    """`asked` has every stretch that was read."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def read(self, _source: SourceRef, start: int, end: int) -> bytes:
        self.asked.append((start, end))
        return DATA[start:end]

    def download(self, source: SourceRef, path: Path) -> str:
        self.asked.append((0, source.size))
        path.write_bytes(DATA)
        return md5(DATA)

    @property
    def bytes(self) -> int:
        return sum(end - start for start, end in self.asked)


def cache_at(folder: Path, store: Store) -> SourceCache:
    objects: Any = store
    return SourceCache(folder / "sources", 10**9, objects, Room(folder, kept=0))


def sources_at(folder: Path, store: Store) -> Sources:
    unused: Any = None
    return Sources(unused, cache_at(folder, store), Room(folder.parent, kept=0))


async def test_no_more_is_fetched_than_is_missing(tmp_path: Path) -> None:
    store = Store()
    cache, other = cache_at(tmp_path, store), cache_at(tmp_path, store)
    async with cache.held_parts(SOURCE, [SPAN, (500, 1500)]) as held:
        assert not held.whole
        assert held.path.stat().st_size == SOURCE.size
        assert held.path.stat().st_blocks * 512 < 2 * PIECE
        assert held.path.read_bytes()[500 : SPAN[1]] == DATA[500 : SPAN[1]]
    assert store.bytes == SPAN[1] - 500
    async with other.held_parts(SOURCE, [(0, 2000), SPAN]):  # another process of the host
        assert store.bytes == SPAN[1]


def cut(path: Path) -> None:
    os.truncate(path, 1500)


def alter_in_secret(path: Path) -> None:
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(SPAN[1] - 10)
        file.write(b"damaged")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def lose(path: Path) -> None:
    path.unlink()


def half_a_line(path: Path) -> None:
    """Who wrote died over saying so."""
    lock = path.with_name(f"{path.name}.lock")
    lines = lock.read_text().splitlines(keepends=True)
    lock.write_text("".join(lines[:-1]) + lines[-1][:-6])


@pytest.mark.parametrize("damage", [cut, alter_in_secret, lose, half_a_line])
async def test_a_damaged_part_is_fetched_again(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    store = Store()
    cache = cache_at(tmp_path, store)
    async with cache.held_parts(SOURCE, [SPAN]) as held:
        pass
    damage(held.path)
    for fetched_more in (True, False):
        before = store.bytes
        async with cache.held_parts(SOURCE, [SPAN]) as held:
            assert held.path.read_bytes()[slice(*SPAN)] == DATA[slice(*SPAN)]
        assert (store.bytes > before) is fetched_more


async def test_who_has_all_needs_no_parts(tmp_path: Path) -> None:
    store = Store()
    cache = cache_at(tmp_path, store)
    async with cache.held_parts(SOURCE, [SPAN]) as held:
        parts = held.path
    async with cache.held(SOURCE) as path:
        assert not parts.exists()
    store.asked.clear()
    async with cache.held_parts(SOURCE, [SPAN]) as held:
        assert held == (path, True)
    assert store.asked == []


async def test_what_is_odd_is_judged_on_the_whole_source(tmp_path: Path) -> None:
    """Also by the next batch of the lecture, which does not begin in vain."""
    store = Store()
    activities = encoding(tmp_path, 0)
    activities._sources = sources_at(tmp_path, store)
    activities._store = MagicMock(accept=AsyncMock(return_value="accepted"))
    activities._builds = MagicMock(require=AsyncMock())
    wholes: list[bool] = []

    async def units(_job: BatchInput, held: Any) -> list[Any]:
        wholes.append(held.whole)
        if not held.whole:
            raise MediaError(DECODE_FAILED, "the decoder complains")
        return []

    activities._units = units  # type: ignore[method-assign]
    job = BatchInput(
        **encode_input().model_dump(exclude={"file_key"}),
        plan=plan("p/", 4).model_copy(update={"source": SOURCE}),
        first=0,
        last=0,
        parts=SourceParts(index=[(0, 100)], units=[SPAN]),
    )
    for _ in range(2):
        assert await ActivityEnvironment().run(activities.encode_batch, job) == "accepted"
        activities._sources = sources_at(tmp_path / "another host", store)
    assert wholes == [False, True, True]


@pytest.mark.parametrize(
    ("host", "attempt", "refused"),
    [
        ("other", 1, True),
        ("other", ASKED_OF_OTHERS, True),
        ("other", ASKED_OF_OTHERS + 1, False),
        ("own", 1, False),
    ],
)
async def test_the_sound_is_left_to_who_has_the_source_for_a_while(
    host: str, attempt: int, refused: bool
) -> None:
    environment = ActivityEnvironment()
    environment.info = ActivityEnvironment.default_info().__class__(
        **(vars(ActivityEnvironment.default_info()) | {"attempt": attempt})
    )
    try:
        await environment.run(leave_to_its_host, host, "own")
        assert not refused
    except ApplicationError as error:
        assert (error.type, error.non_retryable, refused) == (ErrorType.SOURCE_ELSEWHERE, False, True)
