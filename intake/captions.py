"""Captions of a lecture that is shown: written beside its versions, named by its playlists, and retired.

Their objects are there before anything names them, and stay for a while after nothing does: players that have
read an older playlist go on. The API puts captions into the master playlist when it is asked for; what lies
at the lecture's own path is written anew, over the one that was seen only, so whoever comes second looks
again.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from uuid import UUID, uuid5

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError

from clients.database import captions, jobs, trims, videos
from clients.database.captions import CaptionRow, NewCaption
from clients.database.videos import VideoRow
from clients.objects import ObjectChanged, ObjectMissing, Objects
from contracts.captions import Origin, name_of
from contracts.names import TaskQueue, WorkflowType
from contracts.trim import MadeOf
from contracts.video import EraseInput, hls_root
from intake.submit import TENANT_ID
from intake.versions import made_of
from rules.captions.cues import CaptionsError, Cue
from rules.captions.reading import read
from rules.captions.writing import MEDIA, WHOLE, Shown, based, files, in_master

FOLDER = "captions/"
PLAYLIST = "application/vnd.apple.mpegurl"
VTT = "text/vtt; charset=utf-8"
UPLOADS = 8
HEARD_IN = "ko"  # what models listen for
TRIES = 5  # at a playlist that others write as well


class NotShown(Exception):
    """There is no such lecture, or nothing of it is published."""


class VersionChanged(Exception):
    """Another version is shown than the one that captions were made to fit. Worth another try."""


@dataclass(frozen=True)
class NewCaptions:
    """One language; `cues` fit the lecture."""

    language: str
    name: str
    cues: Sequence[Cue]
    origin: Origin = Origin.UPLOADED
    is_default: bool = False


@dataclass(frozen=True)
class Captioning:
    """`grace`: seconds for which what is not named any more stays."""

    engine: AsyncEngine
    objects: Objects
    temporal: Client
    grace: int

    async def shown(self, tenant_id: int, video_id: int) -> VideoRow:
        """A published lecture. Raises NotShown."""
        async with self.engine.connect() as connection:
            video = await videos.find(connection, tenant_id, video_id)
        if video is None or video.deleted_at or video.status != "READY" or video.duration is None:
            raise NotShown
        return video

    async def prefix(self, tenant_id: int, video_id: int) -> str | None:
        """Of the version that the lecture has, whether or not it is shown."""
        async with self.engine.connect() as connection:
            return await videos.published_prefix(connection, tenant_id, video_id)

    async def made_of(self, video: VideoRow) -> MadeOf | None:
        """Where what is shown begins in its source; None of a version of before 0.7."""
        if video.hls_prefix is None:
            return None
        return await asyncio.to_thread(made_of, self.objects, video.hls_prefix)

    async def was_trimmed_since(self, video: VideoRow, job_id: UUID) -> bool:
        """Whether what is shown is a part of what was shown when the job was accepted."""
        async with self.engine.connect() as connection:
            return await trims.is_trimmed_since(connection, video.published_job, job_id)

    async def add(self, video: VideoRow, job_id: UUID, new: Sequence[NewCaptions]) -> list[NewCaption]:
        """Show captions that fit `video`, instead of those of the same language and name. The same job again
        writes the same. Raises NotShown, VersionChanged."""
        tenant_id, video_id = video.tenant_id, video.id
        rows = [_row(tenant_id, video_id, job_id, each) for each in new]
        for row, each in zip(rows, new, strict=True):
            await asyncio.to_thread(store, self.objects, row.prefix, each.cues, video.duration or 0.0)
        try:
            async with self.engine.begin() as connection:
                replaced = await captions.put(connection, tenant_id, video_id, rows)
                now = await videos.find(connection, tenant_id, video_id)
                if replaced is None or now is None:
                    raise NotShown
                if now.hls_prefix != video.hls_prefix:
                    raise VersionChanged
                await jobs.add_event(connection, job_id, jobs.STORED)
        except (NotShown, VersionChanged):
            for row in rows:
                await asyncio.to_thread(self.objects.erase, row.prefix)
            raise
        await self.point(tenant_id, video_id)
        for prefix in replaced:
            await self._retire(tenant_id, prefix)
        return rows

    async def remove(self, tenant_id: int, video_id: int, caption_id: UUID) -> bool:
        """False if there is no such caption."""
        async with self.engine.begin() as connection:
            prefix = await captions.remove(connection, tenant_id, video_id, caption_id)
        if prefix is None:
            return False
        await self.point(tenant_id, video_id)
        await self._retire(tenant_id, prefix)
        return True

    async def point(self, tenant_id: int, video_id: int) -> None:
        """Write the master playlist at the lecture's own path as the database has version and captions.
        Raises ConnectionError where others keep writing it."""
        root = hls_root(tenant_id, video_id)
        for _ in range(TRIES):
            before = await asyncio.to_thread(self.objects.etag, f"{root}master.m3u8")
            async with self.engine.connect() as connection:
                video = await videos.find(connection, tenant_id, video_id)
                rows = await captions.listed(connection, tenant_id, video_id)
            if video is None or video.hls_prefix is None or before is None:
                return
            try:
                await asyncio.to_thread(self._write, root, video.hls_prefix, rows, before)
            except (ObjectChanged, ObjectMissing):  # published or deleted in between
                continue
            return
        raise ConnectionError("the master playlist is written again and again")

    def _write(self, root: str, prefix: str, rows: Sequence[CaptionRow], before: str) -> None:
        master = self.objects.get(f"{prefix}master.m3u8").decode()
        text = in_master(based(master, prefix.removeprefix(root)), at_root(root, rows))
        self.objects.put(
            f"{root}master.m3u8", text.encode(), PLAYLIST, cache_control="no-cache", if_match=before
        )

    async def _retire(self, tenant_id: int, prefix: str) -> None:
        folder = prefix.rstrip("/").rpartition("/")[2]
        with suppress(WorkflowAlreadyStartedError):  # it has ended: they are gone
            await self.temporal.start_workflow(
                WorkflowType.RETIRE,
                EraseInput(prefix=prefix, after=self.grace),
                id=f"{WorkflowType.RETIRE}-{FOLDER.rstrip('/')}-{folder}",
                task_queue=TaskQueue.VIDEO_LIGHT,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                search_attributes=TypedSearchAttributes([SearchAttributePair(TENANT_ID, str(tenant_id))]),
                static_summary="Retire captions that were taken away",
            )


def store(objects: Objects, prefix: str, cues: Sequence[Cue], duration: float) -> None:
    """Write everything of one language below `prefix`, the playlist last. Blocking."""
    made = files(cues, round(duration * 1000))
    playlist = made.pop(MEDIA)
    with ThreadPoolExecutor(UPLOADS) as pool:
        list(pool.map(lambda name: objects.put(prefix + name, made[name].encode(), VTT), made))
    objects.put(prefix + MEDIA, playlist.encode(), PLAYLIST)


def at_root(root: str, rows: Sequence[CaptionRow]) -> list[Shown]:
    """As the playlist at the lecture's own path names them."""
    return [_shown(row, row.prefix.removeprefix(root)) for row in rows]


def of_version(prefix: str, root: str, rows: Sequence[CaptionRow]) -> list[Shown]:
    """As a version's own playlist would name them, with `captions/` at the root as if it lay in the version:
    so a player's links have it. What came with the source of another version is none of this one."""
    beside = [
        (row, row.prefix.removeprefix(prefix if row.prefix.startswith(prefix) else root))
        for row in rows
        if row.prefix.startswith((prefix, root + FOLDER))
    ]
    return [_shown(row, folder) for row, folder in beside]


def _shown(row: CaptionRow, folder: str) -> Shown:
    return Shown(uri=folder + MEDIA, language=row.language, name=row.name, default=row.is_default)


def caption_id(job_id: UUID, language: str, name: str) -> UUID:
    """The same job again makes the same captions."""
    return uuid5(job_id, f"{language}/{name}")


def moved(row: CaptionRow, job_id: UUID, root: str) -> NewCaption:
    """Captions as a trim moves them: the same, elsewhere."""
    made = uuid5(job_id, str(row.id))
    return NewCaption(
        id=made,
        language=row.language,
        name=row.name,
        origin=row.origin,
        prefix=f"{root}{FOLDER}{made.hex}/",
        cues=row.cues,
        is_default=row.is_default,
    )


def moved_subtitles(job_id: UUID, key: str) -> str:
    """The key of an older transcription's file that a trim has moved; it lies beside that."""
    return f"{key.rpartition('/')[0]}/{job_id.hex}.vtt"


def moved_along(
    objects: Objects, job_id: UUID, root: str, rows: Sequence[CaptionRow], subtitles: str | None
) -> tuple[list[NewCaption], str | None]:
    """What the store has of captions and subtitles that a trim has moved. Blocking."""
    found = []
    for each in (moved(row, job_id, root) for row in rows):
        try:
            (whole,) = read(objects.get(each.prefix + WHOLE).decode())
        except (ObjectMissing, CaptionsError):  # nothing of them was left, or they were taken away
            continue
        found.append(replace(each, cues=len(whole.cues)))
    file = moved_subtitles(job_id, subtitles) if subtitles else None
    return found, file if file and objects.etag(file) else None


def machines_id(job_id: UUID) -> UUID:
    """Of what a job has heard."""
    return caption_id(job_id, HEARD_IN, name_of(HEARD_IN, Origin.MACHINE))


def _row(tenant_id: int, video_id: int, job_id: UUID, new: NewCaptions) -> NewCaption:
    made = caption_id(job_id, new.language, new.name)
    return NewCaption(
        id=made,
        language=new.language,
        name=new.name,
        origin=new.origin,
        prefix=f"{hls_root(tenant_id, video_id)}{FOLDER}{made.hex}/",
        cues=len(new.cues),
        is_default=new.is_default,
    )
