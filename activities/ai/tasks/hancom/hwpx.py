"""HWPX: XML in a zip. Source: KS X 6101, "개방형 워드프로세서 마크업 언어(OWPML)"."""

import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from xml.parsers import expat

from activities.ai.sandbox.task import BadInput
from activities.ai.sniff import UNREADABLE_ZIP
from activities.ai.tasks.hancom.document import Document, Part, Writing
from contracts.errors import ARCHIVE_TOO_DEEP, FILE_DAMAGED, FILE_ENCRYPTED

MIMETYPE = b"application/hwp+zip"
MAX_ENTRIES = 5_000
MAX_INFLATED = 200 << 20  # of what is read, together
_CHUNK = 1 << 18
_SECTION = re.compile(r"contents/section(\d{1,4})\.xml")
_HEADER, _MANIFEST, _PICTURES = "contents/header.xml", "meta-inf/manifest.xml", "bindata/"
_NUMBERED = ("NUMBER", "OUTLINE")
_SIGNS = {"lineBreak": "\n", "tab": "\t", "nbSpace": "\u00a0", "fwSpace": " ", "hyphen": "-"}
_CONTROLS = frozenset(
    (
        "tbl",
        "rect",
        "ellipse",
        "polygon",
        "arc",
        "curve",
        "line",
        "connectLine",
        "container",
        "pic",
        "equation",
    )
) | {
    "header",
    "footer",
    "footNote",
    "endNote",
    "hiddenComment",
    "fieldBegin",
    "ole",
    "chart",
    "video",
    "textart",
}
_DROPPED = {
    "hiddenComment": "hidden comments",
    "ole": "charts and objects of other programs",
    "chart": "charts and objects of other programs",
    "video": "films",
}


def is_hwpx(path: Path) -> bool:
    """Whether a zip says that it is one, where its kind stands: in its first entry."""
    with path.open("rb") as file:
        head = file.read(128)
    return head.startswith(b"PK\x03\x04") and MIMETYPE in head


def read(path: Path) -> Document:
    """Raises BadInput: FILE_ENCRYPTED, FILE_DAMAGED, ARCHIVE_TOO_DEEP."""
    with _Archive(path) as archive:
        numbered = _numbered(archive)
        reader = _Reader(numbered)
        sections = sorted(
            (int(match[1]), name) for name in archive.names if (match := _SECTION.fullmatch(name))
        )
        if not sections:
            raise BadInput(FILE_DAMAGED)
        for _, name in sections:
            _parse(archive, name, reader.start, reader.end, reader.text)
        return reader.writing.document


def pictures(path: Path) -> dict[str, bytes]:
    """The embedded files by name. Raises BadInput."""
    with _Archive(path) as archive:
        names = [name for name in sorted(archive.names) if name.startswith(_PICTURES)]
        return {name.removeprefix(_PICTURES): archive.read(name) for name in names}


class _Archive:
    """`names` are in small letters."""

    def __init__(self, path: Path) -> None:
        self._left = MAX_INFLATED
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError):
            raise BadInput(FILE_DAMAGED) from None
        entries = self._zip.infolist()
        self._entries = {entry.filename.lower(): entry for entry in entries}
        self.names = list(self._entries)
        if len(entries) > MAX_ENTRIES or len(self.names) < len(entries):
            raise BadInput(ARCHIVE_TOO_DEEP, {"entries": len(entries)})
        if any(entry.flag_bits & 1 for entry in entries):
            raise BadInput(FILE_ENCRYPTED)
        if _MANIFEST in self._entries and b"encryption-data" in self.read(_MANIFEST):
            raise BadInput(FILE_ENCRYPTED)

    def __enter__(self) -> "_Archive":
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def read(self, name: str) -> bytes:
        """Whatever the directory says of its size."""
        parts = []
        try:
            with self._zip.open(self._entries[name]) as entry:
                while part := entry.read(_CHUNK):
                    self._left -= len(part)
                    if self._left < 0:
                        raise BadInput(ARCHIVE_TOO_DEEP, {"limit": MAX_INFLATED})
                    parts.append(part)
        except UNREADABLE_ZIP:
            raise BadInput(FILE_DAMAGED) from None
        return b"".join(parts)


_Start = Callable[[str, dict[str, str]], None]


def _parse(
    archive: _Archive,
    name: str,
    start: _Start,
    end: Callable[[str], None] | None = None,
    text: Callable[[str], None] | None = None,
) -> None:
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse  # entities: none is needed, some are bombs
    parser.StartElementHandler = lambda tag, said: start(tag.rpartition(" ")[2], said)
    if end and text:
        parser.EndElementHandler = lambda tag: end(tag.rpartition(" ")[2])
        parser.CharacterDataHandler = text
    try:
        parser.Parse(archive.read(name), True)
    except (expat.ExpatError, ValueError):
        raise BadInput(FILE_DAMAGED) from None


def _refuse(*_: object) -> None:
    raise BadInput(FILE_DAMAGED)


def _numbered(archive: _Archive) -> set[str]:
    """Shapes of paragraphs that get a number."""
    found: set[str] = set()
    shape = ""

    def start(tag: str, said: dict[str, str]) -> None:
        nonlocal shape
        if tag == "paraPr":
            shape = said.get("id", "")
        elif tag == "heading" and said.get("type") in _NUMBERED:
            found.add(shape)

    if _HEADER in archive.names:
        _parse(archive, _HEADER, start)
    return found


class _Reader:
    """Of one section after the other."""

    def __init__(self, numbered: set[str]) -> None:
        self.writing = Writing()
        self._numbered = numbered
        self._hears = self._deleted = 0
        self._script: list[str] | None = None
        self._is_numbered: list[bool] = []

    def start(self, tag: str, said: dict[str, str]) -> None:
        writing = self.writing
        if tag == "p":
            writing.begin(Part("paragraph", 0))
            self._is_numbered.append(said.get("paraPrIDRef") in self._numbered)
        elif tag in _CONTROLS:
            memo = tag == "fieldBegin" and said.get("type") == "MEMO"
            dropped = "notes in the margin" if memo else _DROPPED.get(tag, "")
            writing.begin(Part("control", 0, is_table=tag == "tbl", dropped=dropped))
        elif tag in ("tc", "subList") and writing.open:
            # A cell has its list inside; both are lists, and the outer one has the place.
            writing.begin(Part("list", 0, place=(-1, 0, 1, 1) if tag == "tc" else None))
        elif tag in ("cellAddr", "cellSpan"):
            self._placed(tag, said)
        elif tag == "t":
            self._hears += 1
        elif tag == "script":
            self._script = []
        elif tag in ("deleteBegin", "deleteEnd"):
            self._deleted = max(self._deleted + (1 if tag == "deleteBegin" else -1), 0)
        elif tag == "compose":  # letters laid over each other
            self._write(said.get("composeText", ""))
        elif tag in _SIGNS and self._hears:
            self._write(_SIGNS[tag])

    def text(self, data: str) -> None:
        if self._script is not None:
            self._script.append(data)
        elif self._hears:
            self._write(data)

    def end(self, tag: str) -> None:
        writing = self.writing
        if tag == "p":
            if self._is_numbered.pop() and "".join(writing.open[-1].texts).strip():
                writing.document.numbered += 1
            writing.end()
        elif tag in _CONTROLS or (tag in ("tc", "subList") and writing.open):
            writing.end()
        elif tag == "t":
            self._hears -= 1
        elif tag == "script" and self._script is not None:
            script, self._script = writing.formula("".join(self._script)), None
            writing.write(script)

    def _write(self, text: str) -> None:
        if self._deleted:
            self.writing.document.left_out["stretches of deleted text"] += 1
        else:
            self.writing.write(text)

    def _placed(self, tag: str, said: dict[str, str]) -> None:
        """A cell says where it is behind its text."""
        cell = next((part for part in reversed(self.writing.open) if part.place), None)
        if cell is None or cell.place is None:
            return
        row, column, rows, columns = cell.place
        if tag == "cellAddr":
            row, column = _number(said.get("rowAddr")), _number(said.get("colAddr"))
        else:
            rows, columns = max(_number(said.get("rowSpan")), 1), max(_number(said.get("colSpan")), 1)
        cell.place = row, column, rows, columns


def _number(said: str | None) -> int:
    if said is None or not said.isascii() or not said.isdecimal() or len(said) > 6:
        raise BadInput(FILE_DAMAGED)
    return int(said)
