"""More ways in which rosters differ from what they should be: letters, numbers, dates, cells, whole files."""

import io
import unicodedata
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from contracts import errors as e
from tests.unit.test_roster_broken import (
    BORN,
    DOUBTED,
    ENROLLED,
    GRADE,
    HEADER,
    NAME,
    OWN,
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
    written,
    xlsx,
)
from tests.unit.test_roster_task import read

FULL_WIDTH = str.maketrans("0123456789-", "０１２３４５６７８９－")
Edit = Callable[[Any, Any], None]


def every(column: int, change: Callable[[str], Any]) -> Rows:
    """The roster with one column changed in every row of a student."""
    rows = roster()
    for row in rows[2:]:
        row[column] = change(row[column])
    return rows


def with_weekday(day: str) -> str:
    found = date.fromisoformat(day)
    return f"{found:%Y.%m.%d}({'월화수목금토일'[found.weekday()]})"


def in_korean(day: str) -> str:
    year, month, number = day.split("-")
    return f"{year}년 {int(month)}월 {int(number)}일"


def beside(label: str, value: str) -> Rows:
    """A column of numbers before the parents' own."""
    return columns(["이름", label, "학부모 연락처"], lambda row: [row[NAME], value, row[PARENT]])


def labelled(change: Callable[[str], str]) -> Rows:
    return [roster()[0], [change(label) for label in HEADER], *students()]


def lines(end: Callable[[int], str], rows: Rows | None = None) -> File:
    return text("".join(",".join(row) + end(number) for number, row in enumerate(rows or roster())))


def of_1904() -> File:
    """Excel for Mac counts days from another one."""
    book = openpyxl.Workbook()
    book.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
    for row in roster():
        book.active.append(row)
    for number, row in enumerate(students(), 3):
        book.active.cell(number, BORN + 1).value = date.fromisoformat(row[BORN])
        book.active.cell(number, ENROLLED + 1).value = datetime.fromisoformat(row[ENROLLED])
    out = io.BytesIO()
    book.save(out)
    return File(out.getvalue(), ".xlsx")


def second_sheet(rows: Rows, hidden: bool = False) -> Edit:
    def edit(book: Any, sheet: Any) -> None:
        second = book.add_worksheet("2반")
        for number, row in enumerate(rows):
            second.write_row(number, 0, row)
        if hidden:
            second.hide()

    return edit


def hide_column(column: int) -> Edit:
    return lambda book, sheet: sheet.set_column(column, column, None, None, {"hidden": True})


OTHER_LAYOUT = [
    ["생년월일", "학부모 성함", "보호자 HP", "원생", "등원일"],
    *([row[BORN], "보호자", row[PARENT], row[NAME], row[ENROLLED]] for row in students()[3:]),
]
OLD_NUMBERS = [HEADER, *([row[0], row[NAME], "010-9999-9999", *row[3:]] for row in students())]
TWO_LINES = [
    ["번호", "이름", "", "", "학교"],
    ["", "", "학부모", "학생", ""],
    *([row[0], row[NAME], row[PARENT], row[OWN], row[SCHOOL]] for row in students()),
]
SIBLINGS = [
    "이두리·이세리",
    "이두리와 이세리",
    "이두리 이세리",
    "이두리~이세리",
    "이두리(동생 이세리)",
    "이두리\u2028이세리",
]

WAYS: dict[str, tuple[Callable[[], File], str]] = {
    # Letters.
    "names in jamo, as on a Mac": (
        lambda: xlsx(every(NAME, lambda name: unicodedata.normalize("NFD", name))),
        RIGHT,
    ),
    "labels in jamo": (lambda: xlsx(labelled(lambda label: unicodedata.normalize("NFD", label))), RIGHT),
    "a csv in jamo": (lambda: text(unicodedata.normalize("NFD", written(roster()))), RIGHT),
    "spaces of no width": (lambda: xlsx(every(NAME, lambda name: name[0] + "\u200b" + name[1:])), RIGHT),
    "a label with a space of no width": (lambda: xlsx(labelled(lambda label: "\u200b".join(label))), RIGHT),
    "labels with spaces": (lambda: xlsx(labelled(" ".join)), RIGHT),
    "labels in two lines": (lambda: xlsx(labelled(lambda label: label.replace(" ", "\n"))), RIGHT),
    "fillers of Hangul": (lambda: xlsx(every(NAME, lambda name: name + "\u3164")), RIGHT),
    "a label with a filler": (lambda: xlsx(labelled(lambda label: label + "\u3164")), RIGHT),
    "spaces that do not break": (lambda: xlsx(every(NAME, lambda name: f"\u00a0{name}\u00a0")), RIGHT),
    "a mark of order amid cells": (lambda: xlsx(every(NAME, lambda name: "\ufeff" + name)), RIGHT),
    "a mark of direction": (lambda: xlsx(every(PARENT, lambda phone: f"\u202d{phone}\u202c")), RIGHT),
    "a name of UTF-8 read as Latin": (
        lambda: xlsx(changed((1, NAME, "이두리".encode().decode("latin-1")))),
        DOUBTED,
    ),
    "a name of UTF-8 read by Windows": (
        lambda: xlsx(changed((1, NAME, "최하나".encode().decode("cp1252", "ignore")))),
        DOUBTED,
    ),
    "a name of UTF-8 read as cp949": (
        lambda: xlsx(changed((1, NAME, "김하나".encode().decode("cp949", "replace")))),
        DOUBTED,
    ),
    # Numbers.
    "numbers as numbers": (lambda: xlsx(every(PARENT, lambda phone: int(phone.replace("-", "")))), RIGHT),
    "numbers behind an apostrophe": (lambda: xlsx(every(PARENT, lambda phone: "'" + phone)), RIGHT),
    "numbers of another country": (lambda: xlsx(every(PARENT, lambda phone: "+82 " + phone[1:])), RIGHT),
    "numbers with 82 and no plus": (
        lambda: xlsx(every(PARENT, lambda phone: "82" + phone[1:].replace("-", ""))),
        RIGHT,
    ),
    "numbers of full width": (lambda: xlsx(every(PARENT, lambda phone: phone.translate(FULL_WIDTH))), RIGHT),
    "numbers with spaces of no width": (
        lambda: xlsx(every(PARENT, lambda phone: phone[:5] + "\u200b" + phone[5:])),
        RIGHT,
    ),
    "numbers in powers of ten": (
        lambda: text(written(every(PARENT, lambda phone: f"{int(phone.replace('-', '')):.3E}"))),
        DOUBTED,
    ),
    "the number in place of the name": (lambda: xlsx(changed((1, NAME, "010-5000-1001"))), DOUBTED),
    "name and number in one cell": (lambda: xlsx(changed((1, NAME, "이두리 010-5000-1001"))), DOUBTED),
    "name and number change places": (
        lambda: xlsx(changed((1, NAME, "010-5000-1001"), (1, PARENT, "이두리"))),
        DOUBTED,
    ),
    "a letter in a number": (lambda: xlsx(changed((1, PARENT, "O1O-5000-1001"))), DOUBTED),
    "whose number it is": (lambda: xlsx(changed((1, PARENT, "010-5000-1001(이모)"))), DOUBTED),
    "another one's parent as the own number": (lambda: xlsx(changed((1, OWN, "010-5000-1003"))), DOUBTED),
    "a number that was copied down": (
        lambda: xlsx(changed(*((row, PARENT, "010-5000-1001") for row in (2, 3)))),
        DOUBTED,
    ),
    "a number that reaches over three families": (
        lambda: xlsx(roster(), merged(("C4:C6", "010-5000-1001"))),
        DOUBTED,
    ),
    "a name that reaches over two students": (lambda: xlsx(roster(), merged(("B4:B5", "이두리"))), DOUBTED),
    "numbers of before": (lambda: xlsx(beside("학부모 연락처(구)", "010-7777-7777")), RIGHT),
    "numbers before a change": (lambda: xlsx(beside("학부모 연락처(변경 전)", "010-7777-7777")), RIGHT),
    "numbers of earlier": (lambda: xlsx(beside("이전 학부모 연락처", "010-7777-7777")), RIGHT),
    "numbers of a teacher": (lambda: xlsx(beside("연락처(담임)", "010-7777-7777")), RIGHT),
    "numbers of a brother": (lambda: xlsx(beside("형제 연락처", "010-7777-7777")), RIGHT),
    "a hidden column of numbers": (
        lambda: xlsx(beside("보호자 연락처1", "010-9999-9999"), hide_column(1)),
        RIGHT,
    ),
    "the hidden column of all numbers": (
        lambda: xlsx(roster(), hide_column(PARENT)),
        e.ROSTER_HEADER_MISSING,
    ),
    # Dates.
    "days of the week": (lambda: xlsx(every(BORN, with_weekday)), RIGHT),
    "a day of another week": (lambda: xlsx(changed((1, BORN, "2011.3.2(월)"))), DOUBTED),
    "days of full width": (lambda: xlsx(every(BORN, lambda day: day.translate(FULL_WIDTH))), RIGHT),
    "days at midnight": (lambda: text(written(every(BORN, lambda day: f"{day} 00:00:00"))), RIGHT),
    "days in Korean": (lambda: xlsx(every(BORN, in_korean)), RIGHT),
    "days from 1904": (of_1904, RIGHT),
    "days as counts": (lambda: xlsx(every(BORN, lambda _: 40_600)), DOUBTED),
    "ages": (lambda: xlsx(every(BORN, lambda _: 15)), DOUBTED),
    "years": (lambda: xlsx(every(BORN, lambda _: "2011")), DOUBTED),
    "days of the moon": (lambda: xlsx(every(BORN, lambda day: f"{day}(음)")), DOUBTED),
    # Other cells.
    "school and grade change places": (
        lambda: xlsx(changed((1, SCHOOL, "2"), (1, GRADE, "새론중"))),
        DOUBTED,
    ),
    "class in place of the grade": (lambda: xlsx(changed((1, GRADE, "3반"))), DOUBTED),
    **{
        f"{sign} in place of a {what}": ((lambda sign=sign, at=at: xlsx(changed((1, at, sign)))), DOUBTED)
        for sign in ("〃", "상동")
        for what, at in (("name", NAME), ("number", PARENT), ("school", SCHOOL), ("day", BORN))
    },
    **{
        f"{names!r} as a name": ((lambda names=names: xlsx(changed((1, NAME, names)))), DOUBTED)
        for names in SIBLINGS
    },
    # Headings and rows.
    "a heading of two rows": (
        lambda: xlsx(
            TWO_LINES, merged(("C1:D1", "연락처"), ("A1:A2", "번호"), ("B1:B2", "이름"), ("E1:E2", "학교"))
        ),
        RIGHT,
    ),
    "a heading of two rows, not merged": (lambda: xlsx([["", "", "연락처", "", ""], *TWO_LINES]), DOUBTED),
    "title and heading on each page": (
        lambda: xlsx(put(3, ["- 1 -"], ["2026학년도 원생 명단"], [*HEADER])),
        RIGHT,
    ),
    "whom to ask below": (lambda: xlsx([*roster(), ["", "문의처", "010-7777-7777"]]), DOUBTED),
    "a note with a number below": (lambda: xlsx([*roster(), ["※ 문의: 010-7777-7777"]]), DOUBTED),
    "how many, and who signs": (lambda: xlsx([*roster(), ["총 6명"], ["", "담임 확인", "(인)"]]), DOUBTED),
    "a student twice with two parents": (
        lambda: xlsx(put(3, [*students()[0][:2], "010-5000-9999", *students()[0][3:]])),
        DOUBTED,
    ),
    "a student twice in two schools": (
        lambda: xlsx(put(3, [*students()[0][:4], "딴중", *students()[0][5:]])),
        DOUBTED,
    ),
    "the same student twice": (lambda: xlsx(put(3, students()[0])), RIGHT),
    # Sheets and files.
    "a sheet that is protected": (lambda: xlsx(roster(), lambda book, sheet: sheet.protect("a")), RIGHT),
    "a hidden sheet of old numbers": (lambda: xlsx(roster(), second_sheet(OLD_NUMBERS, hidden=True)), RIGHT),
    "a second sheet of another layout": (lambda: xlsx(roster()[:5], second_sheet(OTHER_LAYOUT)), RIGHT),
    "lines that end in three ways": (lambda: lines(lambda number: ["\n", "\r\n", "\r"][number % 3]), RIGHT),
    "lines that end twice": (lambda: lines(lambda _: "\r\r\n"), RIGHT),
    "two files in one": (
        lambda: text(written(roster()[:5]) + "\ufeff" + written([HEADER, *students()[3:]])),
        RIGHT,
    ),
    "two encodings in one": (
        lambda: File(written(roster()[:5]).encode() + written(roster()[5:]).encode("cp949"), ".csv"),
        e.ROSTER_ENCODING_UNKNOWN,
    ),
    "the separator said first": (lambda: text("sep=;\r\n" + written(roster(), ";")), RIGHT),
    "commas behind all": (lambda: lines(lambda _: ",,,\n"), RIGHT),
    "a row of tabs among commas": (
        lambda: text(written(roster()).replace(*(each.join(students()[2]) for each in ",\t"))),
        DOUBTED,
    ),
    "rows of commas below a heading of tabs": (
        lambda: text("\t".join(HEADER) + "\n" + written(students())),
        DOUBTED,
    ),
    "a row in one cell": (lambda: xlsx([*roster()[:-1], [" ".join(students()[-1])]]), DOUBTED),
    "a comma before one row": (lambda: text(written(roster()).replace("\r\n2,", "\r\n,2,")), DOUBTED),
    "quotation marks of a word processor": (
        lambda: text(written(roster()).replace("상담 이", "“상담, 이”")),
        DOUBTED,
    ),
    "SpreadsheetML with a hidden column": (
        lambda: text(
            spreadsheet_ml(beside("보호자 연락처1", "010-9999-9999"))
            .data.decode()
            .replace("<Table>", '<Table><Column ss:Index="2" ss:Hidden="1"/>'),
            ".xls",
        ),
        RIGHT,
    ),
    "HTML with a hidden column": (
        lambda: text(
            html(beside("보호자 연락처1", "010-9999-9999"))
            .data.decode()
            .replace("<table>", '<table><col><col style="display:none">'),
            ".xls",
        ),
        RIGHT,
    ),
    "HTML with cells that are hidden": (
        lambda: text(
            html(beside("보호자 연락처1", "010-9999-9999"))
            .data.decode()
            .replace("<td>010-9999", '<td style="display: none">010-9999'),
            ".xls",
        ),
        RIGHT,
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_nobody_is_lost_and_nobody_gets_anothers(tmp_path: Path, way: str) -> None:
    build, expected = WAYS[way]
    assert_nobody_is_lost(build(), expected, tmp_path)


def test_siblings_share_their_parents_number(tmp_path: Path) -> None:
    """Of two families of one name, and of a patchwork one."""
    rows = changed((1, PARENT, "010-5000-1000"), (1, OWN, "010-5000-1000"))
    path = tmp_path / "roster.xlsx"
    path.write_bytes(xlsx(rows).data)
    found = read(path)
    assert (len(found.rows), found.done.review) == (6, ())
