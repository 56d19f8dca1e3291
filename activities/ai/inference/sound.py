"""Where in a film somebody speaks, by loudness alone, and that piece of the sound as a file."""

import re
from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import NamedTuple

import ffmpeg

from activities.ai.sandbox.task import BadInput
from activities.video.ffmpeg import SOURCE, Tools, run, run_ffmpeg
from contracts.errors import NO_SOUND

RATE = 16_000  # what speech models take
SILENCE = 0.3  # seconds: shorter pauses are inside of words
BELOW_MEAN = 20.0  # dB under the mean level; a fixed threshold would drop quiet recordings
LOUDEST, QUIETEST = -30.0, -70.0  # dB, bounds of the threshold
SKIPPED = 2.0  # seconds: longer silences are not sent to a model
MARGIN = 0.2  # seconds of silence kept around speech, or first and last consonants are lost
CHUNK = 60.0  # seconds
_MARK = re.compile(r"lavfi\.silence_(start|end)=(\S+)")
_MEAN = re.compile(r"mean_volume: (\S+) dB")


class Span(NamedTuple):
    """Seconds from the start of the file."""

    start: float
    end: float


async def spoken(tools: Tools, source: Path, timeout: float) -> tuple[list[Span], float]:
    """Pieces of at most CHUNK seconds that begin and end in silence where there is one, and the duration.

    Raises BadInput NO_SOUND, FfmpegFailed.
    """
    streams: list[str] = []
    options = [word for name, value in SOURCE.items() for word in (f"-{name}", str(value))]
    ask = ["-v", "error", *options, "-select_streams", "a", "-show_entries", "stream=index", "-of", "csv=p=0"]
    await run(
        [tools.ffprobe, *ask, f"file:{source}"], timeout=timeout, reads=[source], on_line=streams.append
    )
    if not streams:
        raise BadInput(NO_SOUND)
    level = _sound(source).filter("volumedetect").output("-", format="null")
    said = await run_ffmpeg(tools, level.get_args(), timeout=timeout, reads=[source], log_level="info")
    mean = _MEAN.search(said)
    if not mean or float(mean[1]) <= QUIETEST:
        raise BadInput(NO_SOUND)
    threshold = min(max(float(mean[1]) - BELOW_MEAN, QUIETEST), LOUDEST)
    silences, duration = await _silences(tools, source, threshold, timeout)
    return chunks(silences, duration), duration


async def cut(tools: Tools, source: Path, span: Span, path: Path, *, timeout: float) -> None:
    """Write a piece of the sound as FLAC, one channel."""
    length = span.end - span.start
    sound = _sound(source, ss=f"{span.start:.3f}", t=f"{length:.3f}")
    await run_ffmpeg(
        tools,
        sound.output(f"file:{path}", ac=1, ar=RATE, format="flac").get_args(),
        timeout=timeout,
        reads=[source],
        writes=[path.parent],
    )


def chunks(silences: Sequence[Span], duration: float) -> list[Span]:
    """What lies between silences, joined to pieces of at most CHUNK seconds. Sound without a pause for longer
    than that is cut into equal parts."""
    pieces: list[Span] = []
    for start, end in _between(silences, duration):
        if pieces and start - pieces[-1].end <= SKIPPED and end - pieces[-1].start <= CHUNK:
            pieces[-1] = Span(pieces[-1].start, end)
            continue
        parts = ceil((end - start) / CHUNK)
        length = (end - start) / parts
        pieces += [Span(start + length * n, start + length * (n + 1)) for n in range(parts)]
    return pieces


def _between(silences: Sequence[Span], duration: float) -> list[Span]:
    ends = [0.0, *(silence.end for silence in silences)]
    starts = [*(silence.start for silence in silences), duration]
    return [
        Span(max(0.0, start - MARGIN), min(duration, end + MARGIN))
        for start, end in zip(ends, starts, strict=True)
        if end - start > 0
    ]


def _sound(source: Path, **options: str) -> ffmpeg.Stream:
    return ffmpeg.input(f"file:{source}", threads=1, **options, **SOURCE)["a:0"]


async def _silences(tools: Tools, source: Path, threshold: float, timeout: float) -> tuple[list[Span], float]:
    found: list[Span] = []
    open_since: float | None = None
    duration = 0.0

    def on_line(line: str) -> None:
        nonlocal open_since, duration
        name, _, value = line.strip().partition("=")
        if name == "out_time_us" and value.isdigit():
            duration = max(duration, int(value) / 1e6)
        if mark := _MARK.match(line):
            if mark[1] == "start":
                open_since = max(0.0, float(mark[2]))
            elif open_since is not None:
                found.append(Span(open_since, float(mark[2])))
                open_since = None

    marked = (
        _sound(source)
        .filter("silencedetect", noise=f"{threshold}dB", d=SILENCE)
        .filter("ametadata", mode="print", file="-")
    )
    args = ["-hide_banner", "-nostdin", "-v", "error", "-nostats", "-progress", "pipe:1"]
    args += marked.output("-", format="null").get_args()
    await run([tools.ffmpeg, *args], timeout=timeout, reads=[source], on_line=on_line)
    if open_since is not None:
        found.append(Span(open_since, max(duration, open_since)))
    return found, duration
