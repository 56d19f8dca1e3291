"""A roster's file, from its first sheet to what is taken, reported and given back."""

import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import openpyxl
import pytest
import xlsxwriter

from activities.ai import sniff
from activities.ai.sandbox.task import Assembled, BadInput
from activities.ai.tasks.roster import task
from activities.ai.tasks.roster.parse import Row
from activities.ai.tasks.roster.task import FAILED, REPORT, ROSTER, ROWS, read_rows
from contracts.errors import (
    FILE_DAMAGED,
    PHONE_NOT_MOBILE,
    ROSTER_CONTRADICTION,
    ROSTER_EMPTY,
    ROSTER_ENCODING_UNKNOWN,
    ROSTER_HEADER_MISSING,
    ROSTER_NAME_MISSING,
    ROSTER_PHONE_MISSING,
    ROSTER_SAME_STUDENT,
    ROSTER_TOO_MANY_ROWS,
    TOO_MANY_CELLS,
)

HEADER = ["이름", "학부모 연락처", "학생 연락처", "학교", "반"]
KIM = ["김철수", "010-1234-5678", "010-1111-2222", "한빛중학교", "A"]
LEE = ["이영희", "010-2345-6789", "", "새론중학교", "B"]


@dataclass
class Read:
    """What became of a file."""

    done: Assembled
    out: Path
    units: list[str]

    @property
    def rows(self) -> list[Row]:
        return list(read_rows(self.out / ROWS))

    @property
    def report(self) -> dict[str, Any]:
        return dict(json.loads((self.out / REPORT).read_text()))

    @property
    def problems(self) -> list[tuple[Any, ...]]:
        return [tuple(problem.values()) for problem in self.report["problems"]]


def read(source: Path, parameters: Mapping[str, Any] = MappingProxyType({})) -> Read:
    """Through all three steps, each with what the one before has left in files."""
    out, units_folder = source.parent / "out", source.parent / "units"
    out.mkdir(exist_ok=True)
    units = ROSTER.plan(source, parameters)
    results = []
    for unit in units:
        (units_folder / unit).mkdir(parents=True, exist_ok=True)
        results.append(
            (unit, json.loads(json.dumps(ROSTER.run(source, unit, parameters, units_folder / unit))))
        )
    return Read(
        ROSTER.assemble(source, results, parameters=parameters, units=units_folder, out=out), out, units
    )


def book(tmp_path: Path, *sheets: Sequence[Sequence[Any]], edit: Callable[[Any], None] | None = None) -> Path:
    path = tmp_path / "roster.xlsx"
    with xlsxwriter.Workbook(path, {"strings_to_formulas": False}) as workbook:
        for number, rows in enumerate(sheets, 1):
            sheet = workbook.add_worksheet(f"{number}반")
            for index, row in enumerate(rows):
                sheet.write_row(index, 0, row)
        if edit:
            edit(workbook)
    return path


def test_a_good_file(tmp_path: Path) -> None:
    found = read(book(tmp_path, [HEADER, KIM, LEE]))
    kim, lee = (row.values for row in found.rows)
    assert kim == {
        "name": "김철수",
        "parent_phone": "01012345678",
        "student_phone": "01011112222",
        "school": "한빛중학교",
        "class_name": "A",
    }
    assert lee == {"name": "이영희", "parent_phone": "01023456789", "school": "새론중학교", "class_name": "B"}
    assert [(row.sheet, row.row) for row in found.rows] == [("1반", 2), ("1반", 3)]
    assert found.done == Assembled({"rows": 2, "students": 2, "failed": 0, "repeated": 0}, (ROWS, REPORT))
    assert "김철수" not in repr(found.rows) and "0101" not in repr(found.rows)


def test_titles_blank_rows_numbers_and_columns_of_no_meaning(tmp_path: Path) -> None:
    rows = [
        [],
        ["", "2026학년도 원생 명단"],
        ["", "작성일: 2026. 3. 2."],
        [],
        ["", "번호", "이름", "학부모\n연락처", "학생 연락처", "수강료"],
        ["", 1, "김철수", 1012345678, 1011112222, 300000],
        ["", 2],
        [],
        ["", 3, " 이영희 ", "+82 10-2345-6789", "없음", 300000],
        ["", "번호", "이름", "학부모\n연락처", "학생 연락처", "수강료"],
        ["", 4, "박민준", "010 3456 7890"],
        ["", "", "", "", "", 600000],
    ]
    found = read(
        book(
            tmp_path,
            rows,
            edit=lambda made: made.get_worksheet_by_name("1반").merge_range("B2:F2", rows[1][1]),
        )
    )
    assert [(row.row, row.values["name"], row.values["parent_phone"]) for row in found.rows] == [
        (6, "김철수", "01012345678"),
        (9, "이영희", "01023456789"),
        (11, "박민준", "01034567890"),
    ]
    assert (
        found.rows[0].values["student_phone"] == "01011112222" and "student_phone" not in found.rows[1].values
    )
    assert found.report["sheets"][0]["ignored_columns"] == ["번호", "수강료"]
    assert not found.done.review


def test_cells_merged_over_rows_speak_for_all_of_them(tmp_path: Path) -> None:
    def merge(made: Any) -> None:
        sheet = made.get_worksheet_by_name("1반")
        sheet.merge_range("A2:D2", "─ 중등부 ─")
        sheet.merge_range("A3:A4", "A반")
        sheet.merge_range("C3:C4", "010-1234-5678")
        sheet.merge_range("A5:A5000", "B반")

    rows = [
        ["반", "이름", "학부모 연락처", "학교"],
        [],
        ["", "김철수", "", "한빛"],
        ["", "김영수", "", "한빛"],
        ["", "이영희", "010-2345-6789"],
    ]
    found = read(book(tmp_path, rows, edit=merge))
    assert [
        (row.values["class_name"], row.values["name"], row.values["parent_phone"]) for row in found.rows
    ] == [
        ("A반", "김철수", "01012345678"),
        ("A반", "김영수", "01012345678"),
        ("B반", "이영희", "01023456789"),
    ]
    assert not found.problems


def test_labels_merged_over_two_rows(tmp_path: Path) -> None:
    def merge(made: Any) -> None:
        sheet = made.get_worksheet_by_name("1반")
        sheet.merge_range("A1:A2", "이름")
        sheet.merge_range("B1:C1", "연락처")

    found = read(
        book(tmp_path, [[], ["", "학생", "학부모"], ["김철수", "010-1111-2222", 1012345678]], edit=merge)
    )
    assert found.rows[0].values == {
        "name": "김철수",
        "student_phone": "01011112222",
        "parent_phone": "01012345678",
    }
    assert not found.problems


def test_the_second_row_of_a_header_is_no_student(tmp_path: Path) -> None:
    def merge(made: Any) -> None:
        sheet = made.get_worksheet_by_name("1반")
        for area, label in (("A1:A2", "이름"), ("B1:B2", "학부모 연락처"), ("C1:D1", "성적")):
            sheet.merge_range(area, label)

    found = read(book(tmp_path, [[], ["", "", "국어", "수학"], ["김철수", 1012345678, 90, 80]], edit=merge))
    assert [row.values["name"] for row in found.rows] == ["김철수"] and not found.problems


def test_every_problem_with_its_place_and_value(tmp_path: Path) -> None:
    rows = [HEADER, KIM, ["", "010-2345-6789"], ["박민준", "", "02-123-4567"], ["최서윤", "010-12-34"], LEE]
    found = read(book(tmp_path, rows))
    assert found.problems == [
        ("1반", 3, "이름", ROSTER_NAME_MISSING, ""),
        ("1반", 4, "학생 연락처", PHONE_NOT_MOBILE, "02-123-4567"),
        ("1반", 4, "학부모 연락처", ROSTER_PHONE_MISSING, ""),
        ("1반", 5, "학부모 연락처", PHONE_NOT_MOBILE, "010-12-34"),
    ]
    assert [row.values["name"] for row in found.rows] == ["김철수", "이영희"]
    assert found.done.summary == {"rows": 5, "students": 2, "failed": 3, "repeated": 0}
    assert found.done.review == ("rows not taken: 3",)


def test_failed_rows_come_back_to_be_corrected_and_sent_again(tmp_path: Path) -> None:
    rows = [HEADER, ["=HYPERLINK(1)", "010-12-34", "", "+한빛"], ["@이영희", "", "", "-"], KIM]
    found = read(book(tmp_path, rows))
    path = found.out / FAILED
    made = openpyxl.load_workbook(path)
    sheet = made.active
    assert sheet.freeze_panes == "D2"
    assert [cell.value for cell in sheet[1]] == ["시트", "행", "오류", "이름", "학부모 전화번호", "학교"]
    assert (sheet["A2"].value, sheet["B2"].value) == ("1반", 2) and "010으로" in sheet["C2"].value
    # openpyxl takes every text that begins with = for a formula; the file says that it is none.
    raw = [cell.value for row in sheet["D2:F3"] for cell in row]
    assert raw == ["=HYPERLINK(1)", "010-12-34", "+한빛", "@이영희", None, "-"]
    assert all(cell.quotePrefix for cell in (sheet["D2"], sheet["F2"], sheet["D3"], sheet["F3"]))
    assert not sheet["E2"].quotePrefix
    for cell, value in (("D2", "김민수"), ("E2", "010-5555-6666"), ("E3", "010-7777-8888"), ("D3", "이영희")):
        sheet[cell] = value
    again = tmp_path / "again"
    again.mkdir()
    made.save(again / "roster.xlsx")
    corrected = read(again / "roster.xlsx")
    assert [row.values for row in corrected.rows] == [
        {"name": "김민수", "parent_phone": "01055556666", "school": "+한빛"},
        {"name": "이영희", "parent_phone": "01077778888"},
    ]
    assert not corrected.done.review


def test_several_sheets_and_a_student_in_two_classes(tmp_path: Path) -> None:
    sheets = [
        [HEADER, KIM],
        [],
        [HEADER, ["김 철수", 1012345678, "", "", "수학"], LEE],
        [["작성 안내"], ["이름을 적으세요"]],
    ]

    def add(made: Any) -> None:
        hidden = made.add_worksheet("지난해")
        hidden.write_row(0, 0, HEADER)
        hidden.write_row(1, 0, ["옛학생", "010-9999-9999"])
        hidden.hide()

    found = read(book(tmp_path, *sheets, edit=add))
    assert found.units == ["sheet-1", "sheet-2", "sheet-3", "sheet-4"]
    assert [row.values["name"] for row in found.rows] == ["김철수", "이영희"]
    assert found.rows[0].values["class_name"] == "A, 수학" and found.rows[0].values["school"] == "한빛중학교"
    assert found.done.summary == {"rows": 3, "students": 2, "failed": 0, "repeated": 1}
    assert not found.done.review


def test_rows_that_contradict_each_other_are_not_taken(tmp_path: Path) -> None:
    other_school = [*KIM[:3], "새론중학교", "A"]
    fathers_phone = ["이영희", "010-9999-8888", "010-3333-4444"]
    mothers_phone = ["이영희", "010-2345-6789", "010-3333-4444"]
    found = read(book(tmp_path, [HEADER, KIM, other_school, fathers_phone, mothers_phone]))
    assert found.rows == []
    assert found.problems == [
        ("1반", 2, "학교", ROSTER_CONTRADICTION, "한빛중학교"),
        ("1반", 3, "학교", ROSTER_CONTRADICTION, "새론중학교"),
        ("1반", 4, "학부모 전화번호", ROSTER_SAME_STUDENT, "01099998888"),
        ("1반", 5, "학부모 전화번호", ROSTER_SAME_STUDENT, "01023456789"),
    ]


def test_a_fathers_number_stands_in_where_the_mothers_is_missing(tmp_path: Path) -> None:
    rows = [
        ["이름", "모 연락처", "부 연락처"],
        ["김철수", "", 1012345678],
        ["이영희", 1023456789, 1034567890],
    ]
    first, second = read(book(tmp_path, rows)).rows
    assert first.values == {"name": "김철수", "parent_phone": "01012345678"}
    assert (second.values["parent_phone"], second.values["other_parent_phone"]) == (
        "01023456789",
        "01034567890",
    )


def test_a_sheet_without_header_is_told_if_it_holds_phones(tmp_path: Path) -> None:
    found = read(book(tmp_path, [HEADER, KIM], [["이영희", 1023456789]]))
    assert found.done.review == (f"sheet-2: {ROSTER_HEADER_MISSING}",)


@pytest.mark.parametrize(
    ("sheet", "code", "detail"),
    [
        ([], ROSTER_HEADER_MISSING, {}),
        ([["안내"]], ROSTER_HEADER_MISSING, {}),
        (
            [["명단"], ["이름", "연락처"], ["김철수", 1012345678]],
            ROSTER_HEADER_MISSING,
            {"sheet": "sheet-1", "row": 2, "missing": "학부모 전화번호"},
        ),
        ([HEADER], ROSTER_EMPTY, {}),
    ],
)
def test_refused(tmp_path: Path, sheet: list[list[Any]], code: str, detail: dict[str, Any]) -> None:
    with pytest.raises(BadInput) as refusal:
        read(book(tmp_path, sheet))
    assert (refusal.value.code, refusal.value.detail) == (code, detail)


def test_too_many_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task, "MAX_ROWS", 1)
    with pytest.raises(BadInput, match=ROSTER_TOO_MANY_ROWS):
        read(book(tmp_path, [HEADER, KIM, LEE]))
    with pytest.raises(BadInput, match=ROSTER_TOO_MANY_ROWS):
        read(book(tmp_path, [HEADER, *([[]] * 1_100), KIM]))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
def test_csv(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "roster.csv"
    lines = [
        "원생 명단",
        "",
        "이름,학부모 연락처,비고",
        '똠김,01012345678,"둘째,\n셋째"',
        "",
        "이영희,1023456789",
    ]
    path.write_bytes("\r\n".join(lines).encode(encoding))
    found = read(path)
    assert [(row.row, row.values) for row in found.rows] == [
        (4, {"name": "똠김", "parent_phone": "01012345678", "memo": "둘째, 셋째"}),
        (6, {"name": "이영희", "parent_phone": "01023456789"}),
    ]


def test_csv_of_another_encoding(tmp_path: Path) -> None:
    path = tmp_path / "roster.csv"
    path.write_bytes("이름,학부모 연락처\n김,010\n".encode("utf-16-le") + b"\xff\xff")
    with pytest.raises(BadInput, match=ROSTER_ENCODING_UNKNOWN):
        ROSTER.run(path, "sheet-1", {}, tmp_path)


def test_a_damaged_book(tmp_path: Path) -> None:
    path = book(tmp_path, [HEADER, KIM])
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(BadInput, match=FILE_DAMAGED):
        ROSTER.run(path, "sheet-1", {}, tmp_path)


@pytest.mark.parametrize(
    "cell",
    [
        b'<c r="XFD1048576"/>',
        b'<c r="XFD99999"/>',
        b'<c r="aaa99999"/>',
        b'<c r="zz99999"/>',
        b'<c r="V999999"/>',
        b'<c t="n" r="XFD1048576"/>',
        b"<x:c r='XFD1048576'/>",
    ],
)
def test_a_far_cell_is_seen_wherever_a_chunk_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cell: bytes
) -> None:
    monkeypatch.setattr(sniff, "CHUNK", 400)
    path = tmp_path / "far.xlsx"
    for before in range(340, 400):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("xl/workbook.xml", b"")
            start = b'<d xmlns:x="x"><c r="A1"/>'
            archive.writestr("xl/worksheets/sheet1.xml", start.ljust(before) + cell + b"</d>")
        with pytest.raises(BadInput, match=TOO_MANY_CELLS):
            sniff.check_table(path)


def test_units_of_an_earlier_release_are_merged(tmp_path: Path) -> None:
    source = book(tmp_path, [HEADER, KIM, KIM, LEE])
    units, out = tmp_path / "units", tmp_path / "result"
    (units / "sheet-1").mkdir(parents=True)
    out.mkdir()
    result = ROSTER.run(source, "sheet-1", {}, units / "sheet-1")
    assert not result.pop("distinct")
    done = ROSTER.assemble(source, [("sheet-1", result)], parameters={}, units=units, out=out)
    assert done.summary == {"rows": 3, "students": 2, "failed": 0, "repeated": 1}
    assert [row.values["name"] for row in read_rows(out / ROWS)] == ["김철수", "이영희"]
