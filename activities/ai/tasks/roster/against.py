"""Rows that something in their sheet speaks against: a column nobody asked for, a note, its name. Pure."""

from collections import defaultdict
from dataclasses import replace

from activities.ai.tasks.roster.sheet import Sheet
from contracts.errors import ROSTER_SAME_STUDENT, ROSTER_STUDENT_LEFT
from rules.roster.against import (
    column_says,
    is_day_of_leaving,
    is_parent,
    is_relation,
    is_title_of_others,
)
from rules.roster.columns import Header
from rules.roster.values import Cell, text


def with_doubts(sheet: Sheet, header: Header) -> Sheet:
    """The sheet with those rows among its doubts."""
    found: dict[int, str] = {}
    if is_left_behind(sheet, header):
        found = dict.fromkeys(range(header.row + 1, len(sheet.cells)), ROSTER_STUDENT_LEFT)
    read = {column.index for column in header.columns if column.field != "memo"}
    for index, label in enumerate(map(text, sheet.cells[header.row])):
        if index in read:
            continue
        below = sheet.cells[header.row + 1 :]
        cells = [row[index] if index < len(row) else "" for row in below]
        numbers = is_day_of_leaving(label)  # 20260228; no other number says anything
        said: dict[Cell, str] = {
            cell: text(cell) for cell in set(cells) if cell != "" and (numbers or not isinstance(cell, float))
        }
        against = column_says(label, (said[cell] for cell in cells if cell in said)) if said else {}
        if against:
            for number, cell in enumerate(cells, header.row + 1):
                if (code := against.get(said.get(cell, ""))) is not None:
                    found.setdefault(number, code)
    for number in _of_several_parents(sheet, header):
        found.setdefault(number, ROSTER_SAME_STUDENT)
    return replace(sheet, doubts={**found, **sheet.doubts}) if found else sheet


def _of_several_parents(sheet: Sheet, header: Header) -> list[int]:
    """Rows of a name that stands once for each parent: nobody knows whether that is one student or two."""
    labels = [text(cell) for cell in sheet.cells[header.row]]
    relation = next((index for index, label in enumerate(labels) if is_relation(label)), None)
    name = next((column.index for column in header.columns if column.field == "name"), None)
    if relation is None or name is None:
        return []
    rows: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for number, row in enumerate(sheet.cells[header.row + 1 :], header.row + 1):
        if max(relation, name) < len(row) and is_parent(said := text(row[relation])):
            rows[text(row[name]).replace(" ", "")][said].append(number)
    return [
        number for said in rows.values() if len(said) > 1 for numbers in said.values() for number in numbers
    ]


def is_left_behind(sheet: Sheet, header: Header) -> bool:
    """Whether the sheet's name, or a title above its heading, says that its students are none any more."""
    titles = (text(cell) for row in sheet.cells[: header.row] for cell in row if cell != "")
    return any(map(is_title_of_others, (sheet.name, *titles)))
