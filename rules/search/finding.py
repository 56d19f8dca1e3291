"""A search: which pieces a text needs to have it, and where it stands in the text.

The words of a search must all be there, near each other. A word of Hangul is found within others, whatever
particle follows, and however the text puts spaces: `이차방정식` in `이차 방정식`, too. What stands over a
space counts only from the beginning of a word, so that `어학` is not found in `한국어 학교`.
"""

import re
from bisect import bisect_left
from collections.abc import Sequence
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


class Found(NamedTuple):
    """Where a search stands in the text that people read."""

    start: int
    end: int


class Query:
    """What somebody looks for. `words` is empty where nothing of it can be looked for."""

    def __init__(self, text: str) -> None:
        self.words = [tuple(units(word)) for word in folded(text[:LONGEST]).text.split()]
        self.words = [word for word in self.words if word][:MOST_WORDS]
        self._patterns = [re.compile(_pattern(word)) for word in self.words]

    def __bool__(self) -> bool:
        return bool(self.words)

    def pieces(self) -> set[str]:
        """A text without one of them does not have it."""
        return {piece for word in self.words for piece in _pieces(word)}

    def find(self, text: Folded) -> list[Found]:
        """Each place of the word that comes least often, with the others near it."""
        if not self._patterns:
            return []
        places = [[match.span() for match in each.finditer(text.text)] for each in self._patterns]
        rarest = min(places, key=len)
        others = [[start for start, _ in each] for each in places if each is not rarest]
        return [
            Found(text.place(start), text.place(end - 1) + 1)
            for start, end in rarest
            if all(_nearest(each, start) <= NEAR for each in others)
        ]


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
