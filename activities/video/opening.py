"""The sound of a lecture's first minutes, for who watches while the rest is made.

How loud the whole sound is made is known when all of it was measured; these minutes are as loud as they
themselves ask for, and without the fine points. They lie below the version's `work/`, and go when the lecture
is published. Their segments begin and end where those of the whole do.
"""

import asyncio
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from activities.host.source_cache import Held
from activities.video.audio import SILENCE, accepted, levelled
from activities.video.damage import Ear
from activities.video.ffmpeg import Tools
from activities.video.media_files import TrackFiles
from activities.video.probe import MediaError
from activities.video.sound import Sound
from activities.video.sound_passes import TARGET, Passes, aligned
from activities.video.storing import SegmentStore
from contracts.errors import DECODE_FAILED
from contracts.video import SOUND_OPENINGS, WORK, EncodePlan, SegmentManifest, opening_key

_MAX_GAIN = 20.0  # dB; a quiet beginning is not all there is


def openings(plan: EncodePlan) -> list[float]:
    """Their lengths in seconds, the shortest first. None of what is so short that its whole sound comes soon,
    nor of what has no picture to wait with."""
    if not plan.rungs or not plan.has_audio:
        return []
    return [seconds for seconds in SOUND_OPENINGS if plan.duration > 2 * seconds]


async def store_openings(
    tools: Tools,
    store: SegmentStore,
    source: Held,
    plan: EncodePlan,
    scratch: Path,
    *,
    lengths: list[float],
    timeout: float,
) -> None:
    """Encode and store those of `lengths` that are not there. Raises as `encode_opening` and the store do."""
    for seconds in lengths:
        key = opening_key(plan.prefix, seconds)
        if await store.has(key):
            continue
        with TemporaryDirectory(dir=scratch) as folder:
            out = Path(folder)
            track = await encode_opening(
                tools, source.path, plan, out, seconds=seconds, timeout=timeout, whole=source.whole
            )
            tracks = await store.upload(plan, out, [track])
        await store.write(key, SegmentManifest(encoder=plan.encoder, units=[], tracks=tracks))


async def encode_opening(
    tools: Tools,
    source: Path,
    plan: EncodePlan,
    out: Path,
    *,
    seconds: float,
    timeout: float,
    whole: bool = True,
) -> TrackFiles:
    """Write `out/work/audio/init.mp4` and the whole segments of so many seconds of the plan's first sound. A
    longer one begins with the same bytes. `timeout` bounds each pass. Not `whole`: a source with holes.
    Raises FfmpegFailed, BadSegment, and MediaError where what may be a hole is heard."""
    first = plan.sound_renditions[0]
    opening = _first(plan, seconds).model_copy(update={"audio_stream": first.stream})
    rendition = first.model_copy(update={"name": f"{WORK}{first.name}"})
    (out / rendition.name).mkdir(parents=True)
    passes = Passes(tools, source, out, timeout, round(1000 * opening.duration))
    decoded, ear = not plan.remux, Ear()
    sound = await passes.decode(opening, ear, opening.duration) if decoded else Sound.remuxed(source, opening)
    if ear.troubled and not whole:
        raise MediaError(DECODE_FAILED, "the decoder of the sound complains")
    begins = aligned(sound.opened(), _first(plan, SOUND_OPENINGS[0]))
    loudness = (await passes.measure(begins, sound.clock)).integrated
    gain = 0.0 if loudness <= SILENCE else min(TARGET - loudness, _MAX_GAIN)
    await passes.encode(sound, levelled(aligned(sound.opened(), opening), gain), rendition)
    track = await asyncio.to_thread(accepted, out, opening, rendition.name)
    return replace(track, segments=track.segments[:-1])  # the last one is cut off


def _first(plan: EncodePlan, seconds: float) -> EncodePlan:
    return plan.model_copy(update={"total_frames": int(seconds * plan.fps)})
