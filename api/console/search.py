"""Search: one box for what is said in lectures and what stands in documents."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import search
from api.console.pages import ServerAway, Tenant, large_page, signed_in
from api.console.searching import TextSearch
from api.routing import first
from api.search import DocumentFound, LectureFound, Page, StoreAway
from api.services import UseServices
from rules.search import finding

router = APIRouter(route_class=first(signed_in))
FIRST, MORE = 5, 20  # of each kind where both are shown, and of one


@router.get("/search")
async def results(
    request: Request, services: UseServices, tenant: Tenant, asked: Annotated[TextSearch, Query()]
) -> Response:
    query = finding.Query(asked.q or "")
    limit = FIRST if asked.show == "all" else MORE
    lectures: Page[LectureFound] = Page([], None)
    documents: Page[DocumentFound] = Page([], None)
    try:
        if query and asked.show != "documents":
            lectures = await search.lectures(services, tenant, query, before=asked.before, limit=limit)
        if query and asked.show != "lectures":
            documents = await search.documents(services, tenant, query, before=asked.before, limit=limit)
    except StoreAway:
        raise ServerAway("objects") from None
    return await large_page(
        request,
        "search.html",
        search=asked,
        is_asked=bool(query),
        lectures=lectures,
        documents=documents,
        longest=finding.LONGEST,
    )
