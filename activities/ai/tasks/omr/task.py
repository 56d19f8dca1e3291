"""The task `omr_grading`: a sheet on each page, read, and graded where the job has the answers.

Its files: `answers.json` (every sheet with all its marks), a PNG of whatever a person must decide, and
`asked.json`, which is what the job was asked for, to be asked again with that.
"""

import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from activities.ai.pages import Pixels, load, page_index, page_units
from activities.ai.sandbox.task import Assembled, BadInput, Limits
from activities.ai.sniff import check_document
from activities.ai.storing import OPENED_BY, digest_of
from activities.ai.tasks.omr import grading
from activities.ai.tasks.omr.classsheet import write_class_sheet
from activities.ai.tasks.omr.correcting import corrected, corrections
from activities.ai.tasks.omr.items import items
from activities.ai.tasks.omr.layout import FIRST_FOREIGN_MARK, SHEETS, Layout
from activities.ai.tasks.omr.marked import marked
from activities.ai.tasks.omr.pile import answers_of, doubts, sheet_of, unexplained
from activities.ai.tasks.omr.reading import Bubbles, crop, find, measure
from contracts.errors import OMR_SHEET_NOT_FOUND, OMR_TEMPLATE_UNKNOWN

MAX_PAGES = 500
_DPI = 200  # of PDF pages; 11 pixels for a module of a corner mark
_INK = 0.8  # of the paper's lightness: what is darker is ink
ANSWERS = "answers.json"
STATISTICS = "statistics.json"
CLASS = "class.xlsx"
REPORTS = "reports.pdf"
ASKED = "asked.json"


class Omr:
    name = "omr_grading"
    version = 3
    limits = Limits(source_bytes=50 << 20, memory_bytes=2 << 30, cpu_seconds=60, wall_seconds=120)

    def fingerprint(self) -> str:
        return f"opencv {version('opencv-python-headless')}, pdfium {version('pypdfium2')}"

    def plan(self, source: Path, parameters: Mapping[str, Any]) -> list[str]:
        check_document(source)
        _layouts(parameters)
        grading.questions(parameters)
        corrections(parameters, digest_of(source))
        return page_units(source, MAX_PAGES)

    def run(self, source: Path, unit: str, parameters: Mapping[str, Any], out: Path) -> dict[str, Any]:
        picture = load(source, page_index(unit), dpi=_DPI)
        try:
            layout, straight = _find(picture, parameters)
        except BadInput as error:
            # After looking for marks: a sheet that is hardly to be seen is not a back.
            if error.detail.get("corner_marks") == 0 and _is_empty(picture):
                return {"empty": True}
            raise
        page = measure(layout, straight)
        several = {number for number, asked in grading.questions(parameters).items() if asked.all_of}
        read = marked(page, layout, several)
        crops: dict[str, Any] = {}
        for number, mark in enumerate(read.questions, 1):
            if mark.doubtful:
                index = number - 1
                picture_of_it = crop(page, [layout.questions[index]], [page.lines[index]])
                (out / f"question-{number:03}.png").write_bytes(picture_of_it.png)
                crops[str(number)] = {"size": picture_of_it.size, "bubbles": picture_of_it.bubbles}
        if any(mark.state != "answered" for mark in read.digits):
            whole = crop(page, layout.digits, page.lines[len(layout.questions) :], above=17)
            (out / "identifier.png").write_bytes(whole.png)
        return {
            "marks": [mark.id for mark in layout.marks],
            "choices": max(len(line.bubbles) for line in layout.questions),
            "questions": [list(mark) for mark in read.questions],
            "several": {str(number): choices for number, choices in read.several.items()},
            "fills": [_rounded(line) for line in page.lines[: len(layout.questions)]],
            "marked_from": round(read.level.marked, 2),
            "digits": [list(mark) for mark in read.digits],
            "crops": crops,
        }

    def assemble(
        self,
        source: Path,
        results: Sequence[tuple[str, dict[str, Any]]],
        *,
        parameters: Mapping[str, Any],
        units: Path,
        out: Path,
    ) -> Assembled:
        digest = digest_of(source)
        decided = corrections(parameters, digest)
        read = [(unit, result) for unit, result in results if "empty" not in result]
        if not read:
            raise BadInput(OMR_SHEET_NOT_FOUND)
        read = corrected(read, decided)
        key = grading.questions(parameters)
        sheets = [sheet_of(unit, result, key) for unit, result in read]
        empty = {page_index(unit): "empty" in result for unit, result in results}
        review = [*doubts(sheets), *(f"page-{index + 1:04}: empty" for index in unexplained(empty))]
        crops = []
        for unit, _ in read:
            for path in sorted((units / unit).glob("*.png")):
                crops.append(f"{unit}-{path.name}")
                shutil.copyfile(path, out / crops[-1])
        (out / ANSWERS).write_text(json.dumps({"sheets": sheets}, ensure_ascii=False))
        (out / ASKED).write_text(json.dumps(_asked(parameters, digest), ensure_ascii=False))
        answers = [answers_of(result) for _, result in read]
        files = (ANSWERS, ASKED, *_analysed(sheets, answers, key, out), *crops)
        states = Counter(question["state"] for sheet in sheets for question in sheet["questions"])
        summary = {
            "sheets": len(sheets),
            "empty_pages": len(results) - len(read),
            "graded": sum(sheet["score"] is not None for sheet in sheets),
            "questions": dict(states),
        } | ({"corrected": len(decided)} if decided else {})
        return Assembled(summary, files, tuple(review))


OMR = Omr()


def _asked(parameters: Mapping[str, Any], digest: str) -> dict[str, Any]:
    """Without the password, which stays in the payload alone."""
    payload = {name: value for name, value in parameters.items() if name != OPENED_BY}
    return {"file_sha256": digest, "locked": OPENED_BY in parameters, "payload": payload}


def _analysed(
    sheets: Sequence[Mapping[str, Any]],
    answers: Sequence[Sequence[grading.Answer]],
    key: Mapping[int, grading.Keyed],
    out: Path,
) -> tuple[str, ...]:
    """Files about what was graded: none if nothing was. About a class, if a sheet did not come alone."""
    if not any(question.counts for question in key.values()):
        return ()
    # Here: a child that reads pages needs no writer of PDFs.
    from activities.ai.tasks.omr.reports import write_reports

    found = items(key, answers)
    write_reports(out / REPORTS, sheets, key, found)
    if len(sheets) < 2:
        return (REPORTS,)
    listed = [item._asdict() for item in found]
    (out / STATISTICS).write_text(json.dumps({"questions": listed}, ensure_ascii=False))
    write_class_sheet(out / CLASS, sheets, key, found)
    return REPORTS, STATISTICS, CLASS


def _layouts(parameters: Mapping[str, Any]) -> list[Layout]:
    """The sheets that a page may be: ours, or the one that `template_meta.layout` describes."""
    described = (parameters.get("template_meta") or {}).get("layout")
    if described is None:
        return list(SHEETS.values())
    try:
        layout = Layout.model_validate(described)
    except ValidationError as error:
        raise BadInput(OMR_TEMPLATE_UNKNOWN, {"problems": error.error_count()}) from None
    if min(mark.id for mark in layout.marks) < FIRST_FOREIGN_MARK:
        raise BadInput(OMR_TEMPLATE_UNKNOWN, {"marks_from": FIRST_FOREIGN_MARK})
    return [layout]


def _find(picture: Pixels, parameters: Mapping[str, Any]) -> tuple[Layout, Pixels]:
    meta = parameters.get("template_meta") or {}
    try:
        layout, straight = find(picture, _layouts(parameters))
    except BadInput as error:
        if error.detail.get("corner_marks") == 0 and meta and "layout" not in meta:
            # A sheet of some other system, described in a way that we do not know.
            raise BadInput(OMR_TEMPLATE_UNKNOWN) from None
        raise
    expected = parameters.get("question_count")
    if expected not in (None, len(layout.questions)):
        raise BadInput(OMR_TEMPLATE_UNKNOWN, {"questions": len(layout.questions), "expected": expected})
    return layout, straight


def _is_empty(picture: Pixels) -> bool:
    """Less ink than a tenth of the corner marks alone, be it pale. What shines through paper is paler."""
    return bool((picture < _INK * np.median(picture)).mean() < 0.0005)


def _rounded(line: Bubbles | None) -> list[float] | None:
    return [round(fill, 2) for fill in line.fills] if line else None
