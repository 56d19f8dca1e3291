"""Tables with rules, of drawn pages: cells, what spans several, and the workbook that people get."""

import json

import cv2
import numpy as np
import openpyxl
import pytest
from PIL import Image, ImageDraw, ImageFont

from activities.ai.tasks.ocr.task import OCR, TABLES
from bench.ocr_pages import FONT, SIZE

ROWS = (("반", "이름", "점수"), ("1", "김민수", "007"), ("2", "이서연", "=1+2"))
LEFTS, TOP, HIGH = (100, 400, 900, 1300), 200, 110


def drawn(merged: bool) -> Image.Image:
    """`merged`: a heading over all columns."""
    sheet = Image.new("L", (1500, 900), 255)
    pen, font = ImageDraw.Draw(sheet), ImageFont.truetype(FONT, SIZE)
    rows = (("1학기 성적", "", ""), *ROWS) if merged else ROWS
    for row, cells in enumerate(rows):
        top = TOP + HIGH * row
        for column, text in enumerate(cells):
            right = LEFTS[-1] if merged and row == 0 else LEFTS[column + 1]
            if text:
                pen.rectangle((LEFTS[column], top, right, top + HIGH), outline=0, width=3)
                pen.text((LEFTS[column] + 30, top + 30), text, fill=0, font=font)
    pen.text((100, 800), "표 아래의 글은 표에 들지 않는다.", fill=0, font=font)
    return sheet


@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize("degrees", [0.0, 1.2])
def test_a_table_becomes_a_sheet(merged, degrees, tmp_path):
    page = np.array(drawn(merged))
    turn = cv2.getRotationMatrix2D((750, 450), degrees, 1.0)
    turned = cv2.warpAffine(page, turn, (1500, 900), borderValue=255)
    noisy = turned * 0.9 + np.random.default_rng(1).normal(0, 6, turned.shape)
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(tmp_path / "page.png")
    (tmp_path / "page-0001").mkdir()
    result = json.loads(json.dumps(OCR.run(tmp_path / "page.png", "page-0001", {}, tmp_path / "page-0001")))
    [table] = result["tables"]
    units = [("page-0001", result)]
    done = OCR.assemble(tmp_path / "page.png", units, parameters={}, units=tmp_path, out=tmp_path)
    assert done.summary["tables"] == 1 and TABLES in done.files
    sheet = openpyxl.load_workbook(tmp_path / TABLES).active
    found = [[cell.value for cell in row] for row in sheet.iter_rows()]
    if merged:
        assert found.pop(0) == ["1학기 성적", None, None]
        assert str(sheet.merged_cells.ranges.pop()) == "A1:C1"
        assert table["cells"][0]["columns"] == 3
    assert found == [list(row) for row in ROWS], "a text, whatever it looks like"
    assert sheet["C2" if not merged else "C3"].data_type == "s"


def test_frames_and_plain_pages_are_no_tables(tmp_path):
    sheet = Image.new("L", (1500, 900), 255)
    pen, font = ImageDraw.Draw(sheet), ImageFont.truetype(FONT, SIZE)
    for top in range(100, 800, 200):
        pen.rectangle((100, top, 1300, top + 150), outline=0, width=3)
        pen.text((140, top + 50), "다음 글을 읽고 물음에 답하시오.", fill=0, font=font)
    sheet.save(tmp_path / "page.png")
    (tmp_path / "page-0001").mkdir()
    result = OCR.run(tmp_path / "page.png", "page-0001", {}, tmp_path / "page-0001")
    assert result["tables"] == []
    done = OCR.assemble(
        tmp_path / "page.png", [("page-0001", result)], parameters={}, units=tmp_path, out=tmp_path
    )
    assert done.summary["tables"] == 0 and TABLES not in done.files
