"""The activities that encode: a batch of units, the sound, the pictures."""

import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeVar

from temporalio import activity

from activities.host.room import Room
from activities.host.source_cache import Held
from activities.host.threads import in_thread
from activities.implements import implements
from activities.video.audio import encode_audio
from activities.video.batch_progress import BatchProgress, SoundProgress
from activities.video.builds import Builds, leave_to_its_host
from activities.video.damage import Ear, picture_damage, sound_damage
from activities.video.encode import encode_unit
from activities.video.errors import final, media_errors
from activities.video.ffmpeg import FfmpegFailed, FfmpegTimedOut, Tools
from activities.video.marks import Marks
from activities.video.media_files import TrackFiles
from activities.video.opening import openings, store_openings
from activities.video.pictures import draw_pictures
from activities.video.probe import MediaError
from activities.video.sound import MOST_BYTES
from activities.video.sources import Sources
from activities.video.storing import SegmentStore
from activities.video.texts import NOTHING, Brought, take_texts
from activities.video.waveform import draw_sound
from clients.objects import Objects
from clients.progress import ProgressBoard
from clients.vault import Vault
from contracts.activities import video
from contracts.errors import DECODE_FAILED, ENCODE_FAILED
from contracts.video import (
    AudioInput,
    BatchInput,
    Damage,
    EncodePlan,
    Manifest,
    PicturesInput,
    SegmentManifest,
    unit_key,
)
from rules.fmp4 import BadSegment

UNIT_TIMEOUT = 1800.0  # wall seconds for one unit of some seconds of video
AUDIO_TIMEOUT = 4 * 3600.0
PICTURES_TIMEOUT = 600.0
PICTURES_LEFT = 2  # of the three tries that an optional step has
TRIES = 2
SOUND_RATE = 2 * 128_000 / 8 + MOST_BYTES  # bytes a second, and as much again; decoded beside

T = TypeVar("T")


class EncodeActivities:
    """One for each worker process; `encoder` is the fingerprint of its ffmpeg."""

    def __init__(
        self,
        *,
        objects: Objects,
        builds: Builds,
        board: ProgressBoard,
        sources: Sources,
        tools: Tools,
        encoder: str,
        scratch: Path,
        room: Room,
        vault: Vault,
    ) -> None:
        self._builds = builds
        self._store = SegmentStore(objects, vault)
        self._board = board
        self._sources = sources
        self._tools = tools
        self._encoder = encoder
        self._scratch = scratch
        self._room = room
        self._marks = Marks(objects, tools, scratch)
        self._need_all: set[str] = set()  # prefixes of lectures whose source is not read in parts

    @implements(video.ENCODE_BATCH)
    async def encode_batch(self, job: BatchInput) -> Manifest:
        """Encode some units, one ffmpeg run each; what an earlier attempt finished is not done again."""
        with media_errors():
            await self._builds.require(job.plan.encoder, self._encoder)
            units = await self._units_from_parts(job)
            if units is None:
                async with self._sources.of(job.plan) as path:
                    units = await self._units(job, Held(path, True))
            return await self._store.accept(job.plan, f"batch-{job.first:05d}", units)

    async def _units_from_parts(self, job: BatchInput) -> list[SegmentManifest] | None:
        if job.parts is None or job.plan.prefix in self._need_all:
            return None
        wanted = [*job.parts.index, *job.parts.units]
        units = await self._sources.from_parts(job.plan.source, wanted, lambda held: self._units(job, held))
        if units is None:
            self._need_all.add(job.plan.prefix)
        return units

    async def _units(self, job: BatchInput, held: Held) -> list[SegmentManifest]:
        bar = BatchProgress(self._board, job)
        finished = await self._store.finished(job.plan)
        units = []
        async with self._marks.held(job.plan.mark) as marks:
            for unit in range(job.first, job.last + 1):
                key = unit_key(job.plan.prefix, unit)
                if key in finished:
                    manifest = await self._store.load(key)
                else:
                    manifest = await self._unit(job.plan, held, unit, key, bar, marks)
                bar.unit_done(manifest)
                units.append(manifest)
        return units

    async def _unit(
        self,
        plan: EncodePlan,
        held: Held,
        unit: int,
        key: str,
        bar: BatchProgress,
        marks: Mapping[str, Path],
    ) -> SegmentManifest:
        async def encode(folder: Path) -> SegmentManifest:
            await in_thread(self._room.require, _most_bytes(plan))
            ear = Ear()
            damage: list[Damage] = []
            async with self._store.ahead(plan, unit, folder) as ahead:

                def on_frames(frames: int) -> None:
                    ahead.look()
                    if not ear.troubled:
                        ahead.tell()
                    bar.frames_of_unit(frames)

                tracks = await self._tracks(plan, held, unit, folder, ear, on_frames, marks)
                if ear.troubled:
                    damage = await picture_damage(self._tools, held.path, plan, unit, timeout=UNIT_TIMEOUT)
                if damage:
                    await self._sources.check(plan.source, plan.remux)
                stored = await self._store.upload(plan, folder, tracks, ahead)
            manifest = SegmentManifest(encoder=self._encoder, units=[unit], tracks=stored, damage=damage)
            await self._store.write(key, manifest)
            return manifest

        return await self._twice(f"unit {unit}", encode)

    async def _tracks(
        self,
        plan: EncodePlan,
        held: Held,
        unit: int,
        folder: Path,
        ear: Ear,
        on_frames: Callable[[int], None],
        marks: Mapping[str, Path],
    ) -> list[TrackFiles]:
        """The unit; where the source has no picture left for it, the last one that there was before it."""
        first = unit * plan.unit_frames
        for reach in (0, *sorted({min(first, plan.unit_frames * units) for units in (1, 10)} | {first})):
            try:
                tracks = await encode_unit(
                    self._tools,
                    held.path,
                    plan,
                    unit=unit,
                    out=folder,
                    timeout=UNIT_TIMEOUT,
                    on_frames=on_frames,
                    on_said=ear.hear,
                    reach=reach,
                    marks=marks,
                )
                if ear.troubled and not held.whole:
                    raise MediaError(DECODE_FAILED, f"unit {unit}: the decoder complains")
                return tracks
            except MediaError:
                if not ear.troubled or reach == first or not held.whole:
                    raise
        raise AssertionError("the last one returns or raises")

    async def _twice(self, what: str, encode: Callable[[Path], Awaitable[T]]) -> T:
        """Run `encode` in a fresh folder, and once more if ffmpeg fails. Twice is not the machine's fault."""
        for attempt in range(1, TRIES + 1):
            activity.logger.info("%s started", what)
            with tempfile.TemporaryDirectory(dir=self._scratch, ignore_cleanup_errors=True) as folder:
                try:
                    return await encode(Path(folder))
                except (FfmpegFailed, BadSegment) as error:
                    activity.logger.warning("%s, try %d: %s", what, attempt, error)
                    await in_thread(self._room.require)  # while what was written is still there
                    if killed_from_outside(error):
                        raise  # out of memory, a stopping host: another worker may do better
        raise final(ENCODE_FAILED)

    @implements(video.ENCODE_AUDIO)
    async def encode_audio(self, job: AudioInput) -> Manifest:
        """Encode the whole sound as one rendition."""
        with media_errors():
            await self._builds.require(job.plan.encoder, self._encoder)
            await leave_to_its_host(job.plan.host, self._sources.host)
            lengths = openings(job.plan)
            if job.parts and job.parts.opening and lengths:
                wanted = [*job.parts.index, *job.parts.opening]
                await self._sources.from_parts(
                    job.plan.source, wanted, lambda held: self._opening(job.plan, held, lengths[:1])
                )
            async with self._sources.of(job.plan) as path:
                await self._opening(job.plan, Held(path, True), lengths)
                manifest = await self._audio(job, path)
                if job.plan.host:
                    await self._draw_early(job.plan, path)
                return manifest

    async def _opening(self, plan: EncodePlan, source: Held, lengths: list[float]) -> None:
        """The lecture itself does without."""
        try:
            await store_openings(
                self._tools, self._store, source, plan, self._scratch, lengths=lengths, timeout=AUDIO_TIMEOUT
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, the whole sound meets it and says so
            activity.logger.warning("no sound before all of it is there", exc_info=error)

    async def _audio(self, job: AudioInput, path: Path) -> Manifest:
        plan = job.plan
        bar = SoundProgress(self._board, job)

        async def encode(folder: Path) -> Manifest:
            await in_thread(self._room.require, round(plan.duration * SOUND_RATE))
            sounds = await encode_audio(
                self._tools, path, plan, folder, timeout=AUDIO_TIMEOUT, on_progress=bar.milliseconds
            )
            damage: list[Damage] = []
            for stream, sound in {each.stream: each for each in sounds}.items():
                activity.logger.info(
                    "audio: %.1f LUFS, peak %.1f dBTP, %s",
                    sound.loudness,
                    sound.true_peak,
                    sound.exception or "on target",
                )
                if sound.troubled:
                    troubled = plan.model_copy(update={"audio_stream": stream})
                    damage += await sound_damage(self._tools, path, troubled, timeout=AUDIO_TIMEOUT)
            if damage:
                await self._sources.check(plan.source, plan.remux)
            tracks = await self._store.upload(plan, folder, [sound.track for sound in sounds])
            whole = SegmentManifest(
                encoder=self._encoder,
                units=[],
                tracks=tracks,
                damage=damage,
                warnings=list(dict.fromkeys(warning for sound in sounds for warning in sound.warnings)),
                too_quiet=any(sound.too_quiet for sound in sounds),
            )
            return await self._store.accept(plan, "audio", [whole])

        return await self._twice("audio", encode)

    @implements(video.MAKE_PICTURES)
    async def make_pictures(self, job: PicturesInput) -> Manifest:
        """Draw poster and storyboard from the source; take out captions and chapters."""
        plan = job.plan
        if drawn := await self._store.drawn(plan):
            return drawn
        await leave_to_its_host(plan.host, self._sources.host, PICTURES_LEFT)
        with media_errors():
            async with self._sources.of(plan) as path:
                return await self._draw(plan, path)

    async def _draw_early(self, plan: EncodePlan, path: Path) -> None:
        """Where all of the source lies anyway: another host would fetch it for them. Their own step finds
        them, or tries again."""
        try:
            await self._draw(plan, path)
        except Exception as error:  # noqa: BLE001 - a lecture does without them, its sound is finished
            activity.logger.warning("pictures are left to their own step", exc_info=error)

    async def _draw(self, plan: EncodePlan, path: Path) -> Manifest:
        patience = PICTURES_TIMEOUT + plan.duration  # all of it is decoded where keyframes are few
        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            draw = draw_pictures if plan.rungs else draw_sound
            files = await draw(self._tools, path, plan, Path(folder), timeout=patience)
            brought = await self._texts(plan, path, Path(folder), patience)
            return await self._store.store_pictures(plan, files, brought)

    async def _texts(self, plan: EncodePlan, path: Path, folder: Path, timeout: float) -> Brought:
        """A lecture whose text is not understood is still a lecture. A remuxed source has none left."""
        if plan.remux:
            return NOTHING
        try:
            brought = await take_texts(self._tools, path, plan, folder, timeout=timeout)
        except FfmpegFailed as error:
            activity.logger.warning("the source's text was not read: %s", error)
            return NOTHING
        if brought.unread:
            activity.logger.warning("streams of text that are not understood: %s", brought.unread)
        return brought


def _most_bytes(plan: EncodePlan) -> int:
    """What a unit's segments take at their highest rates, and as much again for a peak."""
    seconds = float(plan.unit_frames / plan.fps)
    return round(2 * seconds * sum(rung.max_bitrate for rung in plan.rungs) / 8)


def killed_from_outside(error: FfmpegFailed | BadSegment) -> bool:
    return isinstance(error, FfmpegFailed) and error.code < 0 and not isinstance(error, FfmpegTimedOut)
