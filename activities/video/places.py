"""Where the packets of a picture lie in its file, so that who encodes a unit fetches its part alone.

Only of an MP4 with an index: what it says is where ffmpeg reads. Other containers are searched for their
clusters, and whoever joins pictures from a fragment needs those before.
"""

from collections.abc import Callable
from dataclasses import dataclass

from contracts.video import SOUND_OPENINGS, EncodePlan, SourceParts, Span

# Their decoders complain of zeros, which are what a part has where nothing was fetched.
CODECS = ("h264", "hevc")
SMALLEST = 16 * 2**20  # bytes; smaller sources are fetched whole
_PIECE = 1.0  # seconds
_BEFORE, _BEHIND = 0.5, 1.0  # seconds; ffmpeg seeks a little earlier
_AHEAD = 75  # frames that it decodes and does not use: in its queues, and in the encoder that looks ahead
_HEAD = 2 * 2**20  # bytes in which ffmpeg finds out what the streams are
_MOST_BOXES = 100  # each is asked for
_WORTH = 1.3  # of the source: units that are short read so much of others that hosts would fetch all of it


@dataclass
class _Piece:
    """About a second of packets as they lie in the file. `key`: it can be decoded without what is before."""

    key: bool
    begun: float
    earliest: float
    first: int
    behind: int


class Places:
    """Of one stream, gathered packet by packet in the file's order, in bounded memory."""

    def __init__(self) -> None:
        self._pieces: list[_Piece] = []

    def add(self, time: float, key: bool, at: int, size: int) -> None:
        last = self._pieces[-1] if self._pieces else None
        if last and (last.key or not key) and abs(time - last.begun) < (_PIECE / 2 if key else _PIECE):
            last.earliest = min(last.earliest, time)
            last.first, last.behind = min(last.first, at), max(last.behind, at + size)
        else:
            self._pieces.append(_Piece(key, time, time, at, at + size))

    def between(self, start: float, end: float) -> tuple[int, int]:
        """What is read to show `start` to `end`, on the packets' clock: from the keyframe before."""
        keys = [number for number, piece in enumerate(self._pieces) if piece.key and piece.begun <= start]
        last = max((number for number, piece in enumerate(self._pieces) if piece.earliest <= end), default=0)
        read = self._pieces[min(keys[-1] if keys else 0, last) : last + 1]
        return min(piece.first for piece in read), max(piece.behind for piece in read)


def parts_of(
    index: list[Span], size: int, plan: EncodePlan, picture: Places, sound: Places | None, zero: float
) -> SourceParts | None:
    """Of a source of so many bytes; None if its units are short. `zero`: where its clock begins."""
    if plan.remux:
        return None
    units = []
    shown = plan.picture_frames or plan.total_frames
    behind = _BEHIND + float(_AHEAD / plan.fps)
    zero += plan.origin
    for first in range(0, plan.total_frames, plan.unit_frames):
        start, end = min(first, shown - 1) / plan.fps, min(first + plan.unit_frames, shown) / plan.fps
        since = zero + float(start) - plan.preroll - _BEFORE
        units.append(picture.between(since, zero + float(end) + behind))
    head = picture.between(float("-inf"), float("-inf"))[0]
    if sum(end - first for first, end in units) > _WORTH * size:
        return None
    opening = sound.between(float("-inf"), zero + SOUND_OPENINGS[0] + _BEHIND) if sound else None
    return SourceParts(
        index=[*index, (head, min(size, head + _HEAD))], units=units, opening=[opening] if opening else []
    )


def index_of(read: Callable[[int, int], bytes], size: int) -> list[Span] | None:
    """All boxes of an MP4, of `mdat` its beginning: in them stands where packets are. None for a fragmented
    one, for another file, and where that is most of it. `read` gives the bytes from one place to before
    another. Blocking."""
    found: list[Span] = []
    at, indexed = 0, False
    for _ in range(_MOST_BOXES):
        if at >= size:
            worth = sum(end - start for start, end in found) < size / 2
            return found if indexed and worth else None
        head = read(at, min(size, at + 16))
        length, name = int.from_bytes(head[:4]), head[4:8]
        if length == 1:
            length = int.from_bytes(head[8:16])
        if length == 0:  # until the end
            length = size - at
        if length < 8 or name == b"moof":
            return None
        indexed = indexed or name == b"moov"
        taken = min(length, 16 + _HEAD) if name == b"mdat" else length  # sound may come first in it
        found.append((at, min(size, at + taken)))
        at += length
    return None
