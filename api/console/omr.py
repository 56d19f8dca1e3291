"""Answer sheets: print them, upload the pile, look at what is in doubt, see the points."""

import asyncio
import json
from collections import Counter
from collections.abc import Set
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query, Request
from starlette.responses import Response

from api.console import files, queries
from api.console.jobs import find
from api.console.may import may
from api.console.pages import Someone, Tenant, large_page, page, signed_in
from api.console.pieces import pieces
from api.console.searching import Search
from api.routing import first
from api.services import Services, UseServices

router = APIRouter(route_class=first(signed_in))
JOB_TYPE = "ai.omr_grading"
ANSWERS, STATISTICS, CLASS = "answers.json", "statistics.json", "class.xlsx"
REPORTS, ASKED = "reports.pdf", "asked.json"
SHEETS = (10, 20, 30)  # questions; as printed by `activities.ai.tasks.omr.sheet`
DOUBTFUL = ("double", "faint", "stray", "unreadable")
_one_at_a_time = asyncio.Semaphore()


@router.get("/omr")
async def start(
    request: Request, services: UseServices, tenant: Tenant, search: Annotated[Search, Query()]
) -> Response:
    jobs, _ = await queries.page_of_jobs(services, tenant, search.wanted((JOB_TYPE,)), tenant)
    more = jobs[-1].seq if len(jobs) == queries.PAGE else None
    return page(request, "omr.html", jobs=jobs, search=search, more=more, sheets=SHEETS)


@router.get("/omr/{job_id}")
async def result(
    request: Request, services: UseServices, tenant: Tenant, staff: Someone, job_id: UUID
) -> Response:
    """Each sheet with its points, those with doubts before the others."""
    job = await find(request, staff, job_id)
    if job.job_type != JOB_TYPE or job.tenant_id != tenant:
        raise HTTPException(404)
    found = (job.result or {}).get("files") or {}
    sheets = await _sheets(services, found[ANSWERS], set(found)) if ANSWERS in found else []
    questions = await _statistics(services, found[STATISTICS]) if STATISTICS in found else []
    may_grade = ASKED in found and may(staff, "POST /api/v1/jobs", JOB_TYPE)
    asked = await _asked(services, tenant, found[ASKED]) if may_grade else None
    return await large_page(
        request,
        "omr_result.html",
        job=job,
        sheets=sorted(sheets, key=lambda sheet: (not sheet["open"], not sheet["doubts"])),
        questions=questions,
        asked=asked,
        files=[name for name in (REPORTS, CLASS, ANSWERS, STATISTICS) if name in found],
        summary=(job.result or {}).get("summary", {}),
        review=(job.result or {}).get("review", []),
    )


async def _sheets(services: Services, key: str, names: set[str]) -> list[dict[str, Any]]:
    content = await files.read(services, key)
    async with _one_at_a_time:
        return await asyncio.to_thread(_shown, content, names)


def _shown(content: bytes, names: set[str]) -> list[dict[str, Any]]:
    counted = Counter(sheet["identifier"] for sheet in pieces(content, "sheets"))
    several = {identifier for identifier, times in counted.items() if times > 1 and identifier}
    return [shown(sheet, names, several) for sheet in pieces(content, "sheets")]


async def _statistics(services: Services, key: str) -> list[dict[str, Any]]:
    content = await files.read(services, key)
    found: list[dict[str, Any]] = json.loads(content)["questions"]
    return found


async def _asked(services: Services, tenant: int, key: str) -> dict[str, Any] | None:
    """What the job was asked for, to be asked again with corrections. None where it cannot be: the file is
    not kept any more, or is none of the tenant's."""
    asked: dict[str, Any] = json.loads(await files.read(services, key))
    file = str(asked["payload"].get("file_key"))
    mine = file.startswith(f"tenants/{tenant}/")
    return asked if mine and await files.exists(services, file) else None


@dataclass(frozen=True)
class Doubt:
    """A question of a sheet, or its identifier (`number` 0), that a person should look at or has decided.
    `picture` is a file of the job, `bubbles` are where its choices lie on it, in pixels."""

    number: int
    state: str
    picture: str | None = None
    size: tuple[int, int] | None = None
    bubbles: tuple[tuple[int, int], ...] = ()


def shown(sheet: dict[str, Any], names: set[str], several: Set[str] = frozenset()) -> dict[str, Any]:
    """What the page says of a sheet; `several` are identifiers that stand on more than one."""
    unit, identifier = sheet["page"], sheet["identifier"]

    def picture(name: str) -> str | None:
        return name if (name := f"{unit}-{name}.png") in names else None

    doubts = [
        Doubt(
            each["number"],
            "corrected" if each.get("corrected") else each["state"],
            picture(f"question-{each['number']:03}"),
            **each.get("crop", {}),
        )
        for each in sheet["questions"]
        if each["state"] in DOUBTFUL or (each.get("corrected") and "crop" in each)
    ]
    if not identifier or "?" in identifier or identifier in several:
        doubts.insert(0, Doubt(0, "several" if identifier in several else "unread", picture("identifier")))
    return {
        "unit": unit,
        "digits": sheet.get("digits", len(identifier)),
        "choices": sheet.get("choices", 5),
        "page": int(unit.removeprefix("page-")),
        "identifier": identifier,
        "score": sheet["score"],
        "score_of": sheet["score_of"],
        "answers": [(each["number"], each["choices"], each["correct"]) for each in sheet["questions"]],
        "doubts": doubts,
        "open": sum(doubt.state != "corrected" for doubt in doubts),
    }
