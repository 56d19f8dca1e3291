"""What captions are, and how they are made to fit a lecture. Times are milliseconds from its start.

`text` of a cue is WebVTT cue text (https://www.w3.org/TR/webvtt1/): escaped, of b, i, u and v alone, and no
line of it is blank.
"""

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

MOST_BYTES = 4 << 20
MOST_CUES = 20_000
MOST_TEXT = 2_000  # characters of one cue
MOST_LANGUAGES = 8
STANDS = 2_000  # milliseconds of a cue that says no end, or one before its start, where nothing follows

# What players know. Anything else between < and > is somebody's words: a name, or `a < 5 and b > 2`.
_TAG = re.compile(
    r"(?i)<(/?)(?:(b|i|u|s|em|strong|font|span|div|p|center|small|big|strike|sub|sup|ruby|rt|rp|rb|a|tt|nobr|img)"
    r"(?:\.[^\s<>]{0,100})?(?:\s{1,9}[a-z-]{1,20}\s{0,9}=[^<>]{0,200})?\s{0,9}/?"
    r"|(v|c|lang)(?:\.[^\s<>]{0,100})?(?:[ \t]{1,9}[^<>\n]{0,100})?|[0-9][0-9:.]{4,15})>"
)
_VOICE = re.compile(r"<v(?:\.[^\s<>]{0,100})?[ \t]+([^<>\n]{1,100})>")
_BREAK = re.compile(r"(?i)<br\s*/?>")
_OVERRIDE = re.compile(r"\{\\[^{}]{0,200}\}")  # of SubStation Alpha, which SRT files carry along
_KEPT = ("b", "i", "u")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_UNSAFE = re.compile(r"-->|\n[ \t]*\n|[\x00-\x08\x0b-\x1f\x7f]")


class CaptionsError(Exception):
    """The file cannot be captions. `problem` says why, `line` counts from 1."""

    def __init__(self, problem: str, line: int = 0) -> None:
        super().__init__(f"{problem} in line {line}" if line else problem)
        self.problem = problem
        self.line = line


class Cue(NamedTuple):
    """`settings`: where it stands on the picture, as WebVTT has it."""

    start: int
    end: int
    text: str
    settings: str = ""


@dataclass(frozen=True)
class Captions:
    """One language of a file, as it stands there. `language`: None where the file does not say it.
    `without_text`: cues in which there was nothing to be read, which are none of `cues`."""

    cues: list[Cue]
    language: str | None = None
    name: str | None = None
    without_text: int = 0


@dataclass(frozen=True)
class Corrections:
    """What was not as it should be, as counts of cues. `left_out` are seen by nobody."""

    out_of_order: int = 0
    overlapping: int = 0
    without_end: int = 0
    cut_at_start: int = 0
    cut_at_end: int = 0
    left_out_before: int = 0
    left_out_after: int = 0

    @property
    def left_out(self) -> int:
        return self.left_out_before + self.left_out_after


def is_safe(text: str) -> bool:
    """Whether `text` can stand in a cue and end nothing there."""
    return 0 < len(text) <= 4 * MOST_TEXT and not _UNSAFE.search(text) and not text.startswith("\n")


def cue_text(source: str, *, entities: bool) -> str:
    """Text with tags of SRT, SMI or WebVTT as cue text; empty where nothing is to be read. What else the tags
    say (colours, fonts, classes) is left away. `entities`: `&nbsp;` is one blank."""
    source = _CONTROL.sub("", _BREAK.sub("\n", _OVERRIDE.sub("", source)))
    lines = "".join(_pieces(source, entities)).replace("\xa0", " ").splitlines()
    return "\n".join(line for line in (" ".join(each.split()) for each in lines) if line)


def _pieces(source: str, entities: bool) -> Iterator[str]:
    """Its words and the tags that are kept, which are closed in order."""
    open_tags: list[str] = []
    at = 0
    for tag in _TAG.finditer(source):
        if not (tag[2] or entities):  # of WebVTT alone
            continue
        yield _escaped(source[at : tag.start()], entities)
        at = tag.end()
        closes, name = tag[1], (tag[2] or tag[3] or "").lower()
        if name == "v" and not closes and (voice := _VOICE.fullmatch(tag[0])):
            yield f"<v {_escaped(voice[1].strip(), entities)}>"
            open_tags.append("v")
        elif name in _KEPT and not closes:
            yield f"<{name}>"
            open_tags.append(name)
        elif closes and name in open_tags:
            while (last := open_tags.pop()) != name:
                yield f"</{last}>"
            yield f"</{name}>"
    yield _escaped(source[at:], entities)
    yield "".join(f"</{name}>" for name in reversed(open_tags))


def _escaped(text: str, entities: bool) -> str:
    text = html.unescape(text) if entities else text
    text = _CONTROL.sub("", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _following(in_order: Sequence[Cue]) -> list[int]:
    """Of each cue, when the next one starts that does not start together with it."""
    found: list[int] = []
    later = last = 10**12
    for cue in reversed(in_order):
        if cue.start < last:
            later, last = last, cue.start
        found.append(later)
    return found[::-1]


def fitted(cues: Sequence[Cue], duration: int) -> tuple[list[Cue], Corrections]:
    """The cues of a lecture of `duration` milliseconds in the order of time, none outside of it."""
    in_order = sorted(cues, key=lambda cue: cue.start)
    found: list[Cue] = []
    without_end = cut_at_start = cut_at_end = before = after = overlapping = 0
    reach = 0  # until when something is shown
    following = _following(in_order)
    for number, cue in enumerate(in_order):
        start, end = cue.start, cue.end
        if end <= start:
            end = min(start + STANDS, following[number])
            without_end += 1
        if end <= 0:
            before += 1
            continue
        if start >= duration:
            after += 1
            continue
        cut_at_start += start < 0
        cut_at_end += end > duration
        start, end = max(0, start), min(end, duration)
        overlapping += bool(found) and start < reach
        reach = max(reach, end)
        found.append(cue._replace(start=start, end=end))
    return found, Corrections(
        out_of_order=sum(later.start < earlier.start for earlier, later in pairwise(cues)),
        overlapping=overlapping,
        without_end=without_end,
        cut_at_start=cut_at_start,
        cut_at_end=cut_at_end,
        left_out_before=before,
        left_out_after=after,
    )


def within(cues: Sequence[Cue], start: int, end: int) -> list[Cue]:
    """What is shown between two times, on the clock of that part."""
    shown = (cue for cue in cues if cue.end > start and cue.start < end)
    return [cue._replace(start=max(0, cue.start - start), end=min(end, cue.end) - start) for cue in shown]
