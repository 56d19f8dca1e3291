"""Segments and manifests in the object store. A unit is finished when its manifest is there."""

from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

from activities.host.threads import in_thread
from activities.video.encode import accept_segment, init_of
from activities.video.encryption import Keys, encrypt_tracks, encrypted, keys_of
from activities.video.media_files import MediaFile, TrackFiles
from activities.video.texts import Brought
from clients.objects import ObjectMissing, Objects, read_own, sha256
from clients.vault import Vault
from contracts.base import Contract
from contracts.video import (
    OPENING,
    WORK,
    ChapterMark,
    EncodePlan,
    Manifest,
    Picture,
    PictureManifest,
    Segment,
    SegmentManifest,
    TextTrack,
    Track,
    ahead_key,
)
from intake.captions import store
from rules.fmp4 import read_init

UPLOADS = 8
INITS = 100  # of so many renditions it is remembered
JSON = "application/json"
SEGMENT_TYPE = "video/mp4"
PICTURE_TYPES = {".jpg": "image/jpeg", ".vtt": "text/vtt; charset=utf-8"}


class Sent(NamedTuple):
    """What is stored of a file."""

    sha256: str
    size: int


class Ahead:
    """Segments of a unit's run that are stored while it still writes later ones: `look`, as it goes on.
    Within the lecture's opening `tell` says which, once they are accepted in every rendition."""

    def __init__(
        self,
        objects: Objects,
        pool: ThreadPoolExecutor,
        plan: EncodePlan,
        unit: int,
        out: Path,
        keys: Keys | None,
    ) -> None:
        self._objects = objects
        self._pool = pool
        self._plan = plan
        self._unit = unit
        self._out = out
        self._keys = keys
        self._sent: dict[str, Future[Sent]] = {}
        # What may still be joined to the last one is not known before the run has ended.
        opens = unit * plan.unit_frames < OPENING * plan.fps
        self._to_tell = plan.segments(unit)[:-1] if opens else []
        self._told: dict[str, list[Segment]] = {rung.name: [] for rung in plan.rungs}
        self._telling: Future[None] | None = None

    def look(self) -> None:
        """All of a rendition but its newest segment are finished. So is not what is joined to one later."""
        for folder in self._out.iterdir():
            names = sorted(path.name for path in folder.glob("s*.m4s"))
            for name in (f"{folder.name}/{each}" for each in names[:-1]):
                if name not in self._sent:
                    self._sent[name] = self._pool.submit(self._put, name)

    def tell(self) -> None:
        """Store a manifest of what is stored so far, if there is more than the one before has. The first that
        fails is the last: the unit's own lists the same, a little later."""
        if self._telling and (not self._telling.done() or self._telling.exception()):
            return
        told = min(len(each) for each in self._told.values()) if self._told else 0
        more = list(takewhile(self._is_stored, range(told, len(self._to_tell))))
        if more:
            self._telling = self._pool.submit(self._tell, more)

    async def settle(self) -> None:
        """Nothing is written any more when this returns."""
        writing: list[Future[Any]] = list(self._sent.values())
        if self._telling:
            writing.append(self._telling)
        await in_thread(wait_for, writing)

    def stored(self) -> dict[str, str]:
        """Names of what is stored, and the SHA-256 of what that is."""
        return {name: sent.result().sha256 for name, sent in self._sent.items() if not sent.exception()}

    def _is_stored(self, place: int) -> bool:
        sent = [self._sent.get(self._name(rung, place)) for rung in self._told]
        return all(each and each.done() and not each.exception() for each in sent)

    def _name(self, rung: str, place: int) -> str:
        return f"{rung}/s{self._unit * self._plan.unit_segments + place:05d}.m4s"

    def _tell(self, places: list[int]) -> None:
        """In a thread, one at a time: who lists them must never see fewer than before."""
        tracks = []
        for rung, told in self._told.items():
            (path,) = (self._out / rung).glob("init*.mp4")
            data = init_of(self._plan, read_own(path))
            init = read_init(data)
            for place in places:
                number = self._unit * self._plan.unit_segments + place
                file = accept_segment(self._out, self._plan, rung, init, number, self._to_tell[place])
                sent = self._sent[file.name].result()
                told.append(_segment(self._plan, replace(file, **sent._asdict(), iframe=None)))
            key = f"{self._plan.prefix}{rung}/init.mp4"
            if len(told) == len(places):
                self._objects.put(key, data, SEGMENT_TYPE)
            start = Segment(key=key, size=len(data), sha256=sha256(data), frames=0, duration=0.0)
            tracks.append(Track(name=rung, codec=init.codec, init=start, segments=told))
        manifest = SegmentManifest(encoder=self._plan.encoder, units=[], tracks=tracks)
        key = ahead_key(self._plan.prefix, self._unit, places[-1] + 1)
        self._objects.put(key, manifest.model_dump_json().encode(), JSON)

    def _put(self, name: str) -> Sent:
        data = read_own(self._out / name)
        if self._keys:
            data = encrypted(data, name, self._keys)
        self._objects.put(self._plan.prefix + name, data, SEGMENT_TYPE)
        return Sent(sha256(data), len(data))


class SegmentStore:
    """What workers write below the prefix of a version."""

    def __init__(self, objects: Objects, vault: Vault) -> None:
        self._objects = objects
        self._vault = vault
        self._uploads = ThreadPoolExecutor(UPLOADS, thread_name_prefix="upload")
        self._inits: dict[
            str, str
        ] = {}  # the last ones that were stored: every unit of a lecture has the same

    async def finished(self, plan: EncodePlan) -> set[str]:
        """Keys of the manifests that earlier attempts left."""
        return await in_thread(lambda: {key for key, _ in self._objects.list(plan.prefix + WORK)})

    async def load(self, key: str) -> SegmentManifest:
        return SegmentManifest.model_validate_json(await in_thread(self._objects.get, key))

    @asynccontextmanager
    async def ahead(self, plan: EncodePlan, unit: int, out: Path) -> AsyncIterator[Ahead]:
        """While a unit's run writes into `out`. Has stopped writing when the block is left, however it is."""
        ahead = Ahead(self._objects, self._uploads, plan, unit, out, keys_of(self._vault, plan))
        try:
            yield ahead
        finally:
            await ahead.settle()

    async def upload(
        self, plan: EncodePlan, out: Path, tracks: Sequence[TrackFiles], ahead: Ahead | None = None
    ) -> list[Track]:
        """Store all files of `tracks` that are not stored yet, encrypted where the plan says so; returns when
        every one is acknowledged."""
        if keys := keys_of(self._vault, plan):
            tracks = await in_thread(encrypt_tracks, out, tracks, keys)
        there = dict(self._inits)
        if ahead:
            await ahead.settle()
            there |= {plan.prefix + name: digest for name, digest in ahead.stored().items()}
        files = [file for track in tracks for file in (track.init, *track.segments)]
        missing = [file.name for file in files if there.get(plan.prefix + file.name) != file.sha256]
        await in_thread(self._put_all, plan.prefix, out, missing)
        self._inits |= {plan.prefix + track.init.name: track.init.sha256 for track in tracks}
        for key_of_init in list(self._inits)[:-INITS]:
            del self._inits[key_of_init]
        return [
            Track(
                name=track.name,
                codec=track.codec,
                init=_segment(plan, track.init),
                segments=[_segment(plan, file) for file in track.segments],
            )
            for track in tracks
        ]

    async def store_pictures(self, plan: EncodePlan, files: Sequence[Path], brought: Brought) -> Manifest:
        """Store files and captions beside the renditions' folders, and a manifest of them."""
        pictures = []
        for file in files:
            data, key = await in_thread(file.read_bytes), plan.prefix + file.name
            await in_thread(self._objects.put, key, data, PICTURE_TYPES[file.suffix])
            pictures.append(Picture(key=key, size=len(data), sha256=sha256(data)))
        texts = []
        for number, each in enumerate(brought.texts):
            folder = f"text{number}/"
            await in_thread(store, self._objects, plan.prefix + folder, each.cues, plan.duration)
            texts.append(
                TextTrack(folder=folder, language=each.language, name=each.name, cues=len(each.cues))
            )
        chapters = [ChapterMark(start=chapter.start, title=chapter.title) for chapter in brought.chapters]
        manifest = PictureManifest(pictures=pictures, texts=texts, chapters=chapters)
        return await self.write(_pictures(plan), manifest)

    async def has(self, key: str) -> bool:
        """Whether an object is stored."""
        return await in_thread(self._objects.etag, key) is not None

    async def drawn(self, plan: EncodePlan) -> Manifest | None:
        """The manifest of pictures, if they are stored already."""
        try:
            data = await in_thread(self._objects.get, _pictures(plan))
        except ObjectMissing:
            return None
        return Manifest(key=_pictures(plan), sha256=sha256(data))

    async def write(self, key: str, manifest: Contract) -> Manifest:
        """Store a manifest; key and hash are what travels on."""
        data = manifest.model_dump_json().encode()
        await in_thread(self._objects.put, key, data, JSON)
        return Manifest(key=key, sha256=sha256(data))

    async def accept(self, plan: EncodePlan, name: str, parts: Sequence[SegmentManifest]) -> Manifest:
        """Store one manifest for all `parts`, in their order."""
        tracks = [
            first.model_copy(update={"segments": [s for part in parts for s in part.tracks[index].segments]})
            for index, first in enumerate(parts[0].tracks)
        ]
        for part in parts:
            for track, first in zip(part.tracks, tracks, strict=True):
                if track.init.sha256 != first.init.sha256:
                    raise ValueError(f"{track.name}: units have different init segments")
        whole = SegmentManifest(
            encoder=plan.encoder,
            units=[unit for part in parts for unit in part.units],
            tracks=tracks,
            damage=[damage for part in parts for damage in part.damage],
            warnings=[warning for part in parts for warning in part.warnings],
            too_quiet=any(part.too_quiet for part in parts),
        )
        return await self.write(f"{plan.prefix}{WORK}{name}.json", whole)

    def _put_all(self, prefix: str, out: Path, names: Sequence[str]) -> None:
        def put(name: str) -> None:
            self._objects.put(prefix + name, out / name, SEGMENT_TYPE)

        list(self._uploads.map(put, names))


def _pictures(plan: EncodePlan) -> str:
    return f"{plan.prefix}{WORK}pictures.json"


def _segment(plan: EncodePlan, file: MediaFile) -> Segment:
    return Segment(
        key=plan.prefix + file.name,
        size=file.size,
        sha256=file.sha256,
        frames=file.frames,
        duration=file.duration,
        iframe=file.iframe,
    )
