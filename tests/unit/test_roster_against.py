"""Rosters that say something against their own rows: who left, what is an example, what a spreadsheet made
of a cell. Nobody is taken who is none."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import pytest

from activities.ai.sandbox.task import BadInput
from contracts import errors as e
from contracts.payloads import RosterField
from rules.roster.against import is_title_of_others
from rules.roster.columns import FIELDS
from rules.roster.signs import is_more_than_a_name
from tests.unit.test_roster_broken import (
    BORN,
    DOUBTED,
    GRADE,
    HEADER,
    MEMO,
    NAME,
    PARENT,
    RIGHT,
    SCHOOL,
    File,
    Rows,
    assert_nobody_is_lost,
    changed,
    columns,
    html,
    merged,
    put,
    roster,
    spreadsheet_ml,
    students,
    text,
    xlsx,
)
from tests.unit.test_roster_task import read

Edit = Callable[[Any, Any], None]


def formatted(column: int, value: datetime, format: str) -> Edit:
    return lambda book, sheet: sheet.write_datetime(3, column, value, book.add_format({"num_format": format}))


def struck(book: Any, sheet: Any) -> None:
    sheet.write_row(3, 0, students()[1], book.add_format({"font_strikeout": True}))


def struck_in_part(book: Any, sheet: Any) -> None:
    line = book.add_format({"font_strikeout": True})
    sheet.write_rich_string(3, MEMO, line, "중2반", " 중3반")


def beside(label: str, *cells: str | float) -> Rows:
    """A column of cells, one for each student, that nobody asked for."""
    left = iter(cells)
    return columns(
        ["이름", "학부모 연락처", label], lambda row: [row[NAME], row[PARENT], next(left, cells[-1])]
    )


def of_parents(label: str, cell: str) -> Rows:
    """A heading of two rows, in which a column belongs to the parents."""
    rows = ([row[NAME], row[SCHOOL], cell, row[PARENT]] for row in students())
    return [["학생", "", "학부모", ""], ["이름", "학교", label, "연락처"], *rows]


PARENTS = merged(("A1:B1", "학생"), ("C1:D1", "학부모"))
LAST = [*roster()[:5], ["퇴원생 명단"], *roster()[5:]]
COMES_BACK = [*roster()[:2], ["퇴원생"], ["재원생"], *students()]
XML = spreadsheet_ml(roster()).data.decode()
XML_STYLE = '<Styles><Style ss:ID="s9"><Font ss:StrikeThrough="1"/></Style></Styles><Worksheet '

WAYS: dict[str, tuple[Callable[[], File], str]] = {
    # Struck out.
    "a row that is struck out": (lambda: xlsx(roster(), struck), DOUBTED),
    "a cell that is struck out in part": (lambda: xlsx(roster(), struck_in_part), DOUBTED),
    "HTML with a cell struck out": (
        lambda: text(html(roster()).data.decode().replace("<td>이두리", "<td><s>이두리</s>"), ".xls"),
        DOUBTED,
    ),
    "HTML with a line through a row": (
        lambda: html(roster(), row='<tr style="text-decoration: line-through">'),
        DOUBTED,
    ),
    "SpreadsheetML struck out": (
        lambda: text(
            XML.replace("<Worksheet ", XML_STYLE)
            .replace("<Row>", "<Row ss:StyleID='s9'>")
            .replace("<Cell ", '<Cell ss:StyleID="s9" '),
            ".xls",
        ),
        DOUBTED,
    ),
    # Who is no student any more, or not yet, or somebody else.
    "a state of each": (lambda: xlsx(beside("상태", "재원", "퇴원", "재원")), DOUBTED),
    "a state with a remark": (lambda: xlsx(beside("구분", "재원", "휴원(3월~)", "재원")), DOUBTED),
    **{
        f"gone, in other words: {said}": ((lambda said=said: xlsx(beside("비고", "", said, ""))), DOUBTED)
        for said in ("졸업", "3/2 전학", "전출(2월)", "종강", "그만둠", "휴원중")
    },
    "where somebody was before": (lambda: xlsx(beside("참조", "한빛초 졸업", "새론중에서 전학", "")), RIGHT),
    "what everybody has finished": (lambda: xlsx(beside("초등학교", "졸업")), RIGHT),
    "who waits": (lambda: xlsx(beside("등록여부", "등록", "대기", "등록")), DOUBTED),
    "a day of leaving": (lambda: xlsx(beside("퇴원일", "", "2026-02-28", "")), DOUBTED),
    "nobody has a day of leaving": (lambda: xlsx(beside("퇴원일", "-")), RIGHT),
    "everybody is there": (lambda: xlsx(beside("상태", "재원")), RIGHT),
    "a day of leaving, as a number": (lambda: xlsx(beside("퇴원일", "", 20260228.0, "")), DOUBTED),
    "no day of leaving, as a database writes it": (
        lambda: xlsx(beside("퇴원일", "0000-00-00", "9999-12-31", "재원")),
        RIGHT,
    ),
    "how long somebody was away": (lambda: xlsx(beside("휴원일수", "3")), RIGHT),
    **{
        f"{label}: {', '.join(cells)}": (
            (lambda label=label, cells=cells: xlsx(beside(label, *cells))),
            RIGHT,
        )
        for label, cells in {
            "개인정보": ("예", "아니오", "예"),
            "수신 동의": ("예", "예", ""),
            "아버지 직업": ("교사", "회사원", "직원"),
            "상담자": ("원장", "실장", "강사"),
            "출결 앱": ("미등록", "등록", "탈퇴"),
            "보호자 관계": ("모", "본인", "부"),
            "형제": ("퇴원", "재원", ""),
            "참조": ("퇴원생 동생", "휴원 없음", "퇴원 후 재등록(3월)"),
        }.items()
    },
    "who wanted to come back": (lambda: xlsx(beside("참조", "", "퇴원 후 재등록 예정", "")), DOUBTED),
    "who left, in a column about something": (lambda: xlsx(beside("상담", "", "퇴원", "")), DOUBTED),
    "an announcement above": (lambda: xlsx([["휴원 안내: 8월 1일~5일"], *roster()[1:]]), RIGHT),
    "a note that somebody has left": (lambda: xlsx(changed((1, MEMO, "퇴원 (2/28)"))), DOUBTED),
    "a table of those who left, below": (lambda: xlsx(LAST), DOUBTED),
    "titles of two tables, one of which is empty": (lambda: xlsx(COMES_BACK), RIGHT),
    "a title over those who left": (lambda: xlsx([["2026년 퇴원생"], *roster()[1:]]), DOUBTED),
    "parents as rows": (
        lambda: xlsx(
            [
                ["이름", "관계", "학부모 연락처"],
                *([row[NAME], "학생", row[PARENT]] for row in students()),
                *([f"심청{row[0]}", "모", row[PARENT]] for row in students()),
            ]
        ),
        DOUBTED,
    ),
    "the student's own number among the parents'": (
        lambda: xlsx(beside("관계", "모", "본인", "부")),
        DOUBTED,
    ),
    "a student in two rows, one for each parent": (
        lambda: xlsx(
            [
                ["이름", "관계", "학부모 연락처"],
                *([row[NAME], "모", row[PARENT]] for row in students()),
                [students()[1][NAME], "부", "010-7777-7777"],
            ]
        ),
        DOUBTED,
    ),
    "whose number it is, in a column": (lambda: xlsx(beside("관계", "모", "부", "조모")), RIGHT),
    "a teacher among them": (lambda: xlsx(beside("구분", "원생", "강사", "원생")), DOUBTED),
    "an example": (
        lambda: xlsx(put(0, ["예시", "홍길동", "010-5000-9999", "", "한국중", "1", "", "", ""])),
        DOUBTED,
    ),
    "an example in place of a name": (lambda: xlsx(put(0, ["", "예)", "010-5000-9999"])), DOUBTED),
    "a number that is none": (lambda: xlsx(changed((1, PARENT, "010-0000-0000"))), DOUBTED),
    # Of the parents.
    "the parents' day of birth": (lambda: xlsx(of_parents("생년월일", "1975-05-05"), PARENTS), RIGHT),
    "the parents' address": (lambda: xlsx(of_parents("주소", "서울"), PARENTS), RIGHT),
    # What a program made of a cell.
    "a grade that became a day": (
        lambda: xlsx(roster(), formatted(GRADE, datetime(2026, 3, 1), 'm"월" d"일"')),
        DOUBTED,
    ),
    "a grade that became a day in a text": (lambda: text(",".join(HEADER) + "\n" + MADE_DAY), DOUBTED),
    "a birthday in another zone": (
        lambda: xlsx(roster(), formatted(BORN, datetime(2011, 3, 1, 23, 59, 8), "yyyy-mm-dd")),
        DOUBTED,
    ),
    "a number in place of a school": (lambda: xlsx(changed((1, SCHOOL, "010-1111-2222"))), DOUBTED),
    **{
        f"{cell!r} as a name": ((lambda cell=cell: xlsx(changed((1, NAME, cell)))), DOUBTED)
        for cell in ("이두리(퇴원)", "2. 이두리", "이두리 어머니", "이두리이세리")
    },
}
MADE_DAY = "\n".join(",".join([*row[:GRADE], "03월 01일", *row[GRADE + 1 :]]) for row in students())


@pytest.mark.parametrize("way", WAYS)
def test_nobody_is_taken_who_is_none(tmp_path: Path, way: str) -> None:
    build, expected = WAYS[way]
    assert_nobody_is_lost(build(), expected, tmp_path)


def test_each_row_says_why(tmp_path: Path) -> None:
    path = tmp_path / "roster.xlsx"
    path.write_bytes(xlsx(beside("상태", "재원", "퇴원", "예시", "재원")).data)
    found = read(path)
    assert [(row, code) for _, row, _, code, _ in found.problems] == [
        (3, e.ROSTER_STUDENT_LEFT),
        (4, e.ROSTER_ROW_EXAMPLE),
    ]
    path.write_bytes(xlsx(roster(), struck).data)
    assert {(row, code) for _, row, _, code, _ in read(path).problems} == {(4, e.ROSTER_ROW_STRUCK)}


@pytest.mark.parametrize(
    "name",
    [
        "★이두리",
        "이두리 학생",
        "이두리 중2",
        "이름: 이두리",
        "이두리(부 이철수)",
        "이두리맘님",
        "이두ㄹ",
        "이*리",
        "이○리",
        "이OO",
        "이두리T",
        "이두리 맘",
        "엄마이두리",
        "이두리 (신규)",
    ],
)
def test_more_than_a_name(name: str) -> None:
    assert is_more_than_a_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "이두리",
        "남궁 하나",
        "이두리A",
        "이두리2",
        "이두리(B)",
        "김 Anna",
        "Anna Kim",
        "이두리(Dury)",
        "알렉산드라",
        "李多利",
    ],
)
def test_names(name: str) -> None:
    assert not is_more_than_a_name(name)


def test_titles() -> None:
    assert all(map(is_title_of_others, ["퇴원생", "휴원생 명단", "대기자", "2026 퇴원"]))
    assert not any(map(is_title_of_others, ["재원생", "중1반", "재원·휴원 현황", "퇴원생 제외"]))
    assert all(map(is_title_of_others, ["등록대기 명단", "퇴원 2월", "대기중", "2/1 마감 휴원생 명단"]))
    assert not any(
        map(is_title_of_others, ["대기초", "대기고등학교", "박대기", "퇴원 시 환불 규정", "대기실"])
    )


NAMED = columns(
    ["성명", "별명", "연락 번호", "학부모 연락처"],
    lambda row: [f"보호자{row[0]}", row[NAME], row[PARENT], "010-7777-7777"],
)


def test_a_column_is_what_somebody_has_named(tmp_path: Path) -> None:
    """Labels that nobody knows are read, and those that say something else are not; with other spaces too."""
    path = tmp_path / "roster.xlsx"
    path.write_bytes(xlsx([*NAMED[:4], [], *NAMED[:1], *NAMED[4:]]).data)
    chosen = {"성 명": None, "별명": "name", "연락번호": "parent_phone", "학부모 연락처": None}
    found = read(path, {"columns": chosen})
    assert [(row.values["name"], row.values["parent_phone"]) for row in found.rows] == [
        (row[NAME], row[PARENT].replace("-", "")) for row in students()
    ]
    assert not found.done.review
    assert found.report["sheets"][0]["columns"] == {"별명": "name", "연락 번호": "parent_phone"}


@pytest.mark.parametrize(
    "chosen",
    [{"없는 열": "name"}, {"별명": "name", "별 명": "name"}, {"별명": "name", "성명": "name"}, {"": "name"}],
)
def test_a_column_named_in_vain_or_twice_is_refused(tmp_path: Path, chosen: dict[str, str]) -> None:
    path = tmp_path / "roster.xlsx"
    path.write_bytes(xlsx(NAMED).data)
    with pytest.raises(BadInput) as caught:
        read(path, {"columns": chosen})
    assert caught.value.code == e.ROSTER_COLUMN_UNKNOWN


def test_the_contract_names_our_fields() -> None:
    assert get_args(RosterField) == tuple(FIELDS)
