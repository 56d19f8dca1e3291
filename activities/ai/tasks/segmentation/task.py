"""The task `question_segmentation`: each question of an exam as a picture of its own.

Its files: `questions.json` (number, page, box in pixels of the upright page at 300 dpi, text) and a PNG for
each. A text that several questions share (`[1~3]`) is an entry with two numbers.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from activities.ai.pages import page_index
from activities.ai.sandbox.task import Assembled, BadInput
from activities.ai.tasks.ocr import engine
from activities.ai.tasks.ocr.page import read_page
from activities.ai.tasks.ocr.task import OCR
from activities.ai.tasks.segmentation.questions import Seen, find, gaps, overlapping, trimmed
from contracts.errors import QUESTIONS_NOT_FOUND

QUESTIONS = "questions.json"


class Segmentation:
    name = "question_segmentation"
    version = 4
    limits = OCR.limits

    def fingerprint(self) -> str:
        return engine.fingerprint()

    def plan(self, source: Path, parameters: Mapping[str, Any]) -> list[str]:
        return OCR.plan(source, parameters)

    def run(self, source: Path, unit: str, parameters: Mapping[str, Any], out: Path) -> dict[str, Any]:
        index = page_index(unit)
        page = read_page(source, index)
        height, width = page.picture.shape[:2]
        questions = find([Seen(line.text, line.box) for line in page.lines], width, height)
        found = []
        for place, question in enumerate(questions, 1):
            left, top, right, bottom = trimmed(page.picture, question.box)
            name = f"question-{place:03}.png"
            Image.fromarray(page.picture[top:bottom, left:right]).save(out / name)
            found.append(
                {
                    "numbers": question.numbers,
                    "box": (left, top, right, bottom),
                    "column": question.column,
                    "text": question.text,
                    "crop": name,
                }
            )
        size = {"turned": page.turned, "width": width, "height": height}
        doubts = {"order_doubted": page.order_doubted, "overlapping": overlapping(questions)}
        return size | {"questions": found} | doubts

    def assemble(
        self,
        source: Path,
        results: Sequence[tuple[str, dict[str, Any]]],
        *,
        parameters: Mapping[str, Any],
        units: Path,
        out: Path,
    ) -> Assembled:
        questions, crops = [], []
        for unit, result in results:
            for question in result["questions"]:
                crops.append(f"{unit}-{question['crop']}")
                shutil.copyfile(units / unit / question["crop"], out / crops[-1])
                questions.append(question | {"page": unit, "crop": crops[-1]})
        if not questions:
            raise BadInput(QUESTIONS_NOT_FOUND)
        (out / QUESTIONS).write_text(json.dumps({"questions": questions}, ensure_ascii=False))
        # A question that goes on in the next column has two parts of one number.
        numbers = [tuple(question["numbers"]) for question in questions]
        missing = gaps(numbers)
        review = []
        if missing:
            where = {question["numbers"][0]: question["page"] for question in reversed(questions)}
            # Where the number is, or the first one behind it.
            places = [f"{n} ({where[min(each for each in where if each >= n)]})" for n in missing]
            review.append(f"question numbers missing or out of order: {', '.join(places)}")
        review += [
            f"{unit}: the boxes of questions {first} and {second} overlap"
            for unit, result in results
            for first, second in result.get("overlapping", [])
        ]
        review += [
            f"{unit}: its lines could be read in another order"
            for unit, result in results
            if result.get("order_doubted")
        ]
        review += [f"{unit}: no question was found" for unit, result in results if not result["questions"]]
        summary = {"pages": len(results), "questions": len({each for each in numbers if len(each) == 1})}
        return Assembled(summary, (QUESTIONS, *crops), tuple(review))


SEGMENTATION = Segmentation()
