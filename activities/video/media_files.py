"""The files that a run of ffmpeg leaves."""

import hashlib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from rules.fmp4 import places


@dataclass(frozen=True)
class MediaFile:
    """A finished file. `name` is relative to the output folder, e.g. `720p/s00012.m4s`."""

    name: str
    size: int
    sha256: str
    frames: int = 0
    duration: float = 0.0
    iframe: tuple[int, int] | None = None


@dataclass(frozen=True)
class TrackFiles:
    """What one run wrote for one rendition, or the audio: the init segment and media segments in order."""

    name: str
    codec: str
    init: MediaFile
    segments: list[MediaFile]


def media_file(
    out: Path,
    path: Path,
    frames: int = 0,
    duration: Fraction = Fraction(0),
    iframe: tuple[int, int] | None = None,
) -> MediaFile:
    """Size and checksum of a file below `out`."""
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    return MediaFile(str(path.relative_to(out)), len(data), digest, frames, float(duration), iframe)


def join_tail(path: Path, tail: Path) -> None:
    """Put the fragments of `tail` behind those of the segment before it; a segment may have several."""
    data = tail.read_bytes()
    first = next(at for kind, at in places(data) if kind == b"moof")
    with path.open("ab") as file:
        file.write(data[first:])
    tail.unlink()
