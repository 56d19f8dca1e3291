"""Lectures: list, look, rename. They are made in `api.routes.uploads`, encoded and deleted by jobs."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from api.auth.callers import Tenant, caller_of
from api.params import VideoId
from api.problems import message_of, not_found
from api.routing import first
from api.schemas_uploads import Composed
from api.services import Services, UseServices
from clients.database import listings, videos
from clients.database.jobs import JobRow
from clients.database.listings import LecturesWanted
from clients.database.videos import VideoRow
from contracts.base import Outside

router = APIRouter(prefix="/api/v1", route_class=first(caller_of))
State = Literal["ready", "working", "failed", "new"]


class VideoShown(BaseModel):
    """`duration` in seconds, once a version is published. `job_id`: what encodes or encoded it last."""

    video_id: int
    title: str | None
    status: str
    duration: float | None
    error_code: str | None
    error_message: str | None
    updated_at: datetime
    job_id: str | None


class VideoPage(BaseModel):
    items: list[VideoShown]
    next_cursor: str | None


class VideoChange(Outside):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    title: Annotated[str, Composed] = Field(min_length=1, max_length=200)


@router.get("/videos")
async def list_videos(
    tenant: Tenant,
    services: UseServices,
    q: Annotated[str | None, Composed, Query(max_length=100, description="Part of the title")] = None,
    state: State | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(pattern=r"^[0-9]{1,18}$")] = None,
) -> VideoPage:
    """The newest first. `cursor` is the `next_cursor` of a page. `working`: something encodes it now."""
    wanted = LecturesWanted(before=int(cursor) if cursor else None, text=q, state=state)
    async with services.engine.connect() as connection:
        rows = await listings.lectures(connection, tenant, wanted, limit)
    return VideoPage(
        items=[_shown(video, job) for video, job in rows],
        next_cursor=str(rows[-1][0].id) if len(rows) == limit else None,
    )


@router.get("/videos/{video_id}")
async def get_video(video_id: VideoId, tenant: Tenant, services: UseServices) -> VideoShown:
    """A lecture that was not deleted."""
    return await _look(services, tenant, video_id)


@router.patch("/videos/{video_id}")
async def change_video(
    video_id: VideoId, body: VideoChange, tenant: Tenant, services: UseServices
) -> VideoShown:
    """Give it another title; nothing else of it changes."""
    async with services.engine.begin() as connection:
        if not await videos.rename(connection, tenant, video_id, body.title):
            raise not_found("video")
    return await _look(services, tenant, video_id)


async def _look(services: Services, tenant: int, video_id: int) -> VideoShown:
    async with services.engine.connect() as connection:
        found = await listings.lecture(connection, tenant, video_id)
    if found is None:
        raise not_found("video")
    return _shown(*found)


def _shown(video: VideoRow, job: JobRow | None) -> VideoShown:
    return VideoShown(
        video_id=video.id,
        title=video.title,
        status=video.status,
        duration=video.duration,
        error_code=video.error_code,
        error_message=message_of(video.error_code),
        updated_at=video.updated_at,
        job_id=job.external_id if job else None,
    )
