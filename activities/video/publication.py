"""A version of a video, read back from the manifests that the workers wrote. Blocking."""

from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from uuid import UUID, uuid5

from temporalio.exceptions import ApplicationError

from activities.video.damage import worth_a_look
from clients.database.captions import NewCaption
from clients.database.videos import Version
from clients.objects import ObjectMissing, Objects, md5, sha256
from contracts.captions import Origin
from contracts.errors import ENCODE_FAILED
from contracts.video import (
    Damage,
    Manifest,
    PictureManifest,
    PublishInput,
    Segment,
    SegmentManifest,
    SoundWarning,
    Track,
)
from rules import playlists
from rules.captions.writing import names

PLAYLIST = "application/vnd.apple.mpegurl"
READERS = 16
SOUND_OFF = 0.1  # seconds by which a sound may be longer or shorter than the plan


class Publication:
    """All tracks of one version, complete and checked, or an error. `damage`, `warnings` are for people."""

    def __init__(
        self,
        *,
        objects: Objects,
        what: PublishInput,
        video: list[Track],
        sounds: list[Track],
        pictures: PictureManifest,
        damage: list[Damage],
        warnings: list[SoundWarning],
        too_quiet: bool,
    ) -> None:
        self.damage = damage
        self.warnings = warnings
        self.too_quiet = too_quiet
        self._objects = objects
        self._plan = what.plan
        self._video = video
        self._sounds = sounds
        self._pictures = pictures.pictures
        self._texts = pictures.texts
        self.chapters = pictures.chapters

    @classmethod
    def read(cls, objects: Objects, what: PublishInput) -> "Publication":
        """Load the manifests that the workflow accepted. Raises a final error if they do not fit."""
        with ThreadPoolExecutor(READERS) as pool:
            batches = list(pool.map(lambda manifest: _tracks(objects, manifest), what.batches))
        units = [unit for batch in batches for unit in batch.units]
        _require(units == list(range(what.plan.unit_count)), "units are missing or repeated")
        sound = _tracks(objects, what.audio) if what.audio else None
        written = [*batches, sound] if sound else batches
        _require({each.encoder for each in written} == {what.plan.encoder}, "encoders are mixed")
        video = [_joined([batch.tracks[index] for batch in batches]) for index in range(len(what.plan.rungs))]
        for track, rung in zip(video, what.plan.rungs, strict=True):
            frames = sum(segment.frames for segment in track.segments)
            _require(track.name == rung.name, "renditions are in another order")
            _require(frames == what.plan.total_frames, f"{track.name} has {frames} frames")
        sounds = sound.tracks if sound else []
        for track in sounds:
            lasts = sum(segment.duration for segment in track.segments)
            _require(abs(lasts - what.plan.duration) < SOUND_OFF, f"{track.name} lasts {lasts:.3f} s")
        pictures = PictureManifest(pictures=[])
        if what.pictures:
            pictures = PictureManifest.model_validate_json(_load(objects, what.pictures))
        found = [*what.plan.damage, *(damage for batch in batches for damage in batch.damage)]
        return cls(
            objects=objects,
            what=what,
            video=video,
            sounds=sounds,
            pictures=pictures,
            damage=worth_a_look(
                found + (sound.damage if sound else []), what.plan.duration, picture=bool(video)
            ),
            warnings=sound.warnings if sound else [],
            too_quiet=sound.too_quiet if sound else False,
        )

    def check_and_write_playlists(self) -> None:
        """Every object must be in the store with its size before a playlist names it."""
        stored = dict(self._objects.list(self._plan.prefix))
        for track in self._tracks():
            for segment in (track.init, *track.segments):
                if stored.get(segment.key) != segment.size:
                    _require(_is_there(self._objects, segment), f"{segment.key} is not as it was written")
                    raise ConnectionError("the store does not list all that it has")
        if not all(stored.get(picture.key) == picture.size for picture in self._pictures):
            self._pictures = []
        whole = set(names(round(self._plan.duration * 1000)))
        self._texts = [
            text
            for text in self._texts
            if whole <= {key.removeprefix(self._plan.prefix + text.folder) for key in stored}
        ]
        for track in self._tracks():
            text = playlists.media_playlist(track, self._plan.key_id, self._plan.key_segments)
            self._put(f"{track.name}/{playlists.MEDIA}", text)
        for track in self._video:
            if pictures := playlists.iframe_playlist(track):
                self._put(f"{track.name}/{playlists.IFRAMES}", pictures)
        self._put("master.m3u8", self.master())

    def _put(self, name: str, text: str) -> None:
        self._objects.put(self._plan.prefix + name, text.encode(), PLAYLIST)

    def captions(self, job_id: UUID) -> list[NewCaption]:
        """Those that came with the source."""
        return [
            NewCaption(
                id=uuid5(job_id, f"{self._plan.prefix}{text.folder}"),
                language=text.language,
                name=text.name,
                origin=Origin.EMBEDDED,
                prefix=self._plan.prefix + text.folder,
                cues=text.cues,
            )
            for text in self._texts
        ]

    def master(self, base: str = "") -> str:
        return playlists.master_playlist(self._plan, self._video, self._sounds, base)

    def version(self, hls_path: str) -> Version:
        """The database's view of this version."""
        sizes = [(rung.width, rung.height) for rung in self._plan.rungs]
        shown = self._video or self._sounds
        rates = playlists.rates(self._video, self._sounds)
        return Version(
            hls_path=hls_path,
            hls_prefix=self._plan.prefix,
            duration=self._plan.duration,
            renditions=[
                {
                    "name": track.name,
                    "width": width,
                    "height": height,
                    "codecs": track.codec,
                    "bandwidth": rate.peak,
                    "average_bandwidth": rate.average,
                    "segments": len(track.segments),
                    "size": sum(segment.size for segment in (track.init, *track.segments)),
                }
                for (width, height), track, rate in zip(
                    sizes or [(0, 0)] * len(shown), shown, rates, strict=True
                )
            ],
            has_pictures=bool(self._pictures),
        )

    def _tracks(self) -> list[Track]:
        return [*self._video, *self._sounds]


def _tracks(objects: Objects, manifest: Manifest) -> SegmentManifest:
    return SegmentManifest.model_validate_json(_load(objects, manifest))


def _load(objects: Objects, manifest: Manifest) -> bytes:
    """Raises ConnectionError for other bytes than the store says that it has."""
    data = objects.get(manifest.key)
    if sha256(data) != manifest.sha256:
        _require(not objects.same(objects.head(manifest.key), md5(data)), f"{manifest.key} was altered")
        raise ConnectionError("a manifest did not come as it is stored")
    return data


def _is_there(objects: Objects, segment: Segment) -> bool:
    """Asked by name: a list can be behind."""
    try:
        return objects.head(segment.key).size == segment.size
    except ObjectMissing:
        return False


def _joined(parts: list[Track]) -> Track:
    """One rendition out of its batches. The init segment must be the same bytes everywhere."""
    (first, *others) = [next(group) for _, group in groupby(parts, key=lambda track: track.init.sha256)]
    _require(not others, f"{first.name} has more than one init segment")
    segments: list[Segment] = [segment for track in parts for segment in track.segments]
    return first.model_copy(update={"segments": segments})


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise ApplicationError(problem, type=ENCODE_FAILED, non_retryable=True)
