"""The sheets of a file as people get them, and what about them is for a person to see."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from activities.ai.tasks.omr.grading import Answer, Keyed, correct, grade, points
from activities.ai.tasks.omr.judging import Mark

Result = Mapping[str, Any]  # of a page, as `Omr.run` gives it


def answers_of(result: Result) -> list[Answer]:
    """Of a page's questions, in their order."""
    several = {int(number): choices for number, choices in result.get("several", {}).items()}
    answers = []
    for number, fields in enumerate(result["questions"], 1):
        mark = Mark(*fields)
        places = several.get(number, () if mark.choice is None else (mark.choice,))
        answers.append(Answer(mark, tuple(place + 1 for place in places)))
    return answers


def sheet_of(unit: str, result: Result, key: Mapping[int, Keyed]) -> dict[str, Any]:
    """A page of `answers.json`. Choices count from 1; a place of the identifier that is not read is `?`."""
    answers = answers_of(result)
    digits = [Mark(*fields) for fields in result["digits"]]
    score = grade(key, answers, result["choices"])
    crops = result.get("crops", {})
    questions = []
    for number, (answer, fills) in enumerate(zip(answers, result["fills"], strict=True), 1):
        asked = key.get(number)
        questions.append(
            {
                "number": number,
                "exam_question_id": asked.exam_question_id if asked else None,
                "state": answer.mark.state,
                "choice": answer.choices[0] if len(answer.choices) == 1 else None,
                "choices": list(answer.choices),
                "correct": correct(asked, answer) if asked else None,
                "points": _number(points(asked, answer)) if asked else None,
                "fills": fills,
            }
            | ({"crop": crops[str(number)]} if str(number) in crops else {})
            | ({"corrected": True} if number in result.get("corrected", ()) else {})
        )
    blank = all(mark.state == "blank" for mark in digits)
    read = "".join("?" if mark.choice is None else str(mark.choice) for mark in digits)
    return {
        "page": unit,
        "marks": result["marks"],
        "identifier": "" if blank else read,
        "digits": len(digits),
        "choices": result["choices"],
        "marked_from": result.get("marked_from"),
        "questions": questions,
        "score": _number(score.points) if score else None,
        "score_of": _number(score.of) if score else None,
    }


def doubts(sheets: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Why a person should see the sheets, without what the students wrote."""
    for sheet in sheets:
        yield from _doubts(sheet, alone=len(sheets) == 1)
    identifiers = Counter(sheet["identifier"] for sheet in sheets if "?" not in sheet["identifier"])
    for identifier, times in identifiers.items():
        if identifier and times > 1:
            pages = ", ".join(sheet["page"] for sheet in sheets if sheet["identifier"] == identifier)
            yield f"{pages}: the same identifier"


def unexplained(empty: Mapping[int, bool]) -> list[int]:
    """Of pages (from 0) those that are empty and no back of a sheet: a sheet that lay the wrong way round
    looks the same. A scanner that takes both sides leaves one empty page of every two."""
    leaves = [(empty.get(front), empty.get(front + 1)) for front in range(0, max(empty), 2)]
    if all((front is True) != (back is True) for front, back in leaves):
        return []
    return [page for page, is_empty in empty.items() if is_empty]


def _doubts(sheet: Mapping[str, Any], alone: bool) -> Iterator[str]:
    page, questions = sheet["page"], sheet["questions"]
    doubtful = [str(q["number"]) for q in questions if Mark(q["state"]).doubtful]
    if doubtful:
        yield f"{page}: questions {', '.join(doubtful)}"
    if all(q["state"] == "blank" for q in questions):
        yield f"{page}: nothing is marked"
    # A page sent alone belongs to whoever sent it.
    if "?" in sheet["identifier"] or not (sheet["identifier"] or alone):
        yield f"{page}: identifier"


def _number(value: Decimal | None) -> int | float | None:
    """For JSON, which has no decimals: added up exactly, and only then a float."""
    if value is None:
        return None
    return int(value) if value == value.to_integral_value() else float(value)
