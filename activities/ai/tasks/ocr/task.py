"""The task `ocr`: what stands on each page, with places and confidence. Korean and English.

Its files: `result.json` (pages, lines, words, tables; what stands in the regions of `questions`),
`text.txt`, `hocr.html`, `searchable.pdf`, `tables.xlsx` where there are tables with rules, and `overlay.png`,
the first page with its words boxed in the colour of their confidence. Each page's unit keeps its PICTURE.
A document of Hancom's word processor is not looked at but read as it is written (WRITTEN), the pictures in it
as pages behind it; it has no places, so neither hOCR, PDF nor overlay.
`ocr_plain` is the same by Tesseract's own program. The engine `google` is not to be had: its jobs get ours,
and `engine_used` says so.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pikepdf
from PIL import Image

from activities.ai.pages import DPI, Pixels, is_pdf, page_index, page_units
from activities.ai.sandbox.task import Assembled, Limits
from activities.ai.sniff import check_document
from activities.ai.tasks.hancom import document as written
from activities.ai.tasks.hancom import opening
from activities.ai.tasks.ocr import engine, tesseract_cli
from activities.ai.tasks.ocr.output import hocr, joined, over_original, overlay, page_pdf, small, write_tables
from activities.ai.tasks.ocr.page import Mode, picture_of, read_page
from activities.ai.tasks.ocr.regions import in_regions

MAX_PAGES = 2_000
SURE = 60.0  # percent: plain lines below it are for a person to check; Tesseract's own measure
NAMED = 20  # lines of a page that are named when they are uncertain
RESULT, TEXT, HOCR, PDF, OVERLAY = "result.json", "text.txt", "hocr.html", "searchable.pdf", "overlay.png"
TABLES = "tables.xlsx"
PAGE = "page.pdf"  # of one page, from which PDF is made
PICTURE = "page.jpg"  # of one page, to look at
WRITTEN, EMBEDDED = "page-0001", "embedded"  # units of a document that is read as it is written


class Ocr:
    name = "ocr"
    version = 6
    plain = False
    limits = Limits(source_bytes=200 << 20, memory_bytes=4 << 30, cpu_seconds=300, wall_seconds=600)

    def fingerprint(self) -> str:
        return engine.fingerprint()

    def plan(self, source: Path, parameters: Mapping[str, Any]) -> list[str]:
        if opening.kind(source):
            pictures, _ = opening.pictures(source)
            return [f"page-{number:04}" for number in range(1, len(pictures) + 2)]
        check_document(source)
        return page_units(source, MAX_PAGES)

    def run(self, source: Path, unit: str, parameters: Mapping[str, Any], out: Path) -> dict[str, Any]:
        if kind := opening.kind(source):
            return self._written(source, kind, unit, out)
        mode: Mode = parameters.get("layer") or "auto"
        page = read_page(source, page_index(unit), plain=self.plain, mode=mode)
        result = page.result()
        kept = is_pdf(source) and page.layer != "rejected"
        page_pdf(result, None if kept else page.picture, DPI, out / PAGE)
        small(page.picture, out / PICTURE)
        return result

    def _written(self, source: Path, kind: str, unit: str, out: Path) -> dict[str, Any]:
        """The text of a document, or one of the pictures in it."""
        pictures, others = opening.pictures(source)
        if unit == WRITTEN:
            found = opening.read(source)
            if others:
                found.left_out["pictures or files in it"] += others
            return dict(written.result(found, opening.ENGINES[kind]))
        with TemporaryDirectory(dir=out) as folder:
            picture = Path(folder, EMBEDDED)
            picture.write_bytes(list(pictures.values())[page_index(unit) - 1])
            page = read_page(picture, 0, plain=self.plain)
        small(page.picture, out / PICTURE)
        return page.result() | {"embedded": True}

    def assemble(
        self,
        source: Path,
        results: Sequence[tuple[str, dict[str, Any]]],
        *,
        parameters: Mapping[str, Any],
        units: Path,
        out: Path,
    ) -> Assembled:
        pages: list[dict[str, Any]] = [
            {"page": page_index(unit) + 1, "text": _text(result)} | result for unit, result in results
        ]
        questions, doubts = in_regions(pages, parameters.get("questions") or [])
        document = {"pages": pages, "questions": questions}
        (out / RESULT).write_text(json.dumps(document, ensure_ascii=False))
        (out / TEXT).write_text("\n\f\n".join(page["text"] for page in pages))
        files = [RESULT, TEXT]
        if not (is_written := bool(opening.kind(source))):
            (out / HOCR).write_text(hocr(pages))
            first = _first_picture(source, pages[0], units / results[0][0] / PICTURE)
            overlay(first, pages[0], out / OVERLAY)
            files += [HOCR, OVERLAY]
        if tables := write_tables(pages, out / TABLES):
            files.append(TABLES)
        removed: dict[str, int] = {}
        doubts += _doubts(pages)
        if not is_written:
            try:
                removed = self._searchable(source, pages, [units / unit / PAGE for unit, _ in results], out)
                files.append(PDF)
            except (pikepdf.PdfError, ValueError, TypeError):  # the latter: boxes that are none
                doubts.append("the file is damaged: its text was read, but no searchable PDF made of it")
        lines = [line for page in pages for line in page["lines"]]
        summary = {
            "pages": len(pages),
            "lines": len(lines),
            "words": sum(len(line["words"]) for line in lines),
            "own_lines": sum(line["own"] for line in lines),
            "left_out": sum(page.get("left_out", 0) for page in pages),
            "questions": len(questions),
            "tables": tables,
            "engine_used": "tesseract" if self.plain else "lines",
        } | ({"removed": removed} if removed else {})
        if is_written:
            summary["formulas"] = sum(page.get("formulas", 0) for page in pages)
        return Assembled(summary, tuple(files), tuple(doubts))

    def _searchable(
        self, source: Path, pages: Sequence[Mapping[str, Any]], parts: Sequence[Path], out: Path
    ) -> dict[str, int]:
        """Make PDF of the pages' own ones; what was taken out of the source. Raises as pikepdf does."""
        with TemporaryDirectory(dir=out) as folder:
            whole = Path(folder, PAGE)
            joined(parts, whole)
            if is_pdf(source):
                return over_original(source, pages, whole, out / PDF)
            whole.rename(out / PDF)
            return {}


class PlainOcr(Ocr):
    """Tesseract finds the lines by itself."""

    name = "ocr_plain"
    plain = True
    limits = replace(Ocr.limits, programs=True)

    def fingerprint(self) -> str:
        return tesseract_cli.fingerprint()


OCR = Ocr()
PLAIN_OCR = PlainOcr()


def _first_picture(source: Path, page: Mapping[str, Any], kept: Path) -> Pixels:
    """As it was read, from its unit; one of before 0.6 has none."""
    if kept.exists():
        return np.asarray(Image.open(kept))
    return picture_of(source, page["page"] - 1, page["turned"])


def _text(result: Mapping[str, Any]) -> str:
    return "\n".join(" ".join(word["text"] for word in line["words"]) for line in result["lines"])


def _doubts(pages: Sequence[Mapping[str, Any]]) -> list[str]:
    """Lines that were seen and not read, or hardly read, must not pass for the whole page."""
    doubts = []
    for page in pages:
        doubts += [f"page {page['page']}: {each}" for each in page.get("doubts", ())]
        empty = sum(not line["words"] for line in page["lines"])
        unsure = [number for number, line in enumerate(page["lines"], 1) if line["words"] and _unsure(line)]
        if empty:
            doubts.append(f"page {page['page']}: {empty} of {page['detected']} lines could not be read")
        if unsure:
            named = ", ".join(map(str, unsure[:NAMED])) + (", …" if len(unsure) > NAMED else "")
            doubts.append(f"page {page['page']}: {len(unsure)} lines are uncertain: {named}")
        if page.get("order_doubted"):
            doubts.append(f"page {page['page']}: its lines could be read in another order")
        tables = [n for n, table in enumerate(page.get("tables", ()), 1) if table.get("doubted")]
        if tables:
            named = ", ".join(map(str, tables[:NAMED]))
            doubts.append(
                f"page {page['page']}: the rules of table {named} are unsure, and with them its cells"
            )
        if page.get("formulas") and page.get("layer") != "written":
            doubts.append(
                f"page {page['page']}: {page['formulas']} formulas stand there that lines cannot say"
            )
        if page.get("left_out"):
            doubts.append(f"page {page['page']}: {page['left_out']} words of the file are not to be seen")
        if not page["detected"] and not page.get("embedded") and not page.get("doubts"):
            doubts.append(f"page {page['page']}: no text was found")
    return doubts


def _unsure(line: Mapping[str, Any]) -> bool:
    """By one word that is doubted, or by all of its letters, as for plain lines."""
    if line.get("doubted") or line["confidence"] < SURE:
        return True
    return any(not word["confidence"] for word in line["words"])
