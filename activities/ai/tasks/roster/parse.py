"""Students of one sheet, and what is wrong with the others. Pure.

A cell is never guessed into a person: where it does not stand under one heading that is known, its row is
not taken and says so.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from activities.ai.tasks.roster.against import with_doubts
from activities.ai.tasks.roster.sheet import Sheet
from activities.ai.tasks.roster.sheets import fill_merged
from contracts.errors import (
    ROSTER_COLUMN_REPEATED,
    ROSTER_DATE_INVALID,
    ROSTER_NAME_MISSING,
    ROSTER_PHONE_MISSING,
    ROSTER_ROW_MISPLACED,
    ROSTER_STUDENT_LEFT,
    ROSTER_VALUE_MISSING,
)
from rules.roster.against import is_title, is_title_of_others
from rules.roster.columns import (
    FIELDS,
    HEADER_WITHIN,
    REQUIRED,
    Chosen,
    Column,
    Header,
    find_header,
    is_label,
    match,
)
from rules.roster.values import READ, Cell, Invalid, full_name, holds_phone, is_total, looks_like_phone, text

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


def parse(sheet: Sheet, chosen: Chosen = MappingProxyType({})) -> Parsed:
    """`chosen` says of labels which fields they are, whatever we would take them for."""
    hidden = _blanked(sheet) if sheet.hidden_columns else ()
    head = [list(row) for row in sheet.cells[: HEADER_WITHIN + 1]]
    fill_merged(head, sheet.merged, columns=True)
    labels = [list(row) for row in head]
    for (top, left), (bottom, right) in sheet.merged:  # a label stands once, whatever its cell reaches over
        for row in labels[max(top, 0) : bottom + 1]:
            row[left + 1 : right + 1] = [""] * (min(right + 1, len(row)) - left - 1)
    header = find_header(_texts(labels), _texts(head), chosen)
    if hidden and header:
        header = replace(header, ignored=(*header.ignored, *hidden))
    if header is None or header.missing:
        suspicious = any(looks_like_phone(cell) for row in sheet.cells for cell in row)
        return Parsed(header, iter(()), suspicious)
    return Parsed(header, _rows(sheet, header, chosen))


def _blanked(sheet: Sheet) -> tuple[str, ...]:
    """The first content of each hidden column, all of which is removed: nobody has seen what they upload."""
    hidden: dict[int, str] = {}
    for row in sheet.cells:
        for index in sheet.hidden_columns:
            if index < len(row) and (written := text(row[index])):
                hidden.setdefault(index, written)
                row[index] = ""
    return tuple(hidden[index] for index in sorted(hidden))


def _texts(rows: Sequence[Sequence[Cell]]) -> list[list[str]]:
    return [[text(cell) for cell in row] for row in rows]


def _rows(sheet: Sheet, header: Header, chosen: Chosen) -> Iterator[Row]:
    """Of the table under `header`, and of others below it whose headings differ."""
    # Before the cells below each other are filled: a label over the whole table is no student.
    indexes = [column.index for column in header.columns if column.field in READ]
    banners = {
        top
        for (top, left), (_, right) in sheet.merged
        if left != right and left <= min(indexes) and max(indexes) <= right
    }
    headings = [_texts([row])[0] for row in sheet.cells[max(0, header.row - 1) : header.row + 1]]
    fill_merged(sheet.cells, sheet.merged, columns=False)
    if of_two := _of_two(sheet, header):
        sheet = replace(sheet, doubts={**dict.fromkeys(of_two, ROSTER_ROW_MISPLACED), **sheet.doubts})
    for number, cells in enumerate(sheet.cells[: header.row]):
        if any(map(looks_like_phone, cells)):
            yield _misplaced(sheet, number, cells)
    sheet = with_doubts(sheet, header)
    table, left = _Table(sheet, header), False
    careful, readers, width = table.careful, table.readers, table.width
    for number, cells in enumerate(sheet.cells[header.row + 1 :], header.row + 1):
        if len(cells) < width:
            cells = [*cells, *[""] * (width - len(cells))]
        values: dict[str, str] = {}
        invalid: list[_Doubt] = []
        for column, index, name, read in readers:
            if (cell := cells[index]) == "":
                continue
            try:
                if value := read(cell):
                    values[name] = value
            except Invalid as error:
                invalid.append((column.label, error.code, text(cell)))
        if careful:
            invalid += table.doubts(number, cells, values)
        if left and values:
            invalid.append((FIELDS["name"], ROSTER_STUDENT_LEFT, values.get("name", "")))
        if (missing := "parent_phone" not in values) and (title := _title(cells)):
            of_others = is_title_of_others(title)
            left = of_others or (left and not is_title(title))
            if of_others:
                continue
        if not (values or invalid) or number in banners:
            if number not in banners and _is_row_in_a_cell(cells, len(readers)):
                yield _misplaced(sheet, number, cells)
            continue
        if missing and "other_parent_phone" in values:
            values["parent_phone"] = values.pop("other_parent_phone")
        if not invalid and all(map(values.__contains__, REQUIRED)):
            yield Row(sheet.name, sheet.first_row + number + 1, values)
        elif again := _heading(sheet, number, headings, chosen):
            if again.columns:
                if not table.is_only_heading(cells):  # beside students of this table
                    again = replace(again, names=(FIELDS["name"],))
                    yield _misplaced(sheet, number, cells)
                table, headings = _Table(sheet, again, table), _texts([cells])
                careful, readers, width = table.careful, table.readers, table.width
        elif row := table.failed(number, cells, values, invalid):
            yield row


_Doubt = tuple[str, str, str]  # label of the column, code, what stands there


class _Table:
    """How the rows under a heading are read. Without all required columns nobody in it is taken."""

    def __init__(self, sheet: Sheet, header: Header, above: "_Table | None" = None) -> None:
        self._unreadable = bool(header.missing or header.names)
        self.readers = [
            (column, column.index, column.field, READ[column.field])
            for column in (() if self._unreadable else header.columns)
        ]
        self._sheet = sheet
        self._header = header
        known = [column.index for column in (*header.columns, *header.repeated)]
        self.width = max((*known, header.family.index if header.family else 0)) + 1
        # Where a heading is wider than a cell nobody knows which of the cells under it is meant.
        self.columns: tuple[Column, ...] = header.columns
        covered = {
            index
            for (top, left), (bottom, right) in sheet.merged
            if top <= header.row <= bottom and left in known
            for index in range(left + 1, right + 1)
        }
        labels = [*map(text, sheet.cells[header.row]), *[""] * self.width]
        bare = {index for index in range(header.width) if not labels[index]} - {*known}
        if above:  # a table that this one stands beside may go on
            covered |= bare.intersection(column.index for column in above.columns)
        self._covered = sorted(covered)
        self._bare = sorted(bare - covered)
        lengths = Counter(map(len, sheet.cells[header.row :]))
        self._usual = max(header.width, lengths.most_common(1)[0][0])
        self.careful = bool(
            sheet.doubts
            or sheet.unvalued
            or self._unreadable
            or header.repeated
            or header.family
            or self._covered
            or self._bare
            or {"birth_date", "enrolled_on"} <= {column.field for column in header.columns}
            or max(lengths) > header.width
        )

    def doubts(self, number: int, cells: Sequence[Cell], values: dict[str, str]) -> list[_Doubt]:
        """What is wrong with a row beyond its cells. Completes the name."""
        header, found = self._header, list[_Doubt]()
        if not any(map(text, cells)):
            return []
        if self._unreadable:
            return [(FIELDS["name"], ROSTER_ROW_MISPLACED, _joined(cells))]
        label = next(column.label for column in header.columns if column.field == "name")
        if code := self._sheet.doubts.get(number):
            found.append((label, code, values.get("name", "")))
        beyond = [cells[index] for index in self._covered if index < len(cells)] + [*cells[header.width :]]
        beyond += [cells[i] for i in self._bare if i < len(cells) and looks_like_phone(cells[i])]
        if any(map(text, beyond)) or len(cells) > self._usual:
            found.append((label, ROSTER_ROW_MISPLACED, _joined(beyond)))
        for column in header.columns:
            if (number, column.index) in self._sheet.unvalued:
                found.append((column.label, ROSTER_VALUE_MISSING, ""))
        if values.get("enrolled_on", "9") < values.get(
            "birth_date", ""
        ):  # 등록일 and 생년월일 have changed places
            found.append((label, ROSTER_DATE_INVALID, f"{values['birth_date']} > {values['enrolled_on']}"))
        for column in header.repeated:
            try:
                same = READ[column.field](cells[column.index]) in ("", values.get(column.field))
            except Invalid:
                same = False
            if not same:
                found.append((column.label, ROSTER_COLUMN_REPEATED, text(cells[column.index])))
        if header.family and (values.get("name") or text(cells[header.family.index])):
            try:
                values["name"] = full_name(cells[header.family.index], values.get("name", ""))
            except Invalid as error:
                found.append((header.family.label, error.code, text(cells[header.family.index])))
        return found

    def is_only_heading(self, cells: Sequence[Cell]) -> bool:
        """Whether a row of labels holds no student of this table as well."""
        place = next((column.index for column in self.columns if column.field == "name"), len(cells))
        name = text(cells[place]) if place < len(cells) else ""
        return not any(map(looks_like_phone, cells)) and (not name or is_label(name))

    def failed(
        self, number: int, cells: Sequence[Cell], values: dict[str, str], invalid: list[_Doubt]
    ) -> Row | None:
        """None: it is a sum of the rows above."""
        if self._unreadable:
            return _misplaced(self._sheet, number, cells)
        written = {column.field: text(cells[column.index]) for column in self._header.columns}
        if self._header.family:
            written["name"] = f"{text(cells[self._header.family.index])} {written['name']}".strip()
        labels = {label for label, _, _ in invalid}
        if is_total(written["name"]) and not any(map(looks_like_phone, cells)):
            return None
        for column in self._header.columns:
            if column.field in _MISSING and column.field not in values and column.label not in labels:
                invalid.append((column.label, _MISSING[column.field], written[column.field]))
        place = self._sheet.first_row + number + 1
        problems = tuple(Problem(self._sheet.name, place, *each) for each in invalid)
        return Row(self._sheet.name, place, written, problems)


def _heading(sheet: Sheet, number: int, headings: Sequence[Sequence[str]], chosen: Chosen) -> Header | None:
    """The heading that row `number` is; one without columns if it is that of the table again, as in sheets
    made for printing; None if it is none."""
    texts = _texts(sheet.cells[max(0, number - 1) : number + HEADER_WITHIN])
    own = min(number, 1)
    if any(any(row) and row == texts[own] for row in headings):
        return Header(number, (), ())
    found = match(texts, own, (), chosen)
    fields = {column.field for column in found.columns}
    if len(found.columns) < 2 or not fields & {"name", "parent_phone", "student_phone"}:
        return None
    return replace(found, row=number)


def _is_row_in_a_cell(cells: Sequence[Cell], columns: int) -> bool:
    """Whether a row that has nothing under a known heading may be a student all the same: written into one
    cell, or with other separators than the rest of the file."""
    return any(
        holds_phone(written) or any(written.count(each) >= max(columns - 1, 2) for each in ",\t;|")
        for written in map(str, cells)
        if written
    )


def _title(cells: Sequence[Cell]) -> str:
    """What stands alone in a row."""
    written = [each for each in map(text, cells) if each]
    return written[0] if len(set(written)) == 1 else ""


def _of_two(sheet: Sheet, header: Header) -> set[int]:
    """Rows that one name reaches over, though they have several numbers: of two people, or of one."""
    at = {column.field: column.index for column in header.columns}
    found: set[int] = set()
    for (top, left), (bottom, right) in sheet.merged:
        if not left <= at["name"] <= right or bottom <= max(top, header.row):
            continue
        rows = range(max(top, header.row + 1), bottom + 1)
        for field in ("parent_phone", "student_phone"):
            index = at.get(field, len(header.columns) + header.width)
            numbers = {text(row[index]) for row in sheet.cells[top : bottom + 1] if index < len(row)}
            if len(numbers - {""}) > 1:
                found.update(rows)
    return found


def _misplaced(sheet: Sheet, number: int, cells: Sequence[Cell]) -> Row:
    """A row that stands under no heading, whole among its notes."""
    place, written = sheet.first_row + number + 1, _joined(cells)
    problem = Problem(sheet.name, place, FIELDS["name"], ROSTER_ROW_MISPLACED, written)
    return Row(sheet.name, place, {"memo": written}, (problem,))


def _joined(cells: Sequence[Cell]) -> str:
    return " | ".join(filter(None, map(text, cells)))
