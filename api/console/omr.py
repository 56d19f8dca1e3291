"""Answer sheets: print them, upload the pile, look at what is in doubt, see the points."""

import asyncio
import json
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query, Request
from starlette.responses import Response

from api.console import files, queries
from api.console.jobs import find
from api.console.pages import Someone, Tenant, large_page, page, signed_in
from api.console.pieces import pieces
from api.console.searching import Search
from api.routing import first
from api.services import Services, UseServices

router = APIRouter(route_class=first(signed_in))
JOB_TYPE = "ai.omr_grading"
ANSWERS, STATISTICS, CLASS = "answers.json", "statistics.json", "class.xlsx"
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
    return await large_page(
        request,
        "omr_result.html",
        job=job,
        sheets=sorted(sheets, key=lambda sheet: not sheet["doubts"]),
        questions=questions,
        files=[name for name in (CLASS, ANSWERS, STATISTICS) if name in found],
        summary=(job.result or {}).get("summary", {}),
        review=(job.result or {}).get("review", []),
    )


async def _sheets(services: Services, key: str, names: set[str]) -> list[dict[str, Any]]:
    content = await files.read(services, key)
    async with _one_at_a_time:
        return await asyncio.to_thread(lambda: [shown(sheet, names) for sheet in pieces(content, "sheets")])


async def _statistics(services: Services, key: str) -> list[dict[str, Any]]:
    content = await files.read(services, key)
    found: list[dict[str, Any]] = json.loads(content)["questions"]
    return found


def shown(sheet: dict[str, Any], names: set[str]) -> dict[str, Any]:
    """What the page says of a sheet; `doubts` are questions (0: the identifier) with the name of a picture
    where there is one."""
    unit, identifier = sheet["page"], sheet["identifier"]
    doubts = [
        (each["number"], f"{unit}-question-{each['number']:03}.png")
        for each in sheet["questions"]
        if each["state"] in DOUBTFUL
    ]
    if not identifier or "?" in identifier:
        doubts.insert(0, (0, f"{unit}-identifier.png"))
    return {
        "page": int(unit.removeprefix("page-")),
        "identifier": identifier,
        "score": sheet["score"],
        "score_of": sheet["score_of"],
        "answers": [(each["number"], each["choices"], each["correct"]) for each in sheet["questions"]],
        "doubts": [(number, name if name in names else None) for number, name in doubts],
    }
