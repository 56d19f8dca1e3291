"""Segments and manifests in the object store. A unit is finished when its manifest is there."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from activities.host.threads import in_thread
from activities.video.encryption import encrypt_tracks
from activities.video.fmp4 import MediaFile, TrackFiles
from activities.video.texts import Brought
from clients.objects import Objects, sha256
from clients.vault import Vault
from contracts.video import (
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
)
from intake.captions import store

UPLOADS = 8
JSON = "application/json"
PICTURE_TYPES = {".jpg": "image/jpeg", ".vtt": "text/vtt; charset=utf-8"}


class SegmentStore:
    """What workers write below the prefix of a version."""

    def __init__(self, objects: Objects, vault: Vault) -> None:
        self._objects = objects
        self._vault = vault
        self._uploads = ThreadPoolExecutor(UPLOADS, thread_name_prefix="upload")

    async def finished(self, plan: EncodePlan) -> set[str]:
        """Keys of the manifests that earlier attempts left."""
        return await in_thread(lambda: {key for key, _ in self._objects.list(plan.prefix + WORK)})

    def unit_key(self, plan: EncodePlan, unit: int) -> str:
        return f"{plan.prefix}{WORK}unit-{unit:05d}.json"

    async def load(self, key: str) -> SegmentManifest:
        return SegmentManifest.model_validate_json(await in_thread(self._objects.get, key))

    async def upload(self, plan: EncodePlan, out: Path, tracks: Sequence[TrackFiles]) -> list[Track]:
        """Store all files of `tracks`, encrypted where the plan says so; returns when every one is
        acknowledged."""
        if plan.key_id:
            key = self._vault.hls_key(plan.key_id, plan.prefix)
            tracks = await in_thread(encrypt_tracks, out, tracks, key)
        names = [file.name for track in tracks for file in (track.init, *track.segments)]
        await in_thread(self._put_all, plan.prefix, out, names)
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
        return await self.write(f"{plan.prefix}{WORK}pictures.json", manifest)

    async def write(self, key: str, manifest: SegmentManifest | PictureManifest) -> Manifest:
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
            self._objects.put(prefix + name, out / name, "video/mp4")

        list(self._uploads.map(put, names))


def _segment(plan: EncodePlan, file: MediaFile) -> Segment:
    return Segment(
        key=plan.prefix + file.name,
        size=file.size,
        sha256=file.sha256,
        frames=file.frames,
        duration=file.duration,
    )
