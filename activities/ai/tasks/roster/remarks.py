"""What an xlsx says of its rows that its cells do not: which are hidden, which formula has no value."""

import re
import zipfile
from collections.abc import Collection
from html import unescape
from pathlib import Path

from activities.ai.tasks.roster.sheet import Place
from contracts.errors import ROSTER_ROW_HIDDEN

_ATTRIBUTE = re.compile(r"""([\w:]+)\s*=\s*["']([^"']*)["']""")
_SHEET, _RELATION = re.compile(r"<(?:\w+:)?sheet\s[^>]*>"), re.compile(r"<(?:\w+:)?Relationship\s[^>]*>")
_ROW = re.compile(r"<(?:\w+:)?row\s[^>]*>")
# Zero is what a link to a blank cell gives, and what some programs write before anybody has computed it.
_UNVALUED = re.compile(
    r"<(?:\w+:)?c\s([^>]*)>\s*<(?:\w+:)?f\b(?:[^>]*/>|[^>]*>[^<]*</(?:\w+:)?f>)\s*"
    r"(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>0?</(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
)
_REFERENCE = re.compile(r"([A-Za-z]{1,3})(\d{1,7})")


def remarks(
    source: Path, number: int, parts: Collection[str], start: Place
) -> tuple[dict[int, str], frozenset[Place]]:
    """Doubtful rows with their code, and cells of formulas without a value, of the `number`th sheet, counted
    from its cell `start`. Only `parts` of the file are looked at."""
    if not parts:
        return {}, frozenset()
    with zipfile.ZipFile(source) as archive:
        part = _part(archive, number)
        if part is None or part not in parts:
            return {}, frozenset()
        content = archive.read(part).decode("utf-8", "replace")
    hidden: dict[int, str] = {}
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
    return hidden, frozenset(unvalued)


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
