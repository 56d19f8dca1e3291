"""An exam's questions: found by their numbers, cut out, and gaps seen."""

import json

import cv2
import numpy as np
import pytest
from PIL import Image

from activities.ai.sandbox.task import BadInput
from activities.ai.tasks.ocr.order import reading_order
from activities.ai.tasks.segmentation.questions import (
    PADDING,
    Question,
    Seen,
    find,
    gaps,
    overlapping,
    trimmed,
)
from activities.ai.tasks.segmentation.task import QUESTIONS, SEGMENTATION
from bench import ocr_pages
from contracts.errors import QUESTIONS_NOT_FOUND

WIDTH, HEIGHT = 1000, 1400


def seen(*lines: tuple[str, int, int]) -> list[Seen]:
    return [Seen(text, (left, top, left + 300, top + 20)) for text, left, top in lines]


def test_a_question_reaches_to_the_next_number_of_its_column():
    lines = seen(
        ("1. 무엇인가?", 50, 100), ("① 가", 60, 130), ("2. 누구인가?", 50, 300), ("3. 왜?", 550, 100)
    )
    found = find(lines, WIDTH, HEIGHT)
    assert [each.numbers for each in found] == [(1,), (2,), (3,)]
    assert [each.column for each in found] == [0, 0, 1]
    assert found[0].box[3] < 300 and found[0].text == "1. 무엇인가?\n① 가"


def test_a_shared_text_has_two_numbers():
    lines = seen(("[1~3] 다음을 읽으시오.", 50, 100), ("1. 무엇인가?", 50, 200))
    assert [each.numbers for each in find(lines, WIDTH, HEIGHT)] == [(1, 3), (1,)]


@pytest.mark.parametrize(
    "line",
    [("3.5 미터", 50, 200), ("4. 들여 쓴 목록", 120, 200), ("1998년부터", 50, 200), ("0. 영", 50, 200)],
)
def test_what_only_looks_like_a_number(line: tuple[str, int, int]):
    lines = seen(("1. 무엇인가?", 50, 100), line)
    assert [each.numbers for each in find(lines, WIDTH, HEIGHT)] == [(1,)]


def test_a_question_goes_on_in_the_next_column():
    lines = seen(("1. 무엇인가?", 50, 100), ("① 가", 560, 60), ("2. 누구인가?", 550, 200))
    assert [(each.numbers, each.column) for each in find(lines, WIDTH, HEIGHT)] == [
        ((1,), 0),
        ((1,), 1),
        ((2,), 1),
    ]


def test_headings_and_footers_belong_to_no_question():
    heading, footer = Seen("시험", (300, 20, 700, 50)), Seen("쪽", (200, 1300, 800, 1330))
    lines = [heading, *seen(("1. 무엇인가?", 50, 100), ("2. 왜?", 550, 100)), footer]
    found = find(lines, WIDTH, HEIGHT)
    assert [(each.text, each.box[3]) for each in found] == [("1. 무엇인가?", 1288), ("2. 왜?", 1288)]


PLACES = {
    "three columns": ([150, 900, 1650], 640),
    "four columns of a spread": ([100, 1250, 2600, 3750], 1000),
    "a gutter at 36 %": ([150, 920], 700),
    "a gutter at 64 %": ([150, 1620], 1400),
    "one column": ([200], 2000),
}


@pytest.mark.parametrize("name", PLACES)
def test_columns_are_where_they_are(name):
    """Three questions each, under a heading, the last one going on at the head of the next column."""
    edges, wide = PLACES[name]
    lines = [Seen("모의고사", (edges[0] + 100, 100, edges[-1] + 500, 150))]
    truth = []
    for column, edge in enumerate(edges):
        y = 250
        if column:
            lines.append(Seen("⑤ 앞 문항의 선택지", (edge + 30, y, edge + 400, y + 40)))
            truth.append((3 * column, column))
        for number in range(3 * column + 1, 3 * column + 4):
            y += 150
            truth.append((number, column))
            lines.append(Seen(f"{number}. 다음 중 옳은 것은?", (edge, y, edge + wide, y + 40)))
            for left in (30, 30 + wide // 2):  # choices side by side
                lines.append(Seen("① 가", (edge + left, y + 60, edge + left + wide // 3, y + 100)))
            lines.append(Seen("2. 들여 쓴 것", (edge + 150, y + 110, edge + wide, y + 140)))
    width = edges[-1] + wide + edges[0]
    ordered = [lines[index] for index in reading_order([line.box for line in lines]).indices]
    found = find(ordered, width, 3400)
    assert [(each.numbers[0], each.column) for each in found] == truth
    assert overlapping(found) == []
    for question in found:
        left, _, right, _ = question.box
        assert edges[question.column] - PADDING == left and right <= edges[question.column] + wide + PADDING


def test_a_column_without_numbers_belongs_to_the_question_before():
    left = [
        ("1. 다음 글을 읽고 답하시오.", 50, 100),
        *((f"글 {row}", 50, 130 + 30 * row) for row in range(9)),
    ]
    right = [(f"이어지는 글 {row}", 550, 100 + 30 * row) for row in range(10)]
    found = find(seen(*left, *right), WIDTH, HEIGHT)
    assert [(each.numbers, each.column) for each in found] == [((1,), 0), ((1,), 1)]


def test_boxes_that_overlap_are_seen():
    first, second = (Question((n,), (50, 100, 400, 100 + 100 * n), 0, "") for n in (1, 2))
    assert overlapping([first, second]) == [(1, 2)]


def test_a_drawing_below_the_last_line_is_in_the_crop():
    page = np.full((HEIGHT, WIDTH), 255, np.uint8)
    page[100:120, 50:350] = 0
    page[400:600, 60:200] = 0  # the drawing
    page[900, 70] = 0  # a speck
    [question] = find(seen(("1. 무엇인가?", 50, 100)), WIDTH, HEIGHT)
    box = trimmed(page, question.box)
    assert box == pytest.approx((50 - PADDING, 100 - PADDING, 350 + PADDING, 600 + PADDING), abs=8)


def test_gaps_and_steps_back():
    assert gaps([(1,), (2,), (2,), (3,)]) == []
    assert gaps([(1,), (4,)]) == [2, 3]
    assert gaps([(1, 3), (2,), (1,), (3,)]) == [1]


def test_an_exam_in_two_columns(tmp_path, monkeypatch):
    monkeypatch.setattr(ocr_pages, "HEIGHT", 2200)  # two questions in each column
    drawn = ocr_pages.draw("exam")
    source, unit, out = tmp_path / "exam.png", tmp_path / "page-0001", tmp_path / "out"
    unit.mkdir()
    out.mkdir()
    Image.fromarray(drawn.pixels).save(source)
    assert SEGMENTATION.plan(source, {}) == ["page-0001"]
    result = SEGMENTATION.run(source, "page-0001", {}, unit)
    done = SEGMENTATION.assemble(source, [("page-0001", result)], parameters={}, units=tmp_path, out=out)
    questions = json.loads((out / QUESTIONS).read_text())["questions"]
    assert [each["numbers"] for each in questions] == [[n] for n in range(1, len(drawn.questions) + 1)]
    for question, (left, top) in zip(questions, drawn.questions, strict=True):
        assert abs(question["box"][0] - left) < 40 and abs(question["box"][1] - top) < 40
        assert "⑤" in question["text"]
        crop = cv2.imread(str(out / question["crop"]), cv2.IMREAD_GRAYSCALE)
        assert crop.min() < 100 and crop.shape[0] == question["box"][3] - question["box"][1]
    assert done.review == () and done.summary["questions"] == len(drawn.questions)


def test_a_page_without_numbers(tmp_path):
    result = {"turned": 0, "width": 10, "height": 10, "questions": []}
    with pytest.raises(BadInput) as refused:
        SEGMENTATION.assemble(tmp_path, [("page-0001", result)], parameters={}, units=tmp_path, out=tmp_path)
    assert refused.value.code == QUESTIONS_NOT_FOUND


def test_what_is_missing_is_told_with_its_page(tmp_path):
    (tmp_path / "page-0002").mkdir()
    (tmp_path / "page-0002" / "question-001.png").write_bytes(b"")
    question = {"numbers": (4,), "box": (0, 0, 1, 1), "column": 0, "text": "", "crop": "question-001.png"}
    first = question | {"numbers": (2,)}
    results = [("page-0002", {"questions": [first, question], "overlapping": [[2, 4]]})]
    (tmp_path / "out").mkdir()
    done = SEGMENTATION.assemble(tmp_path, results, parameters={}, units=tmp_path, out=tmp_path / "out")
    assert done.review == (
        "question numbers missing or out of order: 3 (page-0002)",
        "page-0002: the boxes of questions 2 and 4 overlap",
    )
