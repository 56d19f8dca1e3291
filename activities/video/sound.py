"""The sound of a source, decoded once: FLAC in Matroska, whatever it was and however it changes midway.

A broadcast may go from six channels to two, or from one configuration of AAC to another. ffmpeg then builds
its filter graph anew, and what counts from the start of the file begins again. So nothing here looks back;
what aligns and levels the sound works on the file that this leaves, which never changes.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg

from activities.video.ffmpeg import SOURCE
from contracts.video import EncodePlan

RATE = 48_000
MOST_BYTES = RATE * 2 * 3  # a second, where FLAC saves nothing
FLAC: dict[str, Any] = {
    "c:a": "flac",
    "sample_fmt": "s32",
    "compression_level": 0,
    # Short, since a frame that has begun before a gap is filled up with what comes after it.
    "frame_size": 1024,
}
_HALF = 0.5  # decoders go beyond full scale, FLAC does not
_LATER = 10.0  # seconds; sound may begin before the lecture does, Matroska's clock begins at 0


def evened(sound: Any) -> Any:
    """Stereo at 48 kHz and half the volume; every sample keeps its time."""
    even = sound.filter("aformat", sample_fmts="fltp", sample_rates=RATE, channel_layouts="stereo")
    return even.filter("volume", _HALF, precision="float")


def decoding_args(source: Path, plan: EncodePlan, out: Path, until: float | None = None) -> list[str]:
    """ffmpeg's arguments that decode the plan's sound into `out`, for `Sound`: all of it, or `until` so many
    seconds of the lecture."""
    sound = ffmpeg.input(f"file:{source}", threads=1, **SOURCE)[str(plan.audio_stream)]
    sound = evened(sound.filter("asetpts", f"PTS+{_LATER - plan.origin:.6f}/TB"))
    if until is not None:
        sound = sound.filter("atrim", end=f"{_LATER + until:.6f}")
    return ["-copyts", "-start_at_zero", *sound.output(f"file:{out}", format="matroska", **FLAC).get_args()]


@dataclass(frozen=True)
class Sound:
    """A file whose sound is as `evened` leaves it. `zero`: where the lecture begins on its clock, seconds."""

    path: Path
    stream: int
    zero: float
    clock: tuple[str, ...]

    @classmethod
    def decoded(cls, path: Path) -> "Sound":
        """What `decoding_args` wrote."""
        return cls(path, 0, _LATER, ("-copyts",))

    @classmethod
    def remuxed(cls, path: Path, plan: EncodePlan) -> "Sound":
        """A remuxed source, which has it beside the picture."""
        return cls(path, plan.audio_stream, plan.origin, ("-copyts", "-start_at_zero"))

    def opened(self) -> Any:
        """At its own volume, on the lecture's clock."""
        sound = ffmpeg.input(f"file:{self.path}", threads=1, **SOURCE)[str(self.stream)]
        return sound.filter("asetpts", f"PTS-{self.zero:.6f}/TB").filter(
            "volume", 1 / _HALF, precision="float"
        )
