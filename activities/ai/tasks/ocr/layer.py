"""Text that a PDF page brings along: exact where the page was written by a program, worthless where its
fonts map letters wrongly or another scanner guessed. Used where it says what can be seen on the page."""

import ctypes
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
import pypdfium2 as pdfium
from pypdfium2 import raw

from activities.ai.pages import Pixels
from activities.ai.tasks.ocr.order import Box, overlap
from activities.ai.tasks.ocr.words import Line, Word, hull

MAX_LETTERS = 50_000  # of a page; a newspaper's has 20,000
SAME = 0.8  # of a line's letters, at least, are those that are read there
ALIKE = 0.5  # the same, where the reader is itself in doubt; wrong fonts have 0.1
# Of the lines that could be compared, so many may differ: where a scanner guessed, where a program wrote.
GUESSED, WRITTEN = 0.1, 0.3
CONTRAST = 24  # levels of grey between the letters and what they stand on, or nobody sees them
COVERED = 0.6  # of a line's width must have text, or part of the line is a picture
UNKNOWN = "\ufffd"  # for a letter that the file's font gives no meaning
APART = 2.0  # heights between two words: further away is another cell or column


@dataclass(frozen=True)
class Own:
    """A word of the file. `hidden`: never drawn, but laid over a picture by another scanner."""

    word: Word
    hidden: bool


def words_of(source: Path, index: int, width: int, height: int) -> list[Own]:
    """The words of a PDF page with their places when it is rendered at `width` × `height` pixels, in the
    file's own order. None where the page has no text, or more than any page has."""
    document = pdfium.PdfDocument(source)
    try:
        page = document[index]
        try:
            text = page.get_textpage()
        except pdfium.PdfiumError:
            return []
        count = raw.FPDFText_CountChars(text)
        if not 0 < count <= MAX_LETTERS:
            return []
        return list(_words(page, text, count, width, height))
    finally:
        document.close()


def visible(word: Word, grey: Pixels) -> bool:
    """Whether anything is seen in its place: not off the page, not white on white, not under a black bar.
    What else lies over it is found by reading."""
    height, width = grey.shape
    left, top, right, bottom = word.box
    if left < 0 or top < 0 or right > width or bottom > height:
        x, y = (left + right) / 2, (top + bottom) / 2
        if not (0 <= x < width and 0 <= y < height):
            return False
    part = grey[max(0, top) : bottom + 1, max(0, left) : right + 1]
    if not part.size:
        return False
    dark, light = np.percentile(part, (2, 98))
    return bool(light - dark >= CONTRAST)


def agrees(own: str, read: Line, whole: bool = True) -> bool:
    """Whether a line of the file, or a part of one, says what is read in its place. Numbers must be the same
    ones, for there a letter is all the difference, unless the reader is in doubt."""
    first, second = _plain(own), _plain(read.text)
    found = SequenceMatcher(None, first, second, autojunk=False)
    shared = sum(block.size for block in found.get_matching_blocks())
    alike = found.ratio() if whole else shared / max(1, len(first))
    if read.doubted or not read.words:
        return alike >= ALIKE
    return alike >= SAME and (not whole or _digits(first) == _digits(second))


def trusted(agreeing: Sequence[bool], hidden: bool) -> bool:
    """Whether the page's own text may be used, by which of its lines agree with what is read."""
    return agreeing.count(False) <= (GUESSED if hidden else WRITTEN) * len(agreeing)


def _plain(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split())


def _digits(text: str) -> str:
    return "".join(letter for letter in text if letter.isdecimal())


def by_place(words: Sequence[Word], boxes: Sequence[Box]) -> dict[int, list[Word]]:
    """The words in each of the detected lines, from left to right; each word in one line."""
    found: dict[int, list[Word]] = {}
    for word in sorted(words, key=lambda each: each.box[0]):
        x, y = (word.box[0] + word.box[2]) / 2, (word.box[1] + word.box[3]) / 2
        inside = [
            index
            for index, (left, top, right, bottom) in enumerate(boxes)
            if left <= x <= right and top <= y <= bottom
        ]
        if inside:
            nearest = min(inside, key=lambda index: abs(boxes[index][1] + boxes[index][3] - 2 * y))
            found.setdefault(nearest, []).append(word)
    return found


def covers(words: Sequence[Word], box: Box) -> bool:
    """Whether they are all that stands in the box, and known."""
    left, _, right, _ = box
    covered = sum(max(0, min(word.box[2], right) - max(word.box[0], left)) for word in words)
    return covered >= COVERED * (right - left) and not any(UNKNOWN in word.text for word in words)


def merged(
    own: Mapping[int, Sequence[Word]], read: Mapping[int, Line], boxes: Sequence[Box]
) -> Iterator[Line]:
    """The line of each box: the page's own where it agrees, what is read where it has none. Where the two
    differ, what can be seen counts, and a person should look."""
    for index, box in enumerate(boxes):
        seen = read[index]
        words = own.get(index, ())
        if not words or not covers(words, box):
            yield seen
        elif agrees(" ".join(word.text for word in words), seen):
            yield Line(box, tuple(words), own=True)
        else:
            yield replace(seen, doubted=True)


def lines_of(words: Sequence[Word]) -> list[Line]:
    """Own words that lie in no detected line, as lines."""
    return [_line(group) for group in _groups(words)]


def _line(words: Sequence[Word]) -> Line:
    return Line(hull([word.box for word in words]), tuple(words), own=True)


def _groups(words: Sequence[Word]) -> Iterator[list[Word]]:
    group: list[Word] = []
    for word in words:
        if group:
            last = group[-1].box
            gap, height = word.box[0] - last[2], last[3] - last[1]
            if overlap(last, word.box) < 0.5 or not -height < gap < APART * height:
                yield group
                group = []
        group.append(word)
    if group:
        yield group


def _words(
    page: pdfium.PdfPage, text: pdfium.PdfTextPage, count: int, width: int, height: int
) -> Iterator[Own]:
    letters: list[str] = []
    hidden = False
    boxes: list[Box] = []
    for index in range(count + 1):
        letter = chr(raw.FPDFText_GetUnicode(text, index)) if index < count else " "
        if not letter.isspace():
            category = unicodedata.category(letter)
            if category not in ("Cc", "Cf"):  # hyphens at the end of a line, and marks without a shape
                letters.append(UNKNOWN if category[0] == "C" else letter)
                boxes.append(_place(page, text, index, width, height))
                hidden = hidden or _is_hidden(text, index)
        elif letters:
            yield Own(Word(unicodedata.normalize("NFC", "".join(letters)), 100.0, hull(boxes)), hidden)
            letters, boxes, hidden = [], [], False


def _is_hidden(text: pdfium.PdfTextPage, index: int) -> bool:
    drawn = raw.FPDFText_GetTextObject(text, index)
    mode = raw.FPDFTextObj_GetTextRenderMode(drawn) if drawn else raw.FPDF_TEXTRENDERMODE_FILL
    return bool(mode in (raw.FPDF_TEXTRENDERMODE_INVISIBLE, raw.FPDF_TEXTRENDERMODE_CLIP))


def _place(page: pdfium.PdfPage, text: pdfium.PdfTextPage, index: int, width: int, height: int) -> Box:
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    raw.FPDFText_GetCharBox(text, index, left, right, bottom, top)
    corners: list[tuple[int, int]] = []
    for across, up in ((left, bottom), (right, top)):
        x, y = ctypes.c_int(), ctypes.c_int()
        raw.FPDF_PageToDevice(page, 0, 0, width, height, 0, across, up, x, y)
        corners.append((x.value, y.value))
    (x0, y0), (x1, y1) = corners
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)
