"""Captions as WebVTT: the whole, and in segments that a master playlist names (RFC 8216, 3.5 and 4.3.4.1)."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

from rules.captions.cues import Cue

_PATH = re.compile(r'^(#EXT-X-(?:MEDIA|I-FRAME-STREAM-INF):.*URI=")(.*)$|^()([^#\n].*)$', re.MULTILINE)
GROUP = "captions"
SEGMENT = 30_000  # milliseconds; subtitles of a VOD need not have the target duration of the media (6.2.4)
MEDIA, WHOLE = "media.m3u8", "captions.vtt"
# The media begins at 0 on its own clock as well: `tfdt` of the first segment.
_HEAD = "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n"


class Chapter(NamedTuple):
    """`start` in seconds."""

    start: float
    title: str


@dataclass(frozen=True)
class Shown:
    """One language for a player to choose. `uri`: of its playlist, from the master's place."""

    uri: str
    language: str
    name: str
    default: bool = False


def segment_name(number: int) -> str:
    return f"s{number:05d}.vtt"


def names(duration: int) -> list[str]:
    """Of the files of one language."""
    return [*map(segment_name, range(_count(duration))), WHOLE, MEDIA]


def _count(duration: int) -> int:
    return max(1, ceil(duration / SEGMENT))


def files(cues: Sequence[Cue], duration: int) -> dict[str, str]:
    """Everything of one language by its name; `duration` in milliseconds. A cue stands in every segment that
    it reaches into."""
    count = _count(duration)
    parts: list[list[Cue]] = [[] for _ in range(count)]
    for cue in cues:
        for number in range(cue.start // SEGMENT, min(count - 1, (cue.end - 1) // SEGMENT) + 1):
            parts[number].append(cue)
    found = {segment_name(number): f"{_HEAD}\n{_blocks(part)}" for number, part in enumerate(parts)}
    return found | {WHOLE: f"WEBVTT\n\n{_blocks(cues)}", MEDIA: _playlist(duration, count)}


def _blocks(cues: Sequence[Cue]) -> str:
    blocks = (
        f"{clock(cue.start)} --> {clock(cue.end)}{' ' if cue.settings else ''}{cue.settings}\n{cue.text}\n"
        for cue in cues
    )
    return "\n".join(blocks)


def _playlist(duration: int, count: int) -> str:
    lengths = [min(SEGMENT, duration - number * SEGMENT) for number in range(count)]
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{max(1, *(int(length / 1000 + 0.5) for length in lengths))}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
    ]
    for number, length in enumerate(lengths):
        lines += [f"#EXTINF:{length / 1000:.3f},", segment_name(number)]
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""])


def in_master(master: str, captions: Sequence[Shown]) -> str:
    """The master playlist with a group of subtitles, named by every variant. Of names that are the same the
    later ones get a number (Apple's rules want each once)."""
    if not captions:
        return master
    names: list[str] = []
    lines = []
    for each in captions:
        name, again = each.name, 1
        while name in names:
            again += 1
            name = f"{each.name} {again}"
        names.append(name)
        lines.append(
            f'#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="{GROUP}",NAME="{_quoted(name)}",LANGUAGE="{each.language}",'
            f"DEFAULT={_yes(each.default)},AUTOSELECT=YES,FORCED=NO,"
            f'URI="{each.uri}"'
        )
    found = []
    for line in master.split("\n"):
        variant = line.startswith("#EXT-X-STREAM-INF:")
        if lines and (variant or line.startswith("#EXT-X-MEDIA:")):
            found += lines
            lines = []
        found.append(f'{line},SUBTITLES="{GROUP}"' if variant else line)
    return "\n".join(found)


def based(master: str, base: str) -> str:
    """The same playlist one folder up: `base` goes before every path."""
    return _PATH.sub(lambda found: f"{found[1] or ''}{base}{found[2] or found[4]}", master)


def _yes(holds: bool) -> str:
    return "YES" if holds else "NO"


def _quoted(text: str) -> str:
    """A quoted string of a playlist has no quotation mark and no line's end (4.2)."""
    return " ".join(text.replace('"', "'").split())


def chapters_track(chapters: Sequence[Chapter], duration: float) -> str:
    """A WebVTT track of the kind `chapters`."""
    cues = [
        Cue(round(chapter.start * 1000), round(end * 1000), _plain(chapter.title))
        for chapter, end in zip(chapters, _ends(chapters, duration), strict=True)
    ]
    return f"WEBVTT\n\n{_blocks(cues)}"


def chapters_within(chapters: Sequence[Chapter], start: float, end: float) -> list[Chapter]:
    """Those of a part of the lecture, on its own clock; the one that runs at its start begins with it."""
    moved = [
        Chapter(max(0.0, round(each.start - start, 3)), each.title) for each in chapters if each.start < end
    ]
    running = max(0, sum(each.start == 0 for each in moved) - 1)
    return moved[running:]


def chapters_json(chapters: Sequence[Chapter], duration: float) -> str:
    """`[{"start", "end", "title"}]`, in seconds."""
    listed = [
        {"start": chapter.start, "end": end, "title": chapter.title}
        for chapter, end in zip(chapters, _ends(chapters, duration), strict=True)
    ]
    return json.dumps(listed, ensure_ascii=False)


def _ends(chapters: Sequence[Chapter], duration: float) -> list[float]:
    """A chapter lasts until the next one. A re-encode may have made the lecture shorter."""
    return (
        [*(chapter.start for chapter in chapters[1:]), max(duration, chapters[-1].start)] if chapters else []
    )


def _plain(title: str) -> str:
    return title.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def clock(milliseconds: int) -> str:
    seconds, thousandths = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{thousandths:03d}"
