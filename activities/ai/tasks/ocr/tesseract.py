"""Tesseract in this process, asked for single lines."""

from collections import deque
from collections.abc import Iterator, Sequence
from functools import cache

import tesserocr
from PIL import Image

from activities.ai.pages import Pixels
from activities.ai.tasks.ocr.models import tessdata
from activities.ai.tasks.ocr.words import Word, hull

HEIGHT = 52  # pixels of a line, at most, when it is read: with more, more is read wrongly


def fingerprint() -> str:
    return f"tesseract {tesserocr.tesseract_version().split()[1]}"


def read(strip: Pixels, languages: str) -> list[Word]:
    """The words of a line, with places in the strip and Tesseract's own confidence."""
    api = _tesseract(languages)
    api.SetImage(Image.fromarray(strip))
    text = api.GetUTF8Text()  # recognises
    pieces: deque[Word] = deque()
    iterator = api.GetIterator()
    if iterator and not iterator.Empty(tesserocr.RIL.BLOCK):
        for each in tesserocr.iterate_level(iterator, tesserocr.RIL.WORD):
            piece, box = each.GetUTF8Text(tesserocr.RIL.WORD).strip(), each.BoundingBox(tesserocr.RIL.WORD)
            if piece and box:
                pieces.append(Word(piece, each.Confidence(tesserocr.RIL.WORD), box))
    return [word for words in lines_of(text, pieces) for word in words]


def lines_of(text: str, pieces: deque[Word]) -> Iterator[list[Word]]:
    """The words of each line of Tesseract's text, as people write them: its own `pieces` are single syllables
    wherever the writing is Korean, but its text has the spaces right."""
    for line in text.splitlines():
        yield list(_joined(line.split(), pieces))


def _joined(texts: Sequence[str], pieces: deque[Word]) -> Iterator[Word]:
    for text in texts:
        parts: list[Word] = []
        while pieces and sum(len(part.text) for part in parts) < len(text):
            parts.append(pieces.popleft())
        if parts:
            yield Word(text, min(part.confidence for part in parts), hull([part.box for part in parts]))


@cache
def _tesseract(languages: str) -> tesserocr.PyTessBaseAPI:
    api = tesserocr.PyTessBaseAPI(path=str(tessdata()), lang=languages, psm=tesserocr.PSM.SINGLE_LINE)
    api.SetVariable("preserve_interword_spaces", "1")  # or the model puts spaces between syllables
    return api
