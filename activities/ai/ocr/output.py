"""What people get of a recognised page: hOCR, a PDF that can be searched, and a picture to look at."""

import io
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from activities.ai.pages import Pixels

FONT = "HYSMyeongJo-Medium"  # a name only: invisible text is never drawn
JPEG_QUALITY = 60
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


def searchable_pdf(pages: Sequence[tuple[Page, Callable[[], Pixels]]], dpi: int, path: Path) -> None:
    """Each page's picture with its words invisible above it, one page in memory at a time."""
    pdfmetrics.registerFont(UnicodeCIDFont(FONT))
    canvas = Canvas(str(path), pageCompression=1)
    for page, picture in pages:
        scale = 72 / dpi
        width, height = page["width"] * scale, page["height"] * scale
        canvas.setPageSize((width, height))
        jpeg = io.BytesIO()
        Image.fromarray(picture()).save(jpeg, "JPEG", quality=JPEG_QUALITY)
        canvas.drawInlineImage(Image.open(jpeg), 0, 0, width, height)
        for line in page["lines"]:
            for word in line["words"]:
                left, _, right, bottom = word["box"]
                size = max(1.0, (bottom - word["box"][1]) * scale)
                text = canvas.beginText(left * scale, height - bottom * scale)
                text.setTextRenderMode(3)
                text.setFont(FONT, size)
                natural = pdfmetrics.stringWidth(word["text"], FONT, size) or 1.0
                text.setHorizScale(100 * (right - left) * scale / natural)
                text.textOut(word["text"] + " ")
                canvas.drawText(text)
        canvas.showPage()
    canvas.save()


def overlay(picture: Pixels, page: Page, path: Path) -> None:
    """The page with every word boxed: green is sure, orange less so, red doubtful."""
    drawn = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
    for line in page["lines"]:
        for word in line["words"]:
            left, top, right, bottom = word["box"]
            colour = next(colour for least, colour in _COLOURS if word["confidence"] >= least)
            cv2.rectangle(drawn, (left, top), (right, bottom), colour, 3)
    scale = OVERLAY_WIDTH / max(1, drawn.shape[1])
    small = cv2.resize(drawn, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else drawn
    path.write_bytes(np.asarray(cv2.imencode(".png", small)[1]).tobytes())


def _bbox(box: Sequence[int]) -> str:
    return "bbox " + " ".join(str(each) for each in box)
