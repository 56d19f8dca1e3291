"""Search: where words stand in lectures and documents."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from api import search
from api.auth.callers import Tenant, caller_of
from api.params import Cursor
from api.problems import refused
from api.routing import first
from api.schemas_uploads import Composed
from api.services import UseServices
from rules.search import finding
from rules.search.passages import Hit

router = APIRouter(prefix="/api/v1/search", route_class=first(caller_of))

Words = Annotated[
    str,
    Composed,
    Query(
        min_length=1,
        max_length=finding.LONGEST,
        description="All of these words, near each other; Hangul without its particles finds it with them",
    ),
]
Limit = Annotated[int, Query(ge=1, le=20)]


class Excerpt(BaseModel):
    """`found` as it stands there, and up to 40 letters before and after."""

    before: str
    found: str
    after: str


class SaidAt(Excerpt):
    """`start`: seconds from the lecture's beginning, of the cue in which it begins."""

    start: float


class StandsOn(Excerpt):
    """`page` counts from 1."""

    page: int


class SaidIn(BaseModel):
    """`places`: in how many places of these captions; `hits` has the first ones."""

    caption_id: UUID
    language: str
    name: str
    places: int
    hits: list[SaidAt]


class FoundLecture(BaseModel):
    video_id: int
    title: str | None
    in_title: bool
    captions: list[SaidIn]


class FoundDocument(BaseModel):
    """`name`: what the file was called, where that is known. `places`: in how many places; `hits` has the
    first ones."""

    job_id: str
    name: str | None
    read_at: datetime
    places: int
    hits: list[StandsOn]


class LecturesFound(BaseModel):
    items: list[FoundLecture]
    next_cursor: str | None


class DocumentsFound(BaseModel):
    items: list[FoundDocument]
    next_cursor: str | None


@router.get("/lectures")
async def search_lectures(
    tenant: Tenant, services: UseServices, q: Words, limit: Limit = 20, cursor: Cursor = None
) -> LecturesFound:
    """Lectures whose title has all words, or in which they are said: the newest first, each with its times. A
    page may have fewer than asked for while `next_cursor` goes on. New captions are found within minutes."""
    page = await search.lectures(services, tenant, _query(q), before=_before(cursor), limit=limit)
    items = [
        FoundLecture(
            video_id=each.video_id,
            title=each.title,
            in_title=each.in_title,
            captions=[
                SaidIn(
                    caption_id=said.caption_id,
                    language=said.language,
                    name=said.name,
                    places=said.hits.places,
                    hits=[SaidAt(start=hit.place / 1000, **_excerpt(hit)) for hit in said.hits.shown],
                )
                for said in each.said
            ],
        )
        for each in page.found
    ]
    return LecturesFound(items=items, next_cursor=_cursor(page.next))


@router.get("/documents")
async def search_documents(
    tenant: Tenant, services: UseServices, q: Words, limit: Limit = 20, cursor: Cursor = None
) -> DocumentsFound:
    """Documents that were read (`ai.ocr`) in which all words stand: the newest first, each with its pages. A
    page may have fewer than asked for while `next_cursor` goes on."""
    page = await search.documents(services, tenant, _query(q), before=_before(cursor), limit=limit)
    items = [
        FoundDocument(
            job_id=each.job_id,
            name=each.name,
            read_at=each.read_at,
            places=each.hits.places,
            hits=[StandsOn(page=hit.place, **_excerpt(hit)) for hit in each.hits.shown],
        )
        for each in page.found
    ]
    return DocumentsFound(items=items, next_cursor=_cursor(page.next))


def _query(words: str) -> finding.Query:
    """422 for what has no letter and no digit."""
    query = finding.Query(words)
    if not query:
        raise refused(422, "nothing_to_find", "There is no word in what is to be found.")
    return query


def _excerpt(hit: Hit) -> dict[str, str]:
    return {"before": hit.before, "found": hit.found, "after": hit.after}


def _before(cursor: str | None) -> int | None:
    return int(cursor) if cursor else None


def _cursor(place: int | None) -> str | None:
    return None if place is None else str(place)
