"""Lines found by a detector, read by the line reader; where it is unsure, Tesseract is asked too.

Loaded once in a child process.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from activities.ai.pages import Pixels
from activities.ai.tasks.ocr import reader, tesseract
from activities.ai.tasks.ocr.circled import ALIKE, ALL, NUMBERS, rings, sign
from activities.ai.tasks.ocr.detector import detect
from activities.ai.tasks.ocr.letters import LETTERS
from activities.ai.tasks.ocr.models import BOTH, FIRST, MODELS
from activities.ai.tasks.ocr.reader import Letter
from activities.ai.tasks.ocr.strips import Strip, resized, strip_of
from activities.ai.tasks.ocr.weighing import ASK, DOUBT, Guess, of_reader, of_tesseract, weighed, words_of
from activities.ai.tasks.ocr.words import Line, Quad, Word, around, height, width

SAMPLE = 5  # of the longest lines tell whether a page is upside down
UPRIGHT_ENOUGH = 80.0  # mean confidence, in percent, below which a page is tried upside down
UNKNOWN = 0.9  # share of a circled sign, at most, that the reader does not know: a person should look


@dataclass(frozen=True)
class Upright:
    """A page turned counter-clockwise by `degrees` so that its text stands, and what was found on the way:
    the outlines of its lines, and some of them read, by index."""

    page: Pixels
    degrees: int
    quads: list[Quad]
    read: Mapping[int, Line]


def fingerprint() -> str:
    models = ", ".join(
        f"{path.name.split('.')[0]} {path.stat().st_size}" for path in sorted(MODELS.glob("*.gz"))
    )
    return f"{reader.fingerprint()}, {tesseract.fingerprint()}, rapidocr {version('rapidocr')}, {models}"


def read(page: Pixels, quads: Sequence[Quad], *, alone: bool = False) -> list[Line]:
    """Each of the lines; one without words where nothing in it can be read. `alone`: without a second
    opinion on what the reader is unsure of."""
    strips = [strip_of(page, quad) for quad in quads]
    letters = [reader.read(strip.exactly(reader.ROWS)) for strip in strips]
    letters = _with_signs(strips, letters)
    words = [_words(strip, found, alone) for strip, found in zip(strips, letters, strict=True)]
    return [
        Line(around(quad), tuple(each), doubted=any(word.confidence < DOUBT for word in each))
        for quad, each in zip(quads, words, strict=True)
    ]


def upright(page: Pixels) -> Upright:
    """The page as people hold it: in whichever direction its longest lines are read with most confidence."""
    quads = detect(page)
    lying = sum(height(quad) > width(quad) for quad in quads) > len(quads) / 2
    chosen, best = Upright(page, 0, quads, {}), -1.0
    for degrees in (90, 270) if lying else (0, 180):
        turned = np.ascontiguousarray(np.rot90(page, degrees // 90))
        if degrees == 90:
            quads = detect(turned)
        # Finding lines takes longer than reading some: upside down they are where they were.
        found = quads if degrees < 180 else [_upside_down(quad, turned) for quad in quads]
        longest = sorted(range(len(found)), key=lambda each: width(found[each]))[-SAMPLE:]
        sample = read(turned, [found[index] for index in longest], alone=True)
        lines = dict(zip(longest, sample, strict=True))
        confidence = sum(line.confidence for line in lines.values()) / len(lines) if lines else 0.0
        if confidence > best:
            chosen, best = Upright(turned, degrees, found, _sure(lines)), confidence
        if not quads or (best >= UPRIGHT_ENOUGH and not lying):
            break
    return chosen


def _sure(lines: Mapping[int, Line]) -> dict[int, Line]:
    """Those on which nobody else need be asked."""
    return {
        index: line
        for index, line in lines.items()
        if line.words and all(word.confidence >= ASK for word in line.words)
    }


def _upside_down(quad: Quad, page: Pixels) -> Quad:
    """Where it is on `page`, after that was turned by 180 degrees."""
    high, wide = page.shape
    return np.asarray((np.array([wide - 1, high - 1]) - quad)[[2, 3, 0, 1]], np.float32)


def _words(strip: Strip, letters: Sequence[Letter], alone: bool) -> list[Word]:
    scale = reader.ROWS / strip.pixels.shape[0]
    guesses = words_of(letters, round(strip.pixels.shape[1] * scale))
    if not alone and (not guesses or any(word.confidence < ASK for word in guesses)):
        asked = strip.at(tesseract.HEIGHT)
        guesses = weighed(
            guesses, [_asked(asked, languages, reader.ROWS / asked.shape[0]) for languages in (FIRST, BOTH)]
        )
    return [
        Word(guess.text, round(guess.confidence, 1), strip.box(guess.left / scale, guess.right / scale))
        for guess in guesses
    ]


def _asked(strip: Pixels, languages: str, scale: float) -> list[Guess]:
    return [
        Guess(word.text, of_tesseract(word.confidence), word.box[0] * scale, word.box[2] * scale)
        for word in tesseract.read(strip, languages)
    ]


def _with_signs(strips: Sequence[Strip], lines: Sequence[list[Letter]]) -> list[list[Letter]]:
    """The letters of the lines, where circled signs are looked at again by what stands in their rings."""
    found = [
        (index, ring)
        for index, letters in enumerate(lines)
        if any(letter.text in ALL or of_reader(letter.share) < ASK for letter in letters)
        for ring in rings(strips[index].pixels)
    ]
    insides = [reader.read(resized(ring.inside, reader.ROWS)) for _, ring in found]
    changed = [list(letters) for letters in lines]
    for (index, ring), inside in zip(found, insides, strict=True):
        scale = reader.ROWS / strips[index].pixels.shape[0]
        changed[index] = _with_sign(changed[index], ring.left * scale, ring.right * scale, inside)
    return changed


def _with_sign(letters: list[Letter], left: float, right: float, inside: Sequence[Letter]) -> list[Letter]:
    """The letters of a line with a ring between two of its columns, and what stands in the ring."""
    here = [letter for letter in letters if left <= letter.at <= right and letter.text != " "]
    text = "".join(letter.text for letter in inside)
    told = sign(text)
    if told is None or [told] == [letter.text for letter in here] or text in ALIKE:
        return letters
    share = min(letter.share for letter in inside)
    if told not in LETTERS and told not in NUMBERS:
        share = min(share, UNKNOWN)
    elif told in LETTERS and share <= max((letter.share for letter in here), default=0.0):
        return letters
    rest = [letter for letter in letters if letter not in here]
    return sorted([*rest, Letter(told, share, (left + right) / 2)], key=lambda each: each.at)
