"""What an xlsx says of its rows and columns that its cells do not: which are hidden or struck out, which
formula has no value."""

import re
import zipfile
from collections.abc import Collection
from html import unescape
from pathlib import Path
from typing import NamedTuple

from activities.ai.tasks.roster.sheet import Place
from activities.ai.tasks.roster.struck import STYLES, TEXTS, Struck
from contracts.errors import ROSTER_ROW_HIDDEN, ROSTER_ROW_STRUCK

_ATTRIBUTE = re.compile(r"""([\w:]+)\s*=\s*["']([^"']*)["']""")
_SHEET, _RELATION = re.compile(r"<(?:\w+:)?sheet\s[^>]*>"), re.compile(r"<(?:\w+:)?Relationship\s[^>]*>")
_COLUMN, _LAST_COLUMN = re.compile(r"<(?:\w+:)?col\s[^>]*>"), 16_384
_ROW = re.compile(r"<(?:\w+:)?row\s[^>]*>")
# Zero is what a link to a blank cell gives, and what some programs write before anybody has computed it.
_UNVALUED = re.compile(
    r"<(?:\w+:)?c\s([^>]*)>\s*<(?:\w+:)?f\b(?:[^>]*/>|[^>]*>[^<]*</(?:\w+:)?f>)\s*"
    r"(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>0?</(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
)
_PLACE = re.compile(r"\d{1,5}", re.ASCII)
_REFERENCE = re.compile(r"([A-Za-z]{1,3})(\d{1,7})")


class Remarks(NamedTuple):
    """Doubtful rows with their code, cells of formulas without a value, and hidden columns."""

    doubts: dict[int, str]
    unvalued: frozenset[Place]
    hidden_columns: tuple[int, ...]


def remarks(source: Path, number: int, parts: Collection[str], start: Place) -> Remarks:
    """Of the `number`th sheet, counted from its cell `start`. Only `parts` of the file are looked at."""
    nothing = Remarks({}, frozenset(), ())
    if not parts:
        return nothing
    with zipfile.ZipFile(source) as archive:
        part = _part(archive, number)
        styled = {each.lower(): each for each in parts if each.lower() in (STYLES, TEXTS)}
        look = Struck(archive, styled)
        if part is None or not (part in parts or look.any):
            return nothing
        content = archive.read(part).decode("utf-8", "replace")
        struck = list(look.cells(content))
    hidden: dict[int, str] = {}
    for attributes in struck:
        if reference := _REFERENCE.fullmatch(dict(_ATTRIBUTE.findall(attributes)).get("r", "")):
            hidden[int(reference[2]) - 1 - start[0]] = ROSTER_ROW_STRUCK
    if "hidden" in content:
        for row in _ROW.findall(content):
            said = dict(_ATTRIBUTE.findall(row))
            if said.get("hidden") in ("1", "true") and said.get("r", "").isdecimal():
                hidden[int(said["r"]) - 1 - start[0]] = ROSTER_ROW_HIDDEN
    unvalued = set[Place]()
    for attributes in _UNVALUED.findall(content):
        said = dict(_ATTRIBUTE.findall(attributes))
        reference = _REFERENCE.fullmatch(said.get("r", ""))
        if reference and said.get("t") != "str":  # a text may be empty
            unvalued.add((int(reference[2]) - 1 - start[0], _column(reference[1]) - start[1]))
    return Remarks(hidden, frozenset(unvalued), _hidden_columns(content, start[1]))


def _hidden_columns(content: str, first: int) -> tuple[int, ...]:
    found: set[int] = set()
    for column in _COLUMN.findall(content.partition("sheetData")[0]):
        said = dict(_ATTRIBUTE.findall(column))
        first_hidden, last_hidden = (said.get(name, "") for name in ("min", "max"))
        if said.get("hidden") in ("1", "true") and _PLACE.fullmatch(first_hidden):
            until = int(last_hidden) if _PLACE.fullmatch(last_hidden) else int(first_hidden)
            found.update(range(int(first_hidden) - 1 - first, min(until, _LAST_COLUMN) - first))
    return tuple(sorted(index for index in found if index >= 0))


def _part(archive: zipfile.ZipFile, number: int) -> str | None:
    """The name of the part that holds the `number`th sheet; ECMA-376, part 1, 18.2.19."""
    names = {name.lower(): name for name in archive.namelist()}
    try:
        book, relations = (
            archive.read(names[name]).decode("utf-8", "replace")
            for name in ("xl/workbook.xml", "xl/_rels/workbook.xml.rels")
        )
        sheet = dict(_ATTRIBUTE.findall(_SHEET.findall(book)[number - 1]))
        wanted = next(value for name, value in sheet.items() if name.endswith(":id"))
    except (KeyError, IndexError, StopIteration):
        return None
    for relation in _RELATION.findall(relations):
        said = dict(_ATTRIBUTE.findall(relation))
        if said.get("Id") == wanted:
            target = unescape(said.get("Target", "")).lower()
            return names.get(target.lstrip("/") if target.startswith("/") else f"xl/{target}")
    return None


def _column(letters: str) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number - 1
