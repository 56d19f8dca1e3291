"""The image of an MMS, by its header. Pure."""

from contracts.errors import IMAGE_NOT_JPEG, IMAGE_TOO_LARGE
from rules.messaging.unsendable import Unsendable

# Solapi takes JPEGs of up to 200 KB, whichever kilobyte it means, and 1500 x 1440 pixels.
MAX_BYTES = 200_000
MAX_WIDTH = 1_500
MAX_HEIGHT = 1_440

_SOI = b"\xff\xd8"
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # T.81 table B.1: frames, not tables
_STARTS_SCAN = 0xDA
_WITHOUT_LENGTH = frozenset(range(0xD0, 0xD9)) | {0x01}


def check(data: bytes) -> None:
    """Raises Unsendable(IMAGE_NOT_JPEG) or Unsendable(IMAGE_TOO_LARGE)."""
    if not data.startswith(_SOI):
        raise Unsendable(IMAGE_NOT_JPEG)
    if len(data) > MAX_BYTES:
        raise Unsendable(IMAGE_TOO_LARGE, {"bytes": len(data), "limit": MAX_BYTES})
    width, height = _pixels(data)
    if width > MAX_WIDTH or height > MAX_HEIGHT:
        raise Unsendable(
            IMAGE_TOO_LARGE,
            {"width": width, "height": height, "max_width": MAX_WIDTH, "max_height": MAX_HEIGHT},
        )


def _pixels(data: bytes) -> tuple[int, int]:
    """Width and height from the frame header (ITU-T T.81 B.2.2)."""
    at = len(_SOI)
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker in _SOF:
            width, height = int.from_bytes(data[at + 7 : at + 9]), int.from_bytes(data[at + 5 : at + 7])
            if width and height:
                return width, height
            break
        elif marker == _STARTS_SCAN:
            break
        else:
            at += 2 if marker in _WITHOUT_LENGTH else 2 + int.from_bytes(data[at + 2 : at + 4])
    raise Unsendable(IMAGE_NOT_JPEG)
