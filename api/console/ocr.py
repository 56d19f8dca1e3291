"""Reading documents: upload, and the page with the words that were found on it."""

import json
from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query, Request
from starlette.responses import Response

from api.console import files, queries
from api.console.jobs import find
from api.console.pages import Someone, Tenant, page

router = APIRouter()
JOB_TYPE = "ai.ocr"
RESULT, TEXT, OVERLAY = "result.json", "text.txt", "overlay.png"
SURE, UNSURE = 90.0, 75.0  # percent, as in the overlay that the task draws


@router.get("/ocr")
async def start(request: Request, tenant: Tenant) -> Response:
    services = request.app.state.services
    jobs, _ = await queries.page_of_jobs(services.engine, services.board, tenant, "all", types=(JOB_TYPE,))
    return page(request, "ocr.html", jobs=jobs)


@router.get("/ocr/{job_id}")
async def result(
    request: Request,
    tenant: Tenant,
    staff: Someone,
    job_id: UUID,
    number: Annotated[int, Query(alias="page", ge=1, le=10_000)] = 1,
) -> Response:
    job = await find(request, staff, job_id)
    if job.job_type != JOB_TYPE or job.tenant_id != tenant:
        raise HTTPException(404)
    found = (job.result or {}).get("files") or {}
    if RESULT not in found:
        return page(request, "ocr_result.html", job=job, shown=None)
    pages = json.loads(await files.read(request, found[RESULT]))["pages"]
    if number > len(pages):
        raise HTTPException(404)
    shown = pages[number - 1]
    return page(
        request,
        "ocr_result.html",
        job=job,
        shown=shown,
        words_of=words(shown),
        number=number,
        last=len(pages),
        # The task draws the first page only.
        picture=OVERLAY if number == 1 and OVERLAY in found else None,
        names=sorted(found),
        review=(job.result or {}).get("review", []),
    )


def words(shown: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The words of a page with their places and how sure they are."""
    made = []
    for line in shown["lines"]:
        for word in line["words"]:
            left, top, right, bottom = word["box"]
            confidence = word["confidence"]
            kind = "sure" if confidence >= SURE else "unsure" if confidence >= UNSURE else "doubtful"
            place = {"x": left, "y": top, "width": right - left, "height": bottom - top}
            made.append(place | {"text": word["text"], "confidence": round(confidence), "kind": kind})
    return made
