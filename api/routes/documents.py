"""Read documents: the text of a page, and its correction."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from api import documents
from api.auth import audit
from api.auth.callers import Tenant, caller_of
from api.documents import LONGEST, PageText
from api.jobs import find_job
from api.params import JobId
from api.routing import first
from api.services import UseServices
from contracts.base import Outside

router = APIRouter(prefix="/api/v1/documents", route_class=first(caller_of))
PageNumber = Annotated[int, Path(ge=1, le=10_000)]


class DocumentPage(BaseModel):
    """`version` names the document's text as a whole. `corrected`: a person has corrected this page."""

    text: str
    version: str
    corrected: bool


class PageCorrection(Outside):
    """The whole text of a page, in place of the one that `version` had."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(max_length=LONGEST)
    version: str = Field(max_length=100)


@router.get("/{job_id}/pages/{number}/text")
async def look(tenant: Tenant, services: UseServices, job_id: JobId, number: PageNumber) -> DocumentPage:
    """The text of a page, with corrections."""
    job = await find_job(services, tenant, job_id)
    return _shown(await documents.page_text(services, job, number))


@router.put("/{job_id}/pages/{number}/text")
async def correct(
    request: Request,
    body: PageCorrection,
    tenant: Tenant,
    services: UseServices,
    job_id: JobId,
    number: PageNumber,
) -> DocumentPage:
    """Correct the text of a page. `text.txt` and the search have it from then on; what was read stays in
    `read.txt`, and in the other files. 409 `text_changed` where `version` is not the newest."""
    job = await find_job(services, tenant, job_id)
    audit.about(request, job=str(job.id), number=number)
    return _shown(await documents.correct(services, job, number, body.text, body.version))


def _shown(page: PageText) -> DocumentPage:
    return DocumentPage(text=page.text, version=page.version, corrected=page.corrected)
