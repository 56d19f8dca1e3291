"""A search: which pieces a text needs to have it, and where it stands in the text.

The words of a search must all be there, near each other. A word of Hangul is found within others, whatever
particle follows, and however the text puts spaces: `이차방정식` in `이차 방정식`, too. What stands over a
space counts only from the beginning of a word, so that `어학` is not found in `한국어 학교`.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import cached_property
from itertools import groupby, pairwise
from typing import NamedTuple

from rules.search.words import (
    LETTER,
    LONGEST_PIECE,
    SHORTEST_BEGINNING,
    SYLLABIC,
    Folded,
    Unit,
    beginning,
    folded,
    units,
)

LONGEST = 100  # signs of a search
MOST_WORDS = 8
NEAR = 200  # signs between words of a search; as many are spoken in half a minute
_SPACE = r"[\W_]*"
_BREAK = r"[\W_]+"
_WORD_BEGINS = rf"(?<![{SYLLABIC}])"
_SPACES = re.compile(rf"(?:[^\w{SYLLABIC}]|_)+")  # marks of Kana are syllabic, and no letters
_SYLLABLE = re.compile(f"[{SYLLABIC}]")


class Found(NamedTuple):
    """Where a search stands in the text that people read."""

    start: int
    end: int


class Query:
    """What somebody looks for. `words` is empty where nothing of it can be looked for."""

    def __init__(self, text: str) -> None:
        self.words = [tuple(units(word)) for word in folded(text[:LONGEST]).text.split()]
        self.words = [word for word in self.words if word][:MOST_WORDS]
        self._finders = [_Syllables(word) if _is_syllables(word) else _Pattern(word) for word in self.words]

    def __bool__(self) -> bool:
        return bool(self.words)

    def pieces(self) -> set[str]:
        """A text without one of them does not have it."""
        return {piece for word in self.words for piece in _pieces(word)}

    def find(self, text: Folded) -> list[Found]:
        """Each place of the word that comes least often, with the others near it."""
        if not self._finders:
            return []
        squeezed = _Squeezed(text.text)
        places = [each.places(squeezed) for each in self._finders]
        rarest = min(places, key=len)
        others = [[start for start, _ in each] for each in places if each is not rarest]
        return [
            Found(text.place(start), text.place(end - 1) + 1)
            for start, end in rarest
            if all(_nearest(each, start) <= NEAR for each in others)
        ]


class _Squeezed:
    """A text, and what is left of it without all that stands between its words."""

    def __init__(self, whole: str) -> None:
        self.whole = whole
        self.text = _SPACES.sub("", whole)

    @cached_property
    def _gaps(self) -> tuple[list[int], list[int]]:
        """Behind each gap: where its word begins in `text`, and how much was left out until there."""
        starts, left_out, total = [], [], 0
        for gap in _SPACES.finditer(self.whole):
            starts.append(gap.start() - total)
            total += gap.end() - gap.start()
            left_out.append(total)
        return starts, left_out

    def place(self, at: int) -> int:
        """Of a sign of `text` in the whole."""
        starts, left_out = self._gaps
        number = bisect_right(starts, at)
        return at + (left_out[number - 1] if number else 0)


class _Pattern:
    """A word of letters, of numbers, of one sign, or of several kinds."""

    def __init__(self, word: Sequence[Unit]) -> None:
        self._pattern = re.compile(_pattern(word))

    def places(self, text: _Squeezed) -> list[tuple[int, int]]:
        return [match.span() for match in self._pattern.finditer(text.whole)]


class _Syllables:
    """A word of several syllabic signs, as `_pattern` describes it. A pattern would begin anew at each sign
    of a text that repeats itself, and hold up everybody else meanwhile."""

    def __init__(self, word: Sequence[Unit]) -> None:
        self._signs = "".join(unit.text for unit in word)

    def places(self, text: _Squeezed) -> list[tuple[int, int]]:
        found, length, at = [], len(self._signs), text.text.find(self._signs)
        while at >= 0:
            start, end = text.place(at), text.place(at + length - 1) + 1
            begins = start == 0 or not _SYLLABLE.match(text.whole, start - 1)
            fits = begins or end - start == length
            if fits:
                found.append((start, end))
            at = text.text.find(self._signs, at + (length if fits else 1))
        return found


def _is_syllables(word: Sequence[Unit]) -> bool:
    return len(word) > 1 and all(unit.kind == "syllable" for unit in word)


def _nearest(starts: Sequence[int], to: int) -> float:
    at = bisect_left(starts, to)
    return min((abs(each - to) for each in starts[max(0, at - 1) : at + 1]), default=float("inf"))


def _pieces(word: Sequence[Unit]) -> set[str]:
    made: set[str] = set()
    for kind, group in groupby(word, key=lambda unit: unit.kind):
        texts = [unit.text for unit in group]
        if kind == "syllable":
            made.update(map("".join, pairwise(texts)))
            if len(texts) == 1:
                made.add(beginning(texts[0]))
        else:
            made.update(text[:LONGEST_PIECE] for text in texts)
    return made


def _pattern(word: Sequence[Unit]) -> str:
    """Together as it was typed, or with spaces anywhere from the beginning of a word."""
    first, last = word[0], word[-1]
    spaced = _joined(word, _SPACE)
    if first.kind == "syllable":
        alone = len(word) == 1 or word[1].kind != "syllable"
        within = "" if alone else f"{_joined(word, '')}|"
        whole = f"(?:{within}{_WORD_BEGINS}{spaced})"
    else:
        whole = (rf"(?<!{LETTER})" if first.kind == "word" else r"(?<!\d)") + spaced
    if last.kind == "word" and len(last.text) < SHORTEST_BEGINNING:
        whole += rf"(?!{LETTER})"
    return whole + (r"(?!\d)" if last.kind == "number" else "")


def _joined(word: Sequence[Unit], between_signs: str) -> str:
    parts = [_unit(word[0])]
    for before, unit in pairwise(word):
        if before.kind == unit.kind == "syllable":
            parts.append(between_signs)
        else:
            parts.append(_BREAK if before.kind == unit.kind else _SPACE)
        parts.append(_unit(unit))
    return "".join(parts)


def _unit(unit: Unit) -> str:
    if unit.kind != "number" or len(unit.text) <= SHORTEST_BEGINNING:
        return re.escape(unit.text)
    head = len(unit.text) % 3 or 3
    return ",?".join([unit.text[:head], *re.findall("...", unit.text[head:])])  # thousands
