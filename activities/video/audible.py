"""Which of several sound streams are the lecture's: recorders write one for each source, and the first may
be a microphone that was off; a film has one for each language, and perhaps the same sound twice."""

import re
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import ffmpeg

from activities.video.ffmpeg import SOURCE, FfmpegFailed, Tools, run_ffmpeg
from activities.video.languages import label_of, language_of, title_of

MOST = 4  # sounds that are kept; each is encoded in full
_MUTE = -60.0  # dBFS of the loudest sample
_LOOK = 60.0  # seconds that tell of most streams that they are not mute
_COARSE = 8000  # Hz, enough to tell one sound from another
_WINDOW = 0.5  # seconds whose level is compared; codecs that begin some milliseconds apart agree in them
_QUIET = -50.0  # dBFS; what is below says nothing of whose sound it is
_NEAR = (
    2.0  # dB between the levels of the same sound in two codecs, besides that one may be louder throughout
)
_SAME = 0.95  # of the windows: a translation is another sound wherever somebody speaks
_APART = (
    "comment",
    "dub",
    "original",
    "visual_impaired",
    "hearing_impaired",
)  # dispositions: meant to be chosen


class Kept(NamedTuple):
    """A stream by its number, and what players say of it."""

    stream: int
    language: str
    label: str


async def kept_of(tools: Tools, path: Path, streams: list[dict[str, Any]], timeout: float) -> list[Kept]:
    """The first audible one, and those others that are there to be chosen instead: in another language, or
    marked as a commentary and the like. A stream that says nothing of the kind is a recorder's second
    microphone. Left out are mute ones, and those that sound as one that is kept. Empty where there is no
    stream. Raises FfmpegTimedOut, HostTrouble."""
    first = await first_audible(tools, path, streams, timeout)
    if first is None:
        return []
    found, levels = [first], list[list[float]]()
    for stream in streams:
        if stream is first or len(found) == MOST or not _is_another(stream, found):
            continue
        levels = levels or [await _levels(tools, path, first["index"], timeout)]
        heard = await _levels(tools, path, stream["index"], timeout)
        if max(heard, default=_MUTE) > _QUIET and not any(_same(heard, other) for other in levels):
            found.append(stream)
            levels.append(heard)
    kept: list[Kept] = []
    for stream in found:
        tags = stream.get("tags", {})
        language = language_of(tags)
        named = tags if title_of(tags) or language != "und" else {"title": "Audio"}
        kept.append(Kept(stream["index"], language, label_of(named, (each.label for each in kept))))
    return kept


async def first_audible(
    tools: Tools, path: Path, streams: list[dict[str, Any]], timeout: float
) -> dict[str, Any] | None:
    """The first stream in which there is something to hear, from end to end; the first of all where there is
    in none. A single one is not listened to. Raises FfmpegTimedOut, HostTrouble."""
    if len(streams) > 1:
        for stream in streams:
            for seconds in (_LOOK, None):
                loudest = await _loudest(tools, path, stream["index"], seconds, timeout)
                if loudest is not None and loudest > _MUTE:
                    return stream
    return next(iter(streams), None)


async def decodes(tools: Tools, path: Path, stream: int, timeout: float) -> bool:
    """Whether the stream's beginning gives a single sample. Raises FfmpegTimedOut, HostTrouble."""
    return await _loudest(tools, path, stream, _LOOK, timeout) is not None


def _is_another(stream: dict[str, Any], found: list[dict[str, Any]]) -> bool:
    tags, disposition = stream.get("tags", {}), stream.get("disposition", {})
    if any(disposition.get(name) for name in _APART):
        return True
    language = language_of(tags)
    mine = (language, title_of(tags))
    return language != "und" and mine not in [
        (language_of(each.get("tags", {})), title_of(each.get("tags", {}))) for each in found
    ]


def _same(one: list[float], other: list[float]) -> bool:
    """Whether two sounds rise and fall alike."""
    pairs = [(a, b) for a, b in zip(one, other, strict=False) if max(a, b) > _QUIET]
    if not pairs:
        return False
    apart = [a - b for a, b in pairs]
    middle = median(apart)
    return sum(abs(each - middle) < _NEAR for each in apart) >= _SAME * len(pairs)


async def _levels(tools: Tools, path: Path, stream: int, timeout: float) -> list[float]:
    """dBFS of each window; none where it cannot be decoded."""
    levels: list[float] = []

    def on_said(line: str) -> None:
        if found := re.search(r"RMS_level=(-?[\d.]+|-?inf|nan)", line):
            levels.append(max(2 * _MUTE, float(found[1])) if found[1][-1].isdigit() else 2 * _MUTE)

    sound = ffmpeg.input(f"file:{path}", threads=1, **SOURCE)[str(stream)]
    # From the file's beginning, whenever the first packet comes: two sounds are compared by the clock.
    sound = sound.filter("aresample", _COARSE, **{"async": 1}, first_pts=0)
    sound = sound.filter("aformat", channel_layouts="mono").filter("asetnsamples", int(_COARSE * _WINDOW))
    sound = sound.filter(
        "astats", metadata=1, reset=1, measure_perchannel="none", measure_overall="RMS_level"
    )
    sound = sound.filter("ametadata", "print", key="lavfi.astats.Overall.RMS_level")
    try:
        await run_ffmpeg(
            tools,
            sound.output("-", format="null").get_args(),
            timeout=timeout,
            reads=[path],
            on_said=on_said,
            log_level="info",
        )
    except FfmpegFailed as error:
        if error.code < 0:
            raise
        return []
    return levels


async def _loudest(
    tools: Tools, path: Path, stream: int, seconds: float | None, timeout: float
) -> float | None:
    """dBFS; None where it cannot be decoded."""
    options = SOURCE if seconds is None else {**SOURCE, "t": seconds}
    heard = ffmpeg.input(f"file:{path}", threads=1, **options)[str(stream)].filter("volumedetect")
    args = heard.output("-", format="null").get_args()
    try:
        said = await run_ffmpeg(tools, args, timeout=timeout, reads=[path], log_level="info")
    except FfmpegFailed as error:
        if error.code < 0:
            raise
        return None
    found = re.search(r"max_volume: (-?[\d.]+) dB", said)
    return float(found[1]) if found else None
