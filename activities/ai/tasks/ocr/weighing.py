"""Which of several readings of a line to believe, by how often each was right where the truth was known.

Pure. The tables are measured by `training/sureness.py`; docs/ai.md has the diagram.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from activities.ai.tasks.ocr.reader import Letter

Table = Sequence[tuple[float, float]]
# What the reader gives a word's least sure letter, and Tesseract its word: so many of a hundred were right.
READER: Table = (
    *((0.0, 0.0), (0.2, 6.0), (0.35, 18.0), (0.5, 31.0), (0.6, 45.0), (0.7, 58.0), (0.8, 66.0), (0.85, 73.0)),
    *((0.9, 81.0), (0.95, 89.0), (0.97, 91.5), (0.985, 94.0), (0.993, 96.3), (0.997, 98.0), (0.9985, 98.3)),
    (0.9995, 99.6),
    (1.0, 99.8),
)
TESSERACT: Table = (
    *((0.0, 4.0), (20.0, 8.0), (40.0, 14.0), (60.0, 40.0), (70.0, 57.0), (80.0, 74.0), (85.0, 83.0)),
    *((90.0, 91.0), (93.0, 94.5), (96.0, 97.0)),
)
AGREED = 97.0  # of words of which the reader was unsure and Tesseract said the same
DISPUTED = 50.0  # of words of which it was unsure and Tesseract said something else; the surer of both
ASK = 95.0  # percent: Tesseract is asked about words below it
DOUBT = 80.0  # a person is asked about words below it


@dataclass(frozen=True)
class Guess:
    """A word between two columns of a strip; of a hundred with this `confidence` as many are right."""

    text: str
    confidence: float
    left: float
    right: float


def words_of(letters: Sequence[Letter], columns: int) -> list[Guess]:
    """The reader's words in a strip so many columns wide. A word is as sure as its least sure letter."""
    spaces = [letter.at for letter in letters if letter.text == " "]
    cuts = [0.0, *spaces, float(columns)]
    guesses, at = [], 0
    for is_space, run in groupby(letters, lambda letter: letter.text == " "):
        here = list(run)
        if is_space:
            at += len(here)
        else:
            least = min(letter.share for letter in here)
            guesses.append(
                Guess("".join(letter.text for letter in here), of_reader(least), cuts[at], cuts[at + 1])
            )
    return guesses


def of_reader(share: float) -> float:
    return _from(READER, share)


def of_tesseract(confidence: float) -> float:
    return _from(TESSERACT, confidence)


def weighed(mine: Sequence[Guess], others: Sequence[Sequence[Guess]]) -> list[Guess]:
    """`mine`, with what is unsure in it confirmed by one of `others`. If none says the same, the surest
    reading is taken and stays in doubt. Only what stands in the same place of the line is compared, and
    spaces do not count."""
    chosen: list[Guess] = []
    for unsure, here, left, right in _runs(mine):
        if not unsure:
            chosen += here
            continue
        readings = [_between(other, left, right) for other in others]
        if here and any(_text(reading) == _text(here) for reading in readings):
            chosen += [replace(word, confidence=max(word.confidence, AGREED)) for word in here]
        else:
            surest = max((here, *readings), key=_least)
            chosen += [replace(word, confidence=min(word.confidence, DISPUTED)) for word in surest]
    return chosen


def _runs(mine: Sequence[Guess]) -> Iterator[tuple[bool, list[Guess], float, float]]:
    """Runs of words that are sure or unsure, and the columns that belong to each."""
    done = 0
    for unsure, run in groupby(mine, lambda word: word.confidence < ASK):
        here = list(run)
        left = float("-inf") if done == 0 else here[0].left
        done += len(here)
        yield unsure, here, left, float("inf") if done == len(mine) else here[-1].right
    if not mine:  # it saw nothing at all
        yield True, [], float("-inf"), float("inf")


def _between(words: Sequence[Guess], left: float, right: float) -> list[Guess]:
    return [word for word in words if left <= (word.left + word.right) / 2 < right]


def _least(words: Iterable[Guess]) -> float:
    return min((word.confidence for word in words), default=0.0)


def _text(words: Sequence[Guess]) -> str:
    return "".join(word.text for word in words)


def _from(table: Table, value: float) -> float:
    at, percent = zip(*table, strict=True)
    return float(np.interp(value, at, percent))
