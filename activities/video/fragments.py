"""Media segments changed without a decoder: another clock, fewer samples, two of them as one.

Of segments of one track as our workers have written them (ISO/IEC 14496-12: `moof` as the base of offsets).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

from rules.fmp4 import BadSegment, Init

_HEAD = 8


@dataclass(frozen=True)
class Sample:
    """`start`: when it is decoded, in ticks. `later`: by how much after that it is shown."""

    start: int
    duration: int
    flags: int
    later: int
    data: bytes


def moved(data: bytes, by: int) -> bytes:
    """The same segment, `by` ticks later, or earlier. Raises BadSegment where it would begin before zero."""
    found = bytearray(data)
    try:
        for kind, at in _walk(data):
            if kind == b"tfdt":
                _shift(found, at + _HEAD + 4, bool(data[at + _HEAD]), by)
            elif kind == b"sidx":  # behind the number of the track and the timescale
                _shift(found, at + _HEAD + 12, bool(data[at + _HEAD]), by)
    except (struct.error, IndexError) as error:
        raise BadSegment(f"media segment: {error!r}") from error
    return bytes(found)


def joined(data: bytes, tail: bytes) -> bytes:
    """Two segments that follow one another as one. `first_picture` of it is that of the first."""
    return data + tail[next(at for kind, at in _walk(tail) if kind == b"moof") :]


def cut(data: bytes, init: Init, start: int, end: int) -> bytes:
    """Of a segment of sound what begins at `start` or later and has its middle before `end`, in ticks. The
    same bytes where that is all of it. Raises BadSegment where it is nothing."""
    samples = list(samples_of(data, init))
    kept = [each for each in samples if each.start >= start and each.start + each.duration / 2 <= end]
    if not kept:
        raise BadSegment("nothing is left of a segment")
    return data if len(kept) == len(samples) else built(kept, data[: _styp(data)])


def samples_of(data: bytes, init: Init) -> Iterator[Sample]:
    """Every sample in the order in which it is decoded. Raises BadSegment."""
    try:
        moof = base = 0
        track = _Defaults(init.sample_duration, 0, init.sample_flags)
        for kind, at in _walk(data):
            if kind == b"moof":
                moof = at
            elif kind == b"tfhd":
                track = _defaults(data, at + _HEAD, init)
            elif kind == b"tfdt":
                (base,) = struct.unpack_from(">Q" if data[at + _HEAD] else ">I", data, at + _HEAD + 4)
            elif kind == b"trun":
                for sample in _run(data, at + _HEAD, moof, base, track):
                    base = sample.start + sample.duration
                    yield sample
    except (struct.error, IndexError) as error:
        raise BadSegment(f"media segment: {error!r}") from error


def built(samples: list[Sample], styp: bytes = b"") -> bytes:
    """A segment of one fragment of track 1."""
    rows = b"".join(
        struct.pack(">IIIi", each.duration, len(each.data), each.flags, each.later) for each in samples
    )
    tfhd = _full(b"tfhd", 0, 0x020000, struct.pack(">I", 1))
    tfdt = _full(b"tfdt", 1, 0, struct.pack(">Q", samples[0].start))
    mfhd = _full(b"mfhd", 0, 0, struct.pack(">I", 1))

    def moof(place: int) -> bytes:
        trun = _full(b"trun", 1, 0x000F01, struct.pack(">Ii", len(samples), place) + rows)
        return _box(b"moof", mfhd + _box(b"traf", tfhd + tfdt + trun))

    place = len(moof(0)) + _HEAD
    return styp + moof(place) + _box(b"mdat", b"".join(each.data for each in samples))


@dataclass(frozen=True)
class _Defaults:
    duration: int
    size: int
    flags: int


def _defaults(data: bytes, at: int, init: Init) -> _Defaults:
    present = int.from_bytes(data[at + 1 : at + 4], "big")
    found = _Defaults(init.sample_duration, 0, init.sample_flags)
    at += 8 + 8 * bool(present & 0x1) + 4 * bool(present & 0x2)
    for bit, name in ((0x8, "duration"), (0x10, "size"), (0x20, "flags")):
        if present & bit:
            (value,) = struct.unpack_from(">I", data, at)
            found = replace(found, **{name: value})
            at += 4
    return found


def _run(data: bytes, at: int, moof: int, base: int, track: _Defaults) -> Iterator[Sample]:
    present = int.from_bytes(data[at + 1 : at + 4], "big")
    (count,) = struct.unpack_from(">I", data, at + 4)
    if not present & 0x1:
        raise BadSegment("samples without a place")
    (offset,) = struct.unpack_from(">i", data, at + 8)
    row, place = at + 12, moof + offset
    first = track.flags
    if present & 0x4:
        (first,) = struct.unpack_from(">I", data, row)
        row += 4
    for number in range(count):
        found = {0x100: track.duration, 0x200: track.size, 0x400: first if number == 0 else track.flags}
        for bit in (0x100, 0x200, 0x400):
            if present & bit:
                (found[bit],) = struct.unpack_from(">I", data, row)
                row += 4
        later = 0
        if present & 0x800:
            (later,) = struct.unpack_from(">i", data, row)
            row += 4
        size = found[0x200]
        if size <= 0 or place < 0 or place + size > len(data):
            raise BadSegment("a sample outside of its segment")
        yield Sample(base, found[0x100], found[0x400], later, data[place : place + size])
        base += found[0x100]
        place += size


def _walk(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Kind and place of every box, what `moof` and `traf` hold among them."""
    at = 0
    while at + _HEAD <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if size < _HEAD or at + size > len(data):
            raise BadSegment(f"box {kind!r} does not fit")
        yield kind, at
        at += _HEAD if kind in (b"moof", b"traf") else size
    if at != len(data):
        raise BadSegment("cut inside a box header")


def _shift(data: bytearray, at: int, wide: bool, by: int) -> None:
    form = ">Q" if wide else ">I"
    time = struct.unpack_from(form, data, at)[0] + by
    if time < 0:
        raise BadSegment(f"it would begin at {time}")
    struct.pack_into(form, data, at, time)


def _styp(data: bytes) -> int:
    """Length of the box at its start that says of what kind it is. An index would not fit any more."""
    size, kind = struct.unpack_from(">I4s", data, 0)
    return int(size) if kind == b"styp" else 0


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", _HEAD + len(body), kind) + body


def _full(kind: bytes, version: int, flags: int, body: bytes) -> bytes:
    return _box(kind, struct.pack(">I", version << 24 | flags) + body)
