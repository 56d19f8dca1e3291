"""What travels inside the encode and delete workflows. Times in seconds, sizes in bytes, rates in bit/s."""

from enum import StrEnum
from fractions import Fraction
from typing import Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from contracts.base import Contract
from contracts.jobs import JobOutcome


class EncodeInput(Contract):
    """Start of `video.encode`."""

    job_id: UUID
    tenant_id: int
    video_id: int
    file_key: str


class DeleteInput(Contract):
    """Start of `video.delete`."""

    job_id: UUID
    tenant_id: int
    video_id: int
    file_key: str


LadderName = Literal["standard", "fine"]
"""Sizes that lectures are encoded in: `activities.video.plan.LADDERS`."""


MarkPlace = Literal["top-left", "top-right", "bottom-left", "bottom-right", "moving"]


class Watermark(BaseModel):
    """What an academy wants burnt into its lectures: its words, or a PNG of its own by its key in the store.
    `height` is a part of the picture's. As a setting it is refused where a word is not known."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str | None = Field(default=None, min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f]+$")
    picture: str | None = None
    place: MarkPlace = "bottom-right"
    opacity: float = Field(default=0.5, ge=0.05, le=1)
    height: float = Field(default=0.05, ge=0.02, le=0.3)

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.text) == bool(self.picture):
            raise ValueError("a watermark is either a text or a picture")
        return self


class MarkPicture(Contract):
    """A PNG in the store, as large as it is seen in the rendition of this name."""

    rung: str
    key: str
    sha256: str


class Mark(Contract):
    """What is burnt into a lecture: drawn once, so that every worker lays the same pixels over its frames."""

    place: MarkPlace
    pictures: list[MarkPicture] = Field(max_length=8)


class Rung(Contract):
    """One rendition of the ladder. `name` is its folder, e.g. `720p`."""

    name: str
    width: int
    height: int
    max_bitrate: int


class SourceRef(Contract):
    """The exact object that was probed; every read is bound to its ETag."""

    key: str
    etag: str
    size: int


Span = tuple[int, int]


class SourceParts(Contract):
    """Places in the source, first byte and the one behind the last: what every reader of it needs, and what
    each of some units does, one after the other."""

    index: list[Span]
    units: list[Span]
    opening: list[Span] = Field(default=[], description="What the sound of the first minute does")


class SoundTrack(Contract):
    """One rendition of the sound. `name` is its folder; players begin with the first of a plan's."""

    name: str
    stream: int = Field(description="Its number in the file that is decoded")
    bitrate: int = 128_000
    language: str = Field(default="und", description="BCP 47, `und` where the source does not say it")
    label: str = Field(default="Audio", description="What players show; each once")


class Streams(Contract):
    """Numbers of the streams of the uploaded file that are taken. `others`: sounds beside the first one."""

    video: int | None
    audio: int | None
    others: list[int] = Field(default=[])
    clock_jumps: bool = Field(default=True, description="Their times have to be mended")


class Colour(Contract):
    """The colours of a source, by ffmpeg's names, as its first picture has them, and every one that does not
    say otherwise. The defaults ask for no change."""

    matrix: str = "bt709"
    primaries: str = "bt709"
    transfer: str = "bt709"
    full: bool = False
    tagged: bool = True
    kept: bool = Field(default=False, description="The decoder takes what is assumed for a default")
    alpha: bool = False

    @property
    def hdr(self) -> bool:
        return self.transfer in ("smpte2084", "arib-std-b67")

    @property
    def wide(self) -> bool:
        """Its primaries lie far from those of BT.709."""
        return self.primaries in ("bt2020", "smpte431", "smpte432")


class DamageKind(StrEnum):
    """What a viewer meets where the source is damaged."""

    PICTURE_MISSING = "picture_missing"  # the picture stands still
    PICTURE_BROKEN = "picture_broken"  # the decoder guessed, until the next keyframe
    SOUND_MISSING = "sound_missing"
    END_MISSING = "end_missing"  # the file says that it is longer than it is


class Damage(Contract):
    """A stretch of the lecture that its source did not give, in seconds from the lecture's start."""

    what: DamageKind
    start: float
    end: float

    @property
    def line(self) -> str:
        """For a person who is to look there."""
        return f"{self.what.replace('_', ' ')}: {self.start:.1f} to {self.end:.1f} s"


class SoundWarning(StrEnum):
    """What is odd about the whole sound, though all of it was there."""

    SILENT = "sound_silent"
    CLIPPED = "sound_clipped"


TOO_QUIET = "sound_too_quiet"
"""Told with the warnings. Not one of them: workers of the release before do not know it."""


SHORTEST = 1.0
"""Seconds. Players that follow the standard never end where the last segment lasts a frame or two."""


class EncodePlan(Contract):
    """All that a worker needs to encode any unit to the same bytes as any other worker.

    Frame `n` of the output shows at `n * fps_den / fps_num` seconds. A segment is `segment_frames`
    frames (two GOPs), a unit is `unit_segments` segments encoded by one ffmpeg run; the last of each
    may be shorter.
    """

    source: SourceRef
    remux: bool = False
    prefix: str = Field(description="Object prefix of this version, ends with a slash")
    encoder: str = Field(description="Fingerprint of the encoder build")
    fps_num: int
    fps_den: int
    total_frames: int
    gop_frames: int
    segment_frames: int
    unit_segments: int
    preroll: float = 2.0
    rungs: list[Rung] = Field(max_length=8, description="None: a lecture of sound, its frames are AAC's")
    has_audio: bool
    keyframe_gap: float = Field(default=0, description="Longest distance between keyframes of the source")
    video_stream: int = 0
    audio_stream: int = 1
    sounds: list[SoundTrack] = Field(
        default=[], max_length=8, description="Renditions of the sound; none stands for one of `audio_stream`"
    )
    origin: float = Field(default=0.0, description="The output's zero, from the start of the container")
    picture_frames: int = Field(default=0, description="Until the picture ends; then its last one is held")
    interlaced: bool = False
    rotated: bool = False
    frame_width: int = Field(default=0, description="Of the first picture as it is stored")
    frame_height: int = 0
    colour: Colour = Colour()
    key_id: str | None = Field(
        default=None, description="Segments are encrypted with this version's key, derived from that one"
    )
    key_segments: int = Field(default=0, description="After so many segments another key follows; 0: never")
    mark: Mark | None = Field(default=None, description="Burnt into every frame")
    damage: list[Damage] = Field(default=[], description="What the container lacks, found before decoding")
    remuxed: Streams | None = Field(default=None, description="What the remux takes of the upload")
    parts: SourceParts | None = Field(
        default=None, description="Where all units lie in the source, if that is known; batches get their own"
    )
    host: str = Field(default="", description="Who probed it; there is done what needs all of the source")

    @property
    def fps(self) -> Fraction:
        return Fraction(self.fps_num, self.fps_den)

    @property
    def duration(self) -> float:
        return float(self.total_frames / self.fps)

    @property
    def unit_frames(self) -> int:
        return self.segment_frames * self.unit_segments

    @property
    def unit_count(self) -> int:
        return -(-self.total_frames // self.unit_frames) if self.rungs else 0

    def segments(self, unit: int) -> list[range]:
        """Frames of each of a unit's segments."""
        first = unit * self.unit_frames
        return self.segments_of(first, min(first + self.unit_frames, self.total_frames))

    def segments_of(self, first: int, last: int) -> list[range]:
        """Frames of each segment of one run. A tail that lasts less than SHORTEST belongs to the last."""
        starts = list(range(first, last, self.segment_frames))
        if len(starts) > 1 and last - starts[-1] < SHORTEST * self.fps:
            del starts[-1]
        return [range(start, end) for start, end in zip(starts, [*starts[1:], last], strict=True)]

    @property
    def sound_renditions(self) -> list[SoundTrack]:
        one = [SoundTrack(name="audio", stream=self.audio_stream)] if self.has_audio else []
        return self.sounds or one


class ProbeInput(Contract):
    job_id: UUID
    tenant_id: int
    video_id: int
    file_key: str
    prefix: str
    sound_alone: bool = Field(
        default=False, description="Whether the workflow knows lectures without a picture"
    )


class BatchInput(Contract):
    """Encode units `first` to `last` (inclusive) of the plan."""

    job_id: UUID
    tenant_id: int
    video_id: int
    plan: EncodePlan
    first: int
    last: int
    parts: SourceParts | None = Field(default=None, description="Of these units; else all of it is fetched")


class AudioInput(Contract):
    job_id: UUID
    tenant_id: int
    video_id: int
    plan: EncodePlan
    parts: SourceParts | None = Field(default=None, description="Of its beginning; else all of it is fetched")


class PicturesInput(Contract):
    """Poster and storyboard of the plan's lecture."""

    job_id: UUID
    tenant_id: int
    video_id: int
    plan: EncodePlan


class Manifest(Contract):
    """A manifest object in the store: only its key and hash travel through Temporal."""

    key: str
    sha256: str


class PublishInput(Contract):
    job_id: UUID
    tenant_id: int
    video_id: int
    epoch: int
    plan: EncodePlan
    batches: list[Manifest] = Field(max_length=2000)
    audio: Manifest | None
    pictures: Manifest | None = None


class Published(Contract):
    """The version that viewers now see, and the one it replaced, which stays for `retire_after` seconds."""

    hls_path: str
    duration: float
    renditions: list[str]
    pictures: bool = Field(default=False, description="Whether it has a poster and a storyboard")
    damage: list[Damage] = Field(default=[], description="Where a person should look, if more than a second")
    warnings: list[SoundWarning] = Field(default=[])
    too_quiet: bool = Field(default=False, description="As `SegmentManifest.too_quiet`: told with `warnings`")
    replaced_prefix: str | None = None
    retire_after: int = 0


class EraseInput(Contract):
    """Objects to remove: all below `prefix` (ends with a slash), and the object `file_key` if given."""

    prefix: str
    file_key: str | None = None
    after: int = Field(default=0, description="Seconds to wait before")


class BeginEncode(Contract):
    job_id: UUID
    tenant_id: int
    video_id: int
    file_key: str


class Begun(Contract):
    """`ended` is set when there is nothing to do: the job is final already, or the video is gone."""

    epoch: int = 0
    ended: JobOutcome | None = None


class VideoRef(Contract):
    tenant_id: int
    video_id: int


class OpenEncodes(Contract):
    workflow_ids: list[str] = Field(max_length=1000)


class Segment(Contract):
    """One media segment: playlist entry, size and checksum."""

    key: str
    size: int
    sha256: str
    frames: int
    duration: float
    iframe: tuple[int, int] | None = Field(
        default=None, description="Place and length of the fragment's head and its first picture"
    )


class Track(Contract):
    """The segments of one rendition (or the audio) that one run produced, in order."""

    name: str
    codec: str
    init: Segment
    segments: list[Segment]


class SegmentManifest(Contract):
    """What a batch of units, or the audio, wrote. `units` are the unit numbers it covers."""

    encoder: str
    units: list[int]
    tracks: list[Track]
    damage: list[Damage] = Field(default=[])
    warnings: list[SoundWarning] = Field(default=[])
    too_quiet: bool = Field(default=False, description="The sound could not be made as loud as others")


class Picture(Contract):
    """A file beside the segments: the poster, a sheet of the storyboard, its WebVTT track."""

    key: str
    size: int
    sha256: str


class TextTrack(Contract):
    """Captions that came with the source, in the folder of this name below the version's prefix."""

    folder: str
    language: str
    name: str
    cues: int


class ChapterMark(Contract):
    """`start` in seconds of the lecture."""

    start: float
    title: str


class PictureManifest(Contract):
    """What lies beside picture and sound, and what players list."""

    pictures: list[Picture] = Field(max_length=100)
    texts: list[TextTrack] = Field(default=[])
    chapters: list[ChapterMark] = Field(default=[])


WORK = "work/"
"""Below a version's prefix: the manifests, which nobody needs once it is published."""

MARKS = "marks/"
"""Below a version's prefix: what is burnt into it, for who encodes a part of it again."""

OPENING = 300.0
"""Seconds from a lecture's start in which segments are told of while their unit is still encoded."""

SOUND_OPENINGS = (60.0, 600.0)
"""Seconds from a lecture's start of which there is sound before all of it was measured: some at once, then
as many as the whole takes."""

PLAN, SOUND = f"{WORK}plan.json", f"{WORK}audio.json"
"""Below a version's prefix: its plan, and the manifest of its sound."""


def opening_key(prefix: str, seconds: float) -> str:
    """The manifest of the sound of so many seconds."""
    return f"{prefix}{WORK}opening-{seconds:.0f}.json"


def unit_key(prefix: str, unit: int) -> str:
    """The manifest that says that a unit is finished."""
    return f"{prefix}{WORK}unit-{unit:05d}.json"


def ahead_key(prefix: str, unit: int, segments: int) -> str:
    """The manifest of so many segments of a unit that is still encoded."""
    return f"{prefix}{WORK}ahead-{unit:05d}-{segments:03d}.json"


def hls_root(tenant_id: int, video_id: int) -> str:
    """Prefix of everything that is played of a video; ends with a slash, so that 1 is not 10."""
    return f"tenants/{tenant_id}/video/hls/{video_id}/"


def version_prefix(tenant_id: int, video_id: int, job_id: UUID, epoch: int) -> str:
    """Prefix that only this execution writes below."""
    return f"{hls_root(tenant_id, video_id)}{job_id.hex[:12]}-{epoch}/"
