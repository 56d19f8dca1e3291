"""Timed text as WebVTT (https://www.w3.org/TR/webvtt1/)."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from clients.inference import Segment, Word

LONGEST = 7.0  # seconds of one cue
WIDEST = 40  # characters of one cue
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")


class Cue(NamedTuple):
    """Seconds from the start of the film."""

    start: float
    end: float
    text: str


def cues(segment: Segment, words: Sequence[Word]) -> Iterator[Cue]:
    """A segment as it is, or cut between words where it is too long to read."""
    inside = [word for word in words if segment.start <= (word.start + word.end) / 2 < segment.end]
    if len(inside) < 2 or (segment.end - segment.start <= LONGEST and len(segment.text.strip()) <= WIDEST):
        yield Cue(segment.start, segment.end, segment.text.strip())
        return
    line: list[Word] = []
    for word in inside:
        text = _joined([*line, word])
        if line and (word.end - line[0].start > LONGEST or len(text) > WIDEST):
            yield Cue(line[0].start, line[-1].end, _joined(line))
            line = []
        line.append(word)
    yield Cue(line[0].start, line[-1].end, _joined(line))


def webvtt(lines: Iterable[Cue], note: str) -> str:
    """The file. Times never run backwards, and no text of a cue can end it or become markup."""
    blocks, begin = [f"WEBVTT\n\nNOTE {note}"], 0.0
    for number, cue in enumerate(lines, 1):
        begin = max(begin, cue.start)
        end = max(cue.end, begin + 0.001)
        blocks.append(f"{number}\n{_time(begin)} --> {_time(end)}\n{_escaped(cue.text)}")
    return "\n\n".join(blocks) + "\n"


def _joined(words: Iterable[Word]) -> str:
    # Whisper's words bring their spaces along, other servers' do not.
    texts = [word.word for word in words]
    spaced = any(text[:1].isspace() for text in texts[1:])
    return ("" if spaced else " ").join(texts).strip()


def _time(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}.{rest % 1000:03}"


def _escaped(text: str) -> str:
    text = _CONTROL.sub(" ", text).strip()
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
