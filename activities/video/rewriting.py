"""Writing the segments of a version that is a part of another: read, moved, stored. Blocking."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path

from activities.video.cutting import Edge, Segments, of_picture, of_sound
from activities.video.encryption import encrypt
from activities.video.fmp4 import SHORTEST, BadSegment, first_picture, read_fragment
from activities.video.fragments import cut, joined, moved
from activities.video.stored import StoredTrack, StoredVersion
from activities.video.storing import SEGMENT_TYPE
from clients.objects import Objects, sha256
from contracts.trim import MadeOf
from contracts.video import EncodePlan, Segment, Track

WRITERS = 8


@dataclass(frozen=True)
class Part:
    """Frames of a version that are kept, and of each edge the files that each rendition is made of."""

    first: int
    end: int
    edges: dict[Edge, list[list[bytes]]] = field(default_factory=dict)
    made_of: MadeOf | None = None
    inexact: str | None = None


class Writing:
    """`own`: a file of the new version's own picture, or first sound, in the clear. Blocking."""

    def __init__(
        self,
        objects: Objects,
        version: StoredVersion,
        part: Part,
        plan: EncodePlan,
        key: bytes | None,
        folder: Path,
    ) -> None:
        self.own = folder / "own.mp4"
        self._objects = objects
        self._version = version
        self._part = part
        self._plan = plan
        self._key = key

    def all(self, shown: str | None) -> tuple[list[Track], list[Track]]:
        """Every rendition; `shown` is the one that pictures are drawn of."""
        version, part = self._version, self._part
        pictures = [
            self._track(
                track, pictures_of(version, part.first, part.end), rendition=number, own=track.name == shown
            )
            for number, track in enumerate(version.video)
        ]
        sounds = [
            self._track(track, self._heard(track), rendition=number, own=shown is None and not number)
            for number, track in enumerate(version.sound)
        ]
        return pictures, sounds

    def _heard(self, track: StoredTrack) -> Segments:
        first, end = self._ticks(track)
        shortest = round(SHORTEST * track.init.timescale)
        return of_sound(track.starts, track.step, first, end, shortest)

    def _ticks(self, track: StoredTrack) -> tuple[int, int]:
        scale = track.init.timescale / self._version.fps
        return round(self._part.first * scale), round(self._part.end * scale)

    def _track(self, track: StoredTrack, segments: Segments, *, rendition: int, own: bool) -> Track:
        sound = track in self._version.sound
        prefix = f"{self._plan.prefix}{track.name}/"
        self._objects.put(f"{prefix}init.mp4", track.init_bytes, SEGMENT_TYPE)
        at = 0
        found: list[Segment] = []

        def made(number: int) -> bytes:
            data = b""
            for piece in segments[number]:
                if isinstance(piece, Edge):
                    for each in self._part.edges[piece][rendition]:
                        data = _behind(data, self._moved_edge(track, each))
                else:
                    data = _behind(data, self._kept(track, piece.number))
            return data

        def stored(number: int) -> tuple[Segment, bytes]:
            data = made(number)
            name = f"s{number:05d}.m4s"
            written = encrypt(data, self._key, number) if self._key else data
            self._objects.put(prefix + name, written, SEGMENT_TYPE)
            fragment = read_fragment(data, track.init)
            iframe = None if self._key or sound else first_picture(data)
            segment = Segment(
                key=prefix + name,
                size=len(written),
                sha256=sha256(written),
                frames=fragment.samples,
                duration=fragment.duration / track.init.timescale,
                iframe=iframe,
            )
            return segment, data

        with (
            ThreadPoolExecutor(WRITERS) as pool,
            self.own.open("wb") if own else nullcontext() as file,
        ):
            if file:
                file.write(track.init_bytes)
            # A few at a time: what is read and not yet written lies in memory.
            for begun in range(0, len(segments), 2 * WRITERS):
                some = range(begun, min(begun + 2 * WRITERS, len(segments)))
                for segment, data in pool.map(stored, some):
                    at = _require_next(track, data, at, late=track.step - 1 if sound and not found else 0)
                    found.append(segment)
                    if file:
                        file.write(data)
        init = Segment(
            key=f"{prefix}init.mp4",
            size=len(track.init_bytes),
            sha256=sha256(track.init_bytes),
            frames=0,
            duration=0.0,
        )
        return Track(name=track.name, codec=track.init.codec, init=init, segments=found)

    def _kept(self, track: StoredTrack, number: int) -> bytes:
        data = self._version.segment(track, number)
        first, end = self._ticks(track)
        whole = track in self._version.video
        return moved(data if whole else cut(data, track.init, first, end), -first)

    def _moved_edge(self, track: StoredTrack, data: bytes) -> bytes:
        made_of = self._part.made_of
        assert made_of is not None, "edges are made of a source"
        return moved(data, -made_of.first_frame * track.step)


def pictures_of(version: StoredVersion, first: int, end: int) -> Segments:
    return of_picture(in_frames(version.video[0]), first, end, ceil(SHORTEST * version.fps))


def in_frames(track: StoredTrack) -> Sequence[int]:
    return [(start - track.starts[0]) // track.step for start in track.starts]


def _behind(data: bytes, tail: bytes) -> bytes:
    return joined(data, tail) if data else tail


def _require_next(track: StoredTrack, data: bytes, at: int, *, late: int) -> int:
    """As an encode believes a segment: it begins where the one before ends, or up to `late` behind that, with
    a keyframe, and has a frame at each of its places. Returns its end."""
    fragment = read_fragment(data, track.init)
    steady = fragment.samples == 1 or fragment.step == track.step
    if not 0 <= fragment.start - at <= late or not fragment.sync or not steady:
        raise BadSegment(f"{track.name} at {at}: {fragment}")
    return fragment.start + fragment.duration
