"""What a source brings along besides picture and sound: tracks of text, as captions, and chapters."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import ffmpeg

from activities.host.stall import STALL
from activities.host.threads import in_thread
from activities.video.ffmpeg import SOURCE, Tools, run_ffmpeg
from activities.video.header import ffprobe
from activities.video.languages import label_of, language_of
from contracts.video import EncodePlan
from rules.captions.cues import MOST_BYTES, CaptionsError, Cue, fitted
from rules.captions.reading import read
from rules.captions.writing import Chapter

MOST_TRACKS = 8
MOST_CHAPTERS = 500
_CODECS = ("mov_text", "subrip", "ass", "ssa", "webvtt", "text")
_ENTRIES = (
    "stream=index,codec_type,codec_name:stream_tags=language,title:format=start_time"
    ":chapter=start_time:chapter_tags=title"
)


class Text(NamedTuple):
    """A track of text, fit to the lecture."""

    language: str
    name: str
    cues: list[Cue]


class Brought(NamedTuple):
    """`unread`: numbers of the streams of text that could not be understood."""

    texts: list[Text]
    chapters: list[Chapter]
    unread: list[int]


NOTHING = Brought([], [], [])


async def take_texts(tools: Tools, source: Path, plan: EncodePlan, out: Path, *, timeout: float) -> Brought:
    """Read tracks of text and chapters of a source that is not remuxed. Writes into `out`. Raises
    FfmpegFailed."""
    lines: list[str] = []
    await ffprobe(tools, source, ["-of", "json", "-show_entries", _ENTRIES], timeout, lines.append)
    head: dict[str, Any] = json.loads("".join(lines))
    streams = [each for each in head.get("streams", ()) if each.get("codec_type") == "subtitle"]
    streams = [each for each in streams if each.get("codec_name") in _CODECS][:MOST_TRACKS]
    paths = {each["index"]: out / f"text-{each['index']}.vtt" for each in streams}
    if streams:
        await _extract(tools, source, plan, paths, timeout)
    origin = float(head.get("format", {}).get("start_time") or 0.0) + plan.origin
    texts: list[Text] = []
    unread: list[int] = []
    for each in streams:
        cues = await in_thread(_cues, paths[each["index"]], origin, plan.duration)
        if cues is None:
            unread.append(each["index"])
        elif cues:
            texts.append(_named(each.get("tags", {}), cues, texts))
    return Brought(texts, _chapters(head.get("chapters", ()), origin, plan.duration), unread)


async def _extract(
    tools: Tools, source: Path, plan: EncodePlan, paths: dict[int, Path], timeout: float
) -> None:
    file = ffmpeg.input(f"file:{source}", threads=1, **SOURCE)
    outputs = [
        ffmpeg.output(file[str(index)], str(path), format="webvtt", **{"c:s": "webvtt"}, fs=MOST_BYTES)
        for index, path in paths.items()
    ]
    whole = ffmpeg.merge_outputs(*outputs) if len(outputs) > 1 else outputs[0]
    # Moved by us: the muxer shifts a track that begins before zero.
    args = ["-copyts", *whole.get_args()]
    await run_ffmpeg(
        tools,
        args,
        timeout=timeout,
        reads=[source],
        writes=[next(iter(paths.values())).parent],
        stall=STALL + plan.duration / 4,  # between two cues it says nothing
    )


def _cues(path: Path, origin: float, duration: float) -> list[Cue] | None:
    """Those that a viewer sees; None where they are not understood."""
    if path.stat().st_size >= MOST_BYTES:
        return None  # cut there
    try:
        (found,) = read(path.read_text())
    except CaptionsError as error:
        return [] if error.problem == "empty" else None
    by = round(origin * 1000)
    moved = [cue._replace(start=cue.start - by, end=cue.end - by) for cue in found.cues]
    shown, _ = fitted(moved, round(duration * 1000))
    return shown


def _named(tags: dict[str, str], cues: list[Cue], others: Sequence[Text]) -> Text:
    label = label_of(tags, (each.name for each in others))
    return Text(language_of(tags), label, cues)


def _chapters(found: Sequence[dict[str, Any]], origin: float, duration: float) -> list[Chapter]:
    """With the lecture's time; those without a title are none, and one that begins before the picture begins
    with it."""
    chapters: list[Chapter] = []
    for each in sorted(found, key=lambda chapter: float(chapter.get("start_time", 0))):
        words = str(each.get("tags", {}).get("title", ""))
        title = "".join(c if c.isprintable() else " " for c in words).strip()[:200]
        start = round(max(0.0, float(each.get("start_time", 0)) - origin), 3)
        if not title or start >= duration:
            continue
        if chapters and start <= chapters[-1].start:
            chapters.pop()
        chapters.append(Chapter(start, title))
    return chapters[:MOST_CHAPTERS]
