"""Lectures: upload, watch the encode, play."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from starlette.responses import RedirectResponse, Response

from api.console import files, queries
from api.console.pages import Tenant, page, signed_in
from api.console.searching import LectureSearch
from api.params import VideoId
from api.routing import first
from api.services import UseServices
from clients.database import captions, classes, listings, videos, viewing
from contracts.trim import version_name

router = APIRouter(route_class=first(signed_in))
POSTER = "poster.jpg"


@router.get("/lectures")
async def grid(
    request: Request, services: UseServices, tenant: Tenant, search: Annotated[LectureSearch, Query()]
) -> Response:
    lectures = await queries.lectures(services.engine, services.board, tenant, search.lectures)
    more = lectures[-1].id if len(lectures) == queries.PAGE else None
    return page(request, "lectures.html", lectures=lectures, search=search, more=more)


@router.get("/lectures/{video_id}")
async def player(request: Request, services: UseServices, tenant: Tenant, video_id: VideoId) -> Response:
    lecture = await queries.lecture(services.engine, services.board, tenant, video_id)
    if lecture is None:
        raise HTTPException(404)
    async with services.engine.connect() as connection:
        renditions = await listings.renditions(connection, tenant, video_id)
        made = await videos.published_result(connection, lecture)
        shown = await captions.listed(connection, tenant, video_id)
        chapters = await captions.chapters(connection, tenant, video_id)
        viewer = await viewing.view(connection, tenant, video_id, None)
        session = lecture.session_id and await classes.one_session(connection, tenant, lecture.session_id)
        group = session and await classes.one_class(connection, tenant, session.class_id)
    lines = "\n".join(f"{_place(each['start'])} {each['title']}" for each in chapters)
    return page(
        request,
        "lecture.html",
        lecture=lecture,
        growing=viewer is not None and await services.growing.of(viewer) is not None,
        renditions=renditions,
        made=made,
        version=version_name(lecture.hls_prefix) if lecture.hls_prefix else None,
        captions=shown,
        chapters=lines,
        session=session,
        group=group,
    )


def _place(seconds: float) -> str:
    """`1:30`, with thousandths where there are some."""
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    fraction = f".{thousandths:03d}" if thousandths else ""
    hours, rest = divmod(whole, 3600)
    start = f"{hours}:{rest // 60:02d}" if hours else str(rest // 60)
    return f"{start}:{rest % 60:02d}{fraction}"


@router.get("/lectures/{video_id}/poster")
async def poster(request: Request, services: UseServices, tenant: Tenant, video_id: VideoId) -> Response:
    lecture = await queries.lecture(services.engine, services.board, tenant, video_id)
    if lecture is None or not lecture.hls_prefix or not lecture.has_pictures:
        raise HTTPException(404)
    return RedirectResponse(files.link(services, f"{lecture.hls_prefix.rstrip('/')}/{POSTER}"), 302)
