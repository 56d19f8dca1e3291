"""Lines found by a detector, read one by one by Tesseract, which by itself mixes columns and drops lines.

Loaded once in a child process.
"""

import gzip
import os
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import tesserocr
from PIL import Image
from rapidocr import RapidOCR

from activities.ai.ocr.circled import Ring, circled, take_out
from activities.ai.pages import Pixels

MODELS = Path(__file__).parents[1] / "models"
LANGUAGES = "kor+eng"  # in this order: the other one reads Korean worse
DETECT_SIDE = 1600  # pixels of the longer side that the detector looks at
MARGIN = 0.12  # of a line's height around it
SAMPLE = 5  # of the longest lines tell whether a page is upside down
UPRIGHT_ENOUGH = 60.0  # mean confidence, in percent, below which a page is tried upside down

Quad = npt.NDArray[np.float32]  # 4 × (x, y), clockwise from the upper left


@dataclass(frozen=True)
class Word:
    """`box` is left, top, right, bottom in pixels of the page; `confidence` 0 to 100."""

    text: str
    confidence: float
    box: tuple[int, int, int, int]


@dataclass(frozen=True)
class Line:
    box: tuple[int, int, int, int]
    words: tuple[Word, ...]

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    @property
    def confidence(self) -> float:
        letters = sum(len(word.text) for word in self.words)
        return sum(len(word.text) * word.confidence for word in self.words) / letters if letters else 0.0


def fingerprint() -> str:
    models = ", ".join(
        f"{path.name.split('.')[0]} {path.stat().st_size}" for path in sorted(MODELS.glob("*.gz"))
    )
    return f"tesseract {tesserocr.tesseract_version().split()[1]}, rapidocr {version('rapidocr')}, {models}"


def detect(page: Pixels) -> list[Quad]:
    """Quadrilaterals around lines of text, in no order."""
    colour = cv2.cvtColor(page, cv2.COLOR_GRAY2BGR)
    found: Any = _detector()(colour, use_det=True, use_cls=False, use_rec=False)
    return [] if found.boxes is None else [np.asarray(box, np.float32) for box in found.boxes]


def read(page: Pixels, quad: Quad) -> Line:
    """The words of one line; none if nothing in it can be read."""
    strip, back = _straight(page, quad)
    rest, rings = take_out(strip)
    api = _tesseract()
    api.SetImage(Image.fromarray(rest))
    pieces = []
    text = api.GetUTF8Text()  # recognises, and knows where the spaces are
    iterator = api.GetIterator()
    if iterator and not iterator.Empty(tesserocr.RIL.BLOCK):
        for each in tesserocr.iterate_level(iterator, tesserocr.RIL.WORD):
            piece, box = each.GetUTF8Text(tesserocr.RIL.WORD).strip(), each.BoundingBox(tesserocr.RIL.WORD)
            if piece and box:
                pieces.append(Word(piece, each.Confidence(tesserocr.RIL.WORD), box))
    words = [*_joined(text.split(), pieces), *(_number(ring) for ring in rings)]
    words = [
        replace(word, box=_on_page(word.box, back)) for word in sorted(words, key=lambda each: each.box[0])
    ]
    left, top = np.floor(quad.min(axis=0)).astype(int)
    right, bottom = np.ceil(quad.max(axis=0)).astype(int)
    return Line((int(left), int(top), int(right), int(bottom)), tuple(words))


def _joined(texts: Sequence[str], pieces: Sequence[Word]) -> Iterator[Word]:
    """Words as people write them: Tesseract's own are single syllables wherever the writing is Korean."""
    rest = deque(pieces)
    for text in texts:
        parts: list[Word] = []
        while rest and sum(len(part.text) for part in parts) < len(text):
            parts.append(rest.popleft())
        if parts:
            boxes = np.array([part.box for part in parts])
            low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
            confidence = min(part.confidence for part in parts)
            yield Word(text, confidence, (int(low[0]), int(low[1]), int(high[0]), int(high[1])))


def _number(ring: Ring) -> Word:
    """What stands in the ring; ○ with no confidence where that is no number."""
    api = _tesseract()
    api.SetPageSegMode(tesserocr.PSM.SINGLE_WORD)
    api.SetVariable("tessedit_char_whitelist", "0123456789")
    api.SetImage(Image.fromarray(ring.inside))
    text, confidence = circled(api.GetUTF8Text().strip()), float(api.MeanTextConf())
    api.SetVariable("tessedit_char_whitelist", "")
    api.SetPageSegMode(tesserocr.PSM.SINGLE_LINE)
    return Word(text or "○", confidence if text else 0.0, ring.box)


def upright(page: Pixels) -> tuple[Pixels, int, list[Quad]]:
    """The page turned so that its text stands, by how many degrees (0, 90, 180, 270), and its lines."""
    quads = detect(page)
    if not quads:
        return page, 0, []
    lying = sum(_height(quad) > _width(quad) for quad in quads) > len(quads) / 2
    best, chosen = -1.0, (page, 0, quads)
    for degrees in (90, 270) if lying else (0, 180):
        turned = np.ascontiguousarray(np.rot90(page, degrees // 90))
        found = detect(turned) if degrees else quads
        lines = [read(turned, quad) for quad in sorted(found, key=_width)[-SAMPLE:]]
        confidence = sum(line.confidence for line in lines) / len(lines) if lines else 0.0
        if confidence > best:
            best, chosen = confidence, (turned, degrees, found)
        if best >= UPRIGHT_ENOUGH and not lying:
            break
    return chosen


def _straight(page: Pixels, quad: Quad) -> tuple[Pixels, npt.NDArray[Any]]:
    """The line cut out and put straight, and the way back from it to the page."""
    width, height = _width(quad), _height(quad)
    margin = MARGIN * height
    target = np.array(
        [
            [margin, margin],
            [margin + width, margin],
            [margin + width, margin + height],
            [margin, margin + height],
        ],
        np.float32,
    )
    forth = cv2.getPerspectiveTransform(quad, target)
    size = (max(1, round(width + 2 * margin)), max(1, round(height + 2 * margin)))
    strip = cv2.warpPerspective(page, forth, size, flags=cv2.INTER_CUBIC, borderValue=255)
    return np.asarray(strip, np.uint8), np.linalg.inv(forth)


def _on_page(box: tuple[int, int, int, int], back: npt.NDArray[Any]) -> tuple[int, int, int, int]:
    left, top, right, bottom = box
    corners = np.array([[[left, top], [right, top], [right, bottom], [left, bottom]]], np.float64)
    points = cv2.perspectiveTransform(corners, back)[0]
    low, high = np.floor(points.min(axis=0)).astype(int), np.ceil(points.max(axis=0)).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _width(quad: Quad) -> float:
    return float(np.linalg.norm(quad[1] - quad[0]))


def _height(quad: Quad) -> float:
    return float(np.linalg.norm(quad[3] - quad[0]))


@cache
def _detector() -> RapidOCR:
    one_thread = {"EngineConfig.onnxruntime.intra_op_num_threads": 1}
    side = {"Det.limit_type": "max", "Det.limit_side_len": DETECT_SIDE}
    return RapidOCR(params={"Global.log_level": "error"} | one_thread | side)


@cache
def _tesseract() -> tesserocr.PyTessBaseAPI:
    api = tesserocr.PyTessBaseAPI(path=str(tessdata()), lang=LANGUAGES, psm=tesserocr.PSM.SINGLE_LINE)
    api.SetVariable("preserve_interword_spaces", "1")  # or the model puts spaces between syllables
    return api


def check_models() -> None:
    """Raises FileNotFoundError where a language's model is missing: a worker without it must not start."""
    for language in LANGUAGES.split("+"):
        if not (MODELS / f"{language}.traineddata.gz").is_file():
            raise FileNotFoundError(f"the model of {language} is missing")


@cache
def tessdata() -> Path:
    """A folder with the models unpacked, made once in this machine's temporary folder."""
    check_models()
    # Other models, another folder: what an earlier release unpacked must not be taken for ours.
    sizes = "-".join(str(path.stat().st_size) for path in sorted(MODELS.glob("*.traineddata.gz")))
    folder = Path(tempfile.gettempdir(), f"tessdata-{os.getuid()}-{sizes}")
    folder.mkdir(mode=0o700, exist_ok=True)
    for packed in MODELS.glob("*.traineddata.gz"):
        target = folder / packed.stem
        if not target.exists():
            with tempfile.NamedTemporaryFile(dir=folder, delete=False) as part:
                part.write(gzip.decompress(packed.read_bytes()))
            Path(part.name).rename(target)  # another process may do the same: both are right
    return folder
