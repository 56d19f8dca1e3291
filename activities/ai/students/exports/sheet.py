"""Worksheets that people download: no cell of them is ever a formula."""

import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from types import TracebackType

from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

Value = str | int | float | date | None

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would take for one, by OWASP's list
_NOT_XML = re.compile("[\ud800-\udfff\ufffe\uffff]")


class Book:
    """An xlsx file, closed at the end of the `with`. Rows are written in order and kept on disk only."""

    def __init__(self, path: Path) -> None:
        self._book = Workbook(path, {"constant_memory": True, "tmpdir": str(path.parent)})
        self._bold = self._book.add_format({"bold": True, "bg_color": "#E8EEF4", "bottom": 1})
        # Excel's own mark of a text that looks like a formula: it stays one when the cell is edited.
        self._quoted = self._book.add_format({"quote_prefix": True})
        self._date = self._book.add_format({"num_format": "yyyy-mm-dd", "align": "left"})

    def __enter__(self) -> "Book":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._book.close()

    def sheet(self, name: str, columns: Sequence[tuple[str, float]], frozen: int = 0) -> "Table":
        """A worksheet with a header of (label, width in characters), which stays in view with the first
        `frozen` columns."""
        sheet = self._book.add_worksheet(name)
        for index, (_, width) in enumerate(columns):
            sheet.set_column(index, index, width)
        sheet.freeze_panes(1, frozen)
        table = Table(sheet, self._quoted, self._date)
        table.write([label for label, _ in columns], self._bold)
        return table


class Table:
    def __init__(self, sheet: Worksheet, quoted: Format, day: Format) -> None:
        self._sheet = sheet
        self._quoted = quoted
        self._date = day
        self._row = 0

    def write(self, values: Sequence[Value], style: Format | None = None) -> None:
        """The next row. A text beyond Excel's 32,767 characters is cut (by xlsxwriter)."""
        for column, value in enumerate(values):
            if value is None or value == "":
                continue
            if isinstance(value, str):
                text = _NOT_XML.sub("", value)
                looks = self._quoted if style is None and text.startswith(_FORMULA) else style
                self._sheet.write_string(self._row, column, text, looks)
            elif isinstance(value, date):
                self._sheet.write_datetime(self._row, column, value, self._date)
            else:
                self._sheet.write_number(self._row, column, value, style)
        self._row += 1
