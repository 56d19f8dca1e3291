"""The task `omr_grading`: a sheet on each page, read, and graded where the job has the answers.

Its files: `answers.json` (every sheet with all its marks), and a PNG of whatever a person must decide.
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
from activities.ai.tasks.omr import grading
from activities.ai.tasks.omr.judging import UNREADABLE, Mark, judge
from activities.ai.tasks.omr.layout import FIRST_FOREIGN_MARK, SHEETS, Layout
from activities.ai.tasks.omr.reading import Bubbles, Page, crop, find, measure
from contracts.errors import OMR_SHEET_NOT_FOUND, OMR_TEMPLATE_UNKNOWN

MAX_PAGES = 500
_DPI = 200  # of PDF pages; 11 pixels for a module of a corner mark
ANSWERS = "answers.json"


class Omr:
    name = "omr_grading"
    version = 1
    limits = Limits(source_bytes=50 << 20, memory_bytes=2 << 30, cpu_seconds=60, wall_seconds=120)

    def fingerprint(self) -> str:
        return f"opencv {version('opencv-python-headless')}, pdfium {version('pypdfium2')}"

    def plan(self, source: Path, parameters: Mapping[str, Any]) -> list[str]:
        check_document(source)
        _layouts(parameters)
        grading.questions(parameters)
        return page_units(source, MAX_PAGES)

    def run(self, source: Path, unit: str, parameters: Mapping[str, Any], out: Path) -> dict[str, Any]:
        picture = load(source, page_index(unit), dpi=_DPI)
        if _is_empty(picture):  # backs of sheets, from scanners that take both sides
            return {"empty": True}
        layout, straight = _find(picture, parameters)
        page = measure(layout, straight)
        questions = [_judged(line) for line in page.lines[: len(layout.questions)]]
        if not page.shows_grey:  # what looks blank may have been marked
            questions = [UNREADABLE if mark.state == "blank" else mark for mark in questions]
        for number, mark in enumerate(questions, 1):
            if mark.doubtful:
                index = number - 1
                picture_of_it = crop(page, [layout.questions[index]], [page.lines[index]])
                (out / f"question-{number:03}.png").write_bytes(picture_of_it)
        digits = _digits(page, layout)
        if any(mark.state != "answered" for mark in digits):
            whole = crop(page, layout.digits, page.lines[len(layout.questions) :], above=17)
            (out / "identifier.png").write_bytes(whole)
        return {
            "marks": [mark.id for mark in layout.marks],
            "choices": max(len(line.bubbles) for line in layout.questions),
            "questions": [[mark.state, mark.choice] for mark in questions],
            "fills": [_rounded(line) for line in page.lines[: len(layout.questions)]],
            "digits": [[mark.state, mark.choice] for mark in digits],
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
        read = [(unit, result) for unit, result in results if "empty" not in result]
        if not read:
            raise BadInput(OMR_SHEET_NOT_FOUND)
        key = grading.questions(parameters)
        sheets = [_sheet(unit, result, key) for unit, result in read]
        review = [reason for sheet in sheets for reason in _doubts(sheet, alone=len(sheets) == 1)]
        identifiers = Counter(sheet["identifier"] for sheet in sheets if "?" not in sheet["identifier"])
        for identifier, times in identifiers.items():
            if identifier and times > 1:
                pages = ", ".join(sheet["page"] for sheet in sheets if sheet["identifier"] == identifier)
                review.append(f"{pages}: the same identifier")
        crops = []
        for unit, _ in read:
            for path in sorted((units / unit).glob("*.png")):
                crops.append(f"{unit}-{path.name}")
                shutil.copyfile(path, out / crops[-1])
        (out / ANSWERS).write_text(json.dumps({"sheets": sheets}, ensure_ascii=False))
        states = Counter(question["state"] for sheet in sheets for question in sheet["questions"])
        summary = {
            "sheets": len(sheets),
            "empty_pages": len(results) - len(read),
            "graded": sum(sheet["score"] is not None for sheet in sheets),
            "questions": dict(states),
        }
        return Assembled(summary, (ANSWERS, *crops), tuple(review))


OMR = Omr()


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
    """Less ink than a tenth of the corner marks alone."""
    return bool((picture < 0.5 * np.median(picture)).mean() < 0.0005)


def _judged(line: Bubbles | None) -> Mark:
    return judge(line.fills, line.strays) if line else UNREADABLE


def _digits(page: Page, layout: Layout) -> list[Mark]:
    """A mark for each place of the identifier; its choice is the digit."""
    lines = page.lines[len(layout.questions) :]
    if not lines:
        return []
    found = [line for line in lines if line]
    if len(found) < len(lines):  # the missing digit might be anywhere
        return [UNREADABLE] * len(layout.digits[0].bubbles)
    fills = zip(*(line.fills for line in found), strict=True)
    strays = zip(*(line.strays for line in found), strict=True)
    return [judge(*column) for column in zip(fills, strays, strict=True)]


def _rounded(line: Bubbles | None) -> list[float] | None:
    return [round(fill, 2) for fill in line.fills] if line else None


def _sheet(unit: str, result: Mapping[str, Any], key: Mapping[int, grading.Keyed]) -> dict[str, Any]:
    """A page of `answers.json`. Choices count from 1; a place of the identifier that is not read is `?`."""
    marks = [Mark(*fields) for fields in result["questions"]]
    digits = [Mark(*fields) for fields in result["digits"]]
    score = grading.grade(key, marks, result["choices"])
    questions = []
    for number, (mark, fills) in enumerate(zip(marks, result["fills"], strict=True), 1):
        asked = key.get(number)
        questions.append(
            {
                "number": number,
                "exam_question_id": asked.exam_question_id if asked else None,
                "state": mark.state,
                "choice": None if mark.choice is None else mark.choice + 1,
                "correct": grading.correct(asked, mark) if asked else None,
                "fills": fills,
            }
        )
    blank = all(mark.state == "blank" for mark in digits)
    read = "".join("?" if mark.choice is None else str(mark.choice) for mark in digits)
    return {
        "page": unit,
        "marks": result["marks"],
        "identifier": "" if blank else read,
        "questions": questions,
        "score": score.points if score else None,
        "score_of": score.of if score else None,
    }


def _doubts(sheet: Mapping[str, Any], alone: bool) -> list[str]:
    """Why a person should see the sheet, without what the student wrote."""
    page, questions = sheet["page"], sheet["questions"]
    doubts = []
    doubtful = [str(q["number"]) for q in questions if Mark(q["state"]).doubtful]
    if doubtful:
        doubts.append(f"{page}: questions {', '.join(doubtful)}")
    if all(q["state"] == "blank" for q in questions):
        doubts.append(f"{page}: nothing is marked")
    # A page sent alone belongs to whoever sent it.
    if "?" in sheet["identifier"] or not (sheet["identifier"] or alone):
        doubts.append(f"{page}: identifier")
    return doubts
