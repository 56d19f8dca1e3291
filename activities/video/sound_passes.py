"""Runs of ffmpeg over the sound of a lecture: decoding, measuring (EBU R 128), encoding."""

import re
from collections.abc import Callable, Sequence
from math import sqrt
from pathlib import Path
from typing import Any, NamedTuple

import ffmpeg

from activities.video.damage import Ear
from activities.video.ffmpeg import FfmpegFailed, Progress, Tools, run_ffmpeg
from activities.video.sound import RATE, Sound, decoding_args
from contracts.video import EncodePlan, SoundTrack

TARGET, TOLERANCE, PEAK = -16.0, 1.0, -1.0
SEGMENT_SECONDS = 4
_ONE_EAR = 20.0  # dB between the channels from end to end: nobody records so, a plug in the wrong hole does
# A single channel became two by losing 3 dB each.
_LISTENED = {"left": ("c0", 1.0), "right": ("c1", 1.0), "one": ("c0+c1", sqrt(2))}


class Loudness(NamedTuple):
    """Integrated loudness in LUFS and true peak in dBTP."""

    integrated: float
    true_peak: float

    @property
    def on_target(self) -> bool:
        return abs(self.integrated - TARGET) <= TOLERANCE and self.true_peak <= PEAK


class Heard(NamedTuple):
    """The whole source: its loudness, the mean level of both channels in dBFS, the share of samples that
    lie at the highest value there is."""

    loudness: Loudness
    left: float
    right: float
    at_the_top: float

    @property
    def ear(self) -> str | None:
        """The channel that has everything, if the other has nothing."""
        if abs(self.left - self.right) < _ONE_EAR:
            return None
        return "c0" if self.left > self.right else "c1"


def aligned(sound: Any, plan: EncodePlan) -> Any:
    """The sound on the output's timeline: gaps filled, starting at 0 and as long as the picture."""
    return (
        sound.filter("aresample", RATE, **{"async": 1}, first_pts=0)
        .filter("apad", whole_dur=f"{plan.duration:.6f}")
        .filter("atrim", end=f"{plan.duration:.6f}")
    )


def _metered(sound: Any) -> Any:
    return sound.filter("ebur128", peak="true", framelog="quiet").output("-", format="null")


def _loudness(said: str) -> Loudness:
    integrated = re.findall(r"I:\s+(\S+) LUFS", said)
    peak = re.findall(r"Peak:\s+(\S+) dBFS", said)
    if not integrated or not peak:
        raise FfmpegFailed(0, said)
    return Loudness(float(integrated[-1]), float(peak[-1]))


class _Level(NamedTuple):
    """Of one channel, in dBFS, and the share of its samples within 1 dB of the highest value there is."""

    mean: float
    at_the_top: float

    @classmethod
    def read(cls, said: str, name: str) -> "_Level":
        lines = "\n".join(re.findall(rf"\[volumedetect@{name} @ .*", said))
        mean, top = re.search(r"mean_volume: (\S+) dB", lines), re.search(r"histogram_0db: (\d+)", lines)
        if not mean:
            raise FfmpegFailed(0, said)
        count = int(re.findall(r"n_samples: (\d+)", lines)[-1])
        return cls(float(mean[1]), int(top[1]) / count if top else 0.0)


class Passes:
    """The runs over the sound, counted together."""

    def __init__(
        self,
        tools: Tools,
        source: Path,
        out: Path,
        timeout: float,
        duration: int,
        on_progress: Callable[[int], None] | None = None,
    ) -> None:
        self._tools = tools
        self._source = source
        self._out = out
        self._timeout = timeout
        self._duration = duration
        self._report = on_progress or (lambda _: None)
        self._before = 0

    async def decode(self, plan: EncodePlan, ear: Ear, until: float | None = None) -> Sound:
        """The sound on scratch, as `decoding_args`; `ear` hears what its decoder complains of."""
        path = self._out / "sound.mkv"
        await self._run(decoding_args(self._source, plan, path, until), Ear.LEVEL, ear.hear)
        return Sound.decoded(path)

    async def measure_source(self, sound: Sound, plan: EncodePlan) -> Heard:
        whole = sound.opened().filter_multi_output("asplit", 1 + len(_LISTENED))
        # In whole numbers: what goes beyond the highest becomes it.
        levels = [
            whole[number]
            .filter("pan", f"mono|c0<{channels}")  # "<" makes it a mean
            .filter("volume", gain, precision="float")
            .filter(f"volumedetect@{name}")
            .output("-", format="null")
            for number, (name, (channels, gain)) in enumerate(_LISTENED.items(), 1)
        ]
        meter = _metered(aligned(whole[0], plan))
        args = ffmpeg.merge_outputs(meter, *levels).get_args()
        lines: list[str] = []

        def on_said(line: str) -> None:
            if any(word in line for word in ("LUFS", "dBFS", "volumedetect@")):
                lines.append(line)

        await self._run([*sound.clock, *args], "info", on_said)
        said = "\n".join(lines)
        left, right, one = (_Level.read(said, name) for name in _LISTENED)
        top = one.at_the_top if left == right else max(left.at_the_top, right.at_the_top)
        return Heard(_loudness(said), left.mean, right.mean, top)

    async def measure(self, sound: Any, clock: Sequence[str] = ()) -> Loudness:
        """`clock`: that of the `Sound` it is made of."""
        return _loudness(await self._run([*clock, *_metered(sound).get_args()], "info"))

    async def encode(self, source: Sound, sound: Any, rendition: SoundTrack) -> None:
        """Into the folder of the rendition's name, which is there."""
        folder = self._out / rendition.name
        options = {
            "c:a": "aac",
            "b:a": rendition.bitrate,
            "profile:a": "aac_low",
            "avoid_negative_ts": "disabled",
            "format": "hls",
            "hls_time": SEGMENT_SECONDS,
            "hls_playlist_type": "vod",
            "hls_segment_type": "fmp4",
            "hls_fmp4_init_filename": "init.mp4",
            "hls_segment_filename": str(folder / "s%05d.m4s"),
        }
        args = sound.output(str(folder / "media.m3u8"), **options).get_args()
        await self._run([*source.clock, *args], "error")

    async def _run(
        self, args: list[str], log_level: str, on_said: Callable[[str], None] | None = None
    ) -> str:
        said = await run_ffmpeg(
            self._tools,
            args,
            timeout=self._timeout,
            reads=[self._source],
            writes=[self._out],
            on_progress=self._advance,
            on_said=on_said,
            log_level=log_level,
        )
        self._before += self._duration
        self._report(self._before)
        return said

    def _advance(self, progress: Progress) -> None:
        self._report(self._before + min(progress.out_time_us // 1000, self._duration))
