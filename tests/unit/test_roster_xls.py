"""The old xls of Excel 97 (BIFF8 in a compound file), which many academies still export."""

import struct
from pathlib import Path

from rules.roster.values import Cell
from tests.unit.test_roster_task import HEADER, read

SECTOR = 512
FREE, END, FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD


def record(kind: int, body: bytes = b"") -> bytes:
    return struct.pack("<HH", kind, len(body)) + body


def worksheet(rows: list[list[Cell]], merged: list[tuple[int, int, int, int]]) -> bytes:
    """Texts as LABEL, numbers as NUMBER, merged (first row, last row, first column, last column)."""
    stream = record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0010, 0, 0, 0, 0))
    for y, row in enumerate(rows):
        for x, cell in enumerate(row):
            if isinstance(cell, float):
                stream += record(0x0203, struct.pack("<HHHd", y, x, 0, cell))
            elif cell:
                text = str(cell).encode("utf-16-le")
                stream += record(0x0204, struct.pack("<HHHHB", y, x, 0, len(text) // 2, 1) + text)
    areas = b"".join(struct.pack("<HHHH", *area) for area in merged)
    return stream + record(0x00E5, struct.pack("<H", len(merged)) + areas) + record(0x000A)


def workbook(name: str, sheet: bytes) -> bytes:
    encoded = name.encode("utf-16-le")
    start = record(0x0809, struct.pack("<HHHHII", 0x0600, 0x0005, 0, 0, 0, 0))
    start += record(0x0042, struct.pack("<H", 1200))
    offset = len(start) + 4 + 8 + len(encoded) + 4
    bound = struct.pack("<IBBBB", offset, 0, 0, len(encoded) // 2, 1) + encoded
    return start + record(0x0085, bound) + record(0x000A) + sheet


def compound(stream: bytes, macros: bool = False) -> bytes:
    """One stream "Workbook" in a compound file: FAT in sector 0, directory in 1, the stream behind. With
    `macros` there is a directory of some too, which holds none of what its readers look for."""
    stream = stream.ljust(max(4096, -(-len(stream) // SECTOR) * SECTOR), b"\0")
    sectors = len(stream) // SECTOR
    assert sectors + 2 <= SECTOR // 4, "one sector of FAT"
    header = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(16)
    header += struct.pack("<HHHHH6xIIIIIIIII", 0x3E, 3, 0xFFFE, 9, 6, 0, 1, 1, 0, 4096, END, 0, END, 0)
    header += struct.pack("<I", 0) + b"\xff" * 4 * 108
    chain = [FAT, END, *range(3, sectors + 2), END]
    fat = struct.pack(f"<{len(chain)}I", *chain).ljust(SECTOR, b"\xff")

    def entry(name: str, kind: int, child: int, first: int, size: int) -> bytes:
        encoded = (name + "\0").encode("utf-16-le")
        tree = struct.pack("<HBBIII", len(encoded), kind, 1, FREE, FREE, child)
        return encoded.ljust(64, b"\0") + tree + bytes(36) + struct.pack("<IQ", first, size)

    project = entry("_VBA_PROJECT_CUR", 1, FREE, END, 0) if macros else b""
    unused = bytes(68) + struct.pack("<III", FREE, FREE, FREE) + bytes(48)
    directory = entry("Root Entry", 5, 1, END, 0) + entry("Workbook", 2, FREE, 2, len(stream)) + project
    return header + fat + directory + unused * (2 - macros) + stream


def test_xls(tmp_path: Path) -> None:
    rows: list[list[Cell]] = [
        ["원생 명단"],
        [*HEADER],
        ["김철수", 1012345678.0, "", "한빛중학교", "A"],
        ["이영희", "010-2345-6789", "", "새론중학교", ""],
        ["박민준", "02-123-4567"],
    ]
    path = tmp_path / "roster.xls"
    path.write_bytes(compound(workbook("명단", worksheet(rows, [(0, 0, 0, 4), (2, 3, 4, 4)]))))
    found = read(path)
    assert [row.values for row in found.rows] == [
        {"name": "김철수", "parent_phone": "01012345678", "school": "한빛중학교", "class_name": "A"},
        {"name": "이영희", "parent_phone": "01023456789", "school": "새론중학교", "class_name": "A"},
    ]
    assert [(problem[:2], problem[4]) for problem in found.problems] == [(("명단", 5), "02-123-4567")]
