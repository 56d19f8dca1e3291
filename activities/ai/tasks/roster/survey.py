"""What stands over each column of a sheet and first below it, for somebody who says what the columns are."""

from collections import Counter
from collections.abc import Iterable, Sequence

from pydantic import Field

from activities.ai.tasks.roster.sheet import Sheet
from contracts.base import Contract
from rules.roster.columns import HEADER_WITHIN, Header, plain
from rules.roster.values import READ, Cell, Invalid, looks_like_phone, text

SHOWN = 3  # cells of a column
_WITHIN = 50  # rows below the header, in which they are looked for
_LETTERS = 60  # of a cell or a label
_MOST = 200  # columns, as `columns` of a job may name


class SurveyedColumn(Contract):
    """A column by its label and its first cells. `field`: what it was read as. `fits`: what these cells could
    be. `once`: no other column has its label, so that it can be named by it."""

    label: str = Field(max_length=_LETTERS)
    cells: list[str] = Field(max_length=SHOWN)
    field: str | None
    fits: list[str]
    once: bool


class Surveyed(Contract):
    """A sheet's columns under the header in `row` (from 1, as people count), or under what looks like one."""

    sheet: str
    row: int
    columns: list[SurveyedColumn] = Field(min_length=1, max_length=_MOST)


def survey(sheet: Sheet, header: Header | None) -> Surveyed | None:
    """None where nothing looks like a header."""
    number = header.row if header else _likeliest(sheet.cells[:HEADER_WITHIN])
    if number is None:
        return None
    labels = [text(cell) for cell in sheet.cells[number]]
    times = Counter(plain(label) for label in labels)
    fields = {column.index: column.field for column in header.columns} if header else {}
    below = sheet.cells[number + 1 : number + 1 + _WITHIN]
    columns = []
    for index, label in enumerate(labels):
        if not plain(label) or len(label) > _LETTERS or index in sheet.hidden_columns:
            continue
        cells = [row[index] for row in below if index < len(row) and row[index] != ""][:SHOWN]
        columns.append(
            SurveyedColumn(
                label=label,
                cells=[text(cell)[:_LETTERS] for cell in cells],
                field=fields.get(index),
                fits=[field for field in READ if _fits(field, cells)],
                once=times[plain(label)] == 1,
            )
        )
    at = sheet.first_row + number + 1
    return Surveyed(sheet=sheet.name, row=at, columns=columns[:_MOST]) if columns else None


def _likeliest(rows: Sequence[Sequence[Cell]]) -> int | None:
    """The row with the most texts that are no values: no number, no telephone. Two at least."""
    texts = [sum(isinstance(cell, str) and _is_words(cell) for cell in row) for row in rows]
    return texts.index(max(texts)) if max(texts, default=0) >= 2 else None


def _is_words(cell: str) -> bool:
    return any(map(str.isalpha, cell)) and not looks_like_phone(cell)


def _fits(field: str, cells: Iterable[Cell]) -> bool:
    for cell in cells:
        try:
            READ[field](cell)
        except Invalid:
            return False
    return True
