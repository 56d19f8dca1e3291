"""Reading the few MP4 boxes (ISO/IEC 14496-12) that tell what a segment really contains. Pure."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

_CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"mvex", b"moof", b"traf"}
_NOT_SYNC = 0x10000


class BadSegment(Exception):
    """The bytes are not the segment that was asked for."""


@dataclass(frozen=True)
class Init:
    """RFC 6381 codec string, ticks per second, what the edit list takes off every time, sample defaults."""

    codec: str
    timescale: int
    media_time: int
    sample_duration: int
    sample_flags: int


@dataclass(frozen=True)
class Fragment:
    """First presentation time and duration in ticks, samples, and whether it starts on a sync sample.

    `step`: ticks from each sample's presentation to the next one's; None if they differ.
    """

    start: int
    duration: int
    samples: int
    sync: bool
    step: int | None


def places(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Kind and place of each box of the outermost level. Raises BadSegment where there is no next one."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if size < 8:
            break
        yield kind, at
        at += size
    raise BadSegment("media segment without samples")


def read_init(data: bytes) -> Init:
    """Of an init segment with one track. Raises BadSegment."""
    boxes = dict(_boxes(data))
    try:
        mdhd, stsd, trex = boxes[b"mdhd"], boxes[b"stsd"], boxes[b"trex"]
        timescale = struct.unpack_from(">I", mdhd, 20 if mdhd[0] else 12)[0]
        duration, _, flags = struct.unpack_from(">III", trex, 12)
        return Init(_codec(stsd), timescale, _media_time(boxes.get(b"elst")), duration, flags)
    except (KeyError, struct.error, IndexError) as error:
        raise BadSegment(f"init segment: {error!r}") from error


def read_fragment(data: bytes, init: Init) -> Fragment:
    """Of a media segment with one track; several moofs are added up. Raises BadSegment."""
    duration = 0
    sync: bool | None = None
    shown: list[int] = []
    try:
        for kind, body in _boxes(data):
            if kind == b"tfhd":
                default = _tfhd(body, init)
            elif kind == b"tfdt":
                base = struct.unpack_from(">Q" if body[0] else ">I", body, 4)[0]
            elif kind == b"trun":
                times, length, flags = _trun(body, *default)
                if sync is None:
                    sync = not flags & _NOT_SYNC
                shown += [base + time - init.media_time for time in times]
                base += length
                duration += length
    except (struct.error, UnboundLocalError, IndexError) as error:
        raise BadSegment(f"media segment: {error!r}") from error
    if not shown or sync is None:
        raise BadSegment("media segment without samples")
    shown.sort()
    steps = {later - time for time, later in pairwise(shown)} or {duration}
    return Fragment(shown[0], duration, len(shown), sync, steps.pop() if len(steps) == 1 else None)


def first_picture(data: bytes) -> tuple[int, int]:
    """Place and length of what a player needs of a segment to show its first picture: the head of its first
    fragment and that one sample, which lies first behind it. Raises BadSegment."""
    at = next(at for kind, at in places(data) if kind == b"moof")
    length = struct.unpack_from(">I", data, at)[0]
    size = 0
    try:
        for kind, body in _boxes(data[at : at + length]):
            if kind == b"tfhd":
                size = _sample_size(body)
            elif kind == b"trun":
                return at, _first_end(body, size)
    except (struct.error, IndexError) as error:
        raise BadSegment(f"media segment: {error!r}") from error
    raise BadSegment("media segment without samples")


def _sample_size(tfhd: bytes) -> int:
    """The fragment's default, 0 where it has none."""
    present = int.from_bytes(tfhd[1:4], "big")
    if not present & 0x10:
        return 0
    at = 8 + 8 * bool(present & 0x1) + 4 * bool(present & 0x2) + 4 * bool(present & 0x8)
    size: int = struct.unpack_from(">I", tfhd, at)[0]
    return size


def _first_end(trun: bytes, size: int) -> int:
    """Where the run's first sample ends, from the start of its `moof`."""
    present = int.from_bytes(trun[1:4], "big")
    if not present & 0x1:
        raise BadSegment("samples without a place")
    begin: int = struct.unpack_from(">i", trun, 8)[0]
    if present & 0x200:
        at = 12 + 4 * bool(present & 0x4) + 4 * bool(present & 0x100)
        size = struct.unpack_from(">I", trun, at)[0]
    if begin <= 0 or size <= 0:
        raise BadSegment("a first sample without a size")
    return begin + size


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Every box in order; those that only hold others are opened."""
    at = 0
    while at < len(data):
        if at + 8 > len(data):
            raise BadSegment("cut inside a box header")
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1 and at + 16 <= len(data):
            size, head = struct.unpack_from(">Q", data, at + 8)[0], 16
        if size < head or at + size > len(data):
            raise BadSegment(f"box {kind!r} does not fit")
        body = data[at + head : at + size]
        if kind in _CONTAINERS:
            yield from _boxes(body)
        else:
            yield kind, body
        at += size


def _codec(stsd: bytes) -> str:
    kind = stsd[12:16]
    if kind == b"avc1":
        at = stsd.index(b"avcC") + 4  # version, then profile, compatibility and level
        return f"avc1.{stsd[at + 1 : at + 4].hex()}"
    if kind == b"mp4a":
        return "mp4a.40.2"
    raise BadSegment(f"codec {kind!r}")


def _media_time(elst: bytes | None) -> int:
    if elst is None:
        return 0
    entries = struct.unpack_from(">I", elst, 4)[0]
    if entries != 1:
        raise BadSegment(f"{entries} edits")
    time: int = struct.unpack_from(">Qq" if elst[0] else ">Ii", elst, 8)[1]
    return time


def _tfhd(body: bytes, init: Init) -> tuple[int, int]:
    """The fragment's default sample duration and flags."""
    present = int.from_bytes(body[1:4], "big")
    at = 8 + 8 * bool(present & 0x1) + 4 * bool(present & 0x2)
    duration, flags = init.sample_duration, init.sample_flags
    if present & 0x8:
        duration = struct.unpack_from(">I", body, at)[0]
        at += 4
    at += 4 * bool(present & 0x10)
    if present & 0x20:
        flags = struct.unpack_from(">I", body, at)[0]
    return duration, flags


def _trun(body: bytes, duration: int, flags: int) -> tuple[list[int], int, int]:
    """When each sample is presented, from the run's start; their total duration; the first one's flags."""
    present = int.from_bytes(body[1:4], "big")
    count = struct.unpack_from(">I", body, 4)[0]
    at = 8 + 4 * bool(present & 0x1)
    first_flags = flags
    if present & 0x4:
        first_flags = struct.unpack_from(">I", body, at)[0]
        at += 4
    columns = [bit for bit in (0x100, 0x200, 0x400, 0x800) if present & bit]
    total, times = 0, []
    for sample in range(count):
        row = dict(zip(columns, struct.unpack_from(f">{len(columns)}I", body, at), strict=True))
        at += 4 * len(columns)
        times.append(total + int.from_bytes(row.get(0x800, 0).to_bytes(4, "big"), "big", signed=True))
        total += row.get(0x100, duration)
        if sample == 0:
            first_flags = row.get(0x400, first_flags)
    return times, total, first_flags
