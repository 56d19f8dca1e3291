"""A roster's sheets as rows of cells, of xlsx, xls, HTML, SpreadsheetML and text."""

import io
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from activities.ai.sandbox.task import BadInput
from activities.ai.sniff import Table, check_table
from activities.ai.tasks.roster.markup import html_sheets, xml_sheets
from activities.ai.tasks.roster.remarks import remarks
from activities.ai.tasks.roster.sheet import Range, Sheet
from activities.ai.tasks.roster.texts import decoded, text_sheet
from contracts.errors import FILE_DAMAGED
from rules.roster.values import Cell

# The directory of an old workbook's macros, which its reader would look into: as long, and none.
_MACROS, _NO_MACROS = (name.encode("utf-16-le") for name in ("_VBA_PROJECT_CUR", "_not_looked_into"))


def names(source: Path) -> list[str]:
    """`sheet-1`, … of the visible worksheets: what is hidden nobody meant to upload. Raises BadInput."""
    if _table(source).kind not in ("xlsx", "xls"):
        return [f"sheet-{number}" for number in range(1, len(_of_text(source)) + 1)]
    return [
        f"sheet-{number}"
        for number, sheet in enumerate(_opened(source).sheets_metadata, 1)
        if sheet.typ == SheetTypeEnum.WorkSheet and sheet.visible == SheetVisibleEnum.Visible
    ]


def read(source: Path, unit: str) -> Sheet:
    """Raises BadInput."""
    number = int(unit.removeprefix("sheet-"))
    table = _table(source)
    if table.kind not in ("xlsx", "xls"):
        return _of_text(source)[number - 1]
    try:
        sheet = _opened(source).get_sheet_by_index(number - 1)
        if sheet.start is None:
            return Sheet(sheet.name, 0, [])
        row, column = sheet.start
        merged = tuple(
            ((top - row, left - column), (bottom - row, right - column))
            for (top, left), (bottom, right) in sheet.merged_cell_ranges or ()
        )
        said = remarks(source, number, table.remarkable, sheet.start)
        return Sheet(sheet.name, row, sheet.to_python(), merged, *said)
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


def _table(source: Path) -> Table:
    found = source.stat()
    return _checked(source, found.st_ino, found.st_mtime_ns)


@lru_cache(maxsize=1)
def _checked(source: Path, inode: int, changed: int) -> Table:
    return check_table(source)


def _opened(source: Path) -> CalamineWorkbook:
    """Once for all sheets of a file: each opening reads its table of texts."""
    found = source.stat()
    return _workbook(source, found.st_ino, found.st_mtime_ns)


@lru_cache(maxsize=1)
def _workbook(source: Path, inode: int, changed: int) -> CalamineWorkbook:
    data = source.read_bytes()
    if _table(source).kind == "xls":
        data = data.replace(_MACROS, _NO_MACROS)
    try:
        return CalamineWorkbook.from_filelike(io.BytesIO(data))
    except CalamineError:
        raise BadInput(FILE_DAMAGED) from None


def _of_text(source: Path) -> list[Sheet]:
    found = source.stat()
    return _written(source, found.st_ino, found.st_mtime_ns)


@lru_cache(maxsize=1)
def _written(source: Path, inode: int, changed: int) -> list[Sheet]:
    text = decoded(source.read_bytes())
    match _table(source).kind:
        case "html":
            return html_sheets(text)
        case "xml":
            return xml_sheets(text)
    return [text_sheet(text)]
