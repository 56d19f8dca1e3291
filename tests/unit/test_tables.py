"""Tables with rules, of drawn pages: cells, what spans several, and the workbook that people get."""

import json
from dataclasses import asdict

import cv2
import numpy as np
import openpyxl
import pytest
from PIL import Image, ImageDraw, ImageFont

from activities.ai.tasks.ocr.output import write_tables
from activities.ai.tasks.ocr.tables import Cell, Table, tables_of
from activities.ai.tasks.ocr.task import OCR, TABLES
from activities.ai.tasks.ocr.words import Word, line_of
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


def grid(lost=(), over=None):
    """Five rows and four columns of boxes with a word in each, and the words as they were read. `lost`: rules
    that are not there, as (h|v, row, column); `over`: cells that are one, (row, column, rows, columns)."""
    page, lines, (wide, high, left, top) = np.full((1000, 1200), 255, np.uint8), [], (200, 100, 200, 200)
    row0, column0, rows, columns = over or (9, 9, 1, 1)

    def inside(row, column):
        return row0 <= row < row0 + rows and column0 <= column < column0 + columns

    for row in range(6):
        for column in range(5):
            x, y = left + wide * column, top + high * row
            if (
                column < 4
                and ("h", row, column) not in lost
                and not (inside(row, column) and inside(row - 1, column))
            ):
                cv2.line(page, (x, y), (x + wide, y), 0, 2)
            if (
                row < 5
                and ("v", row, column) not in lost
                and not (inside(row, column) and inside(row, column - 1))
            ):
                cv2.line(page, (x, y), (x, y + high), 0, 2)
            if row == 5 or column == 4 or (inside(row, column) and (row, column) != (row0, column0)):
                continue
            middle = y + (high * rows if (row, column) == (row0, column0) else high) // 2
            lines.append(line_of([Word(f"{row}{column}", 95.0, (x + 20, middle - 15, x + 90, middle + 15))]))
    return page, lines


@pytest.mark.parametrize("over", [None, (0, 0, 1, 4), (1, 0, 2, 1), (2, 1, 2, 2)])
def test_a_whole_table_is_sure(over):
    [table] = tables_of(*grid(over=over))
    assert not table.doubted
    assert all(cell.text == f"{cell.row}{cell.column}" for cell in table.cells)


@pytest.mark.parametrize(
    "lost",
    [
        [("h", 2, 1)],
        [("h", 2, column) for column in range(3)],
        [("v", 2, 2)],
        [("v", row, 2) for row in range(1, 5)],
        [("v", row, 0) for row in range(5)],
        [("v", row, 4) for row in range(5)],
    ],
)
def test_a_table_whose_rules_were_not_all_seen_is_doubted(lost):
    """Cells were joined, or names left out, at full confidence."""
    page, lines = grid(lost)
    assert [table.doubted for table in tables_of(page, lines)] == [True]


def test_an_empty_cell_that_was_lost_is_missed():
    page, lines = grid([("h", 0, 1)])
    assert [table.doubted for table in tables_of(page, lines[:1] + lines[2:])] == [True]


def test_a_rule_that_may_have_been_read_as_a_letter_is_doubted():
    page, lines = grid()
    lines[5] = line_of([Word("!11", 95.0, (385, 335, 490, 365))])
    assert [table.doubted for table in tables_of(page, lines)] == [True]


def test_cells_that_lie_over_each_other_are_written_all_the_same(tmp_path):
    """The workbook was refused, and the job with it."""
    cells = [Cell(0, 0, 3, 1, "가"), Cell(2, 0, 2, 1, "나"), Cell(0, 1, 1, 1, "다"), Cell(1, 1, 3, 1, "라")]
    table = asdict(Table((0, 0, 9, 9), tuple(cells), doubted=True))
    assert write_tables([{"page": 1, "tables": [table]}], tmp_path / TABLES) == 1
    found = openpyxl.load_workbook(tmp_path / TABLES).active
    assert {cell.value for row in found.iter_rows() for cell in row} >= {"가", "나", "다", "라"}
