"""What a file is by its content, and whether a parser may be let loose on it. Runs in the child, first."""

import re
import string
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from activities.ai.sandbox.task import BadInput
from activities.ai.span import MAX_CELLS, Span, column_number, read_span
from contracts.errors import (
    ARCHIVE_TOO_DEEP,
    FILE_DAMAGED,
    FILE_EMPTY,
    FILE_ENCRYPTED,
    FILE_NOT_SUPPORTED,
    FILE_TYPE_MISMATCH,
    MACROS_REFUSED,
    TOO_MANY_CELLS,
    TOO_MANY_PAGES,
)

# What reading an archive raises that is none, is cut off, encrypted, or packed in a way that Python has not.
UNREADABLE_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError)
MAX_ENTRIES = 2_000
MAX_INFLATED = 500 * 2**20
MAX_RATIO = 200  # of an entry above a megabyte; real sheets are at 5 to 20
# calamine makes an array of the whole rectangle: two cells in opposite corners asked it for 550 GB.
MAX_RECTANGLE = 20_000_000
MAX_ROWS, MAX_COLUMNS = 1_048_576, 16_384  # Excel's own; a csv may have no more either
# Readers look back at all pages before a page: at 100,000 pages of nothing they were busy for minutes.
MAX_TIFF_PAGES = 2_000
CHUNK = 2**18  # what a core keeps near
OVERLAP = 320  # bytes in which a tag that a chunk's end has cut is looked for

_PICTURES = {
    b"\xff\xd8\xff": {".jpg", ".jpeg", ".jpe"},
    b"\x89PNG\r\n\x1a\n": {".png"},
    b"II*\x00": {".tif", ".tiff"},
    b"MM\x00*": {".tif", ".tiff"},
    b"BM": {".bmp"},
    b"GIF8": {".gif"},
    b"\x00\x00\x00\x0cjP  \r\n\x87\n": {".jp2"},
    b"\xff\x4f\xff\x51": {".jp2"},
}
_AVIF_BRANDS = (b"avif", b"avis")
_HEIC_BRANDS = (b"heic", b"heix", b"mif1", b"msf1", b"heim", b"heis", b"hevc")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# Readers find a PDF behind other bytes. Behind these it is a trick: to others the file is something else.
_NOT_BEFORE_PDF = (*_PICTURES, _OLE, b"PK", b"GIF8", b"RIFF", b"<", b"MZ", b"\x7fELF", b"#!")
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
# [XML Spreadsheet 2003]; what a page of HTML begins with.
_SPREADSHEET_ML = '"urn:schemas-microsoft-com:office:spreadsheet"'
_HTML = re.compile(r"<(html|table|meta|body|style)\b", re.IGNORECASE)
_SEPARATORS = b",\t;|"
_REMARKABLE = b"hidden=", b"<f", b":f", b"strike"  # a row that is hidden, a formula, what is struck out
_WORKBOOK = "Workbook".encode("utf-16-le"), "Book".encode("utf-16-le")
# A workbook's first record, in Excel 97 and in Excel 95; [MS-XLS] 2.4.21.
_BIFF = b"\x09\x08\x10\x00\x00\x06\x05\x00", b"\x09\x08\x08\x00\x00\x05\x05\x00"
_FILEPASS, _BOUNDSHEET, _END = 0x2F, 0x85, 0x0A
# As nearly all programs write them, which is found three times as fast.
_PLAIN_CELL, _PLAIN_ROW = re.compile(rb'<c r="([A-Z]{1,3}\d{1,7})"'), re.compile(rb'<row r="(\d{1,7})"')
_LETTERS, _DIGITS = string.ascii_letters.encode(), string.digits.encode()
_CAPITALS = string.ascii_uppercase.encode()
_SHAPE = bytes.maketrans(_CAPITALS + _DIGITS + b":", b"A" * len(_CAPITALS) + b"0" * len(_DIGITS) + b"<")
_NEAR, _LONG = b'<c r="A0', b'000000"'
_CELL_TAG, _ROW_TAG = re.compile(rb"[<:]c[\s/>]"), re.compile(rb"[<:]row[\s/>]")


def check_document(path: Path) -> None:
    """A PDF or a picture, whatever its name says: phones and messengers rename files. Raises BadInput."""
    head = _head(path)
    suffixes = _document_suffixes(head)
    if not suffixes:
        raise BadInput(FILE_NOT_SUPPORTED)
    if ".tif" in suffixes:
        _check_tiff(path, "<" if head.startswith(b"II") else ">")


class Table(NamedTuple):
    """What a table is by its content. `remarkable`: parts of an xlsx with hidden rows or formulas."""

    kind: Literal["xlsx", "xls", "html", "xml", "text"]
    remarkable: frozenset[str] = frozenset()


def check_table(path: Path) -> Table:
    """A table, small enough to be opened. Schools' programs write pages of HTML, SpreadsheetML and text
    under the name of an xls. An old workbook's macros are not looked at. Raises BadInput."""
    head = _head(path)
    if head.startswith(_OLE):
        content = path.read_bytes()
        if _ENCRYPTED in content:
            raise BadInput(FILE_ENCRYPTED)
        if not any(name in content for name in _WORKBOOK):
            raise BadInput(FILE_NOT_SUPPORTED)  # doc, ppt, hwp
        _agree(path, {".xls", ".xlsx"})
        if _is_locked(content):
            raise BadInput(FILE_ENCRYPTED)
        return Table("xls")
    if head.startswith(b"PK\x03\x04"):
        remarkable = _check_workbook(path)
        _agree(path, {".xlsx", ".xls"})
        return Table("xlsx", remarkable)
    encoding = text_encoding(head)
    if _document_suffixes(head) or encoding is None:
        raise BadInput(FILE_NOT_SUPPORTED)
    start = head.decode(encoding or "utf-8", "ignore").lstrip("\ufeff \t\r\n")
    if start.startswith("<"):
        if _SPREADSHEET_ML in start:
            _agree(path, {".xls", ".xml"})
            return Table("xml")
        if not _HTML.search(start):
            raise BadInput(FILE_NOT_SUPPORTED)
        _agree(path, {".xls", ".htm", ".html"})
        return Table("html")
    _agree(path, {".csv", ".tsv", ".txt", ".xls"})
    _check_text(path)
    return Table("text")


def text_encoding(head: bytes) -> str | None:
    """UTF-16, by its mark or because every second byte of digits and commas is zero; "" of a text that is
    in another encoding; None of what is no text."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    zeros = head[::2].count(0), head[1::2].count(0)
    if zeros == (0, 0):
        return ""
    if max(zeros) > max(4 * min(zeros), len(head) // 16):  # 가 has one too
        return "utf-16-le" if zeros[0] < zeros[1] else "utf-16-be"
    return None


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        head = file.read(2048)
    if not head:
        raise BadInput(FILE_EMPTY)
    return head


def _document_suffixes(head: bytes) -> set[str]:
    if b"%PDF-" in head[:1024]:
        if head.lstrip().startswith(_NOT_BEFORE_PDF):
            raise BadInput(FILE_TYPE_MISMATCH, {"content": "two kinds"})
        return {".pdf"}
    if head[4:8] == b"ftyp" and head[8:12] in _HEIC_BRANDS:
        return {".heic", ".heif"}
    if head[4:8] == b"ftyp" and head[8:12] in _AVIF_BRANDS:
        return {".avif"}
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return {".webp"}
    return next((suffixes for magic, suffixes in _PICTURES.items() if head.startswith(magic)), set())


def _agree(path: Path, suffixes: set[str]) -> None:
    """A name without a suffix says nothing; another one than the content's is a mistake or a trick."""
    if path.suffix and path.suffix.lower() not in suffixes:
        raise BadInput(FILE_TYPE_MISMATCH, {"name": path.suffix.lower(), "content": min(suffixes)})


def _check_tiff(path: Path, order: str) -> None:
    """Follow the directories of its pages; TIFF 6.0, section 2."""
    pages: set[int] = set()
    with path.open("rb") as file:
        place = 4
        try:
            while len(pages) <= MAX_TIFF_PAGES:
                file.seek(place)
                (page,) = struct.unpack(f"{order}I", file.read(4))
                if page == 0 or page in pages:
                    return
                pages.add(page)
                file.seek(page)
                (entries,) = struct.unpack(f"{order}H", file.read(2))
                place = page + 2 + 12 * entries
        except struct.error:  # cut off: its decoder says where
            return
    raise BadInput(TOO_MANY_PAGES, {"limit": MAX_TIFF_PAGES})


def _check_text(path: Path) -> None:
    rows = columns = 0
    with path.open("rb") as lines:
        for rows, line in enumerate(lines, 1):
            columns = max(columns, max(map(line.count, _SEPARATORS)) + 1)
            if rows > MAX_ROWS or columns > MAX_COLUMNS:
                raise BadInput(TOO_MANY_CELLS, {"rows": rows, "columns": columns})


def _is_locked(content: bytes) -> bool:
    """Whether the records of an old workbook are encrypted: one of the first ones says so."""
    place = max(content.find(start) for start in _BIFF)
    while 0 <= place <= len(content) - 4:
        kind, length = struct.unpack_from("<HH", content, place)
        if kind in (_FILEPASS, _BOUNDSHEET, _END):
            return bool(kind == _FILEPASS)
        place += 4 + length
    return False


def _check_workbook(path: Path) -> frozenset[str]:
    """Its parts with something remarkable."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            names = {entry.filename for entry in entries}
            known = {name.lower() for name in names}
            if "xl/workbook.xml" not in known or known & {"xl/workbook.bin", "content.xml"}:
                raise BadInput(FILE_NOT_SUPPORTED)  # docx, xlsb, ods; or two of them
            if any(entry.flag_bits & 1 for entry in entries):
                raise BadInput(FILE_ENCRYPTED)
            if any(name.lower().endswith("vbaproject.bin") for name in names):
                raise BadInput(MACROS_REFUSED)
            if len(entries) > MAX_ENTRIES or len(known) < len(entries):
                raise BadInput(ARCHIVE_TOO_DEEP, {"entries": len(entries)})
            if sum(entry.file_size for entry in entries) > MAX_INFLATED:
                raise BadInput(ARCHIVE_TOO_DEEP, {"limit": MAX_INFLATED})
            for entry in entries:
                if entry.file_size > 2**20 and entry.file_size > MAX_RATIO * entry.compress_size:
                    raise BadInput(
                        ARCHIVE_TOO_DEEP, {"ratio": entry.file_size // max(entry.compress_size, 1)}
                    )
            # Any of them may be named as a sheet.
            return frozenset(entry.filename for entry in entries if _check_sheet(archive, entry))
    except UNREADABLE_ZIP:
        raise BadInput(FILE_DAMAGED) from None


def _check_sheet(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bool:
    """The rectangle that the cells span, by what stands in the file and not by what it declares. Whether
    there is something remarkable in it."""
    count, remarkable = 0, False
    for text in _parts(archive, entry):
        near = _near_cells(text)
        remarkable = remarkable or any(mark in text for mark in _REMARKABLE)
        if near is None or (count := count + near) > MAX_CELLS:
            break
    else:
        return remarkable  # what nearly all sheets are; to look at each cell takes three times as long
    span = _plain_span(archive, entry) or read_span(_inflated(archive, entry))
    if span.area > MAX_RECTANGLE:
        raise BadInput(TOO_MANY_CELLS, {"rows": span.rows, "columns": span.columns, "limit": MAX_RECTANGLE})
    return True


def _plain_span(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Span | None:
    """Of a sheet in which each cell and each row begins with its place; None for another."""
    span, columns = Span(), set[bytes]()
    count, plain = 0, True
    for text in _parts(archive, entry):
        tags = len(_CELL_TAG.findall(text))
        if (count := count + tags) > MAX_CELLS:
            raise BadInput(TOO_MANY_CELLS, {"limit": MAX_CELLS})
        cells, rows = _PLAIN_CELL.findall(text), _PLAIN_ROW.findall(text)
        plain = plain and len(cells) == tags and len(rows) == len(_ROW_TAG.findall(text))
        plain = plain and b"<!" not in text and b"\x00" not in text  # comments, declarations, UTF-16
        if not plain:
            continue
        joined = b" ".join(cells)  # all at once: a big sheet has millions
        columns.update(joined.translate(None, _DIGITS).split())
        for row in {*joined.translate(None, _LETTERS).split(), *rows}:
            span.add_row(int(row))
    for column in columns:
        span.add_column(column_number(column.decode()))
    return span if plain else None


def _parts(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """A sheet's text, cut between tags; one longer than OVERLAP is looked at in two parts."""
    kept = b""
    for chunk in _inflated(archive, entry):
        text = kept + chunk
        cut = text.rfind(b"<", -OVERLAP)
        text, kept = (text, text[-OVERLAP:]) if cut < 0 else (text[:cut], text[cut:])
        yield text
    yield kept


def _inflated(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    inflated = 0
    with archive.open(entry) as sheet:
        while chunk := sheet.read(CHUNK):
            inflated += len(chunk)
            if inflated > MAX_INFLATED:  # the directory lied about its size
                raise BadInput(ARCHIVE_TOO_DEEP, {"limit": MAX_INFLATED})
            yield chunk


def _near_cells(text: bytes) -> int | None:
    """How many cells there are, with or without a prefix, if each begins with its name of one letter and at
    most five digits: those lie within A1:Z99999, far below MAX_RECTANGLE. None otherwise, or if another
    attribute has as many digits."""
    if b"\x00" in text:  # UTF-16, or no text
        return None
    shape = text.translate(_SHAPE)
    near = shape.count(_NEAR)
    all_near = near == shape.count(b"<c") or near == len(_CELL_TAG.findall(text))
    return near if all_near and _LONG not in shape else None
