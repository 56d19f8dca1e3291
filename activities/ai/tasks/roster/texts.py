"""Rosters that are text: comma, tab, semicolon or bar between the cells."""

import csv
import io
import re
from collections.abc import Sequence
from itertools import islice

from activities.ai.sandbox.task import BadInput
from activities.ai.sniff import text_encoding
from activities.ai.tasks.roster.sheet import Sheet
from contracts.errors import FILE_DAMAGED, ROSTER_ENCODING_UNKNOWN, ROSTER_QUOTE_OPEN
from rules.roster.columns import HEADER_WITHIN, find_header
from rules.roster.values import Cell, holds_phone, text

_SEPARATORS = ",\t;|"
_HEAD = 20_000  # characters in which a header stands
_AS_TEXT = re.compile(r'="([^"]*)"')  # how a number keeps its zero in Excel


def decoded(data: bytes) -> str:
    """UTF-16, UTF-8 with or without a mark, or cp949, which Korean Excel writes. Raises BadInput."""
    utf16 = text_encoding(data[:2048])
    for encoding in (utf16,) if utf16 else ("utf-8-sig", "cp949"):
        try:
            found = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not utf16 or not {"\0", "\uffff"}.intersection(found):
            return found
    raise BadInput(ROSTER_ENCODING_UNKNOWN)


def text_sheet(content: str) -> Sheet:
    """Raises BadInput where a quotation mark makes the rows doubtful."""
    separator = max(_SEPARATORS, key=lambda each: _known_columns(content, each))
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=separator, strict=True)
    cells: list[list[Cell]] = []
    doubts: dict[int, str] = {}
    line = 0
    try:
        for row in reader:
            if reader.line_num - line > 1 and _swallows(row, separator):
                doubts[len(cells)] = ROSTER_QUOTE_OPEN
            line = reader.line_num
            cells.append([*row])
    except csv.Error as error:
        code = FILE_DAMAGED if "limit" in str(error) else ROSTER_QUOTE_OPEN
        raise BadInput(code, {"row": len(cells) + 1}) from None
    if '="' in content:
        cells = [[_AS_TEXT.sub(r"\1", str(cell)) for cell in row] for row in cells]
    return Sheet("", 0, cells, doubts=doubts)


def _known_columns(content: str, separator: str) -> int:
    lines = csv.reader(io.StringIO(content[:_HEAD], newline=""), delimiter=separator)
    try:
        head = [[text(cell) for cell in row] for row in islice(lines, HEADER_WITHIN + 1)]
    except csv.Error:
        return 0
    header = find_header(head)
    return 0 if header is None else len(header.columns) + (0 if header.missing else 100)


def _swallows(row: Sequence[str], separator: str) -> bool:
    """Whether a cell of several lines may be several rows, of which one has opened a quotation mark and
    another one closed it."""
    several = (cell for cell in row if len(cell.splitlines()) > 1)
    return any(
        cell.count(separator) >= max(1, len(row) - 1)
        or any(separator in line and holds_phone(line) for line in cell.splitlines())
        for cell in several
    )
