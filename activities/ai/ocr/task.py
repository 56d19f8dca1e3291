"""The task `ocr`: what stands on each page, with places and confidence. Korean and English.

Its files: `result.json` (pages, lines, words), `text.txt`, `hocr.html`, `searchable.pdf`, and `overlay.png`,
the first page with its words boxed in the colour of their confidence.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from activities.ai.ocr import engine
from activities.ai.ocr.order import reading_order
from activities.ai.ocr.output import hocr, overlay, searchable_pdf
from activities.ai.pages import Pixels, count, load
from activities.ai.sniff import check_document
from activities.ai.task import Assembled, BadInput, Limits
from contracts.errors import TOO_MANY_PAGES

MAX_PAGES = 2_000
DPI = 300
SURE = 60.0  # percent: lines below it are for a person to check
RESULT, TEXT, HOCR, PDF, OVERLAY = "result.json", "text.txt", "hocr.html", "searchable.pdf", "overlay.png"


class Ocr:
    name = "ocr"
    version = 1
    limits = Limits(source_bytes=200 << 20, memory_bytes=4 << 30, cpu_seconds=300, wall_seconds=600)

    def fingerprint(self) -> str:
        return engine.fingerprint()

    def plan(self, source: Path, parameters: Mapping[str, Any]) -> list[str]:
        check_document(source)
        pages = count(source)
        if pages > MAX_PAGES:
            raise BadInput(TOO_MANY_PAGES, {"pages": pages, "limit": MAX_PAGES})
        return [f"page-{number:04}" for number in range(1, pages + 1)]

    def run(self, source: Path, unit: str, parameters: Mapping[str, Any], out: Path) -> dict[str, Any]:
        page, turned, quads = engine.upright(load(source, _index(unit), dpi=DPI))
        lines = [engine.read(page, quad) for quad in quads]
        height, width = page.shape
        ordered = [lines[index] for index in reading_order([line.box for line in lines], width)]
        return {
            "width": width,
            "height": height,
            "turned": turned,
            "detected": len(quads),
            "lines": [
                {
                    "box": line.box,
                    "confidence": line.confidence,
                    "words": [asdict(word) for word in line.words],
                }
                for line in ordered
            ],
        }

    def assemble(
        self,
        source: Path,
        results: Sequence[tuple[str, dict[str, Any]]],
        parameters: Mapping[str, Any],
        units: Path,
        out: Path,
    ) -> Assembled:
        pages: list[dict[str, Any]] = [
            {"page": _index(unit) + 1, "text": _text(result)} | result for unit, result in results
        ]
        (out / RESULT).write_text(json.dumps({"pages": pages}, ensure_ascii=False))
        (out / TEXT).write_text("\n\f\n".join(page["text"] for page in pages))
        (out / HOCR).write_text(hocr(pages))
        pictures = [(page, partial(_picture, source, page)) for page in pages]
        searchable_pdf(pictures, DPI, out / PDF)
        overlay(pictures[0][1](), pages[0], out / OVERLAY)
        lines = [line for page in pages for line in page["lines"]]
        summary = {
            "pages": len(pages),
            "lines": len(lines),
            "words": sum(len(line["words"]) for line in lines),
            "engine_used": "lines",  # whatever `engine` the job asked for: there is no other here
        }
        return Assembled(summary, (RESULT, TEXT, HOCR, PDF, OVERLAY), tuple(_doubts(pages)))


OCR = Ocr()


def _index(unit: str) -> int:
    return int(unit.removeprefix("page-")) - 1


def _picture(source: Path, page: Mapping[str, Any]) -> Pixels:
    return np.ascontiguousarray(np.rot90(load(source, page["page"] - 1, dpi=DPI), page["turned"] // 90))


def _text(result: Mapping[str, Any]) -> str:
    return "\n".join(" ".join(word["text"] for word in line["words"]) for line in result["lines"])


def _doubts(pages: Sequence[Mapping[str, Any]]) -> list[str]:
    """Lines that were seen and not read, or hardly read, must not pass for the whole page."""
    doubts = []
    for page in pages:
        empty = sum(not line["words"] for line in page["lines"])
        unsure = sum(
            line["confidence"] < SURE or any(not word["confidence"] for word in line["words"])
            for line in page["lines"]
            if line["words"]
        )
        if empty:
            doubts.append(f"page {page['page']}: {empty} of {page['detected']} lines could not be read")
        if unsure:
            doubts.append(f"page {page['page']}: {unsure} lines are uncertain")
        if not page["detected"]:
            doubts.append(f"page {page['page']}: no text was found")
    return doubts
