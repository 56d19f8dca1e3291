"""The activity that makes a version out of a part of another one: what stays is read, moved and written, and
only what the cut goes through is encoded."""

import tempfile
from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import ceil
from pathlib import Path

from temporalio import activity

from activities.host.room import Room
from activities.host.threads import in_thread
from activities.implements import implements
from activities.video.cutting import Edge, edges_of, outward
from activities.video.encode import Stretch, encode_stretch
from activities.video.encoding import PICTURES_TIMEOUT, UNIT_TIMEOUT, killed_from_outside
from activities.video.encryption import keys_of
from activities.video.errors import final, media_errors
from activities.video.ffmpeg import FfmpegFailed, Tools
from activities.video.marks import Marks
from activities.video.pictures import POSTER_LINES, draw_pictures
from activities.video.probe import MediaError
from activities.video.probing import ProbeActivities
from activities.video.rewriting import Part, TrackWriting, in_frames, pictures_of
from activities.video.sources import Sources
from activities.video.stored import StoredVersion
from activities.video.storing import SegmentStore
from activities.video.texts import Brought, Text
from activities.video.waveform import draw_sound
from clients.objects import ObjectChanged, ObjectMissing, Objects
from clients.progress import ProgressBoard
from clients.vault import Vault
from contracts.activities import video
from contracts.errors import ENCODE_FAILED, TRIM_OUTSIDE, VERSION_CHANGED
from contracts.progress import trim_progress
from contracts.trim import Cut, CutInput, MadeOf, TrimBegun
from contracts.video import (
    SHORTEST,
    WORK,
    Damage,
    EncodePlan,
    Manifest,
    ProbeInput,
    PublishInput,
    SegmentManifest,
    SourceRef,
    Track,
)
from rules.captions.cues import CaptionsError, within
from rules.captions.reading import read
from rules.captions.writing import WHOLE
from rules.fmp4 import BadSegment


class Inexact(Exception):
    """The cut falls on borders of segments; the argument is a word of `contracts.trim.INEXACT`."""


class TrimActivities:
    """One for each worker process. `encrypt`: also what was in the clear; `key_segments`: after so many the
    key changes, or as before."""

    def __init__(
        self,
        *,
        objects: Objects,
        board: ProgressBoard,
        probing: ProbeActivities,
        sources: Sources,
        tools: Tools,
        encoder: str,
        scratch: Path,
        room: Room,
        vault: Vault,
        encrypt: bool,
        key_segments: int = 0,
    ) -> None:
        self._objects = objects
        self._store = SegmentStore(objects, vault)
        self._board = board
        self._probing = probing
        self._sources = sources
        self._tools = tools
        self._encoder = encoder
        self._scratch = scratch
        self._room = room
        self._vault = vault
        self._encrypt = encrypt
        self._key_segments = key_segments
        self._marks = Marks(objects, tools, scratch)

    @implements(video.CUT)
    async def cut(self, job: CutInput) -> Cut:
        """Write all of the new version but its playlists. The same again writes the same."""
        trim = job.trim
        await self._board.show_video(trim.tenant_id, trim.video_id, trim.job_id, trim_progress("cut", 0))
        try:
            version = await in_thread(StoredVersion, self._objects, self._vault, job.begun.base)
        except ObjectMissing as error:  # retired, or deleted
            raise final(VERSION_CHANGED) from error
        except (BadSegment, ValueError) as error:
            activity.logger.warning("version %s cannot be cut: %s", trim.version, error)
            raise final(ENCODE_FAILED) from error
        first, end = frames_of(trim.start, trim.end, version.fps, version.frames)
        source, made_of = await in_thread(self._source, job.begun)
        with (
            media_errors(),
            tempfile.TemporaryDirectory(dir=self._scratch, ignore_cleanup_errors=True) as folder,
        ):
            try:
                edges = await self._edges(job, version, first, end, source, made_of, Path(folder))
                part = Part(first, end, _later(made_of, first, version.fps), edges)
            except Inexact as error:
                activity.logger.warning("cut at segments: %s", error)
                starts = in_frames(version.video[0])
                first, end = outward(starts, first, end)
                if end - first == version.frames:
                    raise final(TRIM_OUTSIDE) from error
                part = Part(first, end, _later(made_of, first, version.fps), inexact=str(error))
            try:
                return await self._written(job, version, part, Path(folder))
            except ObjectMissing as error:
                raise final(VERSION_CHANGED) from error
            except (BadSegment, ValueError) as error:
                activity.logger.warning("what was cut is no segment: %s", error)
                raise final(ENCODE_FAILED) from error

    async def _edges(
        self,
        job: CutInput,
        version: StoredVersion,
        first: int,
        end: int,
        source: SourceRef | str,
        made_of: MadeOf,
        folder: Path,
    ) -> dict[Edge, list[list[bytes]]]:
        """Raises Inexact where what the cut goes through cannot be made again."""
        edges: dict[Edge, list[list[bytes]]] = {}
        wanted = edges_of(pictures_of(version, first, end)) if version.video else []
        if not wanted:
            return edges
        if isinstance(source, str):
            raise Inexact(source)
        asked = ProbeInput(
            job_id=job.trim.job_id,
            tenant_id=job.trim.tenant_id,
            video_id=job.trim.video_id,
            file_key=made_of.key,
            prefix=job.prefix,
            sound_alone=True,
        )
        try:
            marks = await self._marks.of_version(version.prefix)
            if len(marks) > 1:
                raise Inexact("encoder_differs")
            plan = await self._probing.plan(source, asked)
            _require_same(version, plan, job.begun.made_of)
            same = {"rungs": version.rungs, "mark": next(iter(marks), None)}
            plan = plan.model_copy(update={**same, "key_id": None, "parts": None})
            async with self._sources.of(plan) as path, self._marks.held(plan.mark) as held:
                for number, edge in enumerate(wanted):
                    out = folder / f"edge{number}"
                    edges[edge] = await self._edge(version, plan, path, made_of, edge, out, held)
        except ObjectMissing as error:
            raise Inexact("source_gone") from error
        except ObjectChanged as error:
            raise Inexact("source_differs") from error
        except (MediaError, FfmpegFailed, BadSegment) as error:
            if isinstance(error, FfmpegFailed) and killed_from_outside(error):
                raise
            activity.logger.warning("the source does not give the edges: %s", error)
            raise Inexact("source_unreadable") from error
        return edges

    def _source(self, begun: TrimBegun) -> tuple[SourceRef | str, MadeOf]:
        """That which the version was made of, or a word of `INEXACT`; and what is known of it from now on: a
        source that nobody has proven once is never proven by a later version's time. Blocking."""
        made_of = begun.made_of
        if not made_of.key:
            return "source_unknown", made_of
        unproven = made_of if made_of.etag else made_of.model_copy(update={"key": ""})
        try:
            source = self._objects.head(made_of.key)
        except ObjectMissing:
            return "source_gone", unproven
        if made_of.etag and source.etag != made_of.etag:
            return "source_differs", made_of
        if not made_of.etag and not self._is_older(made_of.key, begun.base):
            return "source_differs", unproven
        return source, made_of.model_copy(update={"etag": source.etag})

    def _is_older(self, key: str, prefix: str) -> bool:
        """Whether a source has not been written since an encode began to write."""
        written = {name: at for name, _, at in self._objects.written(key)}
        made = min((at for _, _, at in self._objects.written(prefix)), default=None)
        return made is not None and key in written and written[key] <= made

    async def _edge(
        self,
        version: StoredVersion,
        plan: EncodePlan,
        source: Path,
        made_of: MadeOf,
        edge: Edge,
        out: Path,
        marks: Mapping[str, Path],
    ) -> list[list[bytes]]:
        stretch = Stretch(made_of.first_frame + edge.first, edge.frames)
        tracks = await encode_stretch(
            self._tools, source, plan, stretch, out=out, timeout=UNIT_TIMEOUT, marks=marks
        )
        for track, stored in zip(tracks, version.video, strict=True):
            if (out / track.init.name).read_bytes() != stored.init_bytes:
                raise Inexact("encoder_differs")
        return [[(out / file.name).read_bytes() for file in track.segments] for track in tracks]

    async def _written(self, job: CutInput, version: StoredVersion, part: Part, folder: Path) -> Cut:
        fps, frames = version.fps, part.end - part.first
        start, end = float(part.first / fps), float(part.end / fps)
        segment = 2 * round(2 * fps)
        encrypted = self._encrypt or version.encrypted
        plan = EncodePlan(
            source=SourceRef(key=part.made_of.key, etag="", size=0),
            prefix=job.prefix,
            encoder=self._encoder,
            fps_num=fps.numerator,
            fps_den=fps.denominator,
            total_frames=frames,
            gop_frames=segment // 2,
            segment_frames=segment,
            unit_segments=ceil(frames / segment),
            rungs=version.rungs,
            has_audio=bool(version.sound),
            audio_stream=0,
            sounds=version.sounds,
            key_id=self._vault.key_id if encrypted else None,
            key_segments=(self._key_segments or version.key_segments) if encrypted else 0,
            damage=_damage(job.begun.damage, start, end),
        )
        shown = [rung.name for rung in plan.rungs if rung.height <= POSTER_LINES] or [
            track.name for track in (*version.video, *version.sound)
        ][:1]
        for mark in await self._marks.of_version(version.prefix):
            await self._marks.carried(mark, job.prefix)
        own = folder / "own.mp4"
        video_tracks, sounds = await self._rewritten(job, version, part, plan, shown[-1], own)
        units = SegmentManifest(encoder=self._encoder, units=[0], tracks=video_tracks)
        heard = SegmentManifest(
            encoder=self._encoder,
            units=[],
            tracks=sounds,
            warnings=job.begun.warnings,
            too_quiet=job.begun.too_quiet,
        )
        work = f"{job.prefix}{WORK}"
        publish = PublishInput(
            job_id=job.trim.job_id,
            tenant_id=job.trim.tenant_id,
            video_id=job.trim.video_id,
            epoch=job.epoch,
            plan=plan,
            batches=[await self._store.write(f"{work}cut.json", units)] if video_tracks else [],
            audio=await self._store.write(f"{work}sound.json", heard) if sounds else None,
            pictures=await self._drawn(job, plan, own, start, end, folder),
        )
        return Cut(publish=publish, start=start, end=end, inexact=part.inexact, made_of=part.made_of)

    async def _rewritten(
        self, job: CutInput, version: StoredVersion, part: Part, plan: EncodePlan, shown: str, own: Path
    ) -> tuple[list[Track], list[Track]]:
        """Every rendition of picture and sound; `own` gets the one that pictures are drawn of."""
        stored = await in_thread(lambda: list(self._objects.list(f"{version.prefix}{shown}/")))
        await in_thread(self._room.require, sum(size for _, size in stored))
        keys = keys_of(self._vault, plan)
        writing = [
            TrackWriting(
                self._objects,
                version,
                part,
                track,
                prefix=plan.prefix,
                keys=keys,
                own=own if track.name == shown else None,
            )
            for track in (*version.video, *version.sound)
        ]
        steps = [step for each in writing for step in each.steps()]
        trim = job.trim
        for done, step in enumerate(steps, 1):  # a cancel is heard between two of them
            await in_thread(step)
            bar = trim_progress("cut", done / len(steps))
            await self._board.show_video(trim.tenant_id, trim.video_id, trim.job_id, bar)
        tracks = [each.written() for each in writing]
        return tracks[: len(version.video)], tracks[len(version.video) :]

    async def _drawn(
        self, job: CutInput, plan: EncodePlan, own: Path, start: float, end: float, folder: Path
    ) -> Manifest:
        """Poster and storyboard of what was kept. A lecture without them is still a lecture."""
        draw = draw_pictures if plan.rungs else draw_sound
        keyframes = plan.model_copy(update={"keyframe_gap": 4.0})
        try:
            files = await draw(self._tools, own, keyframes, folder, timeout=PICTURES_TIMEOUT + plan.duration)
        except (MediaError, FfmpegFailed) as error:
            if isinstance(error, FfmpegFailed) and killed_from_outside(error):
                raise
            activity.logger.warning("no pictures of what was kept: %s", error)
            files = []
        texts = await in_thread(self._texts, job, start, end)
        return await self._store.store_pictures(plan, files, Brought(texts, [], []))

    def _texts(self, job: CutInput, start: float, end: float) -> list[Text]:
        """Captions that came with the source. Blocking."""
        found = []
        for each in job.begun.texts:
            try:
                (whole,) = read(self._objects.get(f"{job.begun.base}{each.folder}{WHOLE}").decode())
            except (ObjectMissing, CaptionsError) as error:
                activity.logger.warning("captions of the version before are left out: %s", error)
                continue
            cues = within(whole.cues, round(start * 1000), round(end * 1000))
            if cues:
                found.append(Text(each.language, each.name, cues))
        return found


def frames_of(start: float, end: float | None, fps: Fraction, frames: int) -> tuple[int, int]:
    """The first frame of a part and the one behind its last. Raises TRIM_OUTSIDE as a final error."""
    first = round(Fraction(start) * fps)
    until = frames if end is None else round(Fraction(end) * fps)
    if until > frames + round(fps / 2):
        raise final(TRIM_OUTSIDE)
    until = min(until, frames)
    if until - first < SHORTEST * fps or until - first == frames:
        raise final(TRIM_OUTSIDE)
    return first, until


def _later(made_of: MadeOf, first: int, fps: Fraction) -> MadeOf:
    begins = {"first_frame": made_of.first_frame + first, "start": made_of.start + float(first / fps)}
    return made_of.model_copy(update=begins)


def _require_same(version: StoredVersion, plan: EncodePlan, made_of: MadeOf) -> None:
    """Whether an encode of the source would have the version's frames. Raises Inexact."""
    behind = made_of.first_frame + version.frames
    whole = made_of.etag != "" or behind == plan.total_frames
    if not plan.rungs or plan.fps != version.fps or behind > plan.total_frames or not whole:
        raise Inexact("source_differs")


def _damage(found: Sequence[Damage], start: float, end: float) -> list[Damage]:
    """On the new clock."""
    return [
        each.model_copy(update={"start": max(0.0, each.start - start), "end": min(end, each.end) - start})
        for each in found
        if each.end > start and each.start < end
    ]
