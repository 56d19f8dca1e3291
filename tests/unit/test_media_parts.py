"""A unit from no more of its source than it reads has the same bytes as from all of it."""

from pathlib import Path

import pytest

from activities.video import places
from activities.video.damage import Ear
from activities.video.encode import encode_unit
from activities.video.places import parts_of
from activities.video.probe import probe
from contracts.video import EncodePlan, SourceParts
from tests.unit import media

_PICTURE = "-f lavfi -i testsrc2=s=160x90:r=25:d=36,noise=alls=30:allf=t -f lavfi -i sine=d=36"
_CODECS = "-c:v libx264 -preset ultrafast -bf 3 -c:a aac"


async def prepared(path: Path, args: str) -> tuple[EncodePlan, SourceParts | None]:
    media.ffmpeg(f"{_PICTURE} {_CODECS} {args}", str(path))
    path, plan = await media.prepare(path, unit_segments=1)
    info = await probe(media.TOOLS, path, max_seconds=1000)
    return plan, parts_of(path, plan, info.places, info.origin) if info.places else None


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source of this size is all head otherwise, and not worth it."""
    monkeypatch.setattr(places, "_HEAD", 200_000)
    monkeypatch.setattr(places, "_WORTH", 10)


@pytest.mark.parametrize(
    "args",
    [
        "-g 50",
        "-g 200 -movflags +faststart",
        pytest.param("-x264-params keyint=40", marks=pytest.mark.slow),
    ],
)
async def test_a_unit_reads_no_more_than_its_part(tmp_path: Path, args: str) -> None:
    whole = tmp_path / "whole.mp4"
    plan, parts = await prepared(whole, args)
    assert parts is not None
    assert len(parts.units) == plan.unit_count
    data = whole.read_bytes()
    for unit in (4, plan.unit_count - 1):
        holed, needed = tmp_path / "holed.mp4", [*parts.index, parts.units[unit]]
        file = bytearray(len(data))
        for start, end in needed:
            file[start:end] = data[start:end]
        assert sum(end - start for start, end in needed) < len(data) * 0.75
        holed.write_bytes(file)
        made, ears = [], (Ear(), Ear())
        for source, ear in zip((whole, holed), ears, strict=True):
            out = tmp_path / f"{source.stem}-{unit}"
            out.mkdir()
            made.append(
                await encode_unit(
                    *(media.TOOLS, source, plan),
                    unit=unit,
                    out=out,
                    timeout=100,
                    on_said=ear.hear,
                )
            )
        assert made[0] == made[1]
        assert [ear.troubled for ear in ears] == [False, False]


async def test_holes_are_heard(tmp_path: Path) -> None:
    """Were the part too small, nobody would publish it."""
    whole = tmp_path / "whole.mp4"
    plan, parts = await prepared(whole, "-g 50")
    assert parts is not None
    data = bytearray(whole.read_bytes())
    start, end = parts.units[3]
    middle = start + (end - start) * 2 // 5  # behind it is what is decoded in vain
    data[middle : middle + 100_000] = bytes(100_000)
    whole.write_bytes(data)
    ear = Ear()
    await encode_unit(*(media.TOOLS, whole, plan), unit=3, out=tmp_path, timeout=100, on_said=ear.hear)
    assert ear.troubled


@pytest.mark.parametrize(
    ("name", "args"), [("a.mkv", "-g 50"), ("a.mp4", "-g 50 -movflags frag_keyframe+empty_moov")]
)
async def test_what_has_no_index_of_its_packets_is_fetched_whole(
    tmp_path: Path, name: str, args: str
) -> None:
    assert (await prepared(tmp_path / name, f"-t 5 {args}"))[1] is None


async def test_short_units_are_not_worth_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each reads some seconds before and behind itself: together more than the source."""
    monkeypatch.undo()
    assert (await prepared(tmp_path / "a.mp4", "-g 50 -t 8"))[1] is None
