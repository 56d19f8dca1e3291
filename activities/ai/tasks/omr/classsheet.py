"""An exam for its teacher, as an xlsx file: a row for each sheet, and a row for each question."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from activities.ai.tasks.omr.grading import Keyed
from activities.ai.tasks.omr.items import Item

if TYPE_CHECKING:
    from activities.ai.students.exports.sheet import Value

STATES = {
    "blank": "무응답",
    "double": "확인(중복)",
    "faint": "확인(흐림)",
    "stray": "확인(낙서)",
    "unreadable": "확인(판독 불가)",
}
DOUBTED = "확인 필요"


def write_class_sheet(
    path: Path, sheets: Sequence[Mapping[str, Any]], key: Mapping[int, Keyed], items: Sequence[Item]
) -> None:
    """Of `sheets` as in answers.json. A score in doubt is told in words, never as a number."""
    # Here: a child that reads pages needs no writer of worksheets.
    from activities.ai.students.exports.sheet import Book

    most = max(len(sheet["questions"]) for sheet in sheets)
    with Book(path) as book:
        numbers = [(f"{number}번", 8.0) for number in range(1, most + 1)]
        columns = [("쪽", 12.0), ("식별번호", 12.0), ("점수", 10.0), ("만점", 8.0), *numbers]
        table = book.sheet("성적", columns, frozen=2)
        for sheet in sheets:
            score = DOUBTED if sheet["score"] is None else sheet["score"]
            answers = [_answer(question) for question in sheet["questions"]]
            table.write([sheet["page"], sheet["identifier"], score, sheet["score_of"], *answers])
        choices = range(1, max((choice for item in items for choice in item.chosen), default=0) + 1)
        columns = [("문항", 6.0), ("정답", 10.0), ("배점", 8.0), ("응답 수", 8.0), ("정답 수", 8.0)]
        columns += [("난이도(정답률)", 14.0), ("변별도", 10.0)]
        columns += [(f"{choice}번 선택", 10.0) for choice in choices]
        columns += [("무응답", 8.0), ("확인 필요", 10.0)]
        table = book.sheet("문항 분석", columns, frozen=1)
        for item in items:
            asked = key[item.number]
            values: list[Value] = [
                item.number,
                right_answer(asked),
                float(asked.points),
                item.sheets,
                item.right,
            ]
            values += [item.difficulty, item.discrimination]
            values += [item.chosen.get(choice, 0) for choice in choices]
            table.write([*values, item.blank, item.doubtful])


def _answer(question: Mapping[str, Any]) -> str:
    marked = ",".join(map(str, question["choices"])) or STATES.get(question["state"], "")
    return marked + {True: " ○", False: " ×", None: ""}[question["correct"]]


def right_answer(question: Keyed) -> str:
    """What counts as right, for people."""
    if question.everybody:
        return "전원 정답"
    return "+".join(map(str, question.all_of)) or " 또는 ".join(map(str, question.answer))
