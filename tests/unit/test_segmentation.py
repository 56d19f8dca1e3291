"""An exam's questions: found by their numbers, cut out, and gaps seen."""

import json

import cv2
import numpy as np
import pytest
from PIL import Image

from activities.ai.sandbox.task import BadInput
from activities.ai.tasks.segmentation.questions import PADDING, Seen, find, gaps, trimmed
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
