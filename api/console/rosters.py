"""Rosters: a dry run with every error in its cell, then the import."""

import asyncio
import heapq
import io
import itertools
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query, Request
from python_calamine import CalamineWorkbook
from starlette.responses import Response

from api import roster_columns
from api.console import files, queries
from api.console.jobs import find
from api.console.may import may
from api.console.pages import Someone, Tenant, large_page, page, signed_in
from api.console.pieces import pieces
from api.console.searching import Search
from api.console.translations import COLUMNS
from api.routing import first
from api.services import Services, UseServices
from rules.roster.columns import FIELDS, ranked_field

router = APIRouter(route_class=first(signed_in))
JOB_TYPE = "ai.excel_parsing"
ROWS, REPORT, FAILED, CHANGES = "rows.jsonl", "report.json", "failed.xlsx", "changes.json"
NAMED = "columns.json"
SHOWN = 300  # rows on a page
QUIET = ("unchanged", "new")  # kinds of rows that nobody has to look at first
BEFORE_FIELDS = 3  # columns of failed.xlsx that are ours: sheet, row, error
_one_at_a_time = asyncio.Semaphore()
_BY_LABEL = {labels[0]: name for name, labels in COLUMNS.items()}


@dataclass
class Line:
    """A row of the file as the page shows it. `kind`: new, changed, unchanged, conflicting or bad."""

    sheet: str
    row: int
    kind: str
    values: dict[str, str]
    errors: dict[str, list[str]] = field(default_factory=dict)  # field → codes
    before: dict[str, str] = field(default_factory=dict)  # field → what it was


@dataclass
class Preview:
    lines: list[Line]
    columns: list[str]
    hidden: int


@router.get("/rosters")
async def start(
    request: Request, services: UseServices, tenant: Tenant, search: Annotated[Search, Query()]
) -> Response:
    jobs, _ = await queries.page_of_jobs(services, tenant, search.wanted((JOB_TYPE,)), tenant)
    more = jobs[-1].seq if len(jobs) == queries.PAGE else None
    return page(request, "rosters.html", jobs=jobs, search=search, more=more)


@router.get("/rosters/{job_id}")
async def preview(
    request: Request,
    services: UseServices,
    tenant: Tenant,
    staff: Someone,
    job_id: UUID,
) -> Response:
    """What a roster would change, or has changed: its job says which. A dry run can be stored from here, as
    long as its file is kept."""
    job = await find(request, staff, job_id)
    if job.job_type != JOB_TYPE or job.tenant_id != tenant:
        raise HTTPException(404)
    found = (job.result or {}).get("files") or {}
    made = None
    if REPORT in found:
        names = [name for name in (ROWS, REPORT, CHANGES, FAILED) if name in found]
        contents = await asyncio.gather(*(files.read(services, found[name]) for name in names))
        async with _one_at_a_time:
            made = await asyncio.to_thread(preview_of, dict(zip(names, contents, strict=True)))
    summary = (job.result or {}).get("summary", {})
    columns = await _columns(services, tenant, found[NAMED]) if NAMED in found else None
    mode, file = (job.result or {}).get("mode"), (job.result or {}).get("file_key")
    may_store = mode == "preview" and may(staff, "POST /api/v1/jobs", JOB_TYPE)
    if file is None or not may_store or not await files.exists(services, file):
        file = None
    return await large_page(
        request,
        "roster.html",
        job=job,
        preview=made,
        summary=summary,
        mode=mode,
        file=file,
        columns=columns,
        fields=FIELDS,
        changes=sum(summary.get(kind, 0) for kind in ("new", "changed")),
        failed=FAILED in found,
        undoable=mode == "import" and CHANGES in found and may(staff, "POST /api/v1/jobs", "ai.roster_undo"),
    )


async def _columns(services: Services, tenant: int, key: str) -> dict[str, Any]:
    """What stands over the columns of each sheet, with what somebody said of the same line before."""
    found: dict[str, Any] = json.loads(await files.read(services, key))
    for sheet in found["sheets"]:
        labels = [column["label"] for column in sheet["columns"]]
        offered = await roster_columns.offered(services, tenant, labels) or {}
        read = {column["label"]: column["field"] for column in sheet["columns"]}
        sheet["offered"] = offered if any(read.get(label) != offered[label] for label in offered) else {}
    return found


def preview_of(contents: Mapping[str, bytes]) -> Preview:
    """Of the task's files. If there are many rows, those with errors and changes before the others, in the
    order of the file: there may be 50,000, so no more of them are kept than are shown."""
    report = contents[REPORT]
    wrong = {(each["sheet"], each["row"]) for each in pieces(report, "problems")}
    changed = _Altered()
    altered = heapq.nsmallest(SHOWN, changed.of(contents.get(CHANGES, b"[]")), key=_of_change)
    by_place = {(each["sheet"], each["row"]): each for each in altered}
    count = len(wrong)

    def taken() -> Iterator[Line]:
        nonlocal count
        for text in io.BytesIO(contents.get(ROWS, b"")):
            sheet, row, values, _ = json.loads(text)
            count += 1
            change = by_place.get((sheet, row))
            if change is not None or (sheet, row) not in changed.places:
                yield line_of(sheet, row, values, change)

    bad = bad_lines(report, set(heapq.nsmallest(SHOWN, wrong)), contents.get(FAILED))
    lines = heapq.nsmallest(SHOWN, itertools.chain(bad, taken()), key=_of_line)
    lines.sort(key=lambda line: (line.sheet, line.row))
    used = {name for line in lines for name in (*line.values, *line.errors)}
    return Preview(lines, [name for name in COLUMNS if name in used], count - len(lines))


class _Altered:
    """Changes as they are read, and the places of all that were."""

    def __init__(self) -> None:
        self.places: set[tuple[str, int]] = set()

    def of(self, content: bytes) -> Iterator[dict[str, Any]]:
        for each in pieces(content):
            self.places.add((each["sheet"], each["row"]))
            yield each


def _of_change(change: Mapping[str, Any]) -> tuple[bool, str, int]:
    return change["kind"] in QUIET, change["sheet"], change["row"]


def _of_line(line: Line) -> tuple[bool, str, int]:
    return line.kind in QUIET, line.sheet, line.row


def line_of(sheet: str, row: int, values: dict[str, str], change: Mapping[str, Any] | None) -> Line:
    if change is None:
        return Line(sheet, row, "unchanged", values)
    line = Line(sheet, row, change["kind"], values)
    if change["kind"] == "changed":
        line.before = {name: old or "" for name, (old, _) in change["fields"].items()}
    if change.get("code"):
        line.errors = {"parent_phone": [change["code"]]}
    return line


def bad_lines(report: bytes, places: set[tuple[str, int]], failed: bytes | None) -> list[Line]:
    """Rows of these places, which are not taken: their values from `failed.xlsx`, their errors from the
    report."""
    values = dict(_values(places, failed))
    errors: dict[tuple[str, int], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for problem in pieces(report, "problems"):
        place = (problem["sheet"], problem["row"])
        if place not in places:
            continue
        row_values = values.setdefault(place, {})
        name = field_of(problem["column"], str(problem["value"]), row_values)
        errors[place][name].append(problem["code"])
        row_values.setdefault(name, str(problem["value"]))
    return [Line(*place, "bad", values[place], dict(found)) for place, found in errors.items()]


def _values(
    places: set[tuple[str, int]], failed: bytes | None
) -> Iterator[tuple[tuple[str, int], dict[str, str]]]:
    if not failed:
        return
    rows = CalamineWorkbook.from_filelike(io.BytesIO(failed)).get_sheet_by_index(0).iter_rows()
    names = [_BY_LABEL.get(str(label), str(label)) for label in next(rows)[BEFORE_FIELDS:]]
    for row in rows:
        place = (str(row[0]), int(float(str(row[1]))))
        if place in places:
            cells = (_text(cell) for cell in row[BEFORE_FIELDS:])
            yield place, dict(zip(names, cells, strict=False))


def field_of(label: str, value: str, values: dict[str, str]) -> str:
    """The field of a column of the file. A label in two rows, or the second of a kind, is told by its
    value."""
    known = ranked_field(label)
    named = known[0] if known else label
    if value and values.get(named) != value:
        return next((name for name, own in values.items() if own == value), named)
    return named


def _text(cell: Any) -> str:
    return f"{cell:.0f}" if isinstance(cell, float) and cell.is_integer() else str(cell)
