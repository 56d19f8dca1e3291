"""Rows that something in their sheet speaks against: a column nobody asked for, a note, its name. Pure."""

from dataclasses import replace

from activities.ai.tasks.roster.sheet import Sheet
from contracts.errors import ROSTER_STUDENT_LEFT
from rules.roster.against import column_says, is_day_of_leaving, is_title_of_others
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
    return replace(sheet, doubts={**found, **sheet.doubts}) if found else sheet


def is_left_behind(sheet: Sheet, header: Header) -> bool:
    """Whether the sheet's name, or a title above its heading, says that its students are none any more."""
    titles = (text(cell) for row in sheet.cells[: header.row] for cell in row if cell != "")
    return any(map(is_title_of_others, (sheet.name, *titles)))
