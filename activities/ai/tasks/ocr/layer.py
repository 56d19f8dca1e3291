"""Text that a PDF page brings along: exact where the page was written by a program, worthless where its
fonts map letters wrongly or another scanner guessed. Used where it says what can be read on the page."""

import ctypes
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from pathlib import Path

import pypdfium2 as pdfium
from pypdfium2 import raw

from activities.ai.tasks.ocr.order import Box, overlap
from activities.ai.tasks.ocr.words import Line, Word, hull

MAX_LETTERS = 50_000  # of a page; a newspaper's has 20,000
SAME = 0.5  # of the letters of the sampled lines must be those that are read there; wrong fonts have 0.1
COVERED = 0.6  # of a line's width must have text, or part of the line is a picture
UNKNOWN = "\ufffd"  # for a letter that the file's font gives no meaning
APART = 2.0  # heights between two words: further away is another cell or column


def words_of(source: Path, index: int, width: int, height: int) -> list[Word]:
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


def agrees(own: Sequence[str], read: Sequence[str]) -> bool:
    """Whether the page's own lines say what was read in their places."""
    first, second = ("".join("".join(lines).split()) for lines in (own, read))
    return SequenceMatcher(None, first, second, autojunk=False).ratio() >= SAME


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
    own: Mapping[int, Sequence[Word]], boxes: Sequence[Box], read: Mapping[int, Line], words: Sequence[Word]
) -> list[Line]:
    """The page's own text, what was `read` where it has none, and own words in no detected line."""
    lines = [
        read[index] if index in read else Line(box, tuple(own[index]), own=True)
        for index, box in enumerate(boxes)
    ]
    placed = {word for each in own.values() for word in each}
    return lines + [_line(group) for group in _groups([word for word in words if word not in placed])]


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
) -> Iterator[Word]:
    letters: list[str] = []
    boxes: list[Box] = []
    for index in range(count + 1):
        letter = chr(raw.FPDFText_GetUnicode(text, index)) if index < count else " "
        if not letter.isspace():
            category = unicodedata.category(letter)
            if category not in ("Cc", "Cf"):  # hyphens at the end of a line, and marks without a shape
                letters.append(UNKNOWN if category[0] == "C" else letter)
                boxes.append(_place(page, text, index, width, height))
        elif letters:
            yield Word(unicodedata.normalize("NFC", "".join(letters)), 100.0, hull(boxes))
            letters, boxes = [], []


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
