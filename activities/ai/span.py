"""The rectangle that a sheet's cells span, by what stands in the file and not by what it declares."""

from collections.abc import Iterable
from dataclasses import dataclass
from xml.parsers import expat

from activities.ai.sandbox.task import BadInput
from contracts.errors import FILE_DAMAGED, TOO_MANY_CELLS

MAX_CELLS = 5_000_000  # that are in the file; 50,000 students with 100 columns


@dataclass
class Span:
    top: int = 2**31
    bottom: int = 0
    left: int = 2**31
    right: int = 0

    def add_row(self, row: int) -> None:
        self.top, self.bottom = min(self.top, row), max(self.bottom, row)

    def add_column(self, column: int) -> None:
        self.left, self.right = min(self.left, column), max(self.right, column)

    @property
    def rows(self) -> int:
        return max(0, self.bottom - self.top + 1)

    @property
    def columns(self) -> int:
        return max(0, self.right - self.left + 1)

    @property
    def area(self) -> int:
        return self.rows * self.columns


def column_number(letters: str) -> int:
    """1 for A, 27 for AA."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number


def read_span(parts: Iterable[bytes]) -> Span:
    """By a parser of XML, which no comment, no attribute and no encoding deceives; slower than a look at the
    bytes. Cells and rows that do not say where they are follow the ones before. Raises BadInput: for XML
    that is not well formed, which readers would take for something else each."""
    span, row, column, count = Span(), 0, 0, 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal row, column, count
        kind = name.rpartition(":")[2]
        if kind == "row":
            row, column = _number(attributes.get("r", ""), row + 1), 0
            span.add_row(row)
        elif kind == "c":
            letters, digits = _place(attributes.get("r", ""))
            column = column_number(letters) if letters else column + 1
            span.add_column(column)
            span.add_row(_number(digits, row))
            if (count := count + 1) > MAX_CELLS:
                raise BadInput(TOO_MANY_CELLS, {"limit": MAX_CELLS})

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    first = b""
    try:
        for part in parts:
            first = first or part
            parser.Parse(part)
        parser.Parse(b"", True)
    except (expat.ExpatError, ValueError):  # ValueError: an encoding that nobody writes sheets in
        if first.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").startswith((b"<", b"\x00<")):
            raise BadInput(FILE_DAMAGED) from None
        return Span()  # a picture, say: no reader makes cells of it
    return span


def _place(name: str) -> tuple[str, str]:
    """`B12` in its two halves; none of what is no place."""
    letters = name.rstrip("0123456789")
    if not (letters.isascii() and (letters.isalpha() or not letters) and len(letters) <= 3):
        return "", ""
    return letters, name[len(letters) :]


def _number(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 7 else otherwise
