"""Names of the keys that segments of HLS are encrypted with. Pure."""

import re
from typing import NamedTuple
from urllib.parse import quote, unquote

_NAME = re.compile(r"key-(.{1,32})|keys-(.{1,32})/([0-9]{1,6})")


class HlsKey(NamedTuple):
    """Derived for a version from the ring's key `id`. `first`: the number of the segment from which on it is
    used; None where all segments of the version have the same."""

    id: str
    first: int | None = None

    @property
    def path(self) -> str:
        """Below a session's link, as playlists have it."""
        name = quote(self.id, safe="")
        return f"key-{name}" if self.first is None else f"keys-{name}/{self.first}"


def key_of(key_id: str, every: int, segment: int) -> HlsKey:
    """Of a segment by its number. `every` so many of them the key changes; 0: never."""
    return HlsKey(key_id, segment - segment % every if every else None)


def named(path: str) -> HlsKey | None:
    """The key of a path as a server gets it, unquoted; None for another path."""
    found = _NAME.fullmatch(path)
    if found is None:
        return None
    return HlsKey(found[1]) if found[1] else HlsKey(found[2], int(found[3]))


def of_playlist(path: str) -> HlsKey | None:
    return named(unquote(path))
