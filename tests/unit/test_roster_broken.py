"""Rosters as schools make them, each broken in one way: every student is read right, or the row or the file
says that it is not, and where. Nobody is lost, and nobody gets what is another's."""

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from python_calamine import CalamineWorkbook

from activities.ai.sandbox.task import BadInput
from activities.ai.tasks.roster.task import FAILED
from contracts import errors as e
from tests.unit.test_roster_task import Read, read
from tests.unit.test_roster_xls import compound, workbook, worksheet

HEADER = ["번호", "이름", "학부모 연락처", "학생 연락처", "학교", "학년", "생년월일", "등록일", "비고"]
FIELDS = ["", "name", "parent_phone", "student_phone", "school", "grade", "birth_date", "enrolled_on", "memo"]
NAME, PARENT, OWN, SCHOOL, GRADE, BORN, ENROLLED, MEMO = range(1, 9)
NAMES = ["김하나", "이두리", "박세찬", "최네온", "정다솔", "강여름"]
Rows = list[list[Any]]


def students() -> Rows:
    return [
        [
            str(n + 1), name, f"010-5000-100{n}", f"010-2000-200{n}", f"{'한빛새론누리가온'[n : n + 2]}중",
            str(n % 3 + 1), f"2011-03-0{n + 1}", f"2024-09-1{n}", f"상담 {name[0]}",
        ]
        for n, name in enumerate(NAMES)
    ]  # fmt: skip


def roster() -> Rows:
    return [["2026학년도 원생 명단"], [*HEADER], *students()]


THREE = ["이름", "학부모 연락처", "학교"]
S = [[row[NAME], row[PARENT], row[SCHOOL]] for row in students()]
TRUTH = {
    row[NAME]: {
        field: cell.replace("-", "") if field.endswith("phone") else cell
        for field, cell in zip(FIELDS, row, strict=True)
        if field
    }
    for row in students()
}


@dataclass
class File:
    data: bytes
    suffix: str


def xlsx(rows: Rows, edit: Callable[[Any, Any], None] = lambda book, sheet: None) -> File:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False}) as book:
        sheet = book.add_worksheet("명단")
        for index, row in enumerate(rows):
            sheet.write_row(index, 0, row)
        edit(book, sheet)
    return File(out.getvalue(), ".xlsx")


def written(rows: Rows, separator: str = ",") -> str:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=separator).writerows(rows)
    return out.getvalue()


def text(content: str, suffix: str = ".csv", encoding: str = "utf-8") -> File:
    return File(content.encode(encoding), suffix)


def html(rows: Rows, row: str = "<tr>", before: str = "<html><head><meta charset=utf-8></head>") -> File:
    cells = "".join(row + "".join(f"<td>{cell}</td>" for cell in each) + "</tr>" for each in rows)
    return text(f"\n\n{before}<table><caption>명단</caption>{cells}</table>", ".xls")


def spreadsheet_ml(rows: Rows, row: str = "<Row>") -> File:
    cells = "".join(
        row
        + "".join(
            f'<Cell ss:Index="{x}"><Data ss:Type="String">{cell}</Data></Cell>'
            for x, cell in enumerate(each, 1)
            if cell
        )
        + "</Row>"
        for each in rows
    )
    space = "urn:schemas-microsoft-com:office:spreadsheet"
    start = '<?xml version="1.0" encoding="utf-8"?><?mso-application progid="Excel.Sheet"?>'
    book = f'<Workbook xmlns="{space}" xmlns:ss="{space}"><Worksheet ss:Name="명단"><Table>{cells}'
    return text(f"{start}{book}</Table></Worksheet></Workbook>", ".xls")


def xls(rows: Rows, macros: bool = False) -> File:
    return File(compound(workbook("명단", worksheet(rows, [])), macros), ".xls")


def changed(*cells: tuple[int, int, Any]) -> Rows:
    """(row of students from 0, column, what stands there); row -1 is the header."""
    rows = roster()
    for row, column, cell in cells:
        rows[row + 2][column] = cell
    return rows


def put(row: int, *inserted: list[Any]) -> Rows:
    """Rows before the student `row`."""
    rows = roster()
    return [*rows[: row + 2], *inserted, *rows[row + 2 :]]


def columns(header: list[str], of: Callable[[list[Any]], list[Any]]) -> Rows:
    return [header, *map(of, students())]


def beside(left: list[str], right: list[str], gap: int = 1) -> Rows:
    """Two tables of three columns side by side, three students each."""
    cells = [[row[NAME], row[PARENT], row[SCHOOL]] for row in students()]
    joined = [[*a, *[""] * gap, *b] for a, b in zip(cells[:3], cells[3:], strict=True)]
    return [[*left, *[""] * gap, *right], *joined]


def later(left: Rows) -> Rows:
    """Three students, and beside the next ones a heading and the last student."""
    last = students()[-1]
    right = [[*THREE], [last[NAME], last[PARENT], last[SCHOOL]], ["", "", ""]]
    return [[*THREE], *S[:3], *([*a, "", *b] for a, b in zip(left, right, strict=False))]


def moved(header: list[str], order: list[int], *before: list[Any]) -> Rows:
    """A second heading after three students, for columns in another order."""
    rows = roster()
    return [
        *rows[:5],
        *before,
        header,
        *([row[index] if index >= 0 else "" for index in order] for row in rows[5:]),
    ]


def swapped(a: int, b: int) -> list[int]:
    order = list(range(9))
    order[a], order[b] = b, a
    return order


def hidden(row: int) -> Callable[[Any, Any], None]:
    return lambda book, sheet: sheet.set_row(row, None, None, {"hidden": True})


def filtered(book: Any, sheet: Any) -> None:
    sheet.autofilter(1, 0, 7, 8)
    sheet.filter_column("F", "x == 1")
    sheet.set_row(3, None, None, {"hidden": True})


def formula(column: int, value: Any) -> Callable[[Any, Any], None]:
    return lambda book, sheet: sheet.write_formula(3, column, "=Z1", None, value)


def merged(*areas: tuple[str, str]) -> Callable[[Any, Any], None]:
    def edit(book: Any, sheet: Any) -> None:
        for area, label in areas:
            sheet.merge_range(area, label)

    return edit


def quoted(row: int, column: int, mark: str, until: tuple[int, int, str] | None = None) -> File:
    """A quotation mark that is opened in one cell, and closed in another one or never."""
    lines = [[*line] for line in roster()]
    lines[row + 2][column] = mark + lines[row + 2][column]
    if until:
        other, where, close = until
        lines[other + 2][where] += close
    return text("\r\n".join(",".join(line) for line in lines) + "\r\n")


RIGHT, DOUBTED = "right", "doubted"
next_year, tomorrow = date.today().year + 1, date.today() + timedelta(1)
split_names = columns(["성", "이름", "학부모 연락처"], lambda row: [row[NAME][0], row[NAME][1:], row[PARENT]])
numbers = columns(["이름", "보호자 연락처1", "보호자 연락처2"], lambda row: [row[NAME], row[PARENT], ""])

WAYS: dict[str, tuple[Callable[[], File], str]] = {
    # As it should be, in every dress.
    "xlsx": (lambda: xlsx(roster()), RIGHT),
    "xlsx named xls": (lambda: File(xlsx(roster()).data, ".xls"), RIGHT),
    "xls": (lambda: xls(roster()), RIGHT),
    "xls with macros": (lambda: xls(roster(), macros=True), RIGHT),
    "csv": (lambda: text(written(roster())), RIGHT),
    "csv of Korean Excel": (lambda: text(written(roster()), encoding="cp949"), RIGHT),
    "csv named xls": (lambda: text(written(roster()), ".xls", "utf-8-sig"), RIGHT),
    "tabs": (lambda: text(written(roster(), "\t"), ".tsv"), RIGHT),
    "tabs in UTF-16": (lambda: text(written(roster(), "\t"), ".txt", "utf-16"), RIGHT),
    "UTF-16 without a mark": (lambda: text(written(roster()), ".csv", "utf-16-le"), RIGHT),
    "UTF-16 the other way round": (lambda: text("\ufeff" + written(roster()), ".csv", "utf-16-be"), RIGHT),
    "semicolons": (lambda: text(written(roster(), ";")), RIGHT),
    "semicolons, and commas in cells": (lambda: text(written(changed((0, MEMO, "상담 김")), ";")), RIGHT),
    "bars": (lambda: text(written(roster(), "|"), ".txt"), RIGHT),
    "numbers as texts": (lambda: text(written(roster()).replace("010-5000-1001", '="010-5000-1001"')), RIGHT),
    "html": (lambda: html(roster()), RIGHT),
    "html alone": (lambda: html(roster(), before=""), RIGHT),
    "html of cp949": (lambda: File(html(roster()).data.decode().encode("cp949"), ".xls"), RIGHT),
    "html in html": (lambda: html(roster(), before="<html><table><tr><td>제목<td>"), RIGHT),
    "html, all rows hidden": (lambda: html(roster(), row='<tr style="display: none">'), DOUBTED),
    "SpreadsheetML": (lambda: spreadsheet_ml(roster()), RIGHT),
    "SpreadsheetML, all rows hidden": (lambda: spreadsheet_ml(roster(), '<Row ss:Hidden="1">'), DOUBTED),
    # Headings.
    "two tables": (
        lambda: xlsx(beside(THREE, THREE)),
        e.ROSTER_TABLES_BESIDE,
    ),
    "two tables without a gap": (
        lambda: text(written(beside(THREE, THREE, 0))),
        e.ROSTER_TABLES_BESIDE,
    ),
    "two tables of other words": (
        lambda: xlsx(beside(THREE, ["성명", "보호자 연락처", "학교"])),
        e.ROSTER_TABLES_BESIDE,
    ),
    "two tables, one says students": (
        lambda: xlsx(beside(["학생명", "학부모 연락처", "학교"], ["이름", "보호자 연락처", "학교"])),
        DOUBTED,
    ),
    "two tables, one of unknown words": (
        lambda: xlsx(beside(THREE, ["별칭", "학부모 연락처", "학교"])),
        DOUBTED,
    ),
    "two tables, one without a heading": (
        lambda: xlsx(beside(THREE, ["", "", ""])),
        DOUBTED,
    ),
    "two tables, one begins later": (lambda: xlsx(later(S[3:5])), DOUBTED),
    "two tables, one begins where the other pauses": (lambda: xlsx(later([["", "", ""], *S[3:5]])), DOUBTED),
    "two tables, the left one without a heading": (lambda: xlsx(beside(["", "", ""], THREE)), DOUBTED),
    "name in other letters": (
        lambda: xlsx(
            columns(["이름", "이름(영문)", "학부모 연락처"], lambda row: [row[NAME], "Kim", row[PARENT]])
        ),
        RIGHT,
    ),
    "remark that names somebody": (
        lambda: xlsx(changed((-1, PARENT, "학부모 연락처(학생 것이면 생략)"))),
        RIGHT,
    ),
    "first and second number": (lambda: xlsx(numbers), RIGHT),
    "number of the first guardian": (
        lambda: xlsx(
            columns(["이름", "보호자2 연락처", "보호자1 연락처"], lambda row: [row[NAME], "", row[PARENT]])
        ),
        RIGHT,
    ),
    "numbers in circles": (
        lambda: xlsx(
            columns(["이름", "학부모 전화 ②", "학부모 전화 ①"], lambda row: [row[NAME], "", row[PARENT]])
        ),
        RIGHT,
    ),
    "the same label twice": (
        lambda: xlsx(
            columns(
                ["이름", "학부모 연락처", "학부모 연락처"], lambda row: [row[NAME], row[PARENT], row[OWN]]
            )
        ),
        DOUBTED,
    ),
    "the same label and number twice": (
        lambda: xlsx(
            columns(
                ["이름", "학부모 연락처", "학부모 연락처"], lambda row: [row[NAME], row[PARENT], row[PARENT]]
            )
        ),
        RIGHT,
    ),
    "two birthdays": (
        lambda: xlsx(
            columns(
                ["이름", "학부모 연락처", "생년월일", "생년월일"],
                lambda row: [row[NAME], row[PARENT], row[BORN], row[ENROLLED]],
            )
        ),
        DOUBTED,
    ),
    "surname apart": (lambda: xlsx(split_names), RIGHT),
    "surname apart, and missing once": (
        lambda: xlsx([*split_names[:2], ["", *split_names[2][1:]], *split_names[3:]]),
        DOUBTED,
    ),
    "surname apart and in the name": (
        lambda: xlsx(
            columns(["성", "이름", "학부모 연락처"], lambda row: [row[NAME][0], row[NAME], row[PARENT]])
        ),
        DOUBTED,
    ),
    "성 is the gender": (
        lambda: xlsx(columns(["성", "이름", "학부모 연락처"], lambda row: ["남", row[NAME], row[PARENT]])),
        DOUBTED,
    ),
    "one label over surname and name": (
        lambda: xlsx(
            columns(["", "", "학부모 연락처"], lambda row: [row[NAME][0], row[NAME][1:], row[PARENT]]),
            merged(("A1:B1", "이름")),
        ),
        DOUBTED,
    ),
    "mother": (lambda: xlsx(columns(["회원명", "모친"], lambda row: [row[NAME], row[PARENT]])), RIGHT),
    "mother's name": (
        lambda: xlsx(
            columns(["아동명", "모친", "모친 연락처"], lambda row: [row[NAME], "심청", row[PARENT]])
        ),
        RIGHT,
    ),
    "father": (lambda: xlsx(columns(["원아명", "부친 휴대폰"], lambda row: [row[NAME], row[PARENT]])), RIGHT),
    "emergency": (
        lambda: xlsx(
            columns(["이름", "연락처", "비상연락처"], lambda row: [row[NAME], row[OWN], row[PARENT]])
        ),
        RIGHT,
    ),
    "mother over number": (
        lambda: xlsx(
            [["", "", ""], *columns(["", "모", "부"], lambda row: [row[NAME], row[PARENT], ""])],
            merged(("A1:A2", "이름"), ("B1:C1", "학부모 연락처")),
        ),
        RIGHT,
    ),
    "contradicting label": (
        lambda: xlsx(changed((-1, PARENT, "학부모 연락처(학생)"))),
        e.ROSTER_HEADER_MISSING,
    ),
    "unknown label": (lambda: xlsx(changed((-1, PARENT, "긴요한 번호"))), e.ROSTER_HEADER_MISSING),
    "label lost": (lambda: xlsx(changed((-1, OWN, ""))), DOUBTED),
    "last label lost": (lambda: xlsx(changed((-1, MEMO, ""))), DOUBTED),
    "teacher's number beside": (
        lambda: xlsx(
            columns(
                ["이름", "학부모 연락처", "담임", "연락처"],
                lambda row: [row[NAME], row[PARENT], "선생", "010-9999-9999"],
            )
        ),
        RIGHT,
    ),
    "teacher's number under": (
        lambda: xlsx(
            [
                ["이름", "학부모", "담임"],
                *columns(["이름", "연락처", "연락처"], lambda row: [row[NAME], row[PARENT], "010-9999-9999"]),
            ]
        ),
        RIGHT,
    ),
    # A second heading.
    "the heading again": (lambda: xlsx(put(3, [*HEADER])), RIGHT),
    "birth and enrolment change places": (
        lambda: xlsx(moved([HEADER[i] for i in swapped(BORN, ENROLLED)], swapped(BORN, ENROLLED))),
        RIGHT,
    ),
    "numbers change places": (
        lambda: xlsx(moved([HEADER[i] for i in swapped(PARENT, OWN)], swapped(PARENT, OWN))),
        RIGHT,
    ),
    "numbers change places under a title": (
        lambda: text(
            written(moved([HEADER[i] for i in swapped(PARENT, OWN)], swapped(PARENT, OWN), [], ["B반"]))
        ),
        RIGHT,
    ),
    "names move under a number": (
        lambda: xlsx(
            [
                ["이름", "학부모 연락처"],
                *([r[NAME], r[PARENT]] for r in students()[:3]),
                [],
                ["번호", "학생", "학교", "모친"],
                *([r[0], r[NAME], r[SCHOOL], r[PARENT]] for r in students()[3:]),
            ]
        ),
        RIGHT,
    ),
    "names move": (
        lambda: xlsx(moved([HEADER[i] for i in (1, 2, 0, 3, 4, 5, 6, 7, 8)], [1, 2, 0, 3, 4, 5, 6, 7, 8])),
        RIGHT,
    ),
    "a table of teachers below": (
        lambda: xlsx(
            [*roster(), ["번호", "성명", "연락처", "과목"], ["1", "한교사", "010-7777-7777", "수학"]]
        ),
        DOUBTED,
    ),
    "students above the heading": (lambda: xlsx([*students()[:2], HEADER, *students()[2:]]), DOUBTED),
    # Rows.
    "a comma in a cell": (
        lambda: text(
            ",".join(HEADER)
            + "\n"
            + "".join(",".join(row).replace("상담 이", "상담 이, 두번") + "\n" for row in students())
        ),
        DOUBTED,
    ),
    "a comma before numbers": (
        lambda: text("\n".join(",".join(row).replace("이두리", "이두리, 이세리") for row in roster())),
        DOUBTED,
    ),
    "a comma in the school": (
        lambda: text(
            "\n".join(
                ",".join(row).replace("새론중", "새론, 분교")
                for row in changed((1, SCHOOL, "새론중"), (1, MEMO, ""))
            )
        ),
        DOUBTED,
    ),
    "a cell inserted": (lambda: xlsx(put(0, ["1", "김하나", "", *students()[0][PARENT:]])), DOUBTED),
    "a comma lost": (
        lambda: text("\n".join(",".join(row).replace("이두리,", "이두리") for row in roster())),
        DOUBTED,
    ),
    "open quotation mark": (lambda: quoted(1, MEMO, '"'), e.ROSTER_QUOTE_OPEN),
    "open quotation mark at a name": (lambda: quoted(1, NAME, '"'), e.ROSTER_QUOTE_OPEN),
    "closed three rows later": (lambda: quoted(1, MEMO, '"', (4, MEMO, '"')), DOUBTED),
    "closed in the next row": (lambda: quoted(1, NAME, '"', (2, NAME, '"')), DOUBTED),
    "closed in another column": (lambda: quoted(1, SCHOOL, '"', (3, NAME, '"')), DOUBTED),
    "closed in an earlier column": (lambda: quoted(1, BORN, '"', (2, OWN, '"')), DOUBTED),
    "quotation mark within": (
        lambda: text(written(roster()).replace("상담 이", '"상담" 이')),
        e.ROSTER_QUOTE_OPEN,
    ),
    "hidden row": (lambda: xlsx(roster(), hidden(4)), DOUBTED),
    "filtered row": (lambda: xlsx(roster(), filtered), DOUBTED),
    "a sum": (lambda: xlsx([*roster(), ["", "계", "", "", "", "6"]]), RIGHT),
    "two students in a cell": (lambda: xlsx(changed((1, NAME, "이두리\n이세리"))), DOUBTED),
    # Cells.
    **{
        f"{cell!r} as a name": ((lambda cell=cell: xlsx(changed((1, NAME, cell)))), DOUBTED)
        for cell in (
            "N/A",
            "없음",
            True,
            "계",
            "합계",
            "null",
            "#REF!",
            date(2011, 1, 1),
            "이두리, 이세리",
            "이?리",
            7,
        )
    },
    "no value of a name": (lambda: xlsx(roster(), formula(NAME, "")), DOUBTED),
    "no value of a number": (lambda: xlsx(roster(), formula(OWN, "")), DOUBTED),
    "no value of a school": (lambda: xlsx(roster(), formula(SCHOOL, 0)), DOUBTED),
    "value of a name": (lambda: xlsx(roster(), formula(NAME, "이두리")), RIGHT),
    "year of two digits to come": (lambda: xlsx(changed((1, BORN, f"{next_year % 100}.1.1"))), DOUBTED),
    "born tomorrow": (lambda: xlsx(changed((1, BORN, tomorrow.isoformat()))), DOUBTED),
    "born tomorrow, in short": (lambda: xlsx(changed((1, BORN, f"{tomorrow:%y.%m.%d}"))), DOUBTED),
    "born on day 1": (lambda: xlsx(changed((1, BORN, date(1900, 1, 1)))), DOUBTED),
    "enrolled before being born": (
        lambda: xlsx(changed((1, BORN, "2024-09-11"), (1, ENROLLED, "2011-03-02"))),
        DOUBTED,
    ),
    "day or month": (lambda: text(written(changed((1, BORN, "03/05/11")))), DOUBTED),
    "number in short": (lambda: text(written(changed((1, PARENT, "1.05E+09")))), DOUBTED),
    "two numbers in a cell": (lambda: xlsx(changed((1, PARENT, "010-5000-1001 010-5000-9999"))), DOUBTED),
}


def told(found: Read) -> str:
    """All that somebody gets who has to correct the rows that are not taken."""
    failed = found.out / FAILED
    sheets = [CalamineWorkbook.from_path(failed).get_sheet_by_index(0).to_python()] if failed.exists() else []
    return (json.dumps([sheets, found.report["problems"]], ensure_ascii=False)).replace("-", "")


@pytest.mark.parametrize("way", WAYS)
def test_nobody_is_lost_and_nobody_gets_anothers(tmp_path: Path, way: str) -> None:
    build, expected = WAYS[way]
    assert_nobody_is_lost(build(), expected, tmp_path)


def assert_nobody_is_lost(file: File, expected: str, folder: Path) -> None:
    path = folder / f"roster{file.suffix}"
    path.write_bytes(file.data)
    try:
        found = read(path)
    except BadInput as refusal:
        assert refusal.code == expected
        assert refusal.detail or expected == e.ROSTER_ENCODING_UNKNOWN
        return
    for row in found.rows:
        truth = TRUTH[row.values["name"]]
        wrong = {field: value for field, value in row.values.items() if truth.get(field) != value}
        wrong.pop("parent_name", None)
        assert not wrong
    places = {(problem["sheet"], problem["row"]) for problem in found.report["problems"]}
    assert expected == (DOUBTED if places or found.done.review else RIGHT)
    assert bool(found.done.review) >= bool(places)
    lost = TRUTH.keys() - {row.values["name"] for row in found.rows}
    assert bool(lost) <= bool(found.done.review)
    for name in lost:
        assert name in told(found) or TRUTH[name]["parent_phone"] in told(found)
