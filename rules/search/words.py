"""Texts as pieces: what an index holds of them, and what a search needs (docs/decisions/0083).

Hangul, Han and Kana are pieces of two signs, across spaces too, and the sign that a word begins with. Words
of other letters are pieces whole and as their beginnings, numbers whole. Letters are compared by
compatibility (NFKC) and without case, so composed and decomposed Hangul, `Ａ` and `a` are the same.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

SYLLABIC = (
    "\u1100-\u11ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff"
)
LETTER = rf"[^\W\d_{SYLLABIC}]"
SHORTEST_BEGINNING = 3  # letters from which a word is found by its beginning
LONGEST_PIECE = 24  # letters of a word or a number that tell it from others

_UNIT = re.compile(rf"(?P<syllable>[{SYLLABIC}])|(?P<number>\d+(?:,\d{{3}})+(?!\d)|\d+)|(?P<word>{LETTER}+)")
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")  # soft hyphens, joiners, marks of direction


class Unit(NamedTuple):
    """A syllabic sign, a number without the commas of its thousands, or a word of other letters. `start`:
    where it begins, `begins`: no unit of its kind touches it on the left."""

    kind: str
    text: str
    start: int
    begins: bool


class Folded(NamedTuple):
    """A text to compare. `shown` is what people read, `places` where each sign of `text` stands in it; None
    where it stands in the same place."""

    text: str
    shown: str
    places: list[int] | None

    def place(self, at: int) -> int:
        if self.places is None:
            return at
        return self.places[at] if at < len(self.places) else len(self.shown)


class _Same(dict[int, str]):
    """What each sign is compared as."""

    def __missing__(self, code: int) -> str:
        made = self[code] = unicodedata.normalize("NFKC", chr(code)).casefold()
        return made


_same = _Same()


def composed(text: str) -> str:
    """As people read it: Hangul composed, without signs that nobody sees."""
    return _UNSEEN.sub("", unicodedata.normalize("NFC", text))


def folded(text: str) -> Folded:
    shown = composed(text)
    made = shown.translate(_same)
    if len(made) == len(shown):  # no sign becomes none, so each is one
        return Folded(made, shown, None)
    return Folded(made, shown, [at for at, sign in enumerate(shown) for _ in _same[ord(sign)]])


def units(text: str) -> Iterator[Unit]:
    """Of a folded text."""
    before, end = "", -1
    for found in _UNIT.finditer(text):
        kind = found.lastgroup or ""
        begins = kind != before or found.start() != end
        words = found[0].replace(",", "") if kind == "number" else found[0]
        yield Unit(kind, words, found.start(), begins)
        before, end = kind, found.end()


def pieces(text: str) -> set[str]:
    """All that a text is found by."""
    made: set[str] = set()
    last = ""  # the syllabic sign before
    for unit in units(folded(text).text):
        if unit.kind == "syllable":
            if last:
                made.add(last + unit.text)
            if unit.begins:
                made.add(beginning(unit.text))
            last = unit.text
            continue
        last = ""
        made.add(unit.text[:LONGEST_PIECE])
        if unit.kind == "word":
            lengths = range(SHORTEST_BEGINNING, min(len(unit.text), LONGEST_PIECE))
            made.update(unit.text[:length] for length in lengths)
    return made


def beginning(sign: str) -> str:
    """The piece of a word's first syllabic sign."""
    return f"^{sign}"
