"""The task `excel_parsing`: a roster of students, read and checked; nothing is written to the database.

Its files: `rows.jsonl` (students to take, `Row` a line), `report.json` (every problem with its value) and,
if rows are not taken, `failed.xlsx`, to be corrected and sent again.
"""

import gc
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic_core import from_json, to_json

from activities.ai.sandbox.task import Assembled, BadInput, Limits
from activities.ai.tasks.roster.parse import Problem, Row, parse
from activities.ai.tasks.roster.sheets import names, read
from activities.ai.tasks.roster.survey import survey
from contracts.errors import (
    REASONS,
    ROSTER_COLUMN_UNKNOWN,
    ROSTER_CONTRADICTION,
    ROSTER_EMPTY,
    ROSTER_HEADER_MISSING,
    ROSTER_NUMBER_OF_ANOTHER,
    ROSTER_SAME_STUDENT,
    ROSTER_TABLES_BESIDE,
    ROSTER_TOO_MANY_ROWS,
)
from rules.roster.columns import FIELDS, REQUIRED, plain
from rules.roster.identity import PHONES, identity, numbers_of_others, soft_match

MAX_ROWS = 50_000
ENGINE = f"python-calamine {version('python-calamine')}"
ROWS, REPORT, FAILED = "rows.jsonl", "report.json", "failed.xlsx"
GOOD, BAD, COLUMNS = "good.jsonl", "bad.jsonl", "columns.json"  # of one sheet
PART = 1 << 18  # bytes
_GATHERED = {"class_name": ", ", "memo": "\n"}  # several rows of one student may each have their own


class Roster:
    name = "excel_parsing"
    version = 6
    limits = Limits(source_bytes=30 << 20, memory_bytes=1 << 30, cpu_seconds=60, wall_seconds=120)

    def fingerprint(self) -> str:
        return ENGINE

    def plan(self, source: Path, parameters: Mapping[str, Any]) -> list[str]:
        units = names(source)
        if not units:
            raise BadInput(ROSTER_EMPTY)
        return units

    def run(self, source: Path, unit: str, parameters: Mapping[str, Any], out: Path) -> dict[str, Any]:
        with _no_collecting():
            sheet = read(source, unit)
            if len(sheet.cells) > MAX_ROWS + 1_000:  # blank ones and titles are not students
                raise BadInput(ROSTER_TOO_MANY_ROWS, {"rows": len(sheet.cells), "limit": MAX_ROWS})
            parsed = parse(sheet, chosen_of(parameters))
            if surveyed := survey(sheet, parsed.header):
                (out / COLUMNS).write_text(surveyed.model_dump_json())
            if parsed.header and parsed.header.names and not parsed.header.missing:
                at, labels = sheet.first_row + parsed.header.row + 1, ", ".join(parsed.header.names)
                raise BadInput(ROSTER_TABLES_BESIDE, {"sheet": unit, "row": at, "columns": labels})
            good: list[Row] = []
            bad: list[Row] = []
            # In parts of a thousand: somebody may work on the first while the next are read.
            with (out / GOOD).open("wb", buffering=PART) as file:
                for row in parsed.rows:
                    if row.problems:
                        bad.append(row)
                    else:
                        good.append(row)
                        file.write(_line(row))
            distinct = _distinct(good)
        _write(out / BAD, bad)
        header = parsed.header
        return {
            "sheet": sheet.name,
            "rows": len(good) + len(bad),
            "missing": None if header is None else list(header.missing),
            "header_row": None if header is None else sheet.first_row + header.row + 1,
            "columns": {} if header is None else {each.label: each.field for each in header.columns},
            "ignored_columns": [] if header is None else list(header.ignored),
            "suspicious": parsed.suspicious,
            "distinct": distinct,
        }

    def assemble(
        self,
        source: Path,
        results: Sequence[tuple[str, dict[str, Any]]],
        *,
        parameters: Mapping[str, Any],
        units: Path,
        out: Path,
    ) -> Assembled:
        labels = {
            plain(label)
            for _, result in results
            for label in (*result.get("columns", ()), *result["ignored_columns"])
        }
        for label in parameters.get("columns") or {}:
            if plain(label) not in labels:
                raise BadInput(ROSTER_COLUMN_UNKNOWN, {"column": label[:50]})
        rosters = [unit for unit, result in results if result["missing"] == []]
        if not rosters:
            raise _no_header(results)
        total = sum(result["rows"] for _, result in results)
        if total == 0:
            raise BadInput(ROSTER_EMPTY)
        if total > MAX_ROWS:
            raise BadInput(ROSTER_TOO_MANY_ROWS, {"rows": total, "limit": MAX_ROWS})
        bad = [row for unit in rosters for row in read_rows(units / unit / BAD)]
        if len(rosters) == 1 and dict(results)[rosters[0]].get("distinct"):
            students = dict(results)[rosters[0]]["rows"] - len(bad)
            (units / rosters[0] / GOOD).rename(out / ROWS)
        else:
            with _no_collecting():
                good, contradicting = merge(row for unit in rosters for row in read_rows(units / unit / GOOD))
            bad += contradicting
            students = len(good)
            _write(out / ROWS, good)
        report = {
            "problems": [asdict(problem) for row in bad for problem in row.problems],
            "sheets": [result for _, result in results],
        }
        (out / REPORT).write_bytes(to_json(report))
        review = [f"{unit}: {ROSTER_HEADER_MISSING}" for unit, result in results if result["suspicious"]]
        if bad:
            _write_failed(out / FAILED, bad)
            review.append(f"rows not taken: {len(bad)}")
        summary = {
            "rows": total,
            "students": students,
            "failed": len(bad),
            "repeated": total - students - len(bad),
        }
        return Assembled(summary, (ROWS, REPORT, FAILED) if bad else (ROWS, REPORT), tuple(review))


ROSTER = Roster()


def merge(rows: Iterable[Row]) -> tuple[list[Row], list[Row]]:
    """Rows of the same student as one, and those that contradict each other, none of which is taken.

    A student who attends two classes stands in a file twice. Blank cells are filled from the others,
    classes and notes are gathered.
    """
    rows = list(rows)
    numbers = numbers_of_others([row.values for row in rows])
    by_identity: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        by_identity[identity(row.values)].append(row)
    whose: dict[tuple[str, str], tuple[str, str]] = {}
    doubtful: set[tuple[str, str]] = set()
    for who, same in by_identity.items():
        for row in same:
            like = soft_match(row.values)
            if like and whose.setdefault(like, who) != who:
                doubtful |= {who, whose[like]}
    good: list[Row] = []
    bad: list[Row] = []
    for who, same in by_identity.items():
        merged, contradicted = _merged(same)
        if contradicted:
            bad += [_with_problems(row, contradicted, ROSTER_CONTRADICTION) for row in same]
        elif who in doubtful:
            bad += [_with_problems(row, ["parent_phone"], ROSTER_SAME_STUDENT) for row in same]
        elif fields := [field for field in PHONES if any(row.values.get(field) in numbers for row in same)]:
            bad += [_with_problems(row, fields, ROSTER_NUMBER_OF_ANOTHER) for row in same]
        else:
            good.append(merged)
    return good, bad


def chosen_of(parameters: Mapping[str, Any]) -> dict[str, str | None]:
    """The columns that somebody has named, by label. Raises BadInput where two are one label or field."""
    given: Mapping[str, str | None] = parameters.get("columns") or {}
    found = {plain(label): field for label, field in given.items()}
    fields = [field for field in found.values() if field]
    if len(found) < len(given) or "" in found or len(set(fields)) < len(fields):
        raise BadInput(ROSTER_COLUMN_UNKNOWN, {"columns": len(given)})
    return found


def read_rows(path: Path) -> Iterator[Row]:
    """As they are asked for: a part of a roster can be written while the next one is read."""
    with path.open("rb") as lines:
        for line in lines:
            yield row_of(line)


@contextmanager
def _no_collecting() -> Iterator[None]:
    """Half a million cells and not one cycle among them: looking for some takes a quarter of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _distinct(rows: Sequence[Row]) -> bool:
    """Whether no two rows are of the same student or have one's number, so that there is nothing to merge."""
    if numbers_of_others([row.values for row in rows]):
        return False
    soft_matches = [like for row in rows if (like := soft_match(row.values))]
    identities = {identity(row.values) for row in rows}
    return len(identities) == len(rows) and len(set(soft_matches)) == len(soft_matches)


def _merged(rows: Sequence[Row]) -> tuple[Row, list[str]]:
    """One row of those of a student, and the fields in which they contradict each other."""
    first = rows[0]
    if len(rows) == 1:
        return first, []
    values: dict[str, str] = {}
    contradicted: list[str] = []
    for field in FIELDS:
        found = list(dict.fromkeys(row.values[field] for row in rows if field in row.values))
        if field == "name":
            found = found[:1]  # they differ in spaces at most
        if len(found) > 1 and field not in _GATHERED:
            contradicted.append(field)
        elif found:
            values[field] = _GATHERED.get(field, "").join(found)
    return replace(first, values=values), contradicted


def _with_problems(row: Row, fields: Sequence[str], code: str) -> Row:
    problems = (
        Problem(row.sheet, row.row, FIELDS[field], code, row.values.get(field, "")) for field in fields
    )
    return replace(row, problems=tuple(problems))


def _no_header(results: Sequence[tuple[str, dict[str, Any]]]) -> BadInput:
    """Which required column is missing where the header seems to be; a missing header if it is nowhere."""
    for unit, result in results:
        if result["missing"]:
            missing = ", ".join(FIELDS[field] for field in result["missing"])
            where = {"sheet": unit, "row": result["header_row"], "missing": missing}
            return BadInput(ROSTER_HEADER_MISSING, where)
    return BadInput(ROSTER_HEADER_MISSING)


def _write(path: Path, rows: Iterable[Row]) -> None:
    with path.open("wb") as file:
        file.writelines(map(_line, rows))


def _line(row: Row) -> bytes:
    return to_json((row.sheet, row.row, row.values, row.problems)) + b"\n"


def row_of(line: bytes) -> Row:
    """A line of `rows.jsonl` or of a sheet's rows."""
    sheet, row, values, problems = from_json(line)
    return Row(sheet, row, values, tuple(Problem(**problem) for problem in problems) if problems else ())


def _write_failed(path: Path, rows: Sequence[Row]) -> None:
    """Under labels that we understand ourselves, so that the corrected file can be sent again."""
    # Here: a child starts in half the time without what this one file may not need.
    from activities.ai.students.exports.sheet import Book

    used = [field for field in FIELDS if field in REQUIRED or any(row.values.get(field) for row in rows)]
    columns = [("시트", 12.0), ("행", 6.0), ("오류", 50.0), *((FIELDS[field], 18.0) for field in used)]
    with Book(path) as book:
        table = book.sheet("오류", columns, frozen=3)
        for row in rows:
            told = " · ".join(f"{problem.column}: {REASONS[problem.code].ko}" for problem in row.problems)
            table.write([row.sheet, row.row, told, *(row.values.get(field) for field in used)])
