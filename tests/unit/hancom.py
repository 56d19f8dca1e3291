"""Documents as Hancom's word processor writes them: HWP 5.0 and HWPX."""

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

SECTOR, END, FAT, FREE = 512, 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFF
MINI, CUTOFF = 64, 4096


class Cell(NamedTuple):
    row: int
    column: int
    text: str
    rows: int = 1
    columns: int = 1


class Table(NamedTuple):
    rows: int
    columns: int
    cells: Sequence[Cell]


class Formula(NamedTuple):
    before: str
    script: str
    after: str


Piece = str | Table | Formula


def compound(streams: Mapping[str, bytes]) -> bytes:
    """A compound file; small streams in the small one of the root, as the format wants it."""
    small = b""
    content = b""  # in whole sectors, behind those of the tables
    mini_fat: list[int] = []
    places: dict[str, tuple[int, int]] = {}

    def chain(table: list[int], count: int) -> int:
        first = len(table)
        table += [*range(first + 1, first + count), END] if count else []
        return first if count else END

    fat: list[int] = []
    for name, data in streams.items():
        if len(data) < CUTOFF:
            places[name] = chain(mini_fat, -(-len(data) // MINI)), len(data)
            small += data.ljust(-(-len(data) // MINI) * MINI, b"\0")
        else:
            places[name] = chain(fat, -(-len(data) // SECTOR)), len(data)
            content += data.ljust(-(-len(data) // SECTOR) * SECTOR, b"\0")
    root = chain(fat, -(-len(small) // SECTOR)), len(small)
    content += small.ljust(-(-len(small) // SECTOR) * SECTOR, b"\0")
    minis = struct.pack(f"<{len(mini_fat)}I", *mini_fat)
    mini_first = chain(fat, -(-len(minis) // SECTOR))
    content += minis.ljust(-(-len(minis) // SECTOR) * SECTOR, b"\xff")
    folders: dict[str, list[str]] = {"": []}
    for name in streams:
        folder = name.rpartition("/")[0]
        folders.setdefault(folder, []).append(name)
    names = ["", *(each for each in folders if each), *streams]
    index = {name: number for number, name in enumerate(names)}
    entries = b""
    siblings: dict[str, int] = {}
    children = {
        folder: [*(each for each in folders if each and not folder), *inside]
        for folder, inside in folders.items()
    }
    for inside in children.values():
        for one, following in pairwise(inside):
            siblings[one] = index[following]
    for name in names:
        kind = 5 if not name else 2 if name in streams else 1
        first, size = root if not name else places.get(name, (0, 0))
        encoded = ((name.rpartition("/")[2] or "Root Entry") + "\0").encode("utf-16-le")
        inside = children.get(name, [])
        tree = FREE, siblings.get(name, FREE), index[inside[0]] if inside else FREE
        entries += encoded.ljust(64, b"\0") + struct.pack("<HBB3I", len(encoded), kind, 1, *tree)
        entries += bytes(36) + struct.pack("<IQ", first, size)
    entries += (bytes(68) + struct.pack("<3I", FREE, FREE, FREE) + bytes(48)) * (-len(names) % 4)
    directory = chain(fat, len(entries) // SECTOR)
    content += entries
    count = next(n for n in range(1, 100) if n * (SECTOR // 4) >= len(fat) + n)
    fat = [FAT] * count + [each + count if each < FAT else each for each in fat]
    table = struct.pack(f"<{len(fat)}I", *fat).ljust(count * SECTOR, b"\xff")
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
    starts = count, directory + count, 0, CUTOFF, mini_first + count if minis else END, len(minis), END, 0
    header += struct.pack("<HHHHH6xI8I", 0x3E, 3, 0xFFFE, 9, 6, 0, *starts)
    header += struct.pack(f"<{count}I", *range(count)) + b"\xff" * 4 * (109 - count)
    return header + table + _moved(content, entries, count)


def _moved(content: bytes, entries: bytes, by: int) -> bytes:
    """First sectors in the directory count from behind the table."""
    place = content.rindex(entries)
    moved = bytearray(content)
    for start in range(place, place + len(entries), 128):
        kind, size = moved[start + 66], struct.unpack_from("<Q", moved, start + 120)[0]
        (first,) = struct.unpack_from("<I", moved, start + 116)
        if (kind == 5 and size) or (kind == 2 and size >= CUTOFF):
            struct.pack_into("<I", moved, start + 116, first + by)
    return bytes(moved)


def record(tag: int, level: int, data: bytes) -> bytes:
    size = min(len(data), 0xFFF)
    return struct.pack("<I", tag | level << 10 | size << 20) + (
        struct.pack("<I", len(data)) * (size == 0xFFF) + data
    )


def _paragraph(level: int, units: bytes, shape: int = 0) -> bytes:
    header = struct.pack("<IIHBBHHHI", len(units) // 2, 0, shape, 0, 0, 1, 0, 1, 0)
    return record(66, level, header) + record(67, level + 1, units)


def _place(kind: str) -> bytes:
    """Where a control stands in a text."""
    return struct.pack("<H", 11) + kind[::-1].encode() + bytes(8) + struct.pack("<H", 11)


def _text(text: str) -> bytes:
    return text.encode("utf-16-le")


def _control(level: int, kind: str) -> bytes:
    return record(71, level, kind[::-1].encode() + bytes(40))


def body(pieces: Sequence[Piece], level: int = 0, shape: int = 0) -> bytes:
    """A section's records."""
    made = b""
    for piece in pieces:
        if isinstance(piece, str):
            made += _paragraph(level, _text(piece + "\r"), shape)
        elif isinstance(piece, Formula):
            units = _text(piece.before) + _place("eqed") + _text(piece.after + "\r")
            script = struct.pack("<IH", 0, len(piece.script)) + _text(piece.script)
            made += _paragraph(level, units) + _control(level + 1, "eqed") + record(88, level + 2, script)
        else:
            made += _paragraph(level, _place("tbl ") + _text("\r")) + _control(level + 1, "tbl ")
            made += record(77, level + 2, struct.pack("<IHH", 0, piece.rows, piece.columns))
            for cell in piece.cells:
                place = struct.pack("<4H", cell.column, cell.row, cell.columns, cell.rows)
                made += record(72, level + 2, struct.pack("<HHI", 1, 0, 0) + place + bytes(18))
                made += body([cell.text], level + 2)
    return made


def hwp(
    *sections: Sequence[Piece],
    flags: int = 1,
    pictures: Mapping[str, bytes] | None = None,
    numbered: bool = False,
    compress: bool = True,
) -> bytes:
    """`numbered`: all its paragraphs get a number from the program."""

    def packed(data: bytes) -> bytes:
        if not compress:
            return data
        deflate = zlib.compressobj(wbits=-15)
        return deflate.compress(data) + deflate.flush()

    header = b"HWP Document File".ljust(32, b"\0") + bytes((0, 3, 0, 5))
    shape = record(25, 0, struct.pack("<I", (2 << 23) * numbered) + bytes(50))
    streams = {
        "FileHeader": (header + struct.pack("<I", flags & ~1 | compress)).ljust(256, b"\0"),
        "DocInfo": packed(shape),
    }
    streams |= {f"BodyText/Section{n}": packed(body(each)) for n, each in enumerate(sections)}
    return compound(streams | {f"BinData/{name}": packed(data) for name, data in (pictures or {}).items()})


SPACES = (
    'xmlns:hp="http://www.hancom.co.kr/hwpml/2011/paragraph" '
    'xmlns:hs="http://www.hancom.co.kr/hwpml/2011/section" '
    'xmlns:hh="http://www.hancom.co.kr/hwpml/2011/head"'
)


def xml(pieces: Sequence[Piece]) -> str:
    made = ""
    for piece in pieces:
        if isinstance(piece, str):
            inside = f"<hp:t>{piece}</hp:t>"
        elif isinstance(piece, Formula):
            script = f"<hp:equation><hp:script>{piece.script}</hp:script></hp:equation>"
            inside = f"<hp:t>{piece.before}</hp:t></hp:run><hp:run>{script}<hp:t>{piece.after}</hp:t>"
        else:
            rows = "".join(
                "<hp:tr>"
                + "".join(
                    f"<hp:tc><hp:subList>{xml([cell.text])}</hp:subList>"
                    f'<hp:cellAddr colAddr="{cell.column}" rowAddr="{cell.row}"/>'
                    f'<hp:cellSpan colSpan="{cell.columns}" rowSpan="{cell.rows}"/></hp:tc>'
                    for cell in piece.cells
                    if cell.row == row
                )
                + "</hp:tr>"
                for row in range(piece.rows)
            )
            inside = f'<hp:tbl rowCnt="{piece.rows}" colCnt="{piece.columns}">{rows}</hp:tbl><hp:t/>'
        made += f'<hp:p paraPrIDRef="0"><hp:run>{inside}</hp:run></hp:p>'
    return made


def hwpx(
    *sections: Sequence[Piece],
    pictures: Mapping[str, bytes] | None = None,
    numbered: bool = False,
    more: Mapping[str, bytes] | None = None,
) -> bytes:
    heading = f'<hh:paraPr id="0"><hh:heading type="{"NUMBER" if numbered else "NONE"}"/></hh:paraPr>'
    entries = {"Contents/header.xml": f"<hh:head {SPACES}>{heading}</hh:head>".encode()}
    for number, each in enumerate(sections):
        entries[f"Contents/section{number}.xml"] = f"<hs:sec {SPACES}>{xml(each)}</hs:sec>".encode()
    entries |= {f"BinData/{name}": data for name, data in (pictures or {}).items()} | dict(more or {})
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("mimetype"), "application/hwp+zip")
        for name, data in entries.items():
            archive.writestr(name, data)
    return out.getvalue()
