"""The database's and the store's side of a video's life: begin, publish, delete, erase."""

import asyncio

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.exceptions import ApplicationError

from activities.implements import implements
from activities.video.errors import final
from activities.video.publication import Publication
from clients.database import captions, jobs, videos
from clients.objects import ObjectChanged, Objects
from clients.progress import ProgressBoard
from contracts.activities import video
from contracts.errors import REASONS, SUPERSEDED, VIDEO_DELETED, ErrorType
from contracts.jobs import JobOutcome
from contracts.progress import video_progress
from contracts.trim import MadeOf
from contracts.video import (
    BeginEncode,
    Begun,
    EraseInput,
    OpenEncodes,
    Published,
    PublishInput,
    VideoRef,
    hls_root,
)
from intake.captions import at_root
from intake.versions import epochs, note_made_of
from rules.captions.writing import in_master


class LifecycleActivities:
    """Activities without ffmpeg."""

    def __init__(
        self, engine: AsyncEngine, objects: Objects, board: ProgressBoard, retire_grace: int
    ) -> None:
        self._engine = engine
        self._objects = objects
        self._board = board
        self._retire_grace = retire_grace

    @implements(video.BEGIN)
    async def begin(self, job: BeginEncode) -> Begun:
        """Take an epoch, one that nobody has written with: a restored database may be behind the store. Mark
        job and video as being worked on."""
        left = await asyncio.to_thread(epochs, self._objects, job.tenant_id, job.video_id, job.job_id)
        async with self._engine.begin() as connection:
            epoch = await jobs.begin(connection, job.job_id, after=max(left, default=0))
            if epoch is None:
                return Begun(ended=await jobs.ended(connection, job.job_id))
            alive = await videos.begin_encode(
                connection, job.tenant_id, job.video_id, job.file_key, job.job_id
            )
        if not alive:
            state = REASONS[VIDEO_DELETED].state
            return Begun(epoch=epoch, ended=JobOutcome(state=state, error_code=VIDEO_DELETED))
        return Begun(epoch=epoch)

    @implements(video.PUBLISH)
    async def publish(self, what: PublishInput) -> Published:
        """Check every object, write the playlists, then show this version to viewers: database first by
        compare-and-set, the stable master playlist last and only over the one we saw before."""
        await self._board.show_video(what.tenant_id, what.video_id, what.job_id, video_progress("publish", 0))
        root = hls_root(what.tenant_id, what.video_id)
        pointer = f"{root}master.m3u8"
        before = await asyncio.to_thread(self._objects.etag, pointer)
        publication = await asyncio.to_thread(Publication.read, self._objects, what)
        await asyncio.to_thread(publication.check_and_write_playlists)
        source = MadeOf(key=what.plan.source.key, etag=what.plan.source.etag)
        await asyncio.to_thread(note_made_of, self._objects, what.plan.prefix, source)
        version = publication.version(pointer)
        try:
            async with self._engine.begin() as connection:
                replaced = await videos.publish(
                    connection,
                    tenant_id=what.tenant_id,
                    video_id=what.video_id,
                    file_key=what.plan.source.key,
                    job_id=what.job_id,
                    epoch=what.epoch,
                    version=version,
                )
                embedded = publication.captions(what.job_id)
                await captions.replace_embedded(connection, what.tenant_id, what.video_id, embedded)
                chapters = [chapter.model_dump() for chapter in publication.chapters]
                await captions.set_chapters(
                    connection, what.tenant_id, what.video_id, chapters or None, embedded=True
                )
                shown = await captions.listed(connection, what.tenant_id, what.video_id)
        except videos.NotCurrent as error:
            raise final(VIDEO_DELETED if str(error) == VIDEO_DELETED else SUPERSEDED) from error
        master = in_master(publication.master(what.plan.prefix.removeprefix(root)), at_root(root, shown))
        try:
            await asyncio.to_thread(
                self._objects.put,
                pointer,
                master.encode(),
                "application/vnd.apple.mpegurl",
                cache_control="no-cache",
                if_match=before,
                if_absent=before is None,
            )
        except ObjectChanged as error:
            # Somebody published in between. The next try asks the database who is current.
            text = "the master playlist changed meanwhile"
            raise ApplicationError(text, type=ErrorType.LOST_RACE) from error
        await self._board.show_video(what.tenant_id, what.video_id, what.job_id, video_progress("publish", 1))
        return Published(
            hls_path=pointer,
            duration=version.duration,
            renditions=[str(each["name"]) for each in version.renditions],
            pictures=version.has_pictures,
            damage=publication.damage,
            warnings=publication.warnings,
            too_quiet=publication.too_quiet,
            replaced_prefix=replaced,
            retire_after=self._retire_grace,
        )

    @implements(video.MARK_DELETED)
    async def mark_deleted(self, video: VideoRef) -> OpenEncodes:
        """Leave the tombstone; returns the encodes that still have to end."""
        async with self._engine.begin() as connection:
            await videos.mark_deleted(connection, video.tenant_id, video.video_id)
            running = await videos.open_encodes(connection, video.tenant_id, video.video_id)
        return OpenEncodes(workflow_ids=list(running))

    @implements(video.ERASE)
    async def erase(self, what: EraseInput) -> int:
        """Remove objects until a listing is empty; returns how many went."""
        count = await asyncio.to_thread(self._objects.erase, what.prefix)
        if what.file_key:
            await asyncio.to_thread(self._objects.delete, what.file_key)
            count += 1
        return count
