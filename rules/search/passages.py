"""Captions and pages of documents as passages, and what is shown of a search that stands in them."""

import html
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from rules.search.finding import Query
from rules.search.words import composed, folded

AROUND = 40  # signs before and after what was found
MOST_SHOWN = 5  # places of one text
# As `rules.captions.writing` writes the whole of one language: each line ends.
_CUE = re.compile(r"^(\d+):(\d\d):(\d\d)\.(\d{3}) --> [^\n]*\n((?:[^\n]+\n)+)", re.MULTILINE)
_TAG = re.compile(r"</?[biuv][^<>]*>")
_PAGE = "\f"  # as the task `ocr` writes its text
_BLANKS = re.compile(r"\s+")


class Passage(NamedTuple):
    """`place`: milliseconds from a lecture's start, or a document's page, from 1."""

    place: int
    text: str


class Hit(NamedTuple):
    """Where a search stands, and the words around it."""

    place: int
    before: str
    found: str
    after: str


class Hits(NamedTuple):
    """`places`: how many there are, of which the first MOST_SHOWN are shown."""

    places: int
    shown: list[Hit]


NOWHERE = Hits(0, [])


def cues(webvtt: str) -> Iterator[Passage]:
    """What is said when, of captions that we wrote."""
    for found in _CUE.finditer(webvtt):
        hours, minutes, seconds, thousandths, text = found.groups()
        at = (int(hours) * 3600 + int(minutes) * 60 + int(seconds)) * 1000 + int(thousandths)
        yield Passage(at, html.unescape(_TAG.sub("", text)).strip())


def pages(text: str) -> Iterator[Passage]:
    """Of a document's text."""
    for number, page in enumerate(text.split(_PAGE), 1):
        yield Passage(number, page.strip())


def joined(passages: Sequence[Passage]) -> str:
    return "\n".join(each.text for each in passages)


def hits(passages: Sequence[Passage], query: Query, *, across: bool) -> Hits:
    """`across`: words of the passages beside are shown as well."""
    whole = [Passage(each.place, composed(each.text)) for each in passages]
    text = folded(joined(whole))
    found = query.find(text)
    starts = [0, *accumulate(len(each.text) + 1 for each in whole)]

    def shown(start: int, end: int) -> Hit:
        at = bisect_right(starts, start) - 1
        first, last = (0, len(text.shown)) if across else (starts[at], starts[at + 1])
        before = text.shown[max(first, start - AROUND) : start]
        after = text.shown[end : min(last, end + AROUND)]
        if start - AROUND > first:
            before = "…" + before.partition(" ")[2] if " " in before else f"…{before}"
        if end + AROUND < last:
            after = after.rpartition(" ")[0] + "…" if " " in after else f"{after}…"
        return Hit(whole[at].place, _line(before), _line(text.shown[start:end]), _line(after))

    return Hits(len(found), [shown(*each) for each in found[:MOST_SHOWN]])


def _line(text: str) -> str:
    return _BLANKS.sub(" ", text)
