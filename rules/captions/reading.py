"""Files of captions: SubRip, WebVTT, and SAMI, which Korean players write. Strict: what is understood by
halves is refused with its line."""

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

from rules.captions.cues import MOST_CUES, MOST_LANGUAGES, MOST_TEXT, Captions, CaptionsError, Cue, cue_text

_SMI_HEAD = re.compile(r"(?i)<sami\b")
# Without a fraction, or with frames, it is nothing that we know.
_TIME = r"(-?)(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})(?:[.,](\d{1,3})|(?<=:\d\d:\d\d):(\d{3}))"
_TIMING = re.compile(rf"[ \t]*{_TIME}[ \t]*-->[ \t]*{_TIME}(?:[ \t]+(.*))?")
_SETTING = re.compile(
    r"vertical:(?:rl|lr)|line:-?\d{1,4}(?:\.\d{1,3})?%?(?:,(?:start|center|end))?"
    r"|position:\d{1,3}(?:\.\d{1,3})?%(?:,(?:line-left|center|line-right))?"
    r"|size:\d{1,3}(?:\.\d{1,3})?%|align:(?:start|center|end|left|right)"
)
_VTT_BESIDE = re.compile(r"(?:NOTE|STYLE|REGION)(?:[ \t]|$)")

_SMI_CLASS = re.compile(r"\.([A-Za-z][A-Za-z0-9_-]{0,30})[ \t\r\n]{0,20}\{([^{}]{0,500})\}")
_SMI_LANG = re.compile(r"(?i)\blang[ \t]{0,5}:[ \t]{0,5}['\"]?([A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})?)")
_SMI_NAME = re.compile(r"(?i)\bname[ \t]{0,5}:[ \t]{0,5}['\"]?([^;'\"<>\x00-\x1f]{1,60})")
_SMI_TAG = re.compile(r"(?i)<(sync|p)\b([^<>]{0,300})>|</(?:sync|p|body|sami)[ \t]{0,5}>|<!--|-->")
_SMI_START = re.compile(r"(?i)\bstart[ \t]{0,5}=[ \t]{0,5}['\"]?(-?\d{1,9})(?:ms)?(?![^\s'\"/])")
_SMI_OF_CLASS = re.compile(r"(?i)\bclass[ \t]{0,5}=[ \t]{0,5}['\"]?([A-Za-z][A-Za-z0-9_-]{0,30})")
# As players know them without a style.
_SMI_KNOWN = {
    "KRCC": "ko",
    "KOCC": "ko",
    "ENCC": "en",
    "EGCC": "en",
    "ENUSCC": "en",
    "JPCC": "ja",
    "CNCC": "zh",
}


def read(text: str) -> list[Captions]:
    """Every language of a file. Raises CaptionsError."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if re.match(r"WEBVTT(?:[ \t\n]|$)", text):
        found = [_with_text(_blocks(text, webvtt=True))]
    elif _SMI_HEAD.search(text[:2000]):
        found = _sami(text)
    elif any(map(_TIMING.fullmatch, text.split("\n", 400)[:400])):
        found = [_with_text(_blocks(text, webvtt=False))]
    else:
        raise CaptionsError("format")
    if not any(captions.cues for captions in found):
        raise CaptionsError("empty")
    if len(found) > MOST_LANGUAGES or sum(len(captions.cues) for captions in found) > MOST_CUES:
        raise CaptionsError("too_many")
    return found


def _with_text(cues: Iterable[Cue]) -> Captions:
    every = list(cues)
    shown = [cue for cue in every if cue.text]
    return Captions(shown, without_text=len(every) - len(shown))


def _blocks(text: str, *, webvtt: bool) -> Iterator[Cue]:
    """Cues begin with a line of times. In SubRip their text may have blank lines, and ends before the number
    of the next; in WebVTT it ends with the first blank line."""
    lines = text.split("\n")
    if webvtt:
        _refuse_map(lines)
    starts = [number for number, line in enumerate(lines) if "-->" in line]
    if len(starts) > MOST_CUES:
        raise CaptionsError("too_many")
    if not webvtt:
        _require_nothing_before(lines, starts)
    blocks = _first_lines(lines)
    last_end = len(lines)
    for at, following in pairwise([*starts, last_end]):
        timing = _TIMING.fullmatch(lines[at])
        if timing is None:
            if webvtt and _VTT_BESIDE.match(lines[blocks[at]]):
                continue  # an arrow in a comment or a style
            raise CaptionsError("time", at + 1)
        until = following
        if following < last_end:
            until -= 1 if _is_name(lines, following - 1, webvtt) else 0
        body = lines[at + 1 : until]
        if webvtt and "" in body:
            end = body.index("")
            body = body[:end]
        source = "\n".join(body)
        if len(source) > MOST_TEXT:
            raise CaptionsError("long", at + 1)
        start, end_time = (_milliseconds(timing.groups()[n : n + 6], at + 1) for n in (0, 6))
        settings = " ".join(filter(_SETTING.fullmatch, (timing[13] or "").split())) if webvtt else ""
        yield Cue(start, end_time, cue_text(source, entities=webvtt), settings)


def _refuse_map(lines: list[str]) -> None:
    """A piece of a stream: its times count from somewhere else."""
    for number, line in enumerate(lines[:20], 1):
        if line.startswith("X-TIMESTAMP-MAP"):
            raise CaptionsError("piece", number)
        if not line:
            return


def _require_nothing_before(lines: list[str], starts: list[int]) -> None:
    for number, line in enumerate(lines[: starts[0]], 1):
        if line.strip() and not line.strip().isdecimal():
            raise CaptionsError("format", number)


def _first_lines(lines: list[str]) -> list[int]:
    """Of each line, the number of the one with which its block begins."""
    found: list[int] = []
    for number in range(len(lines)):
        goes_on = number > 0 and lines[number - 1]
        found.append(found[-1] if goes_on else number)
    return found


def _is_name(lines: list[str], at: int, webvtt: bool) -> bool:
    """Whether a line before one of times is its cue's number (or name, in WebVTT)."""
    return bool(lines[at].strip()) and (lines[at].strip().isdecimal() or (webvtt and lines[at - 1] == ""))


def _milliseconds(parts: tuple[str | None, ...], line: int) -> int:
    sign, hours, minutes, seconds, *fractions = parts
    fraction = fractions[0] or fractions[1]
    assert minutes and seconds and fraction
    if int(minutes) > 59 or int(seconds) > 59:
        raise CaptionsError("time", line)
    whole = int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)
    found = whole * 1000 + int(fraction.ljust(3, "0"))
    return -found if sign else found


def _sami(text: str) -> list[Captions]:
    """SAMI: `<SYNC Start=ms><P Class=KRCC>text`; a text stands until its language's next one, and one without
    words only ends it."""
    styles = {name.upper(): style for name, style in _SMI_CLASS.findall(text[:100_000])}
    shown: dict[str, list[tuple[int, str]]] = {}
    at_line = _line_counter(text)
    start: int | None = None
    kind, begin = "", 0
    inside = False

    def close(until: int) -> None:
        nonlocal inside
        if inside and start is not None:
            source = text[begin:until]
            if len(source) > 2 * MOST_TEXT:
                raise CaptionsError("long", at_line(begin))
            if kind or source.strip():
                times = shown.setdefault(kind, [])
                words = cue_text(_one_line(source), entities=True)
                if times and times[-1][0] == start:  # who speaks, and what
                    words = "\n".join(filter(None, (times.pop()[1], words)))
                times.append((start, words))
        inside = False

    comment = False
    count = 0
    for tag in _SMI_TAG.finditer(text):
        if comment or tag[0] in ("<!--", "-->"):
            if inside and tag[0] == "<!--":
                close(tag.start())
            comment = tag[0] != "-->" if comment else tag[0] == "<!--"
            continue
        close(tag.start())
        match (tag[1] or "").lower():
            case "sync":
                given = _SMI_START.search(tag[2])
                if given is None:
                    raise CaptionsError("time", at_line(tag.start()))
                start, kind, begin, inside = int(given[1]), "", tag.end(), True
                count += 1
            case "p" if start is not None:
                named = _SMI_OF_CLASS.search(tag[2])
                kind, begin, inside = named[1].upper() if named else "", tag.end(), True
        if count > 4 * MOST_CUES:
            raise CaptionsError("too_many")
    close(len(text))
    several = [name for name, times in shown.items() if any(words for _, words in times)]
    return [
        Captions(_standing(shown[name]), _language(name, styles.get(name, "")), _name(styles.get(name, "")))
        for name in several
    ]


def _one_line(source: str) -> str:
    """Lines of SAMI are broken by tags alone, as in HTML."""
    return " ".join(source.split())


def _line_counter(text: str) -> Callable[[int], int]:
    return lambda at: text.count("\n", 0, at) + 1


def _standing(times: list[tuple[int, str]]) -> list[Cue]:
    """A text until the next one; the last one has no end."""
    ends = [start for start, _ in times[1:]] + [times[-1][0]]
    return [Cue(start, end, words) for (start, words), end in zip(times, ends, strict=True) if words]


def _language(name: str, style: str) -> str | None:
    if said := _SMI_LANG.search(style):
        return said[1].split("-")[0].lower()
    return _SMI_KNOWN.get(name)


def _name(style: str) -> str | None:
    said = _SMI_NAME.search(style)
    return said[1].strip() if said else None
