"""How long a file of sound says that it is, where ffmpeg goes by how long it is. Blocking."""

from pathlib import Path

_UNKNOWN = (0, 2**32 - 1)  # written by who could not go back to the head
_MOST_CHUNKS = 100
_HEAD = 4096  # bytes in which the first frame of an MP3 is, with what it says of the others
_COUNTED = (b"Xing", b"Info", b"VBRI")


def missing_part(path: Path) -> float:
    """Of a WAV whose head says how many bytes of sound come: what is missing as a share of what is there. 0.0
    of others, and where nothing is missing."""
    size, at = path.stat().st_size, 12
    with path.open("rb") as file:
        if file.read(4) != b"RIFF":
            return 0.0
        for _ in range(_MOST_CHUNKS):
            file.seek(at)
            head = file.read(8)
            length = int.from_bytes(head[4:], "little")
            if len(head) < 8 or head[:4] == b"data":
                break
            at += 8 + length + length % 2
    there = size - at - 8
    if len(head) < 8 or length in _UNKNOWN or there <= 0:
        return 0.0
    return max(0.0, (length - there) / there)


def is_counted(path: Path) -> bool:
    """Whether an MP3 says how many frames it has; without, its length is guessed from the first ones."""
    with path.open("rb") as file:
        tag = file.read(10)
        if tag[:3] == b"ID3":  # its length in four times seven bits
            length = 0
            for each in tag[6:10]:
                length = length << 7 | each & 0x7F
            file.seek(10 + length)
        else:
            file.seek(0)
        first = file.read(_HEAD)
    return any(mark in first for mark in _COUNTED)
