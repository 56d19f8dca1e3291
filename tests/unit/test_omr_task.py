"""The task on files: pages, review, points."""

import json
import shutil
from pathlib import Path
from random import Random
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError
from pypdfium2 import PdfDocument
from python_calamine import CalamineWorkbook
from reportlab.pdfbase.ttfonts import TTFontFile

from activities.ai.pages import Pixels
from activities.ai.sandbox.task import Assembled, BadInput
from activities.ai.storing import digest_of
from activities.ai.tasks.omr import reports
from activities.ai.tasks.omr.classsheet import STATES
from activities.ai.tasks.omr.correcting import corrected, corrections
from activities.ai.tasks.omr.layout import MARK, SHEETS, TAGS
from activities.ai.tasks.omr.pile import unexplained
from activities.ai.tasks.omr.task import ANSWERS, ASKED, CLASS, MAX_PAGES, OMR, REPORTS, STATISTICS
from contracts.errors import (
    OMR_ANSWERS_INVALID,
    OMR_CORRECTION_INVALID,
    OMR_CORRECTION_OF_ANOTHER_FILE,
    OMR_SHEET_NOT_FOUND,
    OMR_TEMPLATE_UNKNOWN,
    TOO_MANY_PAGES,
)
from contracts.payloads import OmrPayload
from tests.unit.omr import PX, Filled, Pen, fill, photo, printed, scan

A4_EMPTY = np.full((297 * PX, 210 * PX), 245, np.uint8)


def document(path: Path, *pages: Pixels) -> Path:
    """One file of several pages: .pdf or .tif."""
    first, *rest = [Image.fromarray(page) for page in pages]
    first.save(path, save_all=True, append_images=rest, resolution=25.4 * PX)
    return path


def work(
    source: Path, parameters: dict[str, Any]
) -> tuple[Assembled, list[dict[str, Any]], dict[str, BadInput]]:
    """What a job does with a file: its end, the sheets of `answers.json`, the pages that were refused."""
    units, out = source.parent / "units", source.parent / "out"
    out.mkdir()
    results, refused = [], {}
    for unit in OMR.plan(source, parameters):
        (units / unit).mkdir(parents=True)
        try:
            result = OMR.run(source, unit, parameters, units / unit)
        except BadInput as error:
            refused[unit] = error
        else:
            results.append((unit, json.loads(json.dumps(result))))
    done = OMR.assemble(source, results, parameters=parameters, units=units, out=out)
    assert {path.name for path in out.iterdir()} == set(done.files)
    return done, json.loads((out / ANSWERS).read_text())["sheets"], refused


def tidy(seed: int, question_count: int = 10) -> Filled:
    return fill(question_count, Random(seed), {"pen": 1})


def key(filled: Filled, **first: Any) -> list[dict[str, Any]]:
    """The payload's questions with what the student marked as right answers; the first with `first`."""
    listed = [
        {"exam_question_id": 100 + number, "number": number, "answer": meant}
        for number, meant in enumerate(filled.meant, 1)
    ]
    listed[0] |= first
    return listed


@pytest.mark.parametrize("suffix", ["pdf", "tif"])
def test_a_pile_of_sheets(tmp_path, suffix):
    first, second = tidy(1), fill(20, Random(2), {"pen": 3, "double": 1})
    source = document(tmp_path / f"pile.{suffix}", first.grey, A4_EMPTY, second.grey)
    done, sheets, refused = work(source, {})
    assert refused == {}
    assert [sheet["page"] for sheet in sheets] == ["page-0001", "page-0003"]
    assert [sheet["identifier"] for sheet in sheets] == [first.identifier, second.identifier]
    assert [question["choice"] for question in sheets[0]["questions"]] == first.meant
    doubles = [number for number, habit in enumerate(second.habits, 1) if habit == "double"]
    assert doubles
    assert done.review == (f"page-0003: questions {', '.join(map(str, doubles))}",)
    assert set(done.files) == {ANSWERS, ASKED} | {f"page-0003-question-{number:03}.png" for number in doubles}
    assert done.summary == {
        "sheets": 2,
        "empty_pages": 1,
        "graded": 0,
        "questions": {"answered": 30 - len(doubles), "double": len(doubles)},
    }


def test_crops_show_the_row_in_doubt(tmp_path):
    filled = fill(10, Random(1), {"double": 1})
    done, _, _ = work(document(tmp_path / "one.png", filled.grey), {})
    assert len(done.files) == 12
    with Image.open(tmp_path / "out" / "page-0001-question-004.png") as picture:
        row = np.array(picture)
    assert row.shape[1] > 3 * row.shape[0] > 0
    assert row.min() < 60  # the printed number and circles are on it


def test_a_page_that_is_no_sheet_takes_no_other_along(tmp_path):
    text = A4_EMPTY.copy()
    text[500:900:20, 200:1000] = 0
    _, sheets, refused = work(document(tmp_path / "pile.pdf", text, tidy(1).grey), {})
    assert [sheet["page"] for sheet in sheets] == ["page-0002"]
    assert [(unit, error.code) for unit, error in refused.items()] == [("page-0001", OMR_SHEET_NOT_FOUND)]


def test_empty_pages_alone_are_no_sheet(tmp_path):
    with pytest.raises(BadInput) as raised:
        work(document(tmp_path / "pile.pdf", A4_EMPTY, A4_EMPTY), {})
    assert raised.value.code == OMR_SHEET_NOT_FOUND


def test_points(tmp_path):
    filled = tidy(1)
    wrong = filled.meant[0] % 5 + 1
    source = document(tmp_path / "one.pdf", filled.grey)
    done, [sheet], _ = work(source, {"questions": key(filled, answer=[wrong], points=2.5)})
    assert (sheet["score"], sheet["score_of"]) == (9, 11.5)
    assert [question["correct"] for question in sheet["questions"]] == [False] + [True] * 9
    assert sheet["questions"][3]["exam_question_id"] == 104
    assert done.summary["graded"] == 1
    assert done.review == ()


def test_any_of_several_right_answers_counts(tmp_path):
    filled = tidy(1)
    questions = key(filled, answer=[filled.meant[0] % 5 + 1, filled.meant[0]])
    _, [sheet], _ = work(document(tmp_path / "one.pdf", filled.grey), {"questions": questions})
    assert sheet["score"] == 10


def test_a_blank_answer_is_wrong_but_a_doubtful_one_has_no_points_yet(tmp_path):
    filled = fill(10, Random(3), {"pen": 1, "blank": 1})
    questions = [
        {"exam_question_id": 1, "number": n, "answer": m or 1} for n, m in enumerate(filled.meant, 1)
    ]
    _, [sheet], _ = work(document(tmp_path / "one.pdf", filled.grey), {"questions": questions})
    assert sheet["score"] == 10 - filled.habits.count("blank") < 10

    (tmp_path / "doubtful").mkdir()
    doubtful = fill(10, Random(3), {"pen": 5, "double": 1})
    source = document(tmp_path / "doubtful" / "one.pdf", doubtful.grey)
    done, [sheet], _ = work(source, {"questions": questions})
    assert (sheet["score"], sheet["score_of"]) == (None, 10)
    assert done.review


def test_an_untouched_sheet_is_for_a_person_to_see(tmp_path):
    done, [sheet], _ = work(document(tmp_path / "one.pdf", printed(10)), {})
    assert done.review == ("page-0001: nothing is marked",)
    assert sheet["identifier"] == ""


@pytest.mark.parametrize("threshold", [110, 150])
def test_a_black_and_white_scan_cannot_show_that_a_row_is_blank(tmp_path, threshold):
    filled = fill(20, Random(6), {"pen": 3, "faint": 1})
    page = scan(filled.grey, Random(1))
    source = document(tmp_path / "one.tif", np.where(page < threshold, 0, 255).astype(np.uint8))
    _, [sheet], _ = work(source, {})
    for habit, meant, question in zip(filled.habits, filled.meant, sheet["questions"], strict=True):
        outlines_are_broken = threshold == 110 and question["state"] == "unreadable"
        assert habit == "faint" or question["choice"] == meant or outlines_are_broken
        assert question["state"] != "blank"
    assert "unreadable" in {question["state"] for question in sheet["questions"]}


def test_identifiers_in_a_pile(tmp_path):
    """A missing one and one used twice are seen by a person, and are written in no reason."""
    twice, nameless, partly = tidy(1), tidy(2), tidy(3)
    for page, columns in ((nameless, range(8)), (partly, [4])):
        for line in page.layout.digits:
            for place in columns:
                x, y = (round(value * PX) for value in line.bubbles[place])
                half = 3 * PX
                page.grey[y - half : y + half, x - half : x + half] = printed(10)[
                    y - half : y + half, x - half : x + half
                ]
    pages = (twice.grey, nameless.grey, partly.grey, twice.grey)
    done, sheets, _ = work(document(tmp_path / "pile.pdf", *pages), {})
    assert sheets[2]["identifier"] == partly.identifier[:4] + "?" + partly.identifier[5:]
    assert done.review == (
        "page-0002: identifier",
        "page-0003: identifier",
        "page-0001, page-0004: the same identifier",
    )
    assert {"page-0002-identifier.png", "page-0003-identifier.png"} < set(done.files)
    assert twice.identifier not in json.dumps([done.summary, done.review, done.files])


def test_a_photo(tmp_path):
    random = Random(8)
    filled = tidy(4, 30)
    path = tmp_path / "photo.jpg"
    Image.fromarray(photo(filled.grey, random)).save(path, quality=85)
    _, [sheet], _ = work(path, {"mode": "photo", "question_count": 30})
    assert [question["choice"] for question in sheet["questions"]] == filled.meant
    assert sheet["identifier"] == filled.identifier


def refusal(source: Path, parameters: dict[str, Any]) -> BadInput:
    with pytest.raises(BadInput) as raised:
        work_one(source, parameters)
    return raised.value


def work_one(source: Path, parameters: dict[str, Any]) -> None:
    [unit] = OMR.plan(source, parameters)
    result = OMR.run(source, unit, parameters, source.parent)
    OMR.assemble(source, [(unit, result)], parameters=parameters, units=source.parent, out=source.parent)


def test_a_sheet_of_another_length_than_asked_for(tmp_path):
    error = refusal(document(tmp_path / "one.pdf", tidy(1).grey), {"question_count": 20})
    assert (error.code, error.detail) == (OMR_TEMPLATE_UNKNOWN, {"questions": 10, "expected": 20})


def test_a_sheet_of_another_system(tmp_path):
    text = A4_EMPTY.copy()
    text[500:900:20, 200:1000] = 0
    source = document(tmp_path / "one.pdf", text)
    assert refusal(source, {"template_meta": {"version": 1, "columns": 4}}).code == OMR_TEMPLATE_UNKNOWN
    assert refusal(source, {}).code == OMR_SHEET_NOT_FOUND
    ours = document(tmp_path / "ours.pdf", tidy(1).grey)
    work_one(ours, {"template_meta": {"version": 1, "columns": 4}})


def test_a_described_sheet(tmp_path):
    """The sheet of 10 under other marks, which only the payload knows."""
    filled = tidy(1)
    described = SHEETS[10, 1].model_dump(mode="json")
    for corner, mark in enumerate(described["marks"]):
        mark["id"] = 500 + corner
        half = round(MARK / 2 * PX)
        x, y = round(mark["x"] * PX), round(mark["y"] * PX)
        tag = cv2.aruco.generateImageMarker(TAGS, mark["id"], 2 * half)
        filled.grey[y - half : y + half, x - half : x + half] = tag
    source = document(tmp_path / "one.pdf", filled.grey)
    assert refusal(source, {}).code == OMR_TEMPLATE_UNKNOWN
    _, [sheet], _ = work(source, {"template_meta": {"layout": described}})
    assert [question["choice"] for question in sheet["questions"]] == filled.meant
    assert sheet["identifier"] == filled.identifier


@pytest.mark.parametrize(
    "layout",
    [
        {},
        "A4",
        SHEETS[10, 1].model_dump(mode="json"),  # ids that are ours
        SHEETS[10, 1].model_dump(mode="json") | {"width": 1e9},
        SHEETS[10, 1].model_dump(mode="json") | {"questions": []},
        SHEETS[10, 1].model_dump(mode="json") | {"height": 100},  # bubbles beside the page
    ],
)
def test_a_description_that_describes_nothing(tmp_path, layout):
    source = document(tmp_path / "one.pdf", tidy(1).grey)
    with pytest.raises(BadInput) as raised:
        OMR.plan(source, {"template_meta": {"layout": layout}})
    assert raised.value.code == OMR_TEMPLATE_UNKNOWN


@pytest.mark.parametrize(
    "first",
    [
        {"answer": "b"},
        {"answer": 0},
        {"answer": 6},
        {"answer": True},
        {"number": 11},
        {"number": 2},
        {"points": -1},
    ],
)
def test_a_key_that_does_not_fit(tmp_path, first):
    filled = tidy(1)
    source = document(tmp_path / "one.pdf", filled.grey)
    assert refusal(source, {"questions": key(filled, **first)}).code == OMR_ANSWERS_INVALID


def test_a_name_that_belies_the_content(tmp_path):
    source = document(tmp_path / "one.png", tidy(1).grey).rename(tmp_path / "one.pdf")
    assert OMR.plan(source, {}) == ["page-0001"]


def test_too_many_pages(tmp_path):
    tiny = np.full((8, 8), 255, np.uint8)
    source = document(tmp_path / "pile.tif", *[tiny] * (MAX_PAGES + 1))
    with pytest.raises(BadInput) as raised:
        OMR.plan(source, {})
    assert (raised.value.code, raised.value.detail) == (TOO_MANY_PAGES, {"pages": 501, "limit": MAX_PAGES})


def test_several_right_answers_to_be_marked(tmp_path):
    """The one row with two marks is an answer where the key has two, and a doubt where it has one."""
    filled = tidy(1)
    line = filled.layout.questions[0]
    second = filled.meant[0] % 5 + 1
    Pen(filled.grey, Random(1)).fill(*line.bubbles[second - 1], "pen")
    both = {"answer": [], "all_of": sorted([filled.meant[0], second]), "points": 5.5}
    source = document(tmp_path / "one.pdf", filled.grey)
    done, [sheet], _ = work(source, {"questions": key(filled, **both)})
    assert (sheet["score"], sheet["score_of"], done.review) == (14.5, 14.5, ())
    first = sheet["questions"][0]
    assert (first["choice"], first["choices"], first["points"]) == (None, both["all_of"], 5.5)
    shutil.rmtree(tmp_path / "out")
    shutil.rmtree(tmp_path / "units")
    done, [sheet], _ = work(source, {"questions": key(filled)})
    assert (sheet["score"], done.review) == (None, ("page-0001: questions 1",))


def test_a_class_gets_its_sheet(tmp_path):
    first, second = tidy(1), tidy(1)
    x, y = (round(side * PX) for side in second.layout.questions[2].bubbles[0])
    second.grey[y - 24 : y + 24, x - 24 : x + 220] = 255
    done, _, _ = work(document(tmp_path / "pile.pdf", first.grey, second.grey), {"questions": key(first)})
    assert {STATISTICS, CLASS} < set(done.files)
    questions = json.loads((tmp_path / "out" / STATISTICS).read_text())["questions"]
    assert (questions[2]["sheets"], questions[2]["doubtful"], questions[3]["difficulty"]) == (1, 1, 1)
    book = CalamineWorkbook.from_path(tmp_path / "out" / CLASS)
    header, *rows = book.get_sheet_by_name("성적").to_python()
    assert header[:5] == ["쪽", "식별번호", "점수", "만점", "1번"]
    assert [row[:4] for row in rows] == [
        ["page-0001", first.identifier, 10, 10],
        ["page-0002", first.identifier, "확인 필요", 10],
    ]
    assert len(book.get_sheet_by_name("문항 분석").to_python()) == 11


def test_an_empty_page_that_is_no_back_is_told(tmp_path):
    """One of the sheets lay the wrong way round in the scanner."""
    pages = [tidy(1).grey, tidy(3).grey, A4_EMPTY]
    done, _, _ = work(document(tmp_path / "pile.pdf", *pages), {})
    assert done.review == ("page-0003: empty",)


@pytest.mark.parametrize(
    ("pages", "told"),
    [
        ("s-s-s-", []),
        ("s--ss-", []),
        ("s-s", []),  # an empty last page was left out
        ("s-ss", [1]),
        ("s---", [1, 2, 3]),
        ("ss-", [2]),
        ("s", []),
    ],
)
def test_which_empty_pages_are_backs(pages, told):
    assert unexplained({index: page == "-" for index, page in enumerate(pages)}) == told


def test_a_pale_sheet_is_no_empty_page(tmp_path):
    filled = tidy(1)
    page = (250 - (250 - filled.grey.astype(np.float32)) * 0.3).astype(np.uint8)
    _, [sheet], _ = work(document(tmp_path / "one.png", page), {})
    assert [question["choice"] for question in sheet["questions"]] == filled.meant
    without_marks = page.copy()
    without_marks[: 30 * PX] = without_marks[265 * PX :] = 250
    assert refusal(document(tmp_path / "two.png", without_marks), {}).code == OMR_SHEET_NOT_FOUND


def test_what_a_person_has_decided_counts(tmp_path: Path) -> None:
    """A blank row, a right one and the identifier, with everything else as it was read."""
    filled = tidy(3)
    (tmp_path / "again").mkdir()
    asked = [{"exam_question_id": n, "number": n, "answer": filled.meant[n - 1]} for n in range(1, 11)]
    wrong = filled.meant[1] % 5 + 1  # type: ignore[operator]
    decided = [
        {"page": 1, "question": 1, "choices": []},
        {"page": 1, "question": 2, "choices": [wrong]},
        {"page": 1, "question": 3, "choices": [1, 2]},
        {"page": 1, "identifier": "12345678"[: len(filled.identifier)].ljust(len(filled.identifier), "0")},
    ]
    source = document(tmp_path / "sheet.pdf", filled.grey)
    before, (sheet,), _ = work(source, {"questions": asked})
    source = document(tmp_path / "again" / "sheet.pdf", filled.grey)
    done, (again,), _ = work(
        source, {"questions": asked, "corrections": decided, "corrections_of": digest_of(source)}
    )
    assert (sheet["score"], again["score"], again["identifier"]) == (10, 7, decided[3]["identifier"])
    assert [(q["state"], q["choices"]) for q in again["questions"][:3]] == [
        ("blank", []),
        ("answered", [wrong]),
        ("answered", [1, 2]),
    ]
    assert [q.get("corrected") for q in again["questions"]] == [True] * 3 + [None] * 7
    assert sheet["questions"][3:] == again["questions"][3:] and "corrected" not in before.summary
    assert done.summary["corrected"] == 4 and not done.review


@pytest.mark.parametrize(
    "correction",
    [
        {"page": 2, "question": 1, "choices": [1]},
        {"page": 1, "question": 11, "choices": [1]},
        {"page": 1, "question": 1, "choices": [6]},
        {"page": 1, "identifier": "1"},
        {"page": 1, "question": 1},
        {"page": 1, "question": 1, "choices": [1], "identifier": "1"},
    ],
)
def test_a_correction_of_what_is_not_there_is_refused(correction: dict[str, Any]) -> None:
    page = {"questions": [["faint", None]] * 10, "choices": 5, "digits": [["answered", 1]] * 8}
    with pytest.raises(BadInput) as caught:
        corrected(
            [("page-0001", page)], corrections({"corrections": [correction], "corrections_of": "0"}, "0")
        )
    assert caught.value.code == OMR_CORRECTION_INVALID


def test_two_corrections_of_one_question_are_refused() -> None:
    twice = {"page": 1, "question": 1}
    with pytest.raises(BadInput):
        corrections({"corrections": [twice | {"choices": [1]}, twice | {"choices": [2]}]}, "0")


@pytest.mark.parametrize("of", [{}, {"corrections_of": "0" * 64}])
def test_corrections_of_another_file_are_refused_before_anything_is_read(
    tmp_path: Path, of: dict[str, str]
) -> None:
    """The bytes count: the same sheet saved anew is another file, whatever its key."""
    source = document(tmp_path / "sheet.pdf", printed(10))
    wanted = {"corrections": [{"page": 1, "question": 1, "choices": [1]}]}
    OMR.plan(source, wanted | {"corrections_of": digest_of(source)})

    def assemble(source: Path, parameters: dict[str, Any]) -> Assembled:
        return OMR.assemble(source, [], parameters=parameters, units=tmp_path, out=tmp_path)

    for ask in (OMR.plan, assemble):
        with pytest.raises(BadInput) as caught:
            ask(source, wanted | of)
        assert caught.value.code == OMR_CORRECTION_OF_ANOTHER_FILE
    with pytest.raises(ValidationError):
        OmrPayload.model_validate({"file_key": "tenants/1/a.pdf"} | wanted)


def test_what_was_asked_is_kept_to_be_asked_again_but_no_password(tmp_path: Path) -> None:
    source = document(tmp_path / "sheet.png", tidy(1).grey)
    wanted = {"questions": key(tidy(1)), "file_key": "tenants/1/uploads/a.png"}
    work(source, wanted | {"password": "secret"})
    asked = json.loads((tmp_path / "out" / ASKED).read_text())
    assert asked == {"file_sha256": digest_of(source), "locked": True, "payload": wanted}


def test_the_bubbles_of_a_doubtful_row_are_told_where_its_picture_has_them(tmp_path: Path) -> None:
    filled = fill(10, Random(1), {"double": 1})
    _, (sheet,), _ = work(document(tmp_path / "one.png", filled.grey), {})
    for question in sheet["questions"]:
        with Image.open(tmp_path / "out" / f"page-0001-question-{question['number']:03}.png") as picture:
            crop, (wide, high) = np.array(picture), picture.size
        assert question["crop"]["size"] == [wide, high]
        dark = [crop[y - 8 : y + 8, x - 8 : x + 8].mean() for x, y in question["crop"]["bubbles"]]
        marked = [place for place, fill in enumerate(question["fills"]) if fill > 0.45]
        assert len(dark) == 5 and set(np.argsort(dark)[: len(marked)]) == set(marked)


def test_each_student_gets_a_report_that_renders(tmp_path: Path) -> None:
    """Its letters are embedded: what a viewer lacks would be boxes, what the font lacks nothing."""
    first, second = tidy(1), fill(10, Random(2), {"pen": 4, "double": 2})
    source = document(tmp_path / "pile.pdf", first.grey, second.grey, first.grey)
    _, sheets, _ = work(source, {"questions": key(first, points=2.5)})
    with PdfDocument(tmp_path / "out" / REPORTS) as pdf:
        texts = [page.get_textpage().get_text_range() for page in pdf]
        assert len(texts) == 3
        pictures = [np.array(page.render(grayscale=True).to_pil()) for page in pdf]
    assert f"식별번호 {first.identifier} (1쪽)" in texts[0] and "11.5 / 11.5점" in texts[0]
    assert "등수 2명 중 공동 1등" in texts[0] and "확인할 답안지: 1장" in texts[0]
    assert "점수가 아직 없습니다" in texts[1] and "등수" not in texts[1] and sheets[1]["score"] is None
    assert all((picture < 128).mean() > 0.005 for picture in pictures)


def test_the_font_of_reports_has_each_letter_that_they_write() -> None:
    widths = TTFontFile(str(reports.FONT)).charWidths
    ours = (reports.TITLE, *reports.HEAD, *reports.LABELS, *reports.LATER, *STATES.values())
    assert not set("".join((*ours, "0123456789.,/%×○–()? 전원정답또는+"))) - set(map(chr, widths))


def test_whoever_has_as_many_points_has_the_same_place() -> None:
    assert reports.places([5, None, 9, 5]) == [(2, 3, True), None, (1, 3, False), (2, 3, True)]
