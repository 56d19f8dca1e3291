"""What travels inside the trim workflow. Times in seconds."""

from uuid import UUID

from pydantic import Field

from contracts.base import Contract
from contracts.jobs import JobOutcome
from contracts.video import Damage, Published, PublishInput, SoundWarning, TextTrack


class TrimInput(Contract):
    """Start of `video.trim`: keep `start` to `end` of the version of that name; None is the lecture's end."""

    job_id: UUID
    tenant_id: int
    video_id: int
    version: str
    start: float = 0.0
    end: float | None = None


MADE_OF = "made-of.json"
"""Below a version's prefix: its `MadeOf`. Releases up to 0.6 wrote none."""


class MadeOf(Contract):
    """Where a version begins in its source: at this frame of the plan that an encode makes, `start` seconds
    from there. `key` empty: nobody knows its source. `etag` empty: it was the newest of its key when the
    version was made."""

    key: str
    etag: str = ""
    first_frame: int = 0
    start: float = 0.0


class TrimBegun(Contract):
    """`ended` is set when there is nothing to do. `base`: the prefix of the version that is cut. `damage` and
    the rest are what the job told that made it."""

    epoch: int = 0
    ended: JobOutcome | None = None
    base: str = ""
    made_of: MadeOf = MadeOf(key="")
    texts: list[TextTrack] = Field(default=[], description="Captions within the version")
    damage: list[Damage] = Field(default=[])
    warnings: list[SoundWarning] = Field(default=[])
    too_quiet: bool = False


class CutInput(Contract):
    """Make the version below `prefix`, ready to be published."""

    trim: TrimInput
    epoch: int
    prefix: str
    begun: TrimBegun


class Cut(Contract):
    """`start`, `end`: what of the version before is in the new one. `inexact` says why they are not what was
    asked for: a word of `INEXACT`."""

    publish: PublishInput
    start: float
    end: float
    inexact: str | None = None
    made_of: MadeOf = MadeOf(key="")


class PublishCutInput(Contract):
    cut: Cut
    base: str


class Moved(Contract):
    """Captions that are shown now."""

    id: UUID
    language: str
    name: str


class CutPublished(Contract):
    """`retired`: prefixes of captions that nothing names any more."""

    published: Published
    captions: list[Moved] = Field(default=[])
    retired: list[str] = Field(default=[])


CUT_AT_SEGMENTS = "cut_at_segments"
"""A job's warning that its cut is not where it was asked for."""

INEXACT = {
    "source_unknown": "what the lecture was made of is not known",
    "source_gone": "its source is not there any more",
    "source_differs": "its source is not the one it was made of",
    "source_unreadable": "its source could not be read at the cut",
    "encoder_differs": "this encoder's segments do not fit those of the lecture",
}


def version_name(prefix: str) -> str:
    """How a version is called outside: the last folder of its prefix."""
    return prefix.rstrip("/").rpartition("/")[2]
