"""Points: what a mark is worth, and which keys are refused."""

from decimal import Decimal
from typing import Any

import pytest

from activities.ai.sandbox.task import BadInput
from activities.ai.tasks.omr import grading
from activities.ai.tasks.omr.grading import Answer, Keyed, Score
from activities.ai.tasks.omr.items import items
from activities.ai.tasks.omr.judging import Mark, Row, judge_several
from contracts.errors import OMR_ANSWERS_INVALID

BLANK, DOUBTFUL = Answer(Mark("blank"), ()), Answer(Mark("double"), ())


def marked(*choices: int) -> Answer:
    return Answer(Mark("answered", choices[0] - 1 if len(choices) == 1 else None), choices)


def asked(number: int = 1, **more: Any) -> dict[str, Any]:
    return {"exam_question_id": number, "number": number, **more}


def keyed(number: int = 1, **more: Any) -> Keyed:
    return Keyed.model_validate(asked(number, **more))


def test_points_add_up_exactly():
    """As floats these are 99.99999999999999."""
    key = {n: keyed(n, answer=1, points=points) for n, points in enumerate([33.3, 33.3, 33.4], 1)}
    assert grading.grade(key, [marked(1)] * 3, 5) == Score(Decimal(100), Decimal(100))
    tenths = {n: keyed(n, answer=1, points=0.1) for n in range(1, 11)}
    assert grading.grade(tenths, [marked(1)] * 10, 5) == Score(Decimal(1), Decimal(1))


@pytest.mark.parametrize(
    ("question", "answer", "points"),
    [
        (keyed(answer=2, points=4), marked(2), 4),
        (keyed(answer=[2, 3], points=4), marked(3), 4),
        (keyed(answer=2, points=4), marked(1), 0),
        (keyed(answer=2, points=4, minus=1.25), marked(1), -1.25),
        (keyed(answer=2, points=4, minus=1), BLANK, 0),
        (keyed(answer=2, points=4, minus=1), DOUBTFUL, None),
        (keyed(all_of=[1, 3], points=4), marked(1, 3), 4),
        (keyed(all_of=[1, 3], points=4), marked(1), 0),
        (keyed(all_of=[1, 3], points=4, minus=1), marked(1, 2), -1),
        (keyed(all_of=[1, 3], points=4, minus=1), BLANK, 0),
        (keyed(all_of=[1, 3], points=4, partial=True), marked(1), 2),
        (keyed(all_of=[1, 3], points=4, partial=True), marked(1, 3, 4), 2),
        (keyed(all_of=[1, 3], points=4, partial=True, minus=1), marked(1, 4), -1),
        (keyed(all_of=[1, 2, 3], points=10, partial=True), marked(1), 3.33),
        (keyed(all_of=[1, 3], points=4), DOUBTFUL, None),
        (keyed(everybody=True, points=4), BLANK, 4),
        (keyed(answer=2, everybody=True, points=4), DOUBTFUL, 4),
        (keyed(points=4), marked(2), None),
    ],
)
def test_what_an_answer_brings(question, answer, points):
    assert grading.points(question, answer) == (points if points is None else Decimal(str(points)))


@pytest.mark.parametrize(
    ("fills", "state", "choices"),
    [
        ([0.9, 0.03, 0.8, 0.03], "answered", (0, 2)),
        ([0.9, 0.03, 0.03, 0.03], "answered", (0,)),
        ([0.03, 0.03, 0.03, 0.03], "blank", ()),
        ([0.9, 0.2, 0.8, 0.03], "faint", ()),
        ([0.9, 0.2, 0.03, 0.03], "double", ()),
    ],
)
def test_several_marks_count_where_each_is_clear(fills, state, choices):
    mark, found = judge_several(Row(fills, [0.0] * 4, [True] * 4))
    assert (mark.state, found) == (state, choices)
    assert judge_several(Row(fills, [0.0] * 4, [True, True, True, False]))[0].state == "unreadable"


@pytest.mark.parametrize(
    "parameters",
    [
        {"answers": [1, 2, 3]},
        {"answer_key": {"1": 3}},
        {"answerKey": "31425"},
        {"correct_answers": {"1": [3]}},
        {"정답": "31425"},
        {"key": [1, 2]},
        {"omr": {"sheet_id": 4, "answers": [3]}},
        {"template_meta": {"version": 1, "solutions": [3]}},
        {"items": [{"number": 1, "answer": 3}]},
        {"questions": [asked(correct_answer=3)]},
        {"questions": [asked(correctAnswer=0)]},
        {"questions": [asked(answers=[3])]},
        {"questions": [asked(answer=3, score=2.5)]},
        {"questions": [asked(answer=3, 배점=2.5)]},
        {"questions": [asked(answer=3, point="3")]},
        {"questions": [asked(answer=3, penalty=1)]},
        {"questions": [asked(region_meta={"correct": 3})]},
    ],
)
def test_a_key_under_another_name_is_refused(parameters):
    with pytest.raises(BadInput) as raised:
        grading.questions(parameters)
    assert raised.value.code == OMR_ANSWERS_INVALID
    assert raised.value.detail["field"]


@pytest.mark.parametrize(
    "parameters",
    [
        {"answer_sheet_id": 7, "answers": None, "correct_answers": [], "mode": "scan"},
        {"questions": [asked(region_meta={"points": [[1, 2], [3, 4]]}, correct_answer=None)]},
        {"questions": [asked(score=None, title="정답을 고르시오")], "submission_id": 3},
    ],
)
def test_what_is_no_key_is_kept(parameters):
    grading.questions(parameters)


@pytest.mark.parametrize(
    "question",
    [
        {"answer": 1, "all_of": [1, 2]},
        {"all_of": [1, 1]},
        {"partial": True, "answer": 1},
        {"answer": 1, "minus": -1},
        {"answer": 1, "points": "NaN"},
        {"answer": 1, "points": 1e9},
        {"all_of": [0, 1]},
    ],
)
def test_a_key_that_contradicts_itself(question):
    with pytest.raises(BadInput) as raised:
        grading.questions({"questions": [asked(**question)]})
    assert raised.value.code == OMR_ANSWERS_INVALID


def test_items_tell_who_knew_what():
    """Questions 1 and 5 part the good from the weak, 2 does the opposite, 3 was right for all, 4 is in doubt
    once."""
    key = {n: keyed(n, answer=1) for n in range(1, 6)}
    good = [marked(1), marked(2), marked(1), marked(1), marked(1)]
    weak = [marked(3), marked(1), marked(1), marked(2), marked(2)]
    found = items(key, [good, good, good, weak, weak, [*weak[:3], DOUBTFUL, marked(2)]])
    first, second, third, fourth, _ = found
    assert (first.sheets, first.right, first.difficulty, first.chosen) == (6, 3, 0.5, {1: 3, 3: 3})
    assert first.discrimination is not None and second.discrimination is not None
    assert first.discrimination > 0.2 > 0 > second.discrimination
    assert (third.difficulty, third.discrimination) == (1, None)
    assert (fourth.sheets, fourth.doubtful) == (5, 1)
    assert items(key, [good, weak])[0].discrimination is None
