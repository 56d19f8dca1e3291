"""Reading documents: upload, and the page with the words that were found on it."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from botocore.exceptions import BotoCoreError, ClientError
from fastapi import APIRouter, HTTPException, Path, Query, Request
from starlette.responses import RedirectResponse, Response

from api.auth.people import Staff
from api.console import files, queries
from api.console.jobs import find
from api.console.pages import ServerAway, Someone, Tenant, large_page, page, signed_in
from api.console.pieces import pieces
from api.console.queries import Shown
from api.console.searching import Search
from api.documents import TEXT, PageText, page_text
from api.routing import first
from api.services import Services, UseServices
from clients.database import jobs

router = APIRouter(route_class=first(signed_in))
JOB_TYPE = "ai.ocr"
RESULT, OVERLAY = "result.json", "overlay.png"
PICTURE = "page-{:04}/page.jpg"  # below the result's `units`
PageNumber = Annotated[int, Path(ge=1, le=10_000)]
_one_at_a_time = asyncio.Semaphore()
BESIDE = 6  # pages before and after the one that is shown, as small pictures
DOUBTFUL = 60  # words that are listed to be looked at first
SURE, UNSURE = 90.0, 75.0  # percent, as in the overlay that the task draws


@router.get("/ocr")
async def start(
    request: Request, services: UseServices, tenant: Tenant, search: Annotated[Search, Query()]
) -> Response:
    jobs, _ = await queries.page_of_jobs(services, tenant, search.wanted((JOB_TYPE,)), tenant)
    more = jobs[-1].seq if len(jobs) == queries.PAGE else None
    return page(request, "ocr.html", jobs=jobs, search=search, more=more)


@router.get("/ocr/{job_id}")
async def result(
    request: Request,
    services: UseServices,
    tenant: Tenant,
    staff: Someone,
    job_id: UUID,
    number: Annotated[int, Query(alias="page", ge=1, le=10_000)] = 1,
) -> Response:
    job = await _job(request, tenant, staff, job_id)
    found = (job.result or {}).get("files") or {}
    if RESULT not in found:
        return page(request, "ocr_result.html", job=job, shown=None)
    shown, last = await read_page(await files.read(services, found[RESULT]), number)
    if shown is None:
        raise HTTPException(404)
    words_of = await asyncio.to_thread(words, shown)
    picture = await _picture(services, job, shown["page"])
    return await large_page(
        request,
        "ocr_result.html",
        job=job,
        shown=shown,
        words_of=words_of,
        doubtful=doubtful(words_of),
        beside=range(max(1, number - BESIDE), min(last, number + BESIDE) + 1) if picture else (),
        number=number,
        last=last,
        text=await _text(services, job, number),
        picture=picture,
        names=sorted(found),
        review=(job.result or {}).get("review", []),
    )


@router.get("/ocr/{job_id}/pages/{number}")
async def picture(
    request: Request, services: UseServices, tenant: Tenant, staff: Someone, job_id: UUID, number: PageNumber
) -> Response:
    """What page `number` of the file looks like."""
    job = await _job(request, tenant, staff, job_id)
    if "units" not in (job.result or {}):
        raise HTTPException(404)
    return RedirectResponse(files.link(services, _key(job, number)), 303)


async def _job(request: Request, tenant: int, staff: Staff, job_id: UUID) -> Shown:
    job = await find(request, staff, job_id)
    if job.job_type != JOB_TYPE or job.tenant_id != tenant:
        raise HTTPException(404)
    return job


async def _text(services: Services, job: Shown, number: int) -> PageText | None:
    """What a page says by now; None of what has no text file. Raises ServerAway."""
    async with services.engine.connect() as connection:
        sealed = await jobs.sealed(connection, job.id)
    if sealed is None or TEXT not in ((job.result or {}).get("files") or {}):
        return None
    try:
        return await page_text(services, sealed, number)
    except HTTPException:  # there is no text of such a page
        return None
    except (BotoCoreError, ClientError):
        raise ServerAway("objects") from None


async def _picture(services: Services, job: Shown, number: int) -> tuple[str, str] | None:
    """Where a page's picture is, and whether its words are drawn on it already: so on the first page of what
    was read before every page had a picture."""
    result = job.result or {}
    if "units" in result and await files.exists(services, _key(job, number)):
        return f"/console/ocr/{job.id}/pages/{number}", "bare"
    if number == 1 and OVERLAY in result["files"]:
        return f"/console/jobs/{job.id}/files/{OVERLAY}", "drawn"
    return None


def _key(job: Shown, number: int) -> str:
    return f"{(job.result or {})['units']}{PICTURE.format(number)}"


async def read_page(content: bytes, number: int) -> tuple[dict[str, Any] | None, int]:
    """A page of a result, counted from 1, and how many there are. A result may have 40 MiB: it is read page
    by page, in a thread, and of one viewer at a time."""
    async with _one_at_a_time:
        return await asyncio.to_thread(_read_page, content, number)


def _read_page(content: bytes, number: int) -> tuple[dict[str, Any] | None, int]:
    found, count = None, 0
    for count, each in enumerate(pieces(content, "pages"), 1):
        if count == number:
            found = each
    return found, count


def doubtful(words_of: Sequence[Mapping[str, Any]]) -> list[tuple[int, Mapping[str, Any]]]:
    """The words to look at first, the least sure before the others, with their places in the list."""
    unsure = [(index, word) for index, word in enumerate(words_of) if word["kind"] != "sure"]
    return sorted(unsure, key=lambda each: each[1]["confidence"])[:DOUBTFUL]


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
