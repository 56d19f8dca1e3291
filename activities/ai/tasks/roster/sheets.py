"""A roster's sheets as rows of cells, of xlsx, xls and csv."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from activities.ai.sandbox.task import BadInput
from contracts.errors import FILE_DAMAGED, ROSTER_ENCODING_UNKNOWN
from rules.roster.values import Cell

Range = tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class Sheet:
    """Cells from row `first_row` (from 0) of the sheet on; `merged` are (row, column) corners in `cells`,
    both included."""

    name: str
    first_row: int
    cells: list[list[Cell]]
    merged: tuple[Range, ...] = ()


def names(source: Path) -> list[str]:
    """`sheet-1`, … of the visible worksheets: what is hidden nobody meant to upload. Raises BadInput."""
    if _is_text(source):
        return ["sheet-1"]
    return [
        f"sheet-{number}"
        for number, sheet in enumerate(_opened(source).sheets_metadata, 1)
        if sheet.typ == SheetTypeEnum.WorkSheet and sheet.visible == SheetVisibleEnum.Visible
    ]


def read(source: Path, unit: str) -> Sheet:
    """Raises BadInput."""
    if _is_text(source):
        return Sheet("", 0, _csv_rows(source))
    try:
        sheet = _opened(source).get_sheet_by_index(int(unit.removeprefix("sheet-")) - 1)
        if sheet.start is None:
            return Sheet(sheet.name, 0, [])
        row, column = sheet.start
        merged = tuple(
            ((top - row, left - column), (bottom - row, right - column))
            for (top, left), (bottom, right) in sheet.merged_cell_ranges or ()
        )
        return Sheet(sheet.name, row, sheet.to_python(), merged)
    except CalamineError:
        raise BadInput(FILE_DAMAGED) from None


def fill_merged(cells: Sequence[list[Cell]], merged: Sequence[Range], columns: bool) -> None:
    """Write a merged cell's content, which the file holds in its first cell only, into its other cells: of
    those merged over rows only, or over `columns` too."""
    for (top, left), (bottom, right) in merged:
        if top < 0 or left < 0 or top >= len(cells) or (left != right and not columns):
            continue
        content = cells[top][left] if left < len(cells[top]) else ""
        for row in cells[top : bottom + 1]:
            row[left : right + 1] = [content] * (min(right + 1, len(row)) - left)


def _is_text(source: Path) -> bool:
    """Neither a zip (xlsx) nor a compound file (xls); a name need not have a suffix."""
    with source.open("rb") as file:
        return file.read(4) not in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


def _opened(source: Path) -> CalamineWorkbook:
    """Once for all sheets of a file: each opening reads its table of texts."""
    found = source.stat()
    return _workbook(source, found.st_ino, found.st_mtime_ns)


@lru_cache(maxsize=1)
def _workbook(source: Path, inode: int, changed: int) -> CalamineWorkbook:
    try:
        return CalamineWorkbook.from_filelike(io.BytesIO(source.read_bytes()))
    except CalamineError:
        raise BadInput(FILE_DAMAGED) from None


def _csv_rows(source: Path) -> list[list[Cell]]:
    """UTF-8 with or without a mark, or cp949, which Korean Excel writes."""
    data = source.read_bytes()
    for encoding in ("utf-8-sig", "cp949"):
        try:
            lines = io.StringIO(data.decode(encoding), newline="")
        except UnicodeDecodeError:
            continue
        try:
            return [list(row) for row in csv.reader(lines)]
        except csv.Error:
            raise BadInput(FILE_DAMAGED) from None
    raise BadInput(ROSTER_ENCODING_UNKNOWN)
