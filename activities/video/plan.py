"""From what was found in the source to how it will be encoded. Pure."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import count
from math import ceil, floor, sqrt

from activities.video.audible import Kept
from activities.video.probe import SourceInfo
from contracts.video import SHORTEST, EncodePlan, LadderName, Rung, SoundTrack, SourceRef

# Frame rates that players and televisions know.
_STANDARD = [
    Fraction(24000, 1001),
    Fraction(24),
    Fraction(25),
    Fraction(30000, 1001),
    Fraction(30),
    Fraction(50),
    Fraction(60000, 1001),
    Fraction(60),
]
_SLOW = [Fraction(5), Fraction(15, 2), Fraction(10), Fraction(25, 2), Fraction(15000, 1001), Fraction(15)]
_SLOWEST = 5  # frames a second of slides
# By the short side, in lines. `standard` is what the academy's producers and players know; `fine` has steps
# of two between the rates of neighbours, and takes more work (decision 68).
LADDERS: dict[LadderName, tuple[int, ...]] = {
    "standard": (360, 720, 1080),
    "fine": (240, 360, 540, 720, 1080),
}
_SMALLER = 240  # joins where a source would have one size only
# Pixels → highest bit/s: the H.264 rates of Apple's "HLS Authoring Specification for Apple Devices"
# (higher row of each size), with straight lines between. CRF sets the quality; these cap motion.
_BITRATES = (
    (416 * 234, 365_000),
    (768 * 432, 1_100_000),
    (960 * 540, 2_000_000),
    (1280 * 720, 4_500_000),
    (1920 * 1080, 7_800_000),
)
_MAX_PIXELS = 1920 * 1080  # wider pictures shrink: the same specification stops at H.264 level 4.2
_UNIT_SEGMENTS, _MAX_UNIT_SEGMENTS = 2, 15
_UNITS = 32  # of a long lecture, until a unit lasts a minute: enough for many slots, few to begin anew
AUDIO = "audio"  # name of the first rendition of sound; others have a number behind it
_AAC_FRAMES = Fraction(48_000, 1024)  # a second
_HELD_AUDIO = 0.5  # sound that outlasts the picture by more than this is kept: the last frame is held


def make_plan(
    info: SourceInfo,
    source: SourceRef,
    *,
    prefix: str,
    encoder: str,
    remux: bool = False,
    sizes: Sequence[int] = LADDERS["standard"],
) -> EncodePlan:
    """The plan for one version. `info` describes the file that is decoded, so the remuxed one if `remux`;
    `sizes` are those of `LADDERS` that are wanted.

    The output's zero is the first picture, or the first sound if that comes clearly earlier.
    """
    if info.video_stream is None:
        return _plan_of_sound(info, source, prefix=prefix, encoder=encoder, remux=remux)
    fps = output_rate(info.frame_rate, info.constant_rate)
    origin = info.video_start
    if info.audio_stream is not None and info.audio_start < info.video_start - 0.1:
        origin = info.audio_start
    picture = max(1, round((info.video_end - origin) * fps))
    total = picture
    if info.audio_stream is not None and info.audio_end > info.video_end + _HELD_AUDIO:
        total = max(picture, ceil((info.audio_end - origin) * fps))
    gop = round(2 * fps)
    return EncodePlan(
        source=source,
        remux=remux,
        prefix=prefix,
        encoder=encoder,
        fps_num=fps.numerator,
        fps_den=fps.denominator,
        total_frames=total,
        picture_frames=picture,
        gop_frames=gop,
        segment_frames=2 * gop,
        unit_segments=_unit_segments(total, 2 * gop, fps, info.max_keyframe_gap),
        preroll=max(2.0, info.max_frame_gap + 1.0),
        rungs=ladder(info.width, info.height, sizes),
        has_audio=info.audio_stream is not None,
        keyframe_gap=info.max_keyframe_gap,
        video_stream=info.video_stream,
        audio_stream=info.audio_stream or 0,
        sounds=_sounds(info.sounds) if len(info.sounds) > 1 else [],
        origin=origin,
        interlaced=info.interlaced,
        rotated=info.rotated,
        frame_width=info.frame_width,
        frame_height=info.frame_height,
        colour=info.colour,
    )


def _plan_of_sound(
    info: SourceInfo, source: SourceRef, *, prefix: str, encoder: str, remux: bool
) -> EncodePlan:
    """Of a recording of sound, in frames of AAC. One sound alone has a second rendition of half the bytes."""
    origin = max(0.0, info.audio_start)
    gop = ceil(2 * _AAC_FRAMES)
    sounds = _sounds(info.sounds)
    if len(sounds) == 1:
        small = sounds[0].model_copy(update={"name": f"{AUDIO}64", "bitrate": 64_000})
        sounds.append(small)
    return EncodePlan(
        source=source,
        remux=remux,
        prefix=prefix,
        encoder=encoder,
        fps_num=_AAC_FRAMES.numerator,
        fps_den=_AAC_FRAMES.denominator,
        # Players want a second at least.
        total_frames=ceil(max(SHORTEST, info.audio_end - origin) * _AAC_FRAMES),
        gop_frames=gop,
        segment_frames=2 * gop,
        unit_segments=_UNIT_SEGMENTS,
        rungs=[],
        has_audio=True,
        audio_stream=info.audio_stream or 0,
        sounds=sounds,
        origin=origin,
    )


def _sounds(kept: Sequence[Kept]) -> list[SoundTrack]:
    return [
        SoundTrack(
            name=f"{AUDIO}{number if number > 1 else ''}",
            stream=each.stream,
            language=each.language,
            label=each.label,
        )
        for number, each in enumerate(kept, 1)
    ]


def _unit_segments(total: int, segment: int, fps: Fraction, keyframe_gap: float) -> int:
    """Every unit decodes from a keyframe before it: far apart keyframes and long lectures ask for fewer,
    longer units. A tail that is too short for a segment joins the one before, so it must not be a unit
    alone."""
    least = max(_UNIT_SEGMENTS, ceil(keyframe_gap * fps / segment), total // (segment * _UNITS))
    least = min(least, _MAX_UNIT_SEGMENTS)
    segments, tail = divmod(total, segment)
    if not 0 < tail < SHORTEST * fps or not segments:
        return least
    return next(size for size in count(least) if segments % size)


def output_rate(rate: float, constant: bool) -> Fraction:
    """A whole or half number or its 1000/1001 within 0.05 %, else a standard rate within 0.5 %, else a
    constant rate's own; 5 to 60.

    A variable rate takes the smallest standard rate that is not below it, at most 30; a slow one its own.
    """
    if not constant:
        nearest = min((*_SLOW, *_STANDARD[:5]), key=lambda std: abs(std - rate))
        if abs(nearest - rate) <= rate * 0.0005:
            return nearest
        return next((std for std in _STANDARD[:5] if std >= rate * 0.995), Fraction(30))
    if rate > 60.5:
        rate /= ceil(rate / 60.5)
    if rate < _SLOWEST:
        rate *= ceil(_SLOWEST / rate)
    whole = Fraction(round(2 * rate), 2)
    exact = min(whole, whole * Fraction(1000, 1001), key=lambda each: abs(each - rate))
    if abs(exact - rate) <= rate * 0.0005:
        return exact
    nearest = min(_STANDARD, key=lambda std: abs(std - rate))
    if abs(nearest - rate) <= rate * 0.005:
        return nearest
    return Fraction(round(rate, 2)).limit_denominator(100)


def ladder(width: int, height: int, wanted: Sequence[int] = LADDERS["standard"]) -> list[Rung]:
    """Renditions by the short side, smallest first; never larger than the source.

    The wanted sizes, and the source's own where it is well above the last of them; 240 joins when there
    would be one only. A source below the smallest keeps its size.
    """
    short = min(width, height)
    sizes = [size for size in wanted if size <= short] or [short]
    if sizes[-1] < wanted[-1] and short >= sizes[-1] * 1.25:
        sizes.append(short)
    if short > _SMALLER and sizes[0] > _SMALLER and len(sizes) == 1 and short >= wanted[0]:
        sizes.insert(0, _SMALLER)
    rungs = [_rung(width, height, size / short) for size in sizes]
    return list({rung.name: rung for rung in rungs}.values())


def _rung(width: int, height: int, scale: float) -> Rung:
    scale = min(scale, sqrt(_MAX_PIXELS / (width * height)))
    wide, high = (max(2, min(2 * round(side * scale / 2), side - side % 2)) for side in (width, height))
    return rung_of(wide, high)


def rung_of(width: int, height: int) -> Rung:
    """The rendition of a size."""
    return Rung(
        name=f"{min(width, height)}p", width=width, height=height, max_bitrate=_max_bitrate(width * height)
    )


def _max_bitrate(pixels: int) -> int:
    low = _BITRATES[0]
    for high in _BITRATES:
        if pixels <= high[0]:
            break
        low = high
    span = max(1, high[0] - low[0])
    share = min(1.0, max(0.0, (pixels - low[0]) / span))
    return floor(low[1] + (high[1] - low[1]) * share)
