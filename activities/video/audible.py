"""Which of several sound streams is the lecture's: recorders write one for each source, and the first of them
may be a microphone that was off."""

import re
from pathlib import Path
from typing import Any

import ffmpeg

from activities.video.ffmpeg import SOURCE, FfmpegFailed, Tools, run_ffmpeg

_MUTE = -60.0  # dBFS of the loudest sample
_LOOK = 60.0  # seconds that tell of most streams that they are not mute


async def first_audible(
    tools: Tools, path: Path, streams: list[dict[str, Any]], timeout: float
) -> dict[str, Any] | None:
    """The first stream in which there is something to hear, from end to end; the first of all where there is
    in none. A single one is not listened to. Raises FfmpegTimedOut, HostTrouble."""
    if len(streams) > 1:
        for stream in streams:
            for seconds in (_LOOK, None):
                if await _loudest(tools, path, stream["index"], seconds, timeout) > _MUTE:
                    return stream
    return next(iter(streams), None)


async def _loudest(tools: Tools, path: Path, stream: int, seconds: float | None, timeout: float) -> float:
    """dBFS; as silence where it cannot be decoded."""
    options = SOURCE if seconds is None else {**SOURCE, "t": seconds}
    heard = ffmpeg.input(f"file:{path}", threads=1, **options)[str(stream)].filter("volumedetect")
    args = heard.output("-", format="null").get_args()
    try:
        said = await run_ffmpeg(tools, args, timeout=timeout, reads=[path], log_level="info")
    except FfmpegFailed as error:
        if error.code < 0:
            raise
        return _MUTE
    found = re.search(r"max_volume: (-?[\d.]+) dB", said)
    return float(found[1]) if found else _MUTE
