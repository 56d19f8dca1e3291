"""Workbooks that people download: what stands in them, and that none of it is a formula."""

import zipfile
from datetime import UTC, date, datetime
from pathlib import Path

import openpyxl
import pytest

from activities.ai.students.exports.attendance import Attendee, attendance_workbook
from activities.ai.students.exports.sheet import Book
from activities.ai.students.exports.staff import Shift, staff_workbook


def cells(path: Path, sheet: str) -> list[tuple[object, ...]]:
    return list(openpyxl.load_workbook(path)[sheet].iter_rows(values_only=True))


@pytest.mark.parametrize("text", ["=1+1", "+82", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_nothing_is_a_formula(tmp_path: Path, text: str) -> None:
    path = tmp_path / "book.xlsx"
    with Book(path) as book:
        book.sheet("표", [(text, 10)]).write([text, f"a{text}"])
    with zipfile.ZipFile(path) as parts:
        xml = parts.read("xl/worksheets/sheet1.xml").decode()
        styles = parts.read("xl/styles.xml").decode()
    assert "<f>" not in xml and xml.count('t="inlineStr"') == 3
    assert 'quotePrefix="1"' in styles
    looks = openpyxl.load_workbook(path)["표"]
    assert [looks["A2"].quotePrefix, looks["B2"].quotePrefix] == [True, False]


def test_what_xml_and_excel_cannot_hold(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    with Book(path) as book:
        book.sheet("표", [("값", 10)]).write(
            ["가\ufffe나\ud800다", "라" * 40_000, None, "", 0, date(2026, 3, 2)]
        )
    row = cells(path, "표")[1]
    assert row[:5] == ("가나다", "라" * 32_767, None, None, 0)
    assert row[5] == datetime(2026, 3, 2)


def test_attendance(tmp_path: Path) -> None:
    path = tmp_path / "attendance.xlsx"
    first, second = date(2026, 3, 9), date(2026, 3, 2)
    rows = [
        Attendee("김철수", "한빛중", "2", {first: "PRESENT", second: "ONLINE"}),
        Attendee("=이영희", "", "", {first: "ABSENT"}),
        Attendee("박민준", "", "", {first: "온라인 보강"}),
        Attendee("최서윤", "", "", {}),
    ]
    attendance_workbook(rows, path)
    totals = ("출석", "온라인", "지각", "조퇴", "인정결석", "결석")
    assert cells(path, "출석부") == [
        ("번호", "이름", "학교", "학년", "2026-03-02", "2026-03-09", *totals),
        (1, "김철수", "한빛중", "2", "온라인", "출석", 1, 1, 0, 0, 0, 0),
        (2, "=이영희", None, None, None, "결석", 0, 0, 0, 0, 0, 1),
        (3, "박민준", None, None, None, "온라인 보강", 0, 0, 0, 0, 0, 0),
        (4, "최서윤", None, None, None, None, 0, 0, 0, 0, 0, 0),
    ]
    sheet = openpyxl.load_workbook(path)["출석부"]
    assert sheet.freeze_panes == "C2" and sheet.column_dimensions["B"].width > 11
    assert "김철수" not in repr(rows)


def test_staff(tmp_path: Path) -> None:
    path = tmp_path / "staff.xlsx"

    def shift(staff_id: int, name: str, day: int, hour: int, minutes: int, pause: int) -> Shift:
        began = datetime(2026, 3, day, hour, tzinfo=UTC)
        return Shift(
            staff_id,
            name,
            began,
            datetime(2026, 3, day, hour + minutes // 60, minutes % 60, tzinfo=UTC),
            pause,
        )

    rows = [
        shift(2, "김강사", 3, 5, 150, 30),
        shift(1, "김강사", 2, 5, 240, 0),
        shift(1, "김강사", 2, 13, 130, 0),
        shift(3, "이조교", 2, 0, 10, 60),
    ]
    staff_workbook(rows, path)
    assert cells(path, "합계") == [
        ("이름", "근무일수", "근무시간(분)", "근무시간"),
        ("김강사", 1, 370, "6시간 10분"),
        ("김강사", 1, 120, "2시간 0분"),
        ("이조교", 1, 0, "0시간 0분"),
    ]
    assert cells(path, "근무 기록")[1:3] == [
        ("김강사", datetime(2026, 3, 2), "14:00", "18:00", 0, 240, "4시간 0분"),
        ("김강사", datetime(2026, 3, 2), "22:00", "03-03 00:10", 0, 130, "2시간 10분"),
    ]
