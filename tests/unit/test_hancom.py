"""Documents of Hancom's word processor, old and new: what they say comes out, or why not."""

import json
import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from PIL import Image, ImageDraw, ImageFont

from activities.ai.sandbox.task import Assembled, BadInput
from activities.ai.tasks.hancom import document, hwp5, hwpx, opening
from activities.ai.tasks.ocr.regions import in_regions
from activities.ai.tasks.ocr.task import OCR, RESULT, TABLES, TEXT
from api.console.result_words import remark
from bench.ocr_pages import FONT
from contracts import errors as e
from tests.unit import hancom
from tests.unit.hancom import Cell, Formula, Table

SCORES = Table(
    3,
    2,
    (
        Cell(0, 0, "과목별 점수", columns=2),
        Cell(1, 0, "수학"),
        Cell(1, 1, "095"),
        Cell(2, 0, "영어"),
        Cell(2, 1, "88"),
    ),
)
PIECES = (
    "1. 다음 글을 읽고 물음에 답하시오.",
    SCORES,
    Formula("이차방정식 ", "x^2 -2x+1=0", "의 해는?"),
    "㉠ 옳은 것 ①",
)
LINES = [
    "1. 다음 글을 읽고 물음에 답하시오.",
    "과목별 점수",
    "수학 095",
    "영어 88",
    "이차방정식 [수식: x^2 -2x+1=0]의 해는?",
    "㉠ 옳은 것 ①",
    "둘째 구역",
]
Make = Callable[..., bytes]
BOTH = pytest.mark.parametrize("make", [hancom.hwp, hancom.hwpx], ids=["hwp", "hwpx"])


def written(tmp_path: Path, data: bytes, name: str = "exam.hwp") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


def assembled(source: Path) -> tuple[Assembled, Path, dict[str, Any]]:
    """As a worker does it, without its child."""
    units, out = source.parent / "units", source.parent / "out"
    out.mkdir()
    results = []
    for unit in OCR.plan(source, {}):
        (units / unit).mkdir(parents=True)
        results.append((unit, json.loads(json.dumps(OCR.run(source, unit, {}, units / unit)))))
    done = OCR.assemble(source, results, parameters={}, units=units, out=out)
    return done, out, json.loads((out / RESULT).read_text())


def refused(path: Path) -> str:
    with pytest.raises(BadInput) as caught:
        OCR.plan(path, {})
        opening.read(path)
    return caught.value.code


@BOTH
def test_text_tables_and_formulas(tmp_path: Path, make: Make) -> None:
    done, out, result = assembled(written(tmp_path, make(PIECES, ["둘째 구역"])))
    assert (out / TEXT).read_text().split("\n") == LINES
    (page,) = result["pages"]
    (table,) = page["tables"]
    assert [tuple(cell.values()) for cell in table["cells"]] == [
        (0, 0, 1, 2, "과목별 점수"),
        (1, 0, 1, 1, "수학"),
        (1, 1, 1, 1, "095"),
        (2, 0, 1, 1, "영어"),
        (2, 1, 1, 1, "88"),
    ]
    sheet = openpyxl.load_workbook(out / TABLES).active
    assert sheet is not None and sheet["B2"].value == "095"
    assert done.files == (RESULT, TEXT, TABLES) and not done.review
    assert done.summary | {"lines": 7, "tables": 1, "formulas": 1} == done.summary


@BOTH
def test_numbers_that_the_program_makes_are_missed(tmp_path: Path, make: Make) -> None:
    done, _, _ = assembled(written(tmp_path, make(["다음 중 옳은 것은?"], numbered=True)))
    assert "1 paragraphs have a number" in done.review[0]


@BOTH
def test_a_picture_in_it_is_read(tmp_path: Path, make: Make) -> None:
    sheet = Image.new("L", (900, 200), 255)
    ImageDraw.Draw(sheet).text((40, 60), "도서관 3층", fill=0, font=ImageFont.truetype(FONT, 50))
    out = BytesIO()
    sheet.save(out, "PNG")
    pictures = {"image1.png": out.getvalue(), "image2.wmf": b"\xd7\xcd\xc6\x9a" + bytes(90)}
    done, folder, _ = assembled(written(tmp_path, make(["그림"], pictures=pictures)))
    assert (folder / TEXT).read_text().split("\n\f\n") == ["그림", "도서관 3층"]
    assert done.review == ("page 1: not read: 1 pictures or files in it",)


def test_small_and_large_streams_compressed_or_not(tmp_path: Path) -> None:
    lines = [f"{number}번 문항 " + "가나다라" * 20 for number in range(400)]
    for compress in (True, False):
        assert hwp5.read(written(tmp_path, hancom.hwp(lines, compress=compress))).lines == lines


def test_who_is_locked_says_so(tmp_path: Path) -> None:
    assert refused(written(tmp_path, hancom.hwp(["가"], flags=1 | 2))) == e.FILE_ENCRYPTED
    assert refused(written(tmp_path, hancom.hwp(["가"], flags=1 | 4))) == e.DOCUMENT_LOCKED
    manifest = {"META-INF/manifest.xml": b"<odf:encryption-data/>"}
    assert refused(written(tmp_path, hancom.hwpx(["가"], more=manifest))) == e.FILE_ENCRYPTED
    assert refused(written(tmp_path, b"HWP Document File V3.00 \x1a" + bytes(200))) == e.FILE_NOT_SUPPORTED


def test_deleted_text_and_comments_are_left_out(tmp_path: Path) -> None:
    comment = "<hp:hiddenComment><hp:subList><hp:p><hp:run><hp:t>정답은 3</hp:t></hp:run></hp:p></hp:subList>"
    text = "남은 <hp:deleteBegin/>지운<hp:deleteEnd/>글<hp:lineBreak/>둘째 줄"
    data = hancom.hwpx([text])
    path = written(tmp_path, data)
    found = hwpx.read(path)
    assert found.lines == ["남은 글", "둘째 줄"] and found.left_out["stretches of deleted text"] == 1
    inside = f"</hp:t><hp:ctrl>{comment}</hp:hiddenComment></hp:ctrl><hp:t>물음"
    found = hwpx.read(written(tmp_path, hancom.hwpx([inside])))
    assert found.lines == ["물음"] and found.left_out["hidden comments"] == 1


def test_bombs_end_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hwp5, "MAX_INFLATED", 100_000)
    monkeypatch.setattr(hwpx, "MAX_INFLATED", 100_000)
    for make in (hancom.hwp, hancom.hwpx):
        assert refused(written(tmp_path, make(["가" * 300_000]))) == e.ARCHIVE_TOO_DEEP
    monkeypatch.setattr(document, "MAX_DEPTH", 10)
    deep = "</hp:t>" + "<hp:tbl><hp:tr><hp:tc><hp:subList><hp:p><hp:run>" * 20
    deep += "</hp:run></hp:p></hp:subList></hp:tc></hp:tr></hp:tbl>" * 20 + "<hp:t>"
    assert refused(written(tmp_path, hancom.hwpx([deep]))) == e.ARCHIVE_TOO_DEEP
    entities = b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'
    bomb = hancom.hwpx([], more={"Contents/section9.xml": entities})
    assert refused(written(tmp_path, bomb)) == e.FILE_DAMAGED


@BOTH
def test_every_damage_ends_typed(tmp_path: Path, make: Make) -> None:
    """Cut at many places, and with bytes turned over: read, or refused with a code."""
    whole = make(PIECES, ["둘째"])
    for number in range(60):
        place = 8 + (len(whole) - 8) * number // 60
        for data in (whole[:place], whole[:place] + b"\xff\xff\xff\xff" + whole[place + 4 :]):
            try:
                if opening.kind(path := written(tmp_path, data)):
                    opening.read(path)
                    opening.pictures(path)
            except BadInput as error:
                assert error.code in e.REASONS


def test_sectors_in_a_circle(tmp_path: Path) -> None:
    data = bytearray(hancom.hwp(["가"]))
    for place in range(512, 1024, 4):
        if struct.unpack_from("<I", data, place)[0] == hancom.END:
            struct.pack_into("<I", data, place, 1)
    assert refused(written(tmp_path, bytes(data))) == e.FILE_DAMAGED


@BOTH
def test_cells_over_each_other_are_doubted(tmp_path: Path, make: Make) -> None:
    """Nothing that a file says of its cells ends a job, and no cell is lost in silence."""
    over = Table(2, 2, [Cell(0, 0, "가", 2, 2), Cell(1, 1, "나", 2, 2)])
    done, folder, _ = assembled(written(tmp_path, make([over])))
    assert done.review == ("page 1: the rules of table 1 are unsure, and with them its cells",)
    (sheet,) = openpyxl.load_workbook(folder / TABLES)
    assert (sheet["A1"].value, sheet["B2"].value) == ("가", "나")
    wide, far = Table(1, 1, [Cell(0, 0, "가", 9_999, 999)]), Table(1, 1, [Cell(0, 20_000, "가")])
    assert refused(written(tmp_path, make([wide]))) == e.TOO_MANY_CELLS
    assert refused(written(tmp_path, make([far]))) == e.TOO_MANY_CELLS


def test_no_question_gets_all_of_a_document(tmp_path: Path) -> None:
    """Its words have no places: a region of it is none."""
    region = {"x": 0, "y": 0, "w": 0.5, "h": 0.5}
    asked = [{"exam_question_id": 1, "number": 1, "region_meta": region}]
    found, doubts = in_regions([{"page": 1, **document.result(document.Document(["가"]), "")}], asked)
    assert (found, len(doubts)) == ([], 1)
    assert "위치가 없어" in remark(doubts[0], "ko")


def test_a_formula_beside_its_paragraph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its place is in another paragraph than the one that it stands in."""
    script = struct.pack("<IH", 0, 1) + b"x\0"
    whole = hancom.body([Formula("가", "x", "나")])
    head = whole.removesuffix(hancom.record(88, 2, script))
    inner = hancom.record(72, 2, bytes(40)) + hancom.record(66, 2, bytes(22)) + hancom.record(88, 3, script)
    monkeypatch.setattr(hancom, "body", lambda *_: head + inner)
    assert opening.read(written(tmp_path, hancom.hwp([]))).formulas == 1
