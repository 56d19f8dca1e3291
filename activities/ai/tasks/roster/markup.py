"""Rosters that are pages of HTML or SpreadsheetML 2003, as schools' programs write them and name them xls.

HTML: https://html.spec.whatwg.org/multipage/tables.html; SpreadsheetML: "XML Spreadsheet Reference", 2003.
"""

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from html.parser import HTMLParser
from xml.parsers import expat

from activities.ai.sandbox.task import BadInput
from activities.ai.sniff import MAX_COLUMNS, MAX_ROWS
from activities.ai.span import MAX_CELLS
from activities.ai.tasks.roster.sheet import Place, Range, Sheet
from contracts.errors import FILE_DAMAGED, ROSTER_ROW_HIDDEN, ROSTER_ROW_STRUCK, TOO_MANY_CELLS
from rules.roster.values import Cell

MAX_TABLES = 1_000  # of a page: each is read by itself
_SPACE = "urn:schemas-microsoft-com:office:spreadsheet "
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_UNSEEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_STRUCK, _STRIKES = re.compile(r"line-through", re.IGNORECASE), ("s", "strike", "del")
_SPACES = re.compile(r"[ \t\r\n]+")


@dataclass
class _Grid:
    """Cells put where they belong: beside those that reach down from rows above."""

    name: str = ""
    cells: list[list[Cell]] = field(default_factory=list)
    merged: list[Range] = field(default_factory=list)
    doubts: dict[int, str] = field(default_factory=dict)
    unvalued: set[Place] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)
    shown: bool = True
    _column: int = 0  # the next one that is described
    _taken: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    _count: int = 0

    def row(self, number: int | None = None, hidden: bool = False) -> None:
        """The next row, or row `number`, from 0."""
        number = len(self.cells) if number is None else number
        if number >= MAX_ROWS:
            raise BadInput(TOO_MANY_CELLS, {"rows": number})
        while len(self.cells) <= number:
            self.cells.append([])
        if hidden:
            self.doubts[number] = ROSTER_ROW_HIDDEN

    def strike(self, row: int) -> None:
        self.doubts.setdefault(row, ROSTER_ROW_STRUCK)

    def column(self, number: int | None, count: int, hidden: bool) -> None:
        """What is said of `count` columns: the next ones, or those from `number` (from 0) on."""
        first = self._column if number is None else number
        self._column = min(first + count, MAX_COLUMNS)
        if hidden:
            self.hidden_columns.update(range(first, self._column))

    def place(self, column: int | None = None) -> Place:
        """Where the next cell stands, or the one in `column`."""
        if not self.cells:
            self.row()
        row = len(self.cells) - 1
        column = len(self.cells[row]) if column is None else column
        while column in self._taken[row]:
            column += 1
        return row, column

    def put(self, place: Place, cell: Cell, down: int, right: int) -> None:
        """A cell that reaches `down` and `right` over others."""
        row, column = place
        below = self.cells[row]
        wanted = column + right + 1 - len(below)
        self._count += max(wanted, 0) + down * (right + 1)
        if column + right >= MAX_COLUMNS or self._count > MAX_CELLS:
            raise BadInput(TOO_MANY_CELLS, {"limit": MAX_CELLS})
        below += [""] * max(wanted, 0)
        below[column] = cell
        if down or right:
            self.merged.append(((row, column), (row + down, column + right)))
            for each in range(row + 1, row + down + 1):
                self._taken[each].update(range(column, column + right + 1))

    def sheet(self) -> Sheet:
        width = max(map(len, self.cells), default=0)
        for row, taken in self._taken.items():  # cells that reach down into a row that ends before them
            if taken and row < len(self.cells):
                self.cells[row] += [""] * (min(max(taken) + 1, width) - len(self.cells[row]))
        hidden = tuple(sorted(self.hidden_columns))
        return Sheet(self.name, 0, self.cells, tuple(self.merged), self.doubts, self.unvalued, hidden)


def html_sheets(content: str) -> list[Sheet]:
    """Each table a sheet, those within others too. Raises BadInput."""
    page = _Page()
    page.feed(content)
    page.close()
    return [grid.sheet() for grid in page.grids] or [Sheet("", 0, [])]


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.grids: list[_Grid] = []
        self._open: list[tuple[_Grid, _Text | None]] = []  # tables around this place, each with its cell
        self._skipped = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "table":
            if len(self.grids) == MAX_TABLES:
                raise BadInput(TOO_MANY_CELLS, {"tables": MAX_TABLES})
            self.grids.append(_Grid())
            self._open.append((self.grids[-1], None))
            return
        if not self._open:
            return
        cell = self._open[-1][1]
        if tag in ("tr", "td", "th"):
            self._end_cell()
            cell = None
        if tag == "tr":
            self._open[-1][0].row(hidden=_is_unseen(said))
        elif tag == "col":
            self._open[-1][0].column(None, min(max(_number(said.get("span")), 1), 1_000), _is_unseen(said))
        elif tag in ("td", "th"):
            grid = self._open[-1][0]
            # Limits of HTML.
            down, right = (
                min(max(_number(said.get(name)), 1), most) - 1
                for name, most in (("rowspan", 65_534), ("colspan", 1_000))
            )
            self._open[-1] = grid, _Text(grid.place(), down, right, seen=not _is_unseen(said))
        elif tag == "br" and cell:
            cell.parts.append("\n")
        if tag in _STRIKES or _STRUCK.search(said.get("style", "")):
            self._open[-1][0].strike(max(len(self._open[-1][0].cells) - 1, 0))

    def handle_endtag(self, tag: str) -> None:
        if not self._open:
            return
        if tag in ("td", "th", "tr", "table"):
            self._end_cell()
        if tag == "table":
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open and (cell := self._open[-1][1]) and cell.seen and self.cdata_elem is None:
            cell.parts.append(_SPACES.sub(" ", data))

    def close(self) -> None:
        super().close()
        while self._open:
            self.handle_endtag("table")

    def _end_cell(self) -> None:
        grid, cell = self._open[-1]
        if cell:
            grid.put(cell.place, "".join(cell.parts).strip(" "), cell.down, cell.right)
            self._open[-1] = grid, None


@dataclass
class _Text:
    place: Place
    down: int
    right: int
    seen: bool
    parts: list[str] = field(default_factory=list)


def _is_unseen(said: dict[str, str]) -> bool:
    return "hidden" in said or bool(_UNSEEN.search(said.get("style", "")))


def xml_sheets(content: str) -> list[Sheet]:
    """Each visible worksheet. Raises BadInput."""
    book = _Book()
    parser = expat.ParserCreate("utf-8", " ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse  # entities: none is needed, some are bombs
    parser.StartElementHandler, parser.EndElementHandler = book.start, book.end
    parser.CharacterDataHandler = book.text
    try:
        parser.Parse(_DECLARATION.sub("", content).encode(), True)
    except (expat.ExpatError, ValueError):
        raise BadInput(FILE_DAMAGED) from None
    return [grid.sheet() for grid in book.grids if grid.shown]


def _refuse(*_: object) -> None:
    raise BadInput(FILE_DAMAGED)


class _Book:
    def __init__(self) -> None:
        self.grids: list[_Grid] = []
        self._cell: tuple[Place, dict[str, str]] | None = None
        self._kind, self._said = "", ""
        self._hears = False
        self._style, self._struck = "", set[str]()

    def start(self, name: str, attributes: dict[str, str]) -> None:
        said = {key.removeprefix(_SPACE): value for key, value in attributes.items()}
        match name.rpartition(" ")[2]:
            case "Style":
                self._style = said.get("ID", "")
            case "Font" if said.get("StrikeThrough") == "1":
                self._struck.add(self._style)
            case "S" if self._cell:  # a part of a cell's text, in HTML's words
                self.grids[-1].strike(self._cell[0][0])
            case "Worksheet" if len(self.grids) == MAX_TABLES:
                raise BadInput(TOO_MANY_CELLS, {"tables": MAX_TABLES})
            case "Worksheet":
                self.grids.append(_Grid(said.get("Name", "")))
            case "Row" if self.grids:
                index = _number(said.get("Index"))
                if index and index <= len(self.grids[-1].cells):
                    raise BadInput(FILE_DAMAGED)
                self.grids[-1].row(index - 1 if index else None, said.get("Hidden") == "1")
            case "Column" if self.grids:
                index = _number(said.get("Index"))
                count = min(_number(said.get("Span")), MAX_COLUMNS) + 1
                self.grids[-1].column(index - 1 if index else None, count, said.get("Hidden") == "1")
            case "Cell" if self.grids:
                index = _number(said.get("Index"))
                self._cell = self.grids[-1].place(index - 1 if index else None), said
                self._kind, self._said = "", ""
            case "Data" if self._cell:
                self._kind, self._hears = said.get("Type", "String"), True
            case "Visible":
                self._said, self._hears = "", True

    def text(self, data: str) -> None:
        if self._hears:
            self._said += data

    def end(self, name: str) -> None:
        match name.rpartition(" ")[2]:
            case "Data":
                self._hears = False
            case "Visible":
                self._hears = False
                if self.grids and self._said.strip() in ("SheetHidden", "SheetVeryHidden"):
                    self.grids[-1].shown = False
            case "Cell" if self._cell:
                (place, said), self._cell = self._cell, None
                if "Formula" in said and self._kind != "String" and self._said.strip() in ("", "0"):
                    self.grids[-1].unvalued.add(place)
                if said.get("StyleID") in self._struck and self._said:
                    self.grids[-1].strike(place[0])
                down, right = _number(said.get("MergeDown")), _number(said.get("MergeAcross"))
                self.grids[-1].put(place, _VALUES.get(self._kind, str)(self._said), down, right)


def _error(_: str) -> Cell:
    return ""


_VALUES: dict[str, Callable[[str], Cell]] = {
    "Number": float,
    "DateTime": datetime.fromisoformat,
    "Boolean": lambda said: said.strip() == "1",
    "Error": _error,
}


def _number(said: str | None) -> int:
    return int(said) if said and said.isdecimal() and len(said) < 10 else 0
