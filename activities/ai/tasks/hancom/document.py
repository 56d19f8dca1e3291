"""What a document of Hancom's word processor says: lines in their order, and tables as rows and cells."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Literal

from activities.ai.sandbox.task import BadInput
from activities.ai.tasks.ocr.tables import Cell
from contracts.errors import ARCHIVE_TOO_DEEP, TOO_MANY_CELLS

MAX_LETTERS = 20_000_000
MAX_CELLS = 500_000  # places that cells reach over
MAX_ROWS, MAX_COLUMNS = 1_048_576, 16_384  # of a sheet, which tables are written into
MAX_DEPTH = 60  # paragraphs, tables and boxes in each other


@dataclass
class Document:
    """`numbered` are paragraphs whose number the program makes and the file does not hold; `left_out` counts
    what was seen and not read, by what it is; `formulas` are those written out as scripts."""

    lines: list[str] = field(default_factory=list)
    tables: list[tuple[Cell, ...]] = field(default_factory=list)
    formulas: int = 0
    numbered: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


Kind = Literal["paragraph", "control", "list"]


@dataclass
class Part:
    """Something that is open: a paragraph, a thing in it (a table, a box), or a list of paragraphs in that (a
    cell). `level` is the file's; `lines` are those of what is closed inside."""

    kind: Kind
    level: int
    texts: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)
    place: tuple[int, int, int, int] | None = None  # row, column, rows, columns
    is_table: bool = False
    dropped: str = ""  # what it is, if nobody reads it


class Writing:
    """A document while it is read: parts are opened and closed, inner ones first. Raises BadInput."""

    def __init__(self) -> None:
        self.document = Document()
        self.open: list[Part] = []
        self._letters = self._cells = 0

    def begin(self, part: Part) -> Part:
        if len(self.open) >= MAX_DEPTH:
            raise BadInput(ARCHIVE_TOO_DEEP, {"depth": MAX_DEPTH})
        self.open.append(part)
        return part

    def inner(self, kind: Kind) -> Part | None:
        """The innermost open part of a kind."""
        return next((part for part in reversed(self.open) if part.kind == kind), None)

    def write(self, text: str) -> None:
        """In the innermost paragraph, at its end."""
        self.count(text)
        if part := self.inner("paragraph"):
            part.texts.append(text)

    def count(self, text: str) -> None:
        self._letters += len(text)
        if self._letters > MAX_LETTERS:
            raise BadInput(ARCHIVE_TOO_DEEP, {"letters": MAX_LETTERS})

    def formula(self, script: str) -> str:
        """A formula, marked as such: its letters are no text."""
        self.document.formulas += 1
        return f"[수식: {' '.join(script.split())}]"

    def end(self) -> None:
        """Close the innermost part."""
        part = self.open.pop()
        above = self.open[-1] if self.open else None
        lines = part.lines
        if part.kind == "paragraph":
            text = "".join(part.texts).strip("\n")
            lines = [line.rstrip() for line in text.split("\n") if line.strip()] + lines
        elif part.dropped:
            self.document.left_out[part.dropped] += 1
            return
        elif part.is_table:
            lines = lines + self._rows(part)
        elif part.place and above and above.is_table:
            row, column, rows, columns = part.place
            self._cells += rows * columns
            if self._cells > MAX_CELLS or row + rows > MAX_ROWS or column + columns > MAX_COLUMNS:
                raise BadInput(TOO_MANY_CELLS, {"limit": MAX_CELLS})
            above.cells.append(Cell(*part.place, "\n".join(lines)))
            return
        (above.lines if above else self.document.lines).extend(lines)

    def _rows(self, part: Part) -> list[str]:
        """A table as lines, a row each. What it holds counts again: tables may stand in each other."""
        rows: dict[int, list[str]] = {}
        for cell in sorted(part.cells, key=lambda each: (each.row, each.column)):
            text = cell.text.replace("\n", " ")
            self.count(text)
            rows.setdefault(cell.row, []).append(text)
        if part.cells:
            self.document.tables.append(tuple(part.cells))
        return ["\t".join(row) for row in rows.values() if any(row)]


def doubts(document: Document) -> list[str]:
    """Why a person should look."""
    found = []
    if document.numbered:
        found.append(
            f"{document.numbered} paragraphs have a number that the file does not hold: it is not in the text"
        )
    found += [f"not read: {count} {what}" for what, count in sorted(document.left_out.items())]
    if not document.lines:
        found.append("no text was found")
    return found


def result(document: Document, engine: str) -> Mapping[str, object]:
    """As of a page that was not read but written; nothing in it has a place."""
    nowhere = (0, 0, 0, 0)
    lines = [
        {
            "box": nowhere,
            "confidence": 100.0,
            "own": True,
            "doubted": False,
            "words": [{"text": word, "confidence": 100.0, "box": nowhere} for word in line.split()],
        }
        for line in document.lines
    ]
    tables = [
        {"box": nowhere, "cells": [vars(cell) for cell in cells], "doubted": _is_doubted(cells)}
        for cells in document.tables
    ]
    return {
        "width": 0,
        "height": 0,
        "turned": 0,
        "detected": len(lines),
        "layer": "written",
        "left_out": 0,
        "order_doubted": False,
        "tables": tables,
        "engine": engine,
        "lines": lines,
        "formulas": document.formulas,
        "doubts": doubts(document),
    }


def _is_doubted(cells: Sequence[Cell]) -> bool:
    """Whether cells lie over each other, or nothing says where one is."""
    taken: set[tuple[int, int]] = set()
    for cell in cells:
        rows = range(cell.row, cell.row + cell.rows)
        places = set(product(rows, range(cell.column, cell.column + cell.columns)))
        if cell.row < 0 or not taken.isdisjoint(places):
            return True
        taken |= places
    return False
