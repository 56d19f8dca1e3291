"""What is found out, and encoded, from no more of a source than is read is the same as from all of it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from activities.video import places
from activities.video.damage import Ear
from activities.video.encode import encode_unit
from activities.video.opening import encode_opening
from activities.video.places import index_of, parts_of
from activities.video.probe import MediaError, Untold, probe
from contracts.video import EncodePlan, SourceParts, Span
from tests.unit import media

_PICTURE = "-f lavfi -i testsrc2=s=160x90:r=25:d=36,noise=alls=30:allf=t -f lavfi -i sine=d=36"
_CODECS = "-c:v libx264 -preset ultrafast -bf 3 -c:a aac"


def indexed(file: Path) -> list[Span] | None:
    data = file.read_bytes()
    return index_of(lambda start, end: data[start:end], len(data))


def holed(file: Path, spans: list[Span]) -> Path:
    """A copy with those bytes alone."""
    data = file.read_bytes()
    left = bytearray(len(data))
    for start, end in spans:
        left[start:end] = data[start:end]
    assert left != data
    (copy := file.with_name(f"holed-{file.name}")).write_bytes(left)
    return copy


async def prepared(path: Path, args: str) -> tuple[EncodePlan, SourceParts | None]:
    media.ffmpeg(f"{_PICTURE} {_CODECS} {args}", str(path))
    path, plan = await media.prepare(path, unit_segments=1)
    info, index = await probe(media.TOOLS, path, max_seconds=1000), indexed(path)
    if not index or not info.places:
        return plan, None
    size = path.stat().st_size
    return plan, parts_of(index, size, plan, info.places, info.sound_places, info.origin)


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
    for unit in (4, plan.unit_count - 1):
        needed = [*parts.index, parts.units[unit]]
        assert sum(end - start for start, end in needed) < whole.stat().st_size * 0.75
        made, ears = [], (Ear(), Ear())
        for source, ear in zip((whole, holed(whole, needed)), ears, strict=True):
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


@pytest.mark.parametrize(
    "args",
    [
        "-g 50",
        "-g 200 -movflags +faststart",
        "-x264-params open-gop=1:keyint=40",
        "-vf scale=160:96 -flags +ildct+ilme -x264-params tff=1",
        "-vf select='not(between(n,300,360))' -fps_mode vfr",
        "-ss 1.234 -an",
    ],
)
async def test_an_index_and_the_beginning_tell_what_the_whole_does(tmp_path: Path, args: str) -> None:
    media.ffmpeg(f"{_PICTURE} {_CODECS} {args}", str(cut := tmp_path / "a.mp4"))
    media.ffmpeg(f"-ss 0.41 -i {cut} -c copy", str(whole := tmp_path / "b.mp4"))  # with an edit list
    index = indexed(whole)
    assert index
    told, known = [
        await probe(media.TOOLS, file, max_seconds=1000, indexed=True, whole=file is whole)
        for file in (holed(whole, index), whole)
    ]
    for mine, other in ((told.places, known.places), (told.sound_places, known.sound_places)):
        assert (mine and mine.between(5, 9)) == (other and other.between(5, 9))
    assert replace(told, places=None, sound_places=None) == replace(known, places=None, sound_places=None)


@pytest.mark.parametrize(
    ("args", "lost"),
    [
        ("-c:a libmp3lame", 0),
        ("-map 0 -map 1 -map 1", 0),
        ("-map 1", 0),
        ("-c:v mpeg4", 0),
        ("", 2),
    ],
)
async def test_what_an_index_does_not_tell_is_asked_of_the_whole(
    tmp_path: Path, args: str, lost: int
) -> None:
    """Packets that are parsed, sounds that are listened to, seconds at the end that are not there."""
    media.ffmpeg(f"{_PICTURE} {_CODECS} {args}", str(once := tmp_path / "once.mp4"))
    again = f"-stream_loop 3 -i {once} -map 0 -c copy -movflags +faststart"
    media.ffmpeg(again, str(whole := tmp_path / "whole.mp4"))
    with whole.open("r+b") as file:
        file.truncate(whole.stat().st_size * (144 - lost) // 144)
    index = indexed(whole)
    assert index
    with pytest.raises(Untold):
        await probe(media.TOOLS, holed(whole, index), max_seconds=1000, indexed=True, whole=False)


def _zeroed(data: bytearray) -> None:
    """Half a minute from 3 s on, keyframes and all."""
    data[len(data) // 12 : len(data) * 11 // 12] = bytes(len(data) * 11 // 12 - len(data) // 12)


def _one_keyframe(data: bytearray) -> None:
    """All that the index names, of eighteen."""
    at = data.rindex(b"stss") + 8
    data[at : at + 4] = (1).to_bytes(4)


def _empty_packets(data: bytearray) -> None:
    """One in ten pictures, as some recorders leave out those that show nothing new."""
    first = data.index(b"stsz", data.rindex(b"moov")) + 16
    for number in range(5, 900, 10):
        data[first + 4 * number : first + 4 * number + 4] = bytes(4)


@pytest.mark.parametrize("spoil", [_zeroed, _one_keyframe, _empty_packets])
async def test_the_whole_is_planned_as_its_index_says(
    tmp_path: Path, spoil: Callable[[bytearray], None]
) -> None:
    """It may lie on the host already: the same source has the same units wherever it is probed."""
    media.ffmpeg(f"{_PICTURE} {_CODECS} -g 50", str(whole := tmp_path / "a.mp4"))
    data = bytearray(whole.read_bytes())
    spoil(data)
    whole.write_bytes(data)
    index = indexed(whole)
    assert index
    told, known = [
        await probe(media.TOOLS, file, max_seconds=1000, indexed=True, whole=file is whole)
        for file in (holed(whole, index), whole)
    ]
    assert replace(told, places=None, sound_places=None) == replace(known, places=None, sound_places=None)
    parsed = await probe(media.TOOLS, whole, max_seconds=1000)
    assert (told.frames, told.frame_rate) == (parsed.frames, parsed.frame_rate)


async def test_an_index_of_keyframes_alone_is_not_believed(tmp_path: Path) -> None:
    """Who writes no list of them says that all are: units would begin where nothing can be decoded."""
    media.ffmpeg(f"{_PICTURE} {_CODECS} -g 250", str(whole := tmp_path / "a.mp4"))
    whole.write_bytes(whole.read_bytes().replace(b"stss", b"free"))
    index = indexed(whole)
    assert index
    with pytest.raises(Untold):
        await probe(media.TOOLS, holed(whole, index), max_seconds=1000, indexed=True, whole=False)
    known = await probe(media.TOOLS, whole, max_seconds=1000, indexed=True)
    assert known.max_keyframe_gap == 10


async def test_a_later_picture_is_not_taken_for_the_first(tmp_path: Path) -> None:
    """The beginning of a second `mdat` is there, too: its picture may have another shape or colours."""
    media.ffmpeg(f"{_PICTURE} {_CODECS} -g 50", str(whole := tmp_path / "a.mp4"))
    known = await probe(media.TOOLS, whole, max_seconds=1000, indexed=True)
    index = indexed(whole)
    assert index and known.places
    mdat = index[-2][0]
    later = holed(whole, [(0, mdat + 16), known.places.between(8, 9), index[-1]])
    with pytest.raises(Untold):
        await probe(media.TOOLS, later, max_seconds=1000, indexed=True, whole=False)


def test_what_is_most_of_a_file_is_no_index() -> None:
    """It would be fetched twice."""
    ftyp, moov = b"\x00\x00\x00\x08ftyp", b"\x00\x00\x00\x08moov"
    for name, known in ((b"mdat", True), (b"free", False)):
        size = 10 * 2**20
        head = {0: ftyp, 8: moov, 16: (size - 16).to_bytes(4) + name}
        assert (index_of(lambda at, _, head=head: head[at], size) is not None) == known


async def test_sound_that_may_be_a_hole_is_left_to_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Damage at its end is read on into the hole behind: other bytes than those of the whole."""
    monkeypatch.setattr(places, "SOUND_OPENINGS", (10.0,))
    plan, parts = await prepared(whole := tmp_path / "a.mp4", "-g 50")
    assert parts
    (first, behind), data = parts.opening[0], bytearray(whole.read_bytes())
    data[first + (behind - first) * 3 // 4 : behind] = bytes(behind - first - (behind - first) * 3 // 4)
    whole.write_bytes(data)
    with pytest.raises(MediaError):
        await encode_opening(
            *(media.TOOLS, holed(whole, [*parts.index, *parts.opening]), plan, tmp_path / "out"),
            seconds=10.0,
            timeout=100,
            whole=False,
        )


async def test_the_first_minute_is_heard_from_no_more_than_its_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "SOUND_OPENINGS", (10.0,))
    plan, parts = await prepared(whole := tmp_path / "a.mp4", "-g 50")
    assert parts
    needed = [*parts.index, *parts.opening]
    assert sum(end - start for start, end in needed) < whole.stat().st_size * 0.6
    made = []
    for source in (whole, holed(whole, needed)):
        (out := tmp_path / source.stem).mkdir()
        await encode_opening(
            *(media.TOOLS, source, plan, out), seconds=10.0, timeout=100, whole=source is whole
        )
        made.append({each.name: each.read_bytes() for each in (out / "work" / "audio").iterdir()})
    assert made[0] == made[1]
