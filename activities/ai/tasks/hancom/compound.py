"""Streams of a compound file, [MS-CFB]; as much of it as a reader of documents needs."""

import struct

from activities.ai.sandbox.task import BadInput
from contracts.errors import FILE_DAMAGED

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
MAX_ENTRIES = 10_000
_LAST = 0xFFFFFFFA  # what is above is no sector
_NO_ENTRY = 0xFFFFFFFF
_STREAM, _ROOT = 2, 5


class Compound:
    """`streams` has the path of each, its storages before it: `BodyText/Section0`. Raises BadInput."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        try:
            shift, mini = struct.unpack_from("<HH", data, 30)
            (_, directory, _, self._cutoff, mini_fat, _, difat, _) = struct.unpack_from("<8I", data, 44)
            if shift not in (9, 12) or mini != 6:
                raise BadInput(FILE_DAMAGED)
            self._size, self._mini_size = 1 << shift, 1 << mini
            self._fat = self._table(self._fat_sectors(difat))
            self._mini_fat = self._table(self._chain(mini_fat, self._fat))
            entries = b"".join(map(self._sector, self._chain(directory, self._fat)))
            self.streams = self._found(entries)
        except struct.error:
            raise BadInput(FILE_DAMAGED) from None

    def read(self, path: str) -> bytes:
        first, size = self.streams[path]
        if size >= self._cutoff:
            content = b"".join(map(self._sector, self._chain(first, self._fat)))
        else:
            step = self._mini_size
            places = (number * step for number in self._chain(first, self._mini_fat))
            content = b"".join(self._mini[place : place + step] for place in places)
        if len(content) < size:
            raise BadInput(FILE_DAMAGED)
        return content[:size]

    def _sector(self, number: int) -> bytes:
        return self._data[(number + 1) * self._size : (number + 2) * self._size]

    def _fat_sectors(self, difat: int) -> list[int]:
        """Where the table of sectors stands: 109 in the header, the others in a chain of their own."""
        found = [*struct.unpack_from("<109I", self._data, 76)]
        seen: set[int] = set()
        while difat < _LAST:
            if difat in seen:
                raise BadInput(FILE_DAMAGED)
            seen.add(difat)
            *more, difat = struct.unpack(f"<{self._size // 4}I", self._sector(difat))
            found += more
        return [number for number in found if number < _LAST]

    def _table(self, sectors: list[int]) -> tuple[int, ...]:
        content = b"".join(map(self._sector, sectors))
        return struct.unpack(f"<{len(content) // 4}I", content[: len(content) // 4 * 4])

    def _chain(self, first: int, table: tuple[int, ...]) -> list[int]:
        found: list[int] = []
        while first < _LAST:
            if first >= len(table) or len(found) > len(table):  # beyond the end, or in a circle
                raise BadInput(FILE_DAMAGED)
            found.append(first)
            first = table[first]
        return found

    def _found(self, entries: bytes) -> dict[str, tuple[int, int]]:
        """Each stream's first sector and size, by a walk through the trees of the storages."""
        streams: dict[str, tuple[int, int]] = {}
        count = min(len(entries) // 128, MAX_ENTRIES)
        seen, left = set[int](), [(0, "")]
        while left:
            number, folder = left.pop()
            if number >= count or number in seen:
                continue
            seen.add(number)
            entry = entries[number * 128 : number * 128 + 128]
            length, kind = struct.unpack_from("<HB", entry, 64)
            before, after, child = struct.unpack_from("<3I", entry, 68)
            first, size = struct.unpack_from("<II", entry, 116)
            name = entry[: max(min(length, 64) - 2, 0)].decode("utf-16-le", "replace")
            left += [(each, folder) for each in (before, after) if each != _NO_ENTRY]
            if kind == _ROOT:
                self._mini = b"".join(map(self._sector, self._chain(first, self._fat)))
                left.append((child, ""))
            elif kind == _STREAM:
                streams[folder + name] = first, size
            elif child != _NO_ENTRY:
                left.append((child, f"{folder}{name}/"))
        return streams
