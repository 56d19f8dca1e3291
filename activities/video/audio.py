"""The renditions of sound: each encoded once, in full, in sync with the picture and at an even loudness.

Target: -16 LUFS and at most -1 dBTP, measured (EBU R 128) on what was written, not on what was meant.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Any

import ffmpeg

from activities.video.damage import Ear
from activities.video.ffmpeg import FfmpegFailed, Tools
from activities.video.media_files import TrackFiles, join_tail, media_file
from activities.video.probe import MediaError
from activities.video.sound import RATE, Sound
from activities.video.sound_passes import PEAK, TARGET, Heard, Loudness, Passes, aligned
from contracts import errors
from contracts.video import SHORTEST, EncodePlan, SoundTrack, SoundWarning
from rules.fmp4 import BadSegment, read_fragment, read_init

PRIMING = 1024  # samples that ffmpeg's AAC encoder puts before the sound; also the length of its frames
_CEILING = -2.0  # dBFS, of the limiter; the rest up to PEAK is for what AAC adds
_MAX_GAIN = 30.0  # dB; more only lifts the noise of an empty room
SILENCE = -69.0  # LUFS; ebur128 says -70 when nothing passes its gate
_TRIES = 3
_FAR = 6.0  # LU below the target, whatever kept it there: peaks, a constant voltage
_INAUDIBLE = -60.0  # dBTP
_CLIPPED = 0.02  # of all samples within 1 dB of the highest; well-levelled speech has next to none
_BOTH_EARS = 3.0  # LU that it gains by being on both


@dataclass(frozen=True)
class AudioOutput:
    """The files, what was measured on them (LUFS, dBTP), and why that misses the target, if it does.
    `troubled`: the source's decoder complained."""

    track: TrackFiles
    stream: int
    loudness: float
    true_peak: float
    exception: str | None
    warnings: list[SoundWarning]
    troubled: bool
    too_quiet: bool


async def encode_audio(
    tools: Tools,
    source: Path,
    plan: EncodePlan,
    out: Path,
    *,
    timeout: float,
    on_progress: Callable[[int], None] | None = None,
) -> list[AudioOutput]:
    """Write `out/{name}/init.mp4` and `out/{name}/s00000.m4s`… of each of the plan's renditions: AAC-LC,
    stereo, 48 kHz.

    `timeout` bounds each pass. `on_progress` gets a growing count of milliseconds of sound handled,
    over all passes. Raises MediaError(DECODE_FAILED), FfmpegFailed, BadSegment.
    """
    passes = Passes(tools, source, out, timeout, round(plan.duration * 1000), on_progress)
    outputs = []
    for stream, renditions in groupby(plan.sound_renditions, key=lambda each: each.stream):
        of_stream = plan.model_copy(update={"audio_stream": stream})
        ear = Ear()
        try:
            decoded = not plan.remux
            sound = await passes.decode(of_stream, ear) if decoded else Sound.remuxed(source, of_stream)
            heard = await passes.measure_source(sound, plan)
        except FfmpegFailed as error:
            if error.code < 0:
                raise
            raise MediaError(errors.DECODE_FAILED, f"audio: {error}") from error
        for rendition in renditions:
            outputs.append(await _written(passes, sound, heard, plan, rendition, out, ear.troubled))
    return outputs


async def _written(
    passes: Passes,
    sound: Sound,
    heard: Heard,
    plan: EncodePlan,
    rendition: SoundTrack,
    out: Path,
    troubled: bool,
) -> AudioOutput:
    """Encoded, and again with what was missing from the target, until that is met or cannot be."""
    (out / rendition.name).mkdir(parents=True, exist_ok=True)
    loudness = heard.loudness.integrated + (_BOTH_EARS if heard.ear else 0.0)
    silent = loudness <= SILENCE
    gain = 0.0 if silent else min(TARGET - loudness, _MAX_GAIN)
    too_quiet = gain == _MAX_GAIN
    ceiling = _CEILING
    for _ in range(_TRIES):
        limited = heard.loudness.true_peak + gain > ceiling
        whole = _in_both_ears(aligned(sound.opened(), plan), heard.ear)
        await passes.encode(sound, _levelled(whole, gain, ceiling if limited else None), rendition)
        written = await passes.measure(
            ffmpeg.input(str(out / rendition.name / "media.m3u8"), format="hls")["a"]
        )
        if silent or written.on_target:
            break
        gain = min(gain + TARGET - written.integrated, _MAX_GAIN)
        ceiling -= max(0.0, written.true_peak - PEAK + 0.2)
    track = await asyncio.to_thread(accepted, out, plan, rendition.name)
    exception = _exception(written, silent, gain)
    too_quiet = too_quiet or (not silent and written.integrated < TARGET - _FAR)
    return AudioOutput(track, rendition.stream, *written, exception, _warnings(heard), troubled, too_quiet)


def _warnings(heard: Heard) -> list[SoundWarning]:
    """Of the source: nothing to hear from end to end, or so loud that the tops of its waves are cut."""
    if heard.loudness.integrated <= SILENCE and heard.loudness.true_peak <= _INAUDIBLE:
        return [SoundWarning.SILENT]
    return [SoundWarning.CLIPPED] if heard.at_the_top >= _CLIPPED else []


def _exception(written: Loudness, silent: bool, gain: float) -> str | None:
    if written.on_target:
        return None
    if silent:
        return "silent, or too short to measure"
    return "too quiet to lift" if gain >= _MAX_GAIN else "peaks too high for the target"


def _in_both_ears(sound: Any, ear: str | None) -> Any:
    return sound.filter("pan", f"stereo|c0<{ear}|c1<{ear}") if ear else sound


def levelled(sound: Any, gain: float) -> Any:
    """Louder by so many dB and limited, in a quarter of the time: peaks between samples are not seen."""
    return _primed(_limited(sound.filter("volume", f"{gain:.2f}dB"), _CEILING))


def _levelled(sound: Any, gain: float, ceiling: float | None) -> Any:
    sound = sound.filter("volume", f"{gain:.2f}dB")
    if ceiling is not None:  # at four times the rate, so that it sees peaks between samples
        sound = _limited(sound.filter("aresample", 4 * RATE), ceiling).filter("aresample", RATE)
    return _primed(sound)


def _limited(sound: Any, ceiling: float) -> Any:
    limit = f"{10 ** (ceiling / 20):.5f}"
    return sound.filter("alimiter", limit=limit, attack=5, release=50, level=0, latency=1)


def _primed(sound: Any) -> Any:
    # The encoder's priming takes the place of the first samples: everything after is in sync without
    # an edit list, which not every player reads.
    return sound.filter("atrim", start_sample=PRIMING)


def accepted(out: Path, plan: EncodePlan, name: str) -> TrackFiles:
    """The rendition of this name, believed only when it begins at 0, has no gap and lasts as long as the plan
    says. Raises BadSegment."""
    folder = out / name
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
    return TrackFiles(name, init.codec, media_file(out, folder / "init.mp4"), segments)
