"""Damaged sources say where they are damaged; odd and healthy ones say nothing."""

import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from activities.video.audio import encode_audio
from activities.video.damage import (
    Ear,
    clipped,
    container_damage,
    merged,
    picture_damage,
    seconds,
    sound_damage,
    worth_a_look,
)
from activities.video.encode import encode_unit
from activities.video.ffmpeg import run
from activities.video.plan import make_plan
from activities.video.probe import MediaError, probe, remux
from contracts import errors
from contracts.video import Damage, DamageKind, SoundWarning, SourceRef
from tests.lab import PATIENCE
from tests.unit import media

MISSING, BROKEN = DamageKind.PICTURE_MISSING, DamageKind.PICTURE_BROKEN
SOUND, END = DamageKind.SOUND_MISSING, DamageKind.END_MISSING
_SOURCE = "-f lavfi -i testsrc2=s=96x54:r=25:d=16 -f lavfi -i sine=d=16:r=24000"
_CODECS = {
    "mp4": "-c:v libx264 -preset ultrafast -bf 2 -g 50 -c:a aac -movflags +faststart",
    "mkv": "-c:v libx264 -preset ultrafast -g 50 -c:a aac",
    "webm": "-c:v libvpx -deadline realtime -cpu-used 8 -g 50 -c:a libopus",
    "ts": "-c:v libx264 -preset ultrafast -g 50 -c:a aac",
    "flv": "-c:v flv1 -g 50 -c:a libmp3lame -ar 44100",
}


@cache
def healthy(kind: str) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder, f"whole.{kind}")
        media.ffmpeg(f"{_SOURCE} {_CODECS[kind]}", str(path))
        return path.read_bytes()


def zeroed(data: bytes, start: float = 0.4, end: float = 0.65) -> bytes:
    first, last = int(len(data) * start), int(len(data) * end)
    return data[:first] + bytes(last - first) + data[last:]


def flipped(data: bytes) -> bytes:
    dice, changed = random.Random(1), bytearray(data)
    for _ in range(40):
        changed[dice.randrange(len(data) // 2, len(data) * 7 // 10)] ^= 0xFF
    return bytes(changed)


def lossy(data: bytes) -> bytes:
    """A transport stream of which one packet in thirty never arrived, in its middle."""
    dice = random.Random(2)
    packets = [data[at : at + 188] for at in range(0, len(data), 188)]
    middle = range(len(packets) * 4 // 10, len(packets) * 6 // 10)
    return b"".join(each for at, each in enumerate(packets) if at not in middle or dice.random() > 1 / 30)


async def found(source: Path) -> tuple[list[Damage], list[SoundWarning], float]:
    """As a worker finds it: in the container, in each unit, in the sound; and how long the lecture is."""
    info = original = await probe(media.TOOLS, source, max_seconds=3600)
    if info.needs_remux:
        whole, source = source, source.with_suffix(".remuxed")
        await remux(media.TOOLS, whole, source)
        info = await probe(media.TOOLS, source, max_seconds=3600)
    ref = SourceRef(key="k", etag="e", size=1)
    plan = make_plan(info, ref, prefix="p/", encoder="e", remux=original.needs_remux)
    damage = clipped(container_damage(info, original), plan.origin, 0.0, float("inf"))
    out = source.parent / "out"
    for unit in range(plan.unit_count):
        ear = Ear()
        reach = 0
        while True:
            try:
                await encode_unit(
                    media.TOOLS,
                    source,
                    plan,
                    unit=unit,
                    out=out,
                    timeout=PATIENCE,
                    on_said=ear.hear,
                    reach=reach,
                )
                break
            except MediaError:
                assert ear.troubled and not reach
                reach = unit * plan.unit_frames
        if ear.troubled:
            damage += await picture_damage(media.TOOLS, source, plan, unit, timeout=PATIENCE)
    warnings: list[SoundWarning] = []
    if plan.has_audio:
        (sound,) = await encode_audio(media.TOOLS, source, plan, out, timeout=PATIENCE)
        warnings = sound.warnings
        if sound.troubled:
            damage += await sound_damage(media.TOOLS, source, plan, timeout=PATIENCE)
    return merged(damage), warnings, plan.duration


Harm = Callable[[bytes], bytes]


@pytest.mark.parametrize(
    ("kind", "harm", "place", "lost"),
    [
        ("mp4", zeroed, (5.5, 12.1), {MISSING: 2, SOUND: 2}),
        ("mkv", zeroed, (4.5, 12.1), {MISSING: 2, SOUND: 2}),
        ("webm", zeroed, (4.5, 14.1), {MISSING: 2, SOUND: 2}),
        ("ts", zeroed, (4.5, 12.1), {MISSING: 2, SOUND: 2}),
        ("flv", zeroed, (4.5, 12.1), {MISSING: 2, SOUND: 2}),
        ("mp4", flipped, (6, 14.1), {BROKEN: 1.5}),
        ("ts", lossy, (5, 12.1), {BROKEN: 1.5}),
        ("mp4", lambda data: zeroed(data, 0.8, 1), (11, 16.1), {MISSING: 2, SOUND: 2}),
    ],
)  # fmt: skip
async def test_damage_is_found_in_its_place(
    kind: str, harm: Harm, place: tuple[float, float], lost: dict[DamageKind, float], tmp_path: Path
) -> None:
    source = tmp_path / f"harmed.{kind}"
    source.write_bytes(harm(healthy(kind)))
    damage, _, duration = await found(source)

    for what, least in lost.items():
        assert seconds(damage, what) >= least, (what, damage)
    assert min(each.start for each in damage) >= place[0], damage
    assert max(each.end for each in damage) <= place[1], damage
    assert worth_a_look(damage, duration) == damage


@pytest.mark.parametrize("only", ["video", "audio"])
async def test_one_of_both_is_damaged(only: str, tmp_path: Path) -> None:
    """Packets of one stream are zeroed where they lie in the file; the other's are whole."""
    data, lines = bytearray(healthy("mp4")), []
    source = tmp_path / "whole.mp4"
    source.write_bytes(data)
    entries = f"-select_streams {only[0]} -show_entries packet=pts_time,pos,size -of csv=p=0"
    await run(
        [media.TOOLS.ffprobe, *entries.split(), str(source)],
        timeout=PATIENCE,
        reads=[source],
        on_line=lines.append,
    )
    for line in lines:
        time, size, at = line.split(",")[:3]
        if 7 < float(time) < 11:
            data[int(at) : int(at) + int(size)] = bytes(int(size))
    source.write_bytes(data)
    damage, _, _ = await found(source)

    mine = (MISSING, BROKEN) if only == "video" else (SOUND,)
    assert 3.5 < seconds(damage, *mine) < 6.5, damage
    assert {each.what for each in damage} <= set(mine)


@pytest.mark.parametrize("name", ["open_gop_ts", "edit_list", "variable_rate", "sound_first"])
async def test_what_is_only_odd_is_no_damage(name: str, tmp_path: Path) -> None:
    damage, _, _ = await found(media.make(tmp_path, name))
    assert damage == []


_PICTURE, _SINE = "-f lavfi -i testsrc2=s=96x54:d=12", "-f lavfi -i sine=d=12"
_SLIDES = "-f lavfi -i testsrc2=s=96x54:r=1/10:d=30"


@pytest.mark.parametrize(
    ("kind", "args"),
    {
        "slides": ("mkv", f"{_SLIDES} -f lavfi -i sine=d=30 -c:v libx264 -c:a aac"),
        "slides without sound": ("mp4", f"{_SLIDES} -c:v libx264"),
        "black": ("mp4", f"-f lavfi -i color=black:s=96x54:r=25:d=12 {_SINE} -c:v libx264 -c:a aac"),
        "short sound": ("mkv", f"{_PICTURE} -f lavfi -i sine=d=5 -c:v libx264 -c:a aac"),
        "a pause": (
            "mkv",
            f"{_PICTURE} {_SINE} -vf select='lt(t,4)+gt(t,8)' -af aselect='lt(t,4)+gt(t,8)' -fps_mode vfr"
            " -c:v libx264 -g 25 -c:a aac",
        ),
        "the picture comes later": ("mp4", f"{_SINE} -itsoffset 5 {_PICTURE} -c:v libx264 -c:a aac"),
        "fragments": (
            "mp4",
            f"{_PICTURE} {_SINE} -c:v libx264 -c:a aac -movflags frag_keyframe+empty_moov",
        ),
    }.values(),
)
async def test_what_stands_still_on_purpose_is_no_damage(kind: str, args: str, tmp_path: Path) -> None:
    source = tmp_path / f"odd.{kind}"
    media.ffmpeg(args, str(source))
    damage, warnings, _ = await found(source)
    assert (damage, warnings) == ([], [])


@pytest.mark.parametrize("kind", ["mp4", "mkv", "flv", "fragments"])
async def test_an_upload_that_broke_off_is_refused(kind: str, tmp_path: Path) -> None:
    source = tmp_path / f"cut.{kind}"
    if kind == "fragments":
        source = tmp_path / "cut.mp4"
        media.ffmpeg(
            f"{_SOURCE} {_CODECS['mp4'].replace('+faststart', 'frag_keyframe+empty_moov')}", str(source)
        )
        source.write_bytes(zeroed(source.read_bytes()))  # nothing behind a hole is found
    else:
        source.write_bytes(healthy(kind)[: len(healthy(kind)) * 7 // 10])
    with pytest.raises(MediaError) as caught:
        await probe(media.TOOLS, source, max_seconds=3600)
    assert caught.value.code == errors.DECODE_FAILED


def test_a_second_is_bearable_and_a_half_is_too_little() -> None:
    def lack(end: float, what: DamageKind = MISSING) -> list[Damage]:
        return [Damage(what=what, start=0, end=end)]

    assert worth_a_look(lack(0.9), 100) == []
    assert worth_a_look(lack(1.1), 100) == lack(1.1)
    assert worth_a_look(lack(90, SOUND), 100) == lack(90, SOUND)
    many = [Damage(what=MISSING, start=at, end=at + 0.2) for at in range(200)]
    assert len(worth_a_look(many, 1000)) == 100
    for found, picture in ((lack(51), True), (lack(51, SOUND), False)):
        with pytest.raises(Exception, match="decoded") as caught:
            worth_a_look(found, 100, picture=picture)
        assert getattr(caught.value, "type", None) == errors.DECODE_FAILED


@pytest.mark.parametrize(
    ("wave", "told"),
    [
        ("0", [SoundWarning.SILENT]),
        ("0.0002*(random(0)-0.5)", [SoundWarning.SILENT]),
        ("0.3*sin(880*t)", []),
        ("0.95*(random(0)-0.5)*exp(-mod(t,0.7)*8)*2", []),
        ("clip(6*sin(880*t)*exp(-mod(t,0.7)*3),-1,1)", [SoundWarning.CLIPPED]),
    ],
)
async def test_sound_that_is_silent_or_clipped_throughout_is_told(
    wave: str, told: list[SoundWarning], tmp_path: Path
) -> None:
    source = tmp_path / "wave.mp4"
    media.ffmpeg(
        f"-f lavfi -i color=s=64x64:r=25:d=5 -f lavfi -i aevalsrc='{wave}':s=48000:d=5 -c:v libx264 -c:a aac",
        str(source),
    )
    _, warnings, _ = await found(source)
    assert warnings == told
