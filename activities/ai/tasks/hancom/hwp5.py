"""HWP 5.0: records in the streams of a compound file. Source: Hancom, "한글문서파일형식 5.0", revision 1.3.

The end of each number in the file is little; lengths of texts count UTF-16 units.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path

from activities.ai.sandbox.task import BadInput
from activities.ai.tasks.hancom.compound import Compound
from activities.ai.tasks.hancom.document import Document, Part, Writing
from contracts.errors import (
    ARCHIVE_TOO_DEEP,
    DOCUMENT_LOCKED,
    FILE_DAMAGED,
    FILE_ENCRYPTED,
    FILE_NOT_SUPPORTED,
)

SIGNATURE = b"HWP Document File"
HEADER = "FileHeader"
MAX_INFLATED = 200 << 20  # of all streams together
MAX_RECORDS = 5_000_000
_COMPRESSED, _PASSWORD, _DISTRIBUTED = 1, 1 << 1, 1 << 2
_ENCRYPTED = _PASSWORD | 1 << 4 | 1 << 8 | 1 << 10  # DRM, certificates


class _Tag(IntEnum):
    PARA_SHAPE = 25
    PARA_HEADER = 66
    PARA_TEXT = 67
    CTRL_HEADER = 71
    LIST_HEADER = 72
    TABLE = 77
    OLE = 84
    EQUATION = 88
    MEMO = 93
    CHART = 95
    TRACK_CHANGE = 96


_NUMBERED = (1, 2)  # kinds of a paragraph's head: outline, number
_ALONE = {10: "\n", 13: "\n", 24: "-", 30: "\u00a0", 31: " "}  # signs of one unit
_INLINE = frozenset((4, 5, 6, 7, 8, 9, 19, 20))  # of eight units, of no control
_SHORT = frozenset((0, 10, 13, *range(24, 32)))
_SECTION = re.compile(r"BodyText/Section(\d{1,4})")
_PICTURES = "BinData/"


def read(path: Path) -> Document:
    """Raises BadInput: FILE_ENCRYPTED, DOCUMENT_LOCKED, FILE_DAMAGED, ARCHIVE_TOO_DEEP."""
    return _File(path).document()


def pictures(path: Path) -> dict[str, bytes]:
    """The embedded files by name. Raises BadInput."""
    return _File(path).pictures()


class _File:
    def __init__(self, path: Path) -> None:
        self._file = Compound(path.read_bytes())
        if HEADER not in self._file.streams:
            raise BadInput(FILE_NOT_SUPPORTED)
        header = self._file.read(HEADER)
        if not header.startswith(SIGNATURE) or len(header) < 40 or header[35] != 5:
            raise BadInput(FILE_NOT_SUPPORTED)
        (said,) = struct.unpack_from("<I", header, 36)
        if said & _ENCRYPTED:
            raise BadInput(FILE_ENCRYPTED)
        if said & _DISTRIBUTED:
            raise BadInput(DOCUMENT_LOCKED)
        self._compressed = bool(said & _COMPRESSED)
        self._left = MAX_INFLATED

    def document(self) -> Document:
        numbered, changes = set[int](), False
        shapes = 0
        for tag, _, data in self._records("DocInfo"):
            if tag == _Tag.PARA_SHAPE and len(data) >= 4:
                if struct.unpack_from("<I", data)[0] >> 23 & 3 in _NUMBERED:
                    numbered.add(shapes)
                shapes += 1
            changes = changes or tag == _Tag.TRACK_CHANGE
        sections = sorted(
            (int(match[1]), name) for name in self._file.streams if (match := _SECTION.fullmatch(name))
        )
        if not sections:
            raise BadInput(FILE_DAMAGED)
        reader = _Reader(numbered)
        for _, name in sections:
            reader.read(self._records(name))
        if changes:
            reader.writing.document.left_out["marks of changed and deleted text"] += 1
        return reader.writing.document

    def pictures(self) -> dict[str, bytes]:
        found = {}
        for name in sorted(self._file.streams):
            if name.startswith(_PICTURES):
                raw = self._file.read(name)
                try:
                    found[name.removeprefix(_PICTURES)] = self._inflated(raw) if self._compressed else raw
                except BadInput as error:
                    if error.code != FILE_DAMAGED:
                        raise
                    found[name.removeprefix(_PICTURES)] = raw  # one may say that it is not compressed
        return found

    def _records(self, stream: str) -> Iterator[tuple[int, int, bytes]]:
        """Tag, level and content of each record."""
        if stream not in self._file.streams:
            raise BadInput(FILE_DAMAGED)
        content = self._file.read(stream)
        if self._compressed:
            content = self._inflated(content)
        place = count = 0
        while place + 4 <= len(content):
            (header,) = struct.unpack_from("<I", content, place)
            place += 4
            size = header >> 20
            if size == 0xFFF:
                if place + 4 > len(content):
                    raise BadInput(FILE_DAMAGED)
                (size,) = struct.unpack_from("<I", content, place)
                place += 4
            if place + size > len(content):
                raise BadInput(FILE_DAMAGED)
            if (count := count + 1) > MAX_RECORDS:
                raise BadInput(ARCHIVE_TOO_DEEP, {"records": MAX_RECORDS})
            yield header & 0x3FF, header >> 10 & 0x3FF, content[place : place + size]
            place += size

    def _inflated(self, content: bytes) -> bytes:
        inflater = zlib.decompressobj(-15)
        try:
            found = inflater.decompress(content, self._left + 1)
        except zlib.error:
            raise BadInput(FILE_DAMAGED) from None
        self._left -= len(found)
        if self._left < 0:
            raise BadInput(ARCHIVE_TOO_DEEP, {"limit": MAX_INFLATED})
        if not inflater.eof:
            raise BadInput(FILE_DAMAGED)  # cut off: the rest would be lost in silence
        return found


class _Reader:
    """`numbered`: shapes of paragraphs that get a number."""

    def __init__(self, numbered: set[int]) -> None:
        self.writing = Writing()
        self._numbered = numbered
        self._slots: list[list[int]] = []  # of each open paragraph: where in its texts its controls stand
        self._is_numbered = False

    def read(self, records: Iterator[tuple[int, int, bytes]]) -> None:
        try:
            for tag, level, data in records:
                self._close(tag, level)
                self._take(tag, level, data)
        except struct.error:
            raise BadInput(FILE_DAMAGED) from None
        self._close(0, -1)

    def _close(self, tag: int, level: int) -> None:
        """What the record is not in. The paragraphs of a list stand beside its record, not below it."""
        while top := self.writing.open[-1] if self.writing.open else None:
            if top.level < level or (top.kind == "list" and top.level == level and tag == _Tag.PARA_HEADER):
                return
            if top.kind == "paragraph":
                self._slots.pop()
            self.writing.end()

    def _take(self, tag: int, level: int, data: bytes) -> None:
        writing = self.writing
        match tag:
            case _Tag.PARA_HEADER:
                writing.begin(Part("paragraph", level))
                self._slots.append([])
                self._is_numbered = struct.unpack_from("<H", data, 8)[0] in self._numbered
            case _Tag.PARA_TEXT if paragraph := writing.inner("paragraph"):
                texts, slots = _texts(data)
                writing.count("".join(texts))
                paragraph.texts, self._slots[-1] = texts, slots
                if self._is_numbered and "".join(texts).strip():
                    writing.document.numbered += 1
            case _Tag.CTRL_HEADER:
                kind = data[3::-1].decode("latin-1") if len(data) >= 4 else ""
                part = writing.begin(Part("control", level))
                part.is_table = kind == "tbl "
                part.dropped = "hidden comments" if kind == "tcmt" else ""
                if self._slots and self._slots[-1]:
                    part.place = (self._slots[-1].pop(0), 0, 0, 0)
            case _Tag.MEMO:
                writing.begin(Part("control", level, dropped="notes in the margin"))
            case _Tag.LIST_HEADER:
                part = writing.begin(Part("list", level))
                above = writing.open[-2] if len(writing.open) > 1 else None
                if above and above.is_table and above.texts:
                    column, row, columns, rows = struct.unpack_from("<4H", data, 8)
                    part.place = (row, column, max(rows, 1), max(columns, 1))
            case _Tag.TABLE if writing.open and writing.open[-1].is_table:
                writing.open[-1].texts.append("")  # lists before it are its caption
            case _Tag.EQUATION if control := writing.inner("control"):
                (length,) = struct.unpack_from("<H", data, 4)
                script = writing.formula(data[6 : 6 + 2 * length].decode("utf-16-le", "replace"))
                writing.count(script)
                paragraph = writing.inner("paragraph")
                if control.place and paragraph and control.place[0] < len(paragraph.texts):
                    paragraph.texts[control.place[0]] = script
                else:
                    control.lines.append(script)
            case _Tag.OLE | _Tag.CHART:
                writing.document.left_out["charts and objects of other programs"] += 1


def _texts(data: bytes) -> tuple[list[str], list[int]]:
    """A paragraph's text in pieces, and which of them are places of controls."""
    units = struct.unpack(f"<{len(data) // 2}H", data[: len(data) // 2 * 2])
    texts: list[str] = []
    slots: list[int] = []
    place = start = 0

    def taken(until: int) -> str:
        return data[2 * start : 2 * until].decode("utf-16-le", "replace")

    while place < len(units):
        unit = units[place]
        if unit >= 32:
            place += 1
            continue
        texts.append(taken(place))
        if unit in _SHORT:
            texts.append(_ALONE.get(unit, ""))
            place += 1
        else:
            if unit not in _INLINE:
                slots.append(len(texts))
            texts.append("\t" if unit == 9 else "")
            place += 8
        start = place
    texts.append(taken(len(units)))
    return texts, slots
