"""A document of Hancom's word processor, old or new: what it says, and the pictures in it."""

from functools import lru_cache
from pathlib import Path

from activities.ai.sandbox.task import BadInput
from activities.ai.tasks.hancom import hwp5, hwpx
from activities.ai.tasks.hancom.compound import MAGIC
from activities.ai.tasks.hancom.document import Document
from contracts.errors import FILE_NOT_SUPPORTED

MAX_PICTURES = 200
_PLAIN = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"GIF8", b"II*\x00", b"MM\x00*")
ENGINES = {"hwp": "HWP 5.0, version 1", "hwpx": "HWPX, version 1"}


def kind(path: Path) -> str | None:
    """`hwp`, `hwpx`, or None for what is no such document, by its content."""
    with path.open("rb") as file:
        head = file.read(128)
    if head.startswith(MAGIC):
        return "hwp"
    if head.startswith(b"HWP Document File V"):  # before 2000: another format
        raise BadInput(FILE_NOT_SUPPORTED)
    return "hwpx" if hwpx.is_hwpx(path) else None


def read(path: Path) -> Document:
    """Raises BadInput."""
    return hwp5.read(path) if kind(path) == "hwp" else hwpx.read(path)


def pictures(path: Path) -> tuple[dict[str, bytes], int]:
    """Pictures that can be read, by name, and how many others there are. Raises BadInput."""
    said = path.stat()
    return _pictures(path, said.st_ino, said.st_mtime_ns)


@lru_cache(maxsize=1)  # each is a unit of its own
def _pictures(path: Path, inode: int, changed: int) -> tuple[dict[str, bytes], int]:
    found = hwp5.pictures(path) if kind(path) == "hwp" else hwpx.pictures(path)
    plain = {name: data for name, data in found.items() if data.startswith(_PLAIN)}
    kept = dict(list(plain.items())[:MAX_PICTURES])
    return kept, len(found) - len(kept)
