"""The audio rendition: encoded once, in full, in sync with the picture and at an even loudness.

Target: -16 LUFS and at most -1 dBTP, measured (EBU R 128) on what was written, not on what was meant.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import sqrt
from pathlib import Path
from typing import Any, NamedTuple

import ffmpeg

from activities.video.damage import Ear
from activities.video.ffmpeg import FfmpegFailed, Progress, Tools, run_ffmpeg
from activities.video.fmp4 import (
    SHORTEST,
    BadSegment,
    TrackFiles,
    join_tail,
    media_file,
    read_fragment,
    read_init,
)
from activities.video.probe import MediaError
from activities.video.sound import RATE, Sound, decoding_args
from contracts import errors
from contracts.video import EncodePlan, SoundWarning

NAME = "audio"
PRIMING = 1024  # samples that ffmpeg's AAC encoder puts before the sound; also the length of its frames
SEGMENT_SECONDS = 4
TARGET, TOLERANCE, PEAK = -16.0, 1.0, -1.0
_CEILING = -2.0  # dBFS, of the limiter; the rest up to PEAK is for what AAC adds
_MAX_GAIN = 30.0  # dB; more only lifts the noise of an empty room
_SILENCE = -69.0  # LUFS; ebur128 says -70 when nothing passes its gate
_TRIES = 3
_FAR = 6.0  # LU below the target, whatever kept it there: peaks, a constant voltage
_INAUDIBLE = -60.0  # dBTP
_CLIPPED = 0.02  # of all samples within 1 dB of the highest; well-levelled speech has next to none
_ONE_EAR = 20.0  # dB between the channels from end to end: nobody records so, a plug in the wrong hole does
_BOTH_EARS = 3.0  # LU that it gains by being on both
# A single channel became two by losing 3 dB each.
_LISTENED = {"left": ("c0", 1.0), "right": ("c1", 1.0), "one": ("c0+c1", sqrt(2))}


class Loudness(NamedTuple):
    """Integrated loudness in LUFS and true peak in dBTP."""

    integrated: float
    true_peak: float

    @property
    def on_target(self) -> bool:
        return abs(self.integrated - TARGET) <= TOLERANCE and self.true_peak <= PEAK


@dataclass(frozen=True)
class AudioOutput:
    """The files, what was measured on them (LUFS, dBTP), and why that misses the target, if it does.
    `troubled`: the source's decoder complained."""

    track: TrackFiles
    loudness: float
    true_peak: float
    exception: str | None
    warnings: list[SoundWarning]
    troubled: bool
    too_quiet: bool


class _Heard(NamedTuple):
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


async def encode_audio(
    tools: Tools,
    source: Path,
    plan: EncodePlan,
    out: Path,
    *,
    timeout: float,
    on_progress: Callable[[int], None] | None = None,
) -> AudioOutput:
    """Write `out/audio/init.mp4` and `out/audio/s00000.m4s`…: AAC-LC, stereo, 48 kHz, 128 kbit/s.

    `timeout` bounds each pass. `on_progress` gets a growing count of milliseconds of sound handled,
    over all passes. Raises MediaError(DECODE_FAILED), FfmpegFailed, BadSegment.
    """
    (out / NAME).mkdir(parents=True, exist_ok=True)
    passes = _Passes(tools, source, out, timeout, round(plan.duration * 1000), on_progress)
    ear = Ear()
    try:
        sound = Sound.remuxed(source, plan) if plan.remux else await passes.decode(plan, ear)
        heard = await passes.measure_source(sound, plan)
    except FfmpegFailed as error:
        if error.code < 0:
            raise
        raise MediaError(errors.DECODE_FAILED, f"audio: {error}") from error
    loudness = heard.loudness.integrated + (_BOTH_EARS if heard.ear else 0.0)
    silent = loudness <= _SILENCE
    gain = 0.0 if silent else min(TARGET - loudness, _MAX_GAIN)
    too_quiet = gain == _MAX_GAIN
    ceiling = _CEILING
    for _ in range(_TRIES):
        limited = heard.loudness.true_peak + gain > ceiling
        aligned = _in_both_ears(_aligned(sound.opened(), plan), heard.ear)
        await passes.encode(sound, _levelled(aligned, gain, ceiling if limited else None), out)
        written = await passes.measure(ffmpeg.input(str(out / NAME / "media.m3u8"), format="hls")["a"])
        if silent or written.on_target:
            break
        gain = min(gain + TARGET - written.integrated, _MAX_GAIN)
        ceiling -= max(0.0, written.true_peak - PEAK + 0.2)
    track = await asyncio.to_thread(_accept, out, plan)
    exception = _exception(written, silent, gain)
    too_quiet = too_quiet or (not silent and written.integrated < TARGET - _FAR)
    return AudioOutput(track, *written, exception, _warnings(heard), ear.troubled, too_quiet)


def _warnings(heard: _Heard) -> list[SoundWarning]:
    """Of the source: nothing to hear from end to end, or so loud that the tops of its waves are cut."""
    if heard.loudness.integrated <= _SILENCE and heard.loudness.true_peak <= _INAUDIBLE:
        return [SoundWarning.SILENT]
    return [SoundWarning.CLIPPED] if heard.at_the_top >= _CLIPPED else []


def _exception(written: Loudness, silent: bool, gain: float) -> str | None:
    if written.on_target:
        return None
    if silent:
        return "silent, or too short to measure"
    return "too quiet to lift" if gain >= _MAX_GAIN else "peaks too high for the target"


def _aligned(sound: Any, plan: EncodePlan) -> Any:
    """The sound on the output's timeline: gaps filled, starting at 0 and as long as the picture."""
    return (
        sound.filter("aresample", RATE, **{"async": 1}, first_pts=0)
        .filter("apad", whole_dur=f"{plan.duration:.6f}")
        .filter("atrim", end=f"{plan.duration:.6f}")
    )


def _in_both_ears(sound: Any, ear: str | None) -> Any:
    return sound.filter("pan", f"stereo|c0<{ear}|c1<{ear}") if ear else sound


def _levelled(sound: Any, gain: float, ceiling: float | None) -> Any:
    sound = sound.filter("volume", f"{gain:.2f}dB")
    if ceiling is not None:  # at four times the rate, so that it sees peaks between samples
        sound = sound.filter("aresample", 4 * RATE).filter(
            "alimiter", limit=f"{10 ** (ceiling / 20):.5f}", attack=5, release=50, level=0, latency=1
        )
        sound = sound.filter("aresample", RATE)
    # The encoder's priming takes the place of the first samples: everything after is in sync without
    # an edit list, which not every player reads.
    return sound.filter("atrim", start_sample=PRIMING)


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


class _Passes:
    """The runs over the sound, counted together."""

    def __init__(
        self,
        tools: Tools,
        source: Path,
        out: Path,
        timeout: float,
        duration: int,
        on_progress: Callable[[int], None] | None,
    ) -> None:
        self._tools = tools
        self._source = source
        self._out = out
        self._timeout = timeout
        self._duration = duration
        self._report = on_progress or (lambda _: None)
        self._before = 0

    async def decode(self, plan: EncodePlan, ear: Ear) -> Sound:
        """The sound on scratch; `ear` hears what its decoder complains of."""
        path = self._out / "sound.mkv"
        await self._run(decoding_args(self._source, plan, path), Ear.LEVEL, ear.hear)
        return Sound.decoded(path)

    async def measure_source(self, sound: Sound, plan: EncodePlan) -> _Heard:
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
        meter = _metered(_aligned(whole[0], plan))
        args = ffmpeg.merge_outputs(meter, *levels).get_args()
        lines: list[str] = []

        def on_said(line: str) -> None:
            if any(word in line for word in ("LUFS", "dBFS", "volumedetect@")):
                lines.append(line)

        await self._run([*sound.clock, *args], "info", on_said)
        said = "\n".join(lines)
        left, right, one = (_Level.read(said, name) for name in _LISTENED)
        top = one.at_the_top if left == right else max(left.at_the_top, right.at_the_top)
        return _Heard(_loudness(said), left.mean, right.mean, top)

    async def measure(self, sound: Any) -> Loudness:
        return _loudness(await self._run(_metered(sound).get_args(), "info"))

    async def encode(self, source: Sound, sound: Any, out: Path) -> None:
        options = {
            "c:a": "aac",
            "b:a": "128k",
            "profile:a": "aac_low",
            "avoid_negative_ts": "disabled",
            "format": "hls",
            "hls_time": SEGMENT_SECONDS,
            "hls_playlist_type": "vod",
            "hls_segment_type": "fmp4",
            "hls_fmp4_init_filename": "init.mp4",
            "hls_segment_filename": str(out / NAME / "s%05d.m4s"),
        }
        args = sound.output(str(out / NAME / "media.m3u8"), **options).get_args()
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


def _accept(out: Path, plan: EncodePlan) -> TrackFiles:
    """What was written, believed only when it begins at 0, has no gap and lasts as long as the picture."""
    folder = out / NAME
    (folder / "media.m3u8").unlink()
    init = read_init((folder / "init.mp4").read_bytes())
    segments, end = [], 0
    paths = sorted(folder.glob("s*.m4s"))
    if len(paths) > 1 and read_fragment(paths[-1].read_bytes(), init).duration < SHORTEST * RATE:
        join_tail(paths[-2], paths.pop())
    for path in paths:
        fragment = read_fragment(path.read_bytes(), init)
        if fragment.start != end or init.timescale != RATE:
            raise BadSegment(f"audio {path.name} starts at {fragment.start}, not {end}")
        # The last frame of all may be cut; whatever else lasts longer than its samples hides a hole.
        if fragment.step not in (PRIMING, fragment.duration) or not (
            0 <= fragment.samples * PRIMING - fragment.duration < PRIMING
        ):
            raise BadSegment(f"audio {path.name}: {fragment.samples} frames for {fragment.duration} samples")
        end += fragment.duration
        segments.append(media_file(out, path, fragment.samples, Fraction(fragment.duration, RATE)))
    if abs(end / RATE - plan.duration) > 3 * PRIMING / RATE:
        raise BadSegment(f"audio lasts {end / RATE:.3f} s, the picture {plan.duration:.3f} s")
    return TrackFiles(NAME, init.codec, media_file(out, folder / "init.mp4"), segments)
