"""Captions and chapters of a lecture. A file of captions is the job `ai.captions`; here they are listed and
taken away, which needs no encode."""

from datetime import datetime
from itertools import pairwise
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, field_validator

from api.auth.callers import Tenant, caller_of
from api.params import VideoId
from api.problems import not_found, refused
from api.routing import first
from api.services import Services, UseServices
from clients.database import captions, videos
from clients.database.captions import CaptionRow
from clients.database.videos import VideoRow
from contracts.base import Outside
from contracts.captions import Origin
from contracts.errors import REASONS, VERSION_CHANGED
from contracts.payloads import VERSION
from contracts.video import hls_root
from intake.captions import Captioning
from rules.captions.writing import WHOLE

LINK_SECONDS = 3600
MOST_CHAPTERS = 500
_TITLE = r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$"

router = APIRouter(prefix="/api/v1", route_class=first(caller_of))


class CaptionShown(BaseModel):
    """`link`: the whole as WebVTT, for an hour. `origin`: UPLOADED, MACHINE or EMBEDDED in the source."""

    id: UUID
    language: str
    name: str
    origin: Origin
    default: bool
    cues: int
    created_at: datetime
    link: str


class CaptionList(BaseModel):
    items: list[CaptionShown]


class ChapterSet(Outside):
    """`start` in seconds."""

    model_config = ConfigDict(extra="forbid")

    start: float = Field(ge=0, le=10**6, allow_inf_nan=False)
    title: str = Field(min_length=1, max_length=200, pattern=_TITLE)


class Chapters(Outside):
    """In the order of time, each start once. None: the lecture has no chapters."""

    model_config = ConfigDict(extra="forbid")

    chapters: list[ChapterSet] = Field(max_length=MOST_CHAPTERS)

    @field_validator("chapters")
    @classmethod
    def _in_order(cls, chapters: list[ChapterSet]) -> list[ChapterSet]:
        starts = [round(chapter.start * 1000) for chapter in chapters]
        if any(later <= earlier for earlier, later in pairwise(starts)):
            raise ValueError("each chapter must start after the one before")
        return chapters


class ChaptersWanted(Chapters):
    """`version`: of what the times are, as the lecture says."""

    version: str | None = Field(default=None, pattern=VERSION)


@router.get("/videos/{video_id}/captions")
async def list_captions(video_id: VideoId, tenant: Tenant, services: UseServices) -> CaptionList:
    """Captions that viewers of the lecture may choose."""
    await _video(services, tenant, video_id)
    async with services.engine.connect() as connection:
        rows = await captions.listed(connection, tenant, video_id)
    return CaptionList(items=[_shown(services, row) for row in rows])


@router.delete("/videos/{video_id}/captions/{caption_id}", status_code=204)
async def remove_captions(video_id: VideoId, caption_id: UUID, tenant: Tenant, services: UseServices) -> None:
    """Take captions away. Players that have begun go on with them for a while."""
    grace = services.settings.retire_grace_seconds
    captioning = Captioning(services.engine, services.objects, services.temporal, grace)
    if not await captioning.remove(tenant, video_id, caption_id):
        raise not_found("captions")


@router.get("/videos/{video_id}/chapters")
async def get_chapters(video_id: VideoId, tenant: Tenant, services: UseServices) -> Chapters:
    """The lecture's chapters; those that came with its source unless others were set."""
    await _video(services, tenant, video_id)
    async with services.engine.connect() as connection:
        rows = await captions.chapters(connection, tenant, video_id)
    return Chapters(chapters=[ChapterSet(**row) for row in rows])


@router.put("/videos/{video_id}/chapters", status_code=204)
async def put_chapters(
    video_id: VideoId, body: ChaptersWanted, tenant: Tenant, services: UseServices
) -> None:
    """Set all chapters at once; an empty list takes them away. 422 for one that starts after the end,
    409 where the lecture shows another version by now."""
    video = await _video(services, tenant, video_id)
    last = max((chapter.start for chapter in body.chapters), default=0.0)
    if video.duration is not None and body.chapters and last >= video.duration:
        raise refused(422, "after_the_end", f"The lecture has {video.duration:.1f} s.")
    rows = [chapter.model_dump() for chapter in body.chapters]
    of = f"{hls_root(tenant, video_id)}{body.version}/" if body.version else None
    async with services.engine.begin() as connection:
        if not await captions.set_chapters(connection, tenant, video_id, rows or None, of=of):
            raise refused(409, "version_changed", REASONS[VERSION_CHANGED].en)


async def _video(services: Services, tenant: int, video_id: int) -> VideoRow:
    async with services.engine.connect() as connection:
        video = await videos.find(connection, tenant, video_id)
    if video is None or video.deleted_at:
        raise not_found("video")
    return video


def _shown(services: Services, row: CaptionRow) -> CaptionShown:
    return CaptionShown(
        id=row.id,
        language=row.language,
        name=row.name,
        origin=row.origin,
        default=row.is_default,
        cues=row.cues,
        created_at=row.created_at,
        link=services.objects.link(row.prefix + WHOLE, LINK_SECONDS),
    )
