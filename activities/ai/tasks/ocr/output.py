"""What people get of a recognised page: hOCR, a PDF that can be searched, and a picture to look at."""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from html import escape
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pikepdf
import xlsxwriter
from PIL import Image
from reportlab import rl_config
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from activities.ai.pages import Pixels
from activities.ai.tasks.ocr.passive import make_passive

FONT = "HYSMyeongJo-Medium"  # a name only: invisible text is never drawn
JPEG_QUALITY = 60
SHEETS, CELL_LETTERS = 1_000, 32_767  # of a workbook; Excel's limit of a cell
JOINED = 100  # files open at once
OVERLAY_WIDTH = 1200
_COLOURS = ((90.0, (60, 160, 60)), (75.0, (0, 170, 230)), (0.0, (50, 50, 220)))  # blue, green, red

Page = Mapping[str, Any]


def hocr(pages: Sequence[Page]) -> str:
    """All pages as hOCR 1.2 (http://kba.github.io/hocr-spec/1.2/)."""
    parts = [
        '<!DOCTYPE html><html><head><meta charset="utf-8"><title>OCR</title>'
        '<meta name="ocr-system" content="academy-workflows">'
        '<meta name="ocr-capabilities" content="ocr_page ocr_line ocrx_word"></head><body>'
    ]
    for page in pages:
        size = f"bbox 0 0 {page['width']} {page['height']}; ppageno {page['page'] - 1}"
        parts.append(f'<div class="ocr_page" title="{size}">')
        for line in page["lines"]:
            parts.append(f'<span class="ocr_line" title="{_bbox(line["box"])}">')
            for word in line["words"]:
                title = f"{_bbox(word['box'])}; x_wconf {word['confidence']:.0f}"
                parts.append(f'<span class="ocrx_word" title="{title}">{escape(word["text"])}</span> ')
            parts.append("</span><br>")
        parts.append("</div>")
    return "".join(parts) + "</body></html>"


def page_pdf(page: Page, picture: Pixels | None, dpi: int, path: Path) -> None:
    """The page's picture with its words invisible above it; without a picture, the words that a page of the
    file itself lacks."""
    pdfmetrics.registerFont(UnicodeCIDFont(FONT))
    scale = 72 / dpi
    width, height = page["width"] * scale, page["height"] * scale
    canvas = Canvas(str(path), pagesize=(width, height), pageCompression=1)
    if picture is not None:
        jpeg = io.BytesIO()
        Image.fromarray(picture).save(jpeg, "JPEG", quality=JPEG_QUALITY)
        with _bytes_as_they_are():
            canvas.drawImage(ImageReader(jpeg), 0, 0, width, height)
    text = canvas.beginText()
    text.setTextRenderMode(3)
    for line in page["lines"]:
        for word in line["words"] if picture is not None or not line["own"] else ():
            left, top, right, bottom = word["box"]
            size = max(1.0, (bottom - top) * scale)
            text.setTextOrigin(left * scale, height - bottom * scale)
            text.setFont(FONT, size)
            natural = pdfmetrics.stringWidth(word["text"], FONT, size) or 1.0
            text.setHorizScale(100 * (right - left) * scale / natural)
            text.textOut(word["text"] + " ")
    canvas.drawText(text)
    canvas.showPage()
    with _bytes_as_they_are():
        canvas.save()


@contextmanager
def _bytes_as_they_are() -> Iterator[None]:
    """ReportLab writes pictures as text, which takes as long as reading the page. The setting is its whole
    module's, and other sheets must stay the bytes they are."""
    before, rl_config.useA85 = rl_config.useA85, 0
    try:
        yield
    finally:
        rl_config.useA85 = before


def joined(parts: Sequence[Path], path: Path) -> None:
    """One PDF of many, never with more than JOINED of them open."""
    while len(parts) > JOINED:
        groups = [parts[first : first + JOINED] for first in range(0, len(parts), JOINED)]
        names = [path.with_name(f"{path.stem}-{number}-{len(groups)}.pdf") for number in range(len(groups))]
        for group, name in zip(groups, names, strict=True):
            joined(group, name)
        parts = names
    with ExitStack() as opened, pikepdf.new() as whole:
        for part in parts:
            whole.pages.extend(opened.enter_context(pikepdf.open(part)).pages)
        whole.save(path, object_stream_mode=pikepdf.ObjectStreamMode.generate)


def over_original(source: Path, pages: Sequence[Page], parts: Path, path: Path) -> dict[str, int]:
    """The source's own pages with what they lack: `parts` has one page for each of `pages`. Pages whose text
    was rejected are replaced. What the source does besides being read is taken out; returns how much of
    each kind. Raises pikepdf.PdfError where the source is too damaged for that."""
    with pikepdf.open(source) as whole, pikepdf.open(parts) as made:
        removed = make_passive(whole)
        for page, part in zip(pages, made.pages, strict=True):
            index = page["page"] - 1
            if index >= len(whole.pages):
                raise pikepdf.PdfError("the source has fewer pages here than for its renderer")
            if page["layer"] == "rejected":
                whole.pages[index] = part
                continue
            original = whole.pages[index]
            original.rotate(-page["turned"], relative=True)
            if not all(line["own"] for line in page["lines"]):
                original.add_overlay(part, pikepdf.Rectangle(original.cropbox))
        whole.save(path, object_stream_mode=pikepdf.ObjectStreamMode.generate)
    return dict(removed)


def write_tables(pages: Sequence[Page], path: Path) -> int:
    """A sheet for each table of the pages, all cells as text: what was written must not become a formula or
    lose its zeros. Returns how many there are; without any nothing is written."""
    found = [(page["page"], table) for page in pages for table in page.get("tables", ())]
    if not found:
        return 0
    with xlsxwriter.Workbook(path, {"in_memory": True}) as book:
        style = book.add_format({"border": 1, "text_wrap": True, "valign": "vcenter", "num_format": "@"})
        for number, (page, table) in enumerate(found[:SHEETS], 1):
            sheet = book.add_worksheet(f"{number} (p. {page})")
            for cell in table["cells"]:
                row, column, text = cell["row"], cell["column"], cell["text"][:CELL_LETTERS]
                last = row + cell["rows"] - 1, column + cell["columns"] - 1
                if last != (row, column) and not table.get("doubted"):  # else they may lie over each other
                    sheet.merge_range(row, column, *last, "", style)
                sheet.write_string(row, column, text, style)
    return len(found)


def overlay(picture: Pixels, page: Page, path: Path) -> None:
    """The page with every word boxed: green is sure, orange less so, red doubtful. `picture` may be smaller
    than the page is."""
    seen = _shrunk(picture)
    drawn = cv2.cvtColor(seen, cv2.COLOR_GRAY2BGR if seen.ndim == 2 else cv2.COLOR_RGB2BGR)
    scale = drawn.shape[1] / page["width"]
    for line in page["lines"]:
        for word in line["words"]:
            left, top, right, bottom = (round(side * scale) for side in word["box"])
            colour = next(colour for least, colour in _COLOURS if word["confidence"] >= least)
            cv2.rectangle(drawn, (left, top), (right, bottom), colour, 2)
    path.write_bytes(np.asarray(cv2.imencode(".png", drawn)[1]).tobytes())


def small(picture: Pixels, path: Path) -> None:
    """The page as it was read, OVERLAY_WIDTH wide at most, for words to be laid over it."""
    Image.fromarray(_shrunk(picture)).save(path, "JPEG", quality=JPEG_QUALITY)


def _shrunk(picture: Pixels) -> Pixels:
    high, wide = picture.shape[:2]
    scale = min(OVERLAY_WIDTH / wide, 10 * OVERLAY_WIDTH / high)  # a JPEG has 65,535 rows at most
    if scale >= 1:
        return picture
    size = max(1, round(wide * scale)), max(1, round(high * scale))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _bbox(box: Sequence[int]) -> str:
    return "bbox " + " ".join(str(each) for each in box)
