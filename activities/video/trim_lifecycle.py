"""The database's side of a trim: what is to be cut, and showing it with all that moves along."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.exceptions import ApplicationError

from activities.implements import implements
from activities.video.errors import final
from activities.video.publication import PLAYLIST, Publication
from clients.database import captions, jobs, trims, videos
from clients.database.captions import CaptionRow, NewCaption
from clients.database.trims import Part
from clients.database.videos import VideoRow
from clients.objects import ObjectChanged, ObjectMissing, Objects
from clients.progress import ProgressBoard
from contracts.activities import video
from contracts.captions import Origin
from contracts.errors import LECTURE_BUSY, REASONS, SUPERSEDED, VERSION_CHANGED, VIDEO_DELETED, ErrorType
from contracts.jobs import JobOutcome
from contracts.progress import trim_progress
from contracts.queues import encode_subject
from contracts.trim import CutPublished, MadeOf, Moved, PublishCutInput, TrimBegun, TrimInput, version_name
from contracts.video import (
    TOO_QUIET,
    Damage,
    Published,
    SoundWarning,
    TextTrack,
    hls_root,
)
from intake.captions import at_root, moved, moved_subtitles, store
from intake.versions import epochs, made_of, note_made_of
from rules.captions.cues import CaptionsError, within
from rules.captions.reading import read
from rules.captions.writing import WHOLE, files, in_master

VTT = "text/vtt; charset=utf-8"
log = logging.getLogger(__name__)


class TrimLifecycleActivities:
    """Activities without ffmpeg. `retire_grace`: seconds for which what was replaced stays."""

    def __init__(
        self, engine: AsyncEngine, objects: Objects, board: ProgressBoard, retire_grace: int
    ) -> None:
        self._engine = engine
        self._objects = objects
        self._board = board
        self._retire_grace = retire_grace

    @implements(video.BEGIN_TRIM)
    async def begin(self, job: TrimInput) -> TrimBegun:
        """Take an epoch, and find what is to be cut: the version that the times were meant for."""
        left = await asyncio.to_thread(epochs, self._objects, job.tenant_id, job.video_id, job.job_id)
        async with self._engine.begin() as connection:
            epoch = await jobs.begin(connection, job.job_id, after=max(left, default=0))
            if epoch is None:
                return TrimBegun(ended=await jobs.ended(connection, job.job_id))
            shown = await videos.find(connection, job.tenant_id, job.video_id)
            if shown is None or shown.deleted_at:
                return _refused(epoch, VIDEO_DELETED)
            if await videos.is_encoded_now(connection, job.tenant_id, job.video_id):
                return _refused(epoch, LECTURE_BUSY)
            if shown.hls_prefix is None or version_name(shown.hls_prefix) != job.version:
                return _refused(epoch, VERSION_CHANGED)
            maker = await trims.maker(connection, shown.published_job)
            if maker.open:  # what it tells of the version is not written yet
                return _refused(epoch, LECTURE_BUSY)
            await videos.begin_trim(connection, job.tenant_id, job.video_id, job.job_id)
            rows = await captions.listed(connection, job.tenant_id, job.video_id)
        found = await asyncio.to_thread(made_of, self._objects, shown.hls_prefix)
        warnings = maker.result.get("warnings", ())
        return TrimBegun(
            epoch=epoch,
            base=shown.hls_prefix,
            made_of=found or _made_of(shown, maker.subject),
            texts=_texts(rows, shown.hls_prefix),
            damage=[Damage.model_validate(each) for each in maker.result.get("damage", ())],
            warnings=[each for each in SoundWarning if each in warnings],
            too_quiet=TOO_QUIET in warnings,
        )

    @implements(video.PUBLISH_CUT)
    async def publish(self, job: PublishCutInput) -> CutPublished:
        """Check every object and write the playlists, as of an encode; then show this version, and move what
        belongs to it, in one transaction. The stable master playlist is last."""
        what = job.cut.publish
        tenant, video_id = what.tenant_id, what.video_id
        await self._board.show_video(tenant, video_id, what.job_id, trim_progress("publish", 0))
        root = hls_root(tenant, video_id)
        pointer = f"{root}master.m3u8"
        before = await asyncio.to_thread(self._objects.etag, pointer)
        publication = await asyncio.to_thread(Publication.read, self._objects, what)
        await asyncio.to_thread(publication.check_and_write_playlists)
        await asyncio.to_thread(note_made_of, self._objects, what.plan.prefix, job.cut.made_of)
        version = publication.version(pointer)
        part = await self._move(job)
        try:
            async with self._engine.begin() as connection:
                replaced, retired = await trims.publish(
                    connection,
                    tenant_id=tenant,
                    video_id=video_id,
                    file_key=what.plan.source.key,
                    job_id=what.job_id,
                    epoch=what.epoch,
                    version=version,
                    part=part,
                )
                embedded = publication.captions(what.job_id)
                await captions.replace_embedded(connection, tenant, video_id, embedded)
                rows = await captions.listed(connection, tenant, video_id)
        except trims.CaptionsChanged as error:
            await self._erase(part)
            raise ApplicationError("captions changed meanwhile", type=ErrorType.LOST_RACE) from error
        except videos.NotCurrent as error:
            await self._erase(part)
            code = str(error)
            raise final(code if code in (VIDEO_DELETED, VERSION_CHANGED) else SUPERSEDED) from error
        master = in_master(publication.master(what.plan.prefix.removeprefix(root)), at_root(root, rows))
        try:
            await asyncio.to_thread(
                self._objects.put,
                pointer,
                master.encode(),
                PLAYLIST,
                cache_control="no-cache",
                if_match=before,
                if_absent=before is None,
            )
        except ObjectChanged as error:
            text = "the master playlist changed meanwhile"
            raise ApplicationError(text, type=ErrorType.LOST_RACE) from error
        await self._board.show_video(tenant, video_id, what.job_id, trim_progress("publish", 1))
        told = [row for row in rows if row.origin != Origin.EMBEDDED]
        return CutPublished(
            published=Published(
                hls_path=pointer,
                duration=version.duration,
                renditions=[str(each["name"]) for each in version.renditions],
                pictures=version.has_pictures,
                damage=publication.damage,
                warnings=publication.warnings,
                too_quiet=publication.too_quiet,
                replaced_prefix=replaced,
                retire_after=self._retire_grace,
            ),
            captions=[Moved(id=row.id, language=row.language, name=row.name) for row in told],
            retired=retired,
        )

    async def _move(self, job: PublishCutInput) -> Part:
        """Captions of people and machines at their new times, as objects of their own."""
        what = job.cut.publish
        async with self._engine.connect() as connection:
            shown = await videos.find(connection, what.tenant_id, what.video_id)
            rows = await captions.listed(connection, what.tenant_id, what.video_id)
            key = await trims.subtitles_key(connection, what.tenant_id, what.video_id)
        if shown is None or shown.hls_prefix == what.plan.prefix:  # gone, or done
            return _part(job, [], set(), None, None)
        old = [row for row in rows if row.origin != Origin.EMBEDDED]
        new = [await asyncio.to_thread(self._moved, job, row) for row in old]
        subtitles = await asyncio.to_thread(self._subtitles, job, key)
        return _part(job, [each for each in new if each], {row.id for row in old}, subtitles, key)

    def _moved(self, job: PublishCutInput, row: CaptionRow) -> NewCaption | None:
        """None where nothing of them is left. Blocking."""
        what, cut = job.cut.publish, job.cut
        try:
            (whole,) = read(self._objects.get(row.prefix + WHOLE).decode())
        except (ObjectMissing, CaptionsError) as error:
            log.warning("captions %s are not moved, and gone: %s", row.id, error)
            return None
        cues = within(whole.cues, round(cut.start * 1000), round(cut.end * 1000))
        if not cues:
            return None
        new = moved(row, what.job_id, hls_root(what.tenant_id, what.video_id))
        store(self._objects, new.prefix, cues, what.plan.duration)
        return replace(new, cues=len(cues))

    def _subtitles(self, job: PublishCutInput, key: str | None) -> str | None:
        """The key of the same file of an older transcription, moved; it lies beside that. Blocking."""
        if key is None:
            return None
        what, cut = job.cut.publish, job.cut
        try:
            (whole,) = read(self._objects.get(key).decode())
        except (ObjectMissing, CaptionsError, UnicodeDecodeError) as error:
            log.warning("subtitles are not moved, and gone: %s", error)
            return None
        cues = within(whole.cues, round(cut.start * 1000), round(cut.end * 1000))
        new = moved_subtitles(what.job_id, key)
        text = files(cues, round(what.plan.duration * 1000))[WHOLE]
        self._objects.put(new, text.encode(), VTT)
        return new

    async def _erase(self, part: Part) -> None:
        for each in part.captions:
            await asyncio.to_thread(self._objects.erase, each.prefix)


def _refused(epoch: int, code: str) -> TrimBegun:
    return TrimBegun(epoch=epoch, ended=JobOutcome(state=REASONS[code].state, error_code=code))


def _made_of(shown: VideoRow, subject: str | None) -> MadeOf:
    """Of a version that does not say it: an encode of the video's file, unless that is another by now."""
    is_of_it = subject == encode_subject(shown.id, shown.file_key)
    return MadeOf(key=shown.file_key if is_of_it else "")


def _texts(rows: Sequence[CaptionRow], base: str) -> list[TextTrack]:
    return [
        TextTrack(folder=row.prefix.removeprefix(base), language=row.language, name=row.name, cues=row.cues)
        for row in rows
        if row.origin == Origin.EMBEDDED and row.prefix.startswith(base)
    ]


def _part(
    job: PublishCutInput,
    new: list[NewCaption],
    of: set[UUID],
    subtitles: str | None,
    subtitles_of: str | None,
) -> Part:
    return Part(job.base, job.cut.start, job.cut.end, new, of, subtitles, subtitles_of)
