"""What fails twice on one machine is the file's fault; what is killed from outside is not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.host.room import Room
from activities.host.source_cache import Held
from activities.host.trouble import HostTrouble
from activities.video.builds import Builds
from activities.video.encoding import EncodeActivities
from activities.video.ffmpeg import FfmpegFailed, FfmpegTimedOut
from activities.video.probe import MediaError, Untold
from activities.video.sources import Sources
from contracts.errors import ErrorType
from contracts.video import AudioInput, SourceRef
from rules.fmp4 import BadSegment
from tests.unit import media
from tests.workflows.world import encode_input, plan


def encoding(scratch: Path, kept: int) -> EncodeActivities:
    unused: Any = None
    return EncodeActivities(
        objects=unused,
        builds=unused,
        board=unused,
        sources=unused,
        tools=unused,
        encoder="build",
        scratch=scratch,
        room=Room(scratch, kept),
        vault=unused,
    )


async def tried(scratch: Path, *failures: Exception, kept: int = 0) -> list[list[Path]]:
    """Run work that fails so; returns what each try found in its folder."""
    left = list(failures)
    seen: list[list[Path]] = []

    async def work(folder: Path) -> None:
        seen.append(list(folder.iterdir()))
        (folder / "half").touch()
        if left:
            raise left.pop(0)

    await ActivityEnvironment().run(encoding(scratch, kept)._twice, "unit 0", work)
    return seen


async def test_a_second_try_has_a_fresh_folder(tmp_path: Path) -> None:
    assert await tried(tmp_path, FfmpegFailed(1, "a hiccup")) == [[], []]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("failure", [FfmpegFailed(1, "broken"), FfmpegTimedOut(-9, "stuck")])
async def test_failing_twice_is_final(tmp_path: Path, failure: FfmpegFailed) -> None:
    with pytest.raises(ApplicationError) as caught:
        await tried(tmp_path, failure, failure)
    assert (caught.value.type, caught.value.non_retryable) == ("ENCODE_FAILED", True)


@pytest.mark.parametrize("failure", [FfmpegFailed(183, ""), BadSegment("media segment without samples")])
async def test_failing_on_a_full_disk_is_left_to_another_worker(tmp_path: Path, failure: Exception) -> None:
    """ffmpeg itself may not notice, and what it wrote is cut."""
    with pytest.raises(HostTrouble, match="lacks room"):
        await tried(tmp_path, failure, failure, kept=2**60)


@pytest.mark.parametrize(
    ("lives", "kind", "final"), [(True, "OtherEncoder", False), (False, "EncoderChanged", True)]
)
async def test_work_of_another_build_is_its_own_while_it_lives(lives: bool, kind: str, final: bool) -> None:
    builds = Builds(MagicMock())
    builds.lives = AsyncMock(return_value=lives)  # type: ignore[method-assign]
    with pytest.raises(ApplicationError) as caught:
        await builds.require("test", "build")
    assert (caught.value.type, caught.value.non_retryable) == (kind, final)


async def test_a_killed_ffmpeg_is_left_to_another_worker(tmp_path: Path) -> None:
    with pytest.raises(FfmpegFailed):
        await tried(tmp_path, FfmpegFailed(-9, ""))


@pytest.mark.parametrize("failure", [ConnectionError("the store is away"), ValueError("a title of 2 GB")])
async def test_no_picture_takes_finished_sound_along(tmp_path: Path, failure: Exception) -> None:
    """Whatever befalls pictures and texts that are made beside it: their own step says so."""
    activities = encoding(tmp_path, 0)
    activities._sources = MagicMock(host="own")
    activities._builds = MagicMock(require=AsyncMock())
    activities._audio = AsyncMock(return_value="the sound")  # type: ignore[method-assign]
    activities._draw = AsyncMock(side_effect=failure)  # type: ignore[method-assign]
    job = AudioInput(
        **encode_input().model_dump(exclude={"file_key"}),
        plan=plan("p/", 4).model_copy(update={"host": "own"}),
    )
    assert await ActivityEnvironment().run(activities.encode_audio, job) == "the sound"
    activities._draw.assert_awaited_once()


@pytest.mark.parametrize(
    ("failure", "whole"),
    [
        (HostTrouble("no progress", ErrorType.STALLED), True),
        (MediaError("NOT_A_VIDEO", "holes"), True),
        (Untold(), True),
        (FfmpegFailed(1, "holes"), True),
        (HostTrouble("no room", ErrorType.DISK_FULL), False),
    ],
)
async def test_what_stands_still_on_a_part_gets_the_whole(
    tmp_path: Path, failure: Exception, whole: bool
) -> None:
    @asynccontextmanager
    async def held_parts(*_: object) -> AsyncIterator[Held]:
        yield Held(tmp_path, False)

    async def fail(_: Held) -> None:
        raise failure

    cache: Any = SimpleNamespace(held_parts=held_parts, host="own")
    sources, unused = Sources(media.TOOLS, cache, Room(tmp_path, 0)), SourceRef(key="k", etag="e", size=1)
    asked = ActivityEnvironment().run(sources.from_parts, unused, [], fail)
    if whole:
        assert await asked is None
    else:
        with pytest.raises(HostTrouble):
            await asked
