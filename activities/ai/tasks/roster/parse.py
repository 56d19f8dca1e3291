"""Students of one sheet, and what is wrong with the others. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from activities.ai.tasks.roster.sheets import Sheet, fill_merged
from contracts.errors import ROSTER_NAME_MISSING, ROSTER_PHONE_MISSING
from rules.roster.columns import HEADER_WITHIN, REQUIRED, Column, Header, find_header
from rules.roster.values import READ, Cell, Invalid, looks_like_phone, text

_MISSING = {"name": ROSTER_NAME_MISSING, "parent_phone": ROSTER_PHONE_MISSING}


@dataclass(frozen=True, repr=False)
class Problem:
    """Why a row is not taken. `value` is what stands there: for the uploader alone, so nothing prints it."""

    sheet: str
    row: int
    column: str
    code: str
    value: str


@dataclass(slots=True, repr=False)
class Row:
    """A student, as in row `row` (from 1, as people count) of a sheet: normalised values of `FIELDS`, none of
    them empty. Of a row with problems the values are as written."""

    sheet: str
    row: int
    values: dict[str, str]
    problems: tuple[Problem, ...] = ()


@dataclass(repr=False)
class Parsed:
    """`rows` are read as they are asked for. `suspicious`: the sheet has no header, yet a mobile number in
    it."""

    header: Header | None
    rows: Iterator[Row]
    suspicious: bool = False


def parse(sheet: Sheet) -> Parsed:
    head = [list(row) for row in sheet.cells[: HEADER_WITHIN + 1]]
    fill_merged(head, sheet.merged, columns=True)
    header = find_header([[text(cell) for cell in row] for row in head])
    if header is None or header.missing:
        suspicious = any(looks_like_phone(cell) for row in sheet.cells for cell in row)
        return Parsed(header, iter(()), suspicious)
    return Parsed(header, _rows(sheet, header))


def _rows(sheet: Sheet, header: Header) -> Iterator[Row]:
    # Before the cells below each other are filled: a label over the whole table is no student.
    indexes = [column.index for column in header.columns if column.field in READ]
    banners = {
        top
        for (top, left), (_, right) in sheet.merged
        if left != right and left <= min(indexes) and max(indexes) <= right
    }
    fill_merged(sheet.cells, sheet.merged, columns=False)
    readers = [(column, column.index, column.field, READ[column.field]) for column in header.columns]
    width = max(indexes) + 1
    for number, cells in enumerate(sheet.cells[header.row + 1 :], header.row + 1):
        if len(cells) < width:
            cells = [*cells, *[""] * (width - len(cells))]
        values: dict[str, str] = {}
        invalid: list[tuple[Column, str]] = []
        for column, index, name, read in readers:
            if (cell := cells[index]) == "":
                continue
            try:
                if value := read(cell):
                    values[name] = value
            except Invalid as error:
                invalid.append((column, error.code))
        if not (values or invalid) or number in banners:
            continue
        if row := _row(sheet, header, number, cells, values, invalid):
            yield row


def _row(
    sheet: Sheet,
    header: Header,
    number: int,
    cells: Sequence[Cell],
    values: dict[str, str],
    invalid: list[tuple[Column, str]],
) -> Row | None:
    """Of cells that are not blank. None: they are the header again, as in sheets made for printing."""
    if "parent_phone" not in values and "other_parent_phone" in values:
        values["parent_phone"] = values.pop("other_parent_phone")
    place = sheet.first_row + number + 1
    if not invalid and all(map(values.__contains__, REQUIRED)):
        return Row(sheet.name, place, values)
    failed = {column.field for column, _ in invalid}
    for column in header.columns:
        if column.field in _MISSING and column.field not in values and column.field not in failed:
            invalid.append((column, _MISSING[column.field]))
    written = {column.field: text(cells[column.index]) for column in header.columns}
    if all(written[column.field] == column.label for column in header.columns if column.field in REQUIRED):
        return None
    problems = tuple(
        Problem(sheet.name, place, column.label, code, written[column.field]) for column, code in invalid
    )
    return Row(sheet.name, place, written, problems)
