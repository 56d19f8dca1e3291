"""Lectures: list, look, rename. They are made in `api.routes.uploads`, encoded and deleted by jobs."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.auth.callers import Tenant, caller_of
from api.auth.playback_tokens import Invitation
from api.auth.playback_tokens import invite as invite_to
from api.params import StudentId, VideoId
from api.problems import message_of, not_found, refused
from api.routing import first
from api.schemas_students import AccessWanted
from api.schemas_uploads import Composed
from api.services import Services, UseServices
from clients.database import classes, listings, register, videos, viewing
from clients.database.jobs import JobRow
from clients.database.listings import LecturesWanted
from clients.database.videos import VideoRow
from contracts.base import Outside
from contracts.trim import version_name

router = APIRouter(prefix="/api/v1", route_class=first(caller_of))
State = Literal["ready", "working", "failed", "new"]


class VideoShown(BaseModel):
    """`duration` in seconds, once a version is published. `session_id`: whose students may watch it.
    `job_id`: what encodes, encoded or trimmed it last. `version`: of what is shown, for a trim.
    `download_lines`: a rendition of at most so many lines may be downloaded; `downloadable`: its file is
    there."""

    video_id: int
    title: str | None
    status: str
    duration: float | None
    version: str | None
    session_id: int | None
    download_lines: int | None
    downloadable: bool
    error_code: str | None
    error_message: str | None
    updated_at: datetime
    job_id: str | None


class VideoStanding(VideoShown):
    """`watchable`: who may watch it can begin; it may be encoded still."""

    watchable: bool


class LinkWanted(Outside):
    """`days`: how long a student's link is good."""

    model_config = ConfigDict(extra="forbid")

    days: int = Field(default=7, ge=1, le=90)


class LinkMade(BaseModel):
    """`path` is one of this API's host; what is behind `#` is sent to nobody by a browser."""

    path: str
    expires_at: datetime


class VideoPage(BaseModel):
    items: list[VideoShown]
    next_cursor: str | None


class VideoChange(Outside):
    """Some of them. `session_id` null: it belongs to no session, so no student watches it. `download_lines`
    null: nobody downloads it, as is the rule."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    title: Annotated[str, Composed] = Field(default="", min_length=1, max_length=200)
    session_id: int | None = Field(default=None, gt=0, lt=2**63)
    download_lines: int | None = Field(default=None, ge=144, le=2160)

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("nothing to change")
        return self


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
async def get_video(video_id: VideoId, tenant: Tenant, services: UseServices) -> VideoStanding:
    """A lecture that was not deleted."""
    shown = await _look(services, tenant, video_id)
    async with services.engine.connect() as connection:
        viewer = await viewing.view(connection, tenant, video_id, None)
    watchable = viewer is not None and await services.growing.can_begin(viewer)
    return VideoStanding(**shown.model_dump(), watchable=watchable)


@router.patch("/videos/{video_id}")
async def change_video(
    video_id: VideoId, body: VideoChange, tenant: Tenant, services: UseServices
) -> VideoShown:
    """Give it another title, or the session whose students may watch it; nothing else of it changes. 422
    `no_such_session` for one that is not there."""
    changes = body.model_dump(exclude_unset=True)
    async with services.engine.begin() as connection:
        session = body.session_id
        if session is not None and await classes.one_session(connection, tenant, session) is None:
            raise refused(422, "no_such_session", "There is no such session.")
        if not await videos.change(connection, tenant, video_id, **changes):
            raise not_found("video")
    return await _look(services, tenant, video_id)


@router.put("/videos/{video_id}/students/{student_id}", status_code=204)
async def put_access(
    video_id: VideoId, student_id: StudentId, body: AccessWanted, tenant: Tenant, services: UseServices
) -> None:
    """Decide how one student watches one lecture, whatever attendance says; tokens given before die."""
    await _look(services, tenant, video_id)
    async with services.engine.begin() as connection:
        if await register.one(connection, tenant, student_id) is None:
            raise not_found("student")
        await viewing.set_access(
            connection, tenant, video_id, student_id, permission=body.access_mode, blocked=body.blocked
        )


@router.post("/videos/{video_id}/students/{student_id}/link", status_code=201)
async def invite(
    video_id: VideoId,
    student_id: StudentId,
    tenant: Tenant,
    services: UseServices,
    response: Response,
    body: LinkWanted | None = None,
) -> LinkMade:
    """A link by which one student watches one lecture, without a system of the academy's: whoever has it
    watches as that student, under the student's policy, which is asked each time (`docs/viewing.md`)."""
    await _look(services, tenant, video_id)
    async with services.engine.connect() as connection:
        if await register.one(connection, tenant, student_id) is None:
            raise not_found("student")
    until = datetime.now(UTC) + timedelta(days=(body or LinkWanted()).days)
    invitation = Invitation(tenant=tenant, video=video_id, student=student_id)
    response.headers["Cache-Control"] = "no-store"
    return LinkMade(path=f"/console/watch#{invite_to(services.vault, invitation, until)}", expires_at=until)


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
        version=version_name(video.hls_prefix) if video.hls_prefix else None,
        session_id=video.session_id,
        download_lines=video.download_lines,
        downloadable=video.download_key is not None,
        error_code=video.error_code,
        error_message=message_of(video.error_code),
        updated_at=video.updated_at,
        job_id=job.external_id if job else None,
    )
