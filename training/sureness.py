"""How often the readers are right, by how sure they are, on lines whose truth is known and in fonts held
back: the tables of `activities/ai/tasks/ocr/weighing.py`. `python -m training.sureness FONTS words.json`.

Lines are drawn at 6 to 14 points, turned, blurred, noisy, four in ten of them at 35 to 80 % of the size, and
cut out as the engine does it, so that what the cutting spoils counts too.
"""

import json
import random
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw
from rapidfuzz.distance import Levenshtein

from activities.ai.pages import Pixels
from activities.ai.tasks.ocr import reader, tesseract
from activities.ai.tasks.ocr.models import BOTH, FIRST
from activities.ai.tasks.ocr.strips import strip_of
from activities.ai.tasks.ocr.words import Quad
from training import fonts
from training.texts import Texts

LINES, SEED = 1_500, 11
SIZES = (26, 30, 34, 38, 44, 44, 50, 60)
SHARES = (0.2, 0.35, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.985, 0.993, 0.997, 0.999, 1.01)
PERCENTS = (20, 40, 60, 70, 80, 85, 90, 93, 95, 101)

Seen = list[tuple[float, bool]]  # how sure, and whether right


def drawn(chance: random.Random, faces: fonts.Fonts, text: str) -> tuple[str, Pixels, Quad]:
    """What was drawn, the page, and the line's outline as loose as a detector's."""
    face, text = faces.choose(chance, text)
    size = chance.choice(SIZES)
    font = faces.at(face, size)
    sheet = Image.new("L", (int(font.getlength(text)) + 400, 8 * size), 255)
    pen, place = ImageDraw.Draw(sheet), (200, 3 * size)
    pen.text(place, text, fill=0, font=font)
    left, top, right, bottom = pen.textbbox(place, text, font=font)
    loose = chance.uniform(0.1, 0.35) * (bottom - top)
    corners = [
        (left - loose, top - loose),
        (right + loose, top - loose),
        (right + loose, bottom + loose),
        (left - loose, bottom + loose),
    ]
    turn = cv2.getRotationMatrix2D((sheet.width / 2, sheet.height / 2), chance.choice([0, 0, 0, 1, -1.5]), 1)
    page = cv2.warpAffine(np.asarray(sheet), turn, sheet.size, flags=cv2.INTER_CUBIC, borderValue=255)
    quad = cv2.transform(np.array([corners], np.float32), turn)[0]
    scale = 1.0 if chance.random() < 0.6 else chance.uniform(0.35, 0.8)
    page = cv2.resize(page, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(page, (0, 0), chance.uniform(0.4, 1.6) * scale).astype(np.float32)
    noise = np.random.default_rng(chance.getrandbits(32)).normal(0, chance.choice([3, 10, 18]), page.shape)
    grey = chance.choice([0, 20, 60]) + blurred * chance.choice([0.86, 0.7, 0.5]) + noise
    return text, grey.clip(0, 255).astype(np.uint8), np.asarray(quad * scale, np.float32)


def judged(truth: str, words: Sequence[tuple[str, float]]) -> Iterator[tuple[float, bool]]:
    """Each word with how sure it is, and whether all its letters are right and none is missing."""
    text = "".join(word for word, _ in words)
    right = [True] * len(text)
    for change in Levenshtein.editops(text, "".join(truth.split())):
        touched = (change.src_pos - 1, change.src_pos) if change.tag == "insert" else (change.src_pos,)
        for place in touched:
            if 0 <= place < len(text):
                right[place] = False
    at = 0
    for word, sure in words:
        yield sure, all(right[at : at + len(word)])
        at += len(word)


def shown(name: str, seen: Seen, edges: Sequence[float]) -> None:
    print(f"{name}: {len(seen)} words")
    low = 0.0
    for high in edges:
        here = [right for sure, right in seen if low <= sure < high]
        if here:
            print(f"  {low:g} to {high:g}: {100 * sum(here) / len(here):.1f} % of {len(here)}")
        low = high


def main(folder: Path, words: Path) -> None:
    listed = json.loads(words.read_text())
    texts, faces, chance = (
        Texts(listed["ko"], listed["en"]),
        fonts.of_folder(folder, True),
        random.Random(SEED),
    )
    seen: dict[str, Seen] = defaultdict(list)
    for _ in range(LINES):
        truth, page, quad = drawn(chance, faces, texts.line(chance, chance.randint(3, 34)))
        strip = strip_of(page, quad)
        letters = reader.read(strip.exactly(reader.ROWS))
        spaced = "".join(letter.text for letter in letters)
        shares = iter(letter.share for letter in letters if letter.text != " ")
        mine = [(word, min(next(shares) for _ in word)) for word in spaced.split()]
        seen["reader"] += judged(truth, mine)
        for languages in (FIRST, BOTH):
            found = tesseract.read(strip.at(tesseract.HEIGHT), languages)
            seen[languages] += judged(truth, [(word.text, word.confidence) for word in found])
    shown("reader", seen.pop("reader"), SHARES)
    for name, each in seen.items():
        shown(name, each, PERCENTS)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
