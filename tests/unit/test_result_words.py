"""What results say of themselves is said in the page's language."""

import re
from collections import Counter
from typing import Any

import pytest

from activities.ai.tasks.hancom import document
from activities.ai.tasks.ocr import task as ocr
from activities.ai.tasks.omr import pile
from api.console.result_words import _LEFT_OUT, fact, remark

ENGLISH = re.compile(r"[A-Za-z]{3,}")
UNKNOWN = remark("what no task says", "ko")
LINE = {"words": [{"confidence": 10.0, "text": "x"}], "confidence": 10.0, "doubted": True}
PAGE = {
    "page": 3,
    "lines": [LINE, {"words": []}],
    "detected": 2,
    "order_doubted": True,
    "left_out": 4,
    "formulas": 2,
}
PAGE["tables"] = [{"doubted": True}]

WRITTEN = document.Document(numbered=3, left_out=Counter(dict.fromkeys(_LEFT_OUT, 2)))


def sheet(**states: str) -> dict[str, Any]:
    questions = [{"number": int(name[1:]), "state": state} for name, state in states.items()]
    return {"page": "page-0003", "questions": questions, "identifier": "?"}


@pytest.mark.parametrize(
    "line",
    [
        *pile.doubts([sheet(q3="faint", q7="double"), sheet(q3="blank")]),
        "page-0004: empty",
        *ocr._doubts([PAGE, PAGE | {"detected": 0, "lines": []}]),
        *(f"page 1: {each}" for each in document.doubts(WRITTEN)),
        "page-0001, page-0002: the same identifier",
        "page-0001: no question was found",
        "page-0001: TASK_TIMED_OUT",
        "question numbers missing or out of order: 3, 4",
        "rows not taken: 3",
        "rows not put back: 3, 4, …",
    ],
)
def test_a_remark_is_in_both_languages(line: str) -> None:
    korean, english = remark(line, "ko"), remark(line, "en")
    assert korean != UNKNOWN and not ENGLISH.search(korean) and re.search("[가-힣]", korean)
    assert not re.search("[가-힣]", english) and "page-" not in english


def test_what_is_not_known_is_in_no_foreign_language() -> None:
    assert not ENGLISH.search(UNKNOWN) and remark("what no task says", "en") == "what no task says"


def test_numbers_are_words_and_no_notation_of_a_program() -> None:
    assert fact({"blank": 1, "faint": 2}, "ko") == "빈칸 1, 흐림 2"
    assert fact({"blank": 1, "faint": 2}, "en") == "blank 1, faint 2"
    assert (fact([3, 7], "ko"), fact(True, "ko"), fact(12, "ko")) == ("3, 7", "예", "12")
