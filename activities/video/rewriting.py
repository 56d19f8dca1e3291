"""Writing the segments of a version that is a part of another: read, moved, stored. Blocking."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from math import ceil
from pathlib import Path

from activities.video.cutting import Edge, Segments, of_picture, of_sound
from activities.video.encryption import encrypt
from activities.video.fmp4 import BadSegment, first_picture, read_fragment
from activities.video.fragments import cut, joined, moved
from activities.video.stored import StoredTrack, StoredVersion
from activities.video.storing import SEGMENT_TYPE
from clients.objects import Objects, sha256
from contracts.trim import MadeOf
from contracts.video import SHORTEST, Segment, Track

WRITERS = 8
AT_ONCE = 2 * WRITERS  # segments that lie in memory


@dataclass(frozen=True)
class Part:
    """Frames of a version that are kept, and of each edge the files that each rendition is made of."""

    first: int
    end: int
    made_of: MadeOf
    edges: dict[Edge, list[list[bytes]]] = field(default_factory=dict)
    inexact: str | None = None


class TrackWriting:
    """One rendition of `part`, below `prefix`: `steps` one after another, then `written`. `own`: a file that
    gets it in the clear as well."""

    def __init__(
        self,
        objects: Objects,
        version: StoredVersion,
        part: Part,
        track: StoredTrack,
        *,
        prefix: str,
        key: bytes | None,
        own: Path | None = None,
    ) -> None:
        self._objects = objects
        self._version = version
        self._part = part
        self._track = track
        self._prefix = f"{prefix}{track.name}/"
        self._key = key
        self._own = own
        self._sound = track in version.sound
        self._segments = self._wanted()
        self._stored: list[Segment] = []
        self._end = 0

    def steps(self) -> list[Callable[[], None]]:
        """Some segments each. Each raises ObjectMissing, BadSegment."""
        count = len(self._segments)
        later = [
            partial(self._some, range(begun, min(begun + AT_ONCE, count)))
            for begun in range(0, count, AT_ONCE)
        ]
        return [self._begin, *later]

    def written(self) -> Track:
        """After all steps."""
        data = self._track.init_bytes
        key = f"{self._prefix}init.mp4"
        init = Segment(key=key, size=len(data), sha256=sha256(data), frames=0, duration=0.0)
        return Track(name=self._track.name, codec=self._track.init.codec, init=init, segments=self._stored)

    def _begin(self) -> None:
        self._objects.put(f"{self._prefix}init.mp4", self._track.init_bytes, SEGMENT_TYPE)
        if self._own:
            self._own.write_bytes(self._track.init_bytes)

    def _some(self, numbers: Sequence[int]) -> None:
        with ThreadPoolExecutor(WRITERS) as pool:
            for segment, data in pool.map(self._store, numbers):
                self._end = self._require_next(data)
                self._stored.append(segment)
                if self._own:
                    with self._own.open("ab") as file:
                        file.write(data)

    def _store(self, number: int) -> tuple[Segment, bytes]:
        data = self._made(number)
        key = f"{self._prefix}s{number:05d}.m4s"
        written = encrypt(data, self._key, number) if self._key else data
        self._objects.put(key, written, SEGMENT_TYPE)
        fragment = read_fragment(data, self._track.init)
        segment = Segment(
            key=key,
            size=len(written),
            sha256=sha256(written),
            frames=fragment.samples,
            duration=fragment.duration / self._track.init.timescale,
            iframe=None if self._key or self._sound else first_picture(data),
        )
        return segment, data

    def _made(self, number: int) -> bytes:
        """In the clear, on the new clock."""
        data = b""
        for piece in self._segments[number]:
            parts = self._edge(piece) if isinstance(piece, Edge) else [self._kept(piece.number)]
            for each in parts:
                data = joined(data, each) if data else each
        return data

    def _kept(self, number: int) -> bytes:
        data = self._version.segment(self._track, number)
        first, end = self._ticks()
        return moved(cut(data, self._track.init, first, end) if self._sound else data, -first)

    def _edge(self, edge: Edge) -> list[bytes]:
        rendition = self._version.video.index(self._track)
        files = self._part.edges[edge][rendition]
        begin = self._part.made_of.first_frame * self._track.step
        return [moved(data, -begin) for data in files]

    def _wanted(self) -> Segments:
        if not self._sound:
            return pictures_of(self._version, self._part.first, self._part.end)
        first, end = self._ticks()
        shortest = round(SHORTEST * self._track.init.timescale)
        return of_sound(self._track.starts, self._track.step, first, end, shortest)

    def _ticks(self) -> tuple[int, int]:
        scale = self._track.init.timescale / self._version.fps
        return round(self._part.first * scale), round(self._part.end * scale)

    def _require_next(self, data: bytes) -> int:
        """As an encode believes a segment: it begins where the one before ends, with a keyframe, and has a
        frame at each of its places. Only sound may begin up to a frame late. Returns its end."""
        track = self._track
        fragment = read_fragment(data, track.init)
        late = track.step - 1 if self._sound and not self._stored else 0
        steady = fragment.samples == 1 or fragment.step == track.step
        if not 0 <= fragment.start - self._end <= late or not fragment.sync or not steady:
            raise BadSegment(f"{track.name} at {self._end}: {fragment}")
        return fragment.start + fragment.duration


def pictures_of(version: StoredVersion, first: int, end: int) -> Segments:
    return of_picture(in_frames(version.video[0]), first, end, ceil(SHORTEST * version.fps))


def in_frames(track: StoredTrack) -> Sequence[int]:
    return [(start - track.starts[0]) // track.step for start in track.starts]
