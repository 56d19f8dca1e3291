"""What stands in a roster's cells and headers, as Korean academies write it."""

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import (
    PHONE_NOT_MOBILE,
    ROSTER_DATE_INVALID,
    ROSTER_GENDER_INVALID,
    ROSTER_NAME_INVALID,
    ROSTER_TEXT_TOO_LONG,
)
from rules.messaging import phones
from rules.messaging.unsendable import Unsendable
from rules.roster import values
from rules.roster.columns import FIELDS, find_header
from rules.roster.values import READ, Cell, Invalid


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (1012345678.0, "1012345678"),
        (1.5, "1.5"),
        (" 김\u00a0 철수\n", "김 철수"),
        ("\u1100\u1175\u11b7", "김"),  # as a Mac writes 김
        ("김\u200b철수\ufeff", "김철수"),
        ("\x00김", "김"),
        (datetime(2011, 3, 5), "2011-03-05"),
        (date(2011, 3, 5), "2011-03-05"),
        (True, "True"),
    ],
)
def test_text(cell: Cell, text: str) -> None:
    assert values.text(cell) == text


@pytest.mark.parametrize("cell", [1012345678.0, "010-1234-5678", "+82 10 1234 5678", 821012345678.0])
def test_a_phone_keeps_its_zero(cell: Cell) -> None:
    assert values.phone(cell) == "01012345678"


@given(st.from_regex(r"\A[+(]?0?[018][0-9]{1,2}[-. )]?[0-9]{3,4}[-. ]?[0-9]{4}\Z"))
def test_the_short_way_for_phones_gives_what_the_library_gives(raw: str) -> None:
    try:
        expected = phones.mobile(raw)
    except Unsendable:
        with pytest.raises(Invalid, match=PHONE_NOT_MOBILE):
            values.phone(raw)
    else:
        assert values.phone(raw) == expected


@pytest.mark.parametrize(
    "cell",
    [
        "2011-03-05", "2011.3.5", "2011. 3. 5.", "2011/03/05", "2011년 3월 5일", "11.03.05", "20110305",
        20110305.0, "110305", 110305.0, date(2011, 3, 5), datetime(2011, 3, 5, 9),
    ],
)  # fmt: skip
def test_a_day(cell: Cell) -> None:
    assert values.day(cell) == "2011-03-05"


@pytest.mark.parametrize(
    "cell",
    ["2011-02-30", "2011", "봄", 40607.0, 50305.0, "1799-01-01", date(2999, 1, 1), timedelta(1)],
)
def test_no_day(cell: Cell) -> None:
    with pytest.raises(Invalid, match=ROSTER_DATE_INVALID):
        values.day(cell)


def test_two_digits_of_a_year_are_never_in_the_future() -> None:
    assert values.day("991231") == "1999-12-31"


@pytest.mark.parametrize(
    ("field", "cell", "code"),
    [
        ("name", 12.0, ROSTER_NAME_INVALID),
        ("name", "김" * 51, ROSTER_NAME_INVALID),
        ("student_phone", "02-123-4567", PHONE_NOT_MOBILE),
        ("gender", "둘", ROSTER_GENDER_INVALID),
        ("grade", "중" * 21, ROSTER_TEXT_TOO_LONG),
    ],
)
def test_refused_without_repeating_it(field: str, cell: Cell, code: str) -> None:
    with pytest.raises(Invalid) as refusal:
        READ[field](cell)
    assert refusal.value.code == str(refusal.value) == code


@pytest.mark.parametrize("cell", ["-", "없음", "X", " "])
def test_what_stands_for_nothing(cell: str) -> None:
    assert [READ[field](cell) for field in ("student_phone", "birth_date", "gender", "school")] == [""] * 4


def test_equal_cells_of_other_types_are_not_mixed_up() -> None:
    assert [READ["grade"](cell) for cell in (1.0, True, 1.0)] == ["1", "True", "1"]


def test_every_field_has_a_reader() -> None:
    assert FIELDS.keys() == READ.keys()


def columns(*rows: list[str]) -> dict[str, str]:
    header = find_header(rows)
    assert header is not None
    return {column.field: column.label for column in header.columns}


@pytest.mark.parametrize(
    "label",
    [
        *("학부모 연락처", "학부모연락처(필수)", "* 학부모 전화번호", "연락처(학부모)", "보호자 휴대폰"),
        *("부모님 핸드폰", "모 연락처", "어머니 H.P", "학부모 HP", "Parent Phone"),
    ],
)
def test_labels_of_a_parents_phone(label: str) -> None:
    assert columns(["이름", label])["parent_phone"] == label


@pytest.mark.parametrize(
    "label", ["이름", "성명", "학생명", "학생 이름", "원생명", "이 름", "이름*", "이름(실명)"]
)
def test_labels_of_a_name(label: str) -> None:
    assert columns([label, "학부모 연락처"])["name"] == label


@pytest.mark.parametrize("label", ["연락처", "전화번호", "휴대폰", "학생 연락처", "번호", "학생번호"])
def test_a_phone_of_nobody_is_not_taken_for_a_parents(label: str) -> None:
    header = find_header([["이름", label, "학교"]])
    assert header is not None and header.missing == ("parent_phone",)


def test_the_label_that_says_whose_it_is_wins() -> None:
    found = columns(["성명", "연락처", "학생 연락처", "부 연락처", "모 연락처", "학생명", "번호"])
    assert found == {
        "name": "학생명",
        "student_phone": "학생 연락처",
        "parent_phone": "모 연락처",
        "other_parent_phone": "부 연락처",
    }
    header = find_header([["이름", "모 연락처", "번호", "이름"]])
    assert header is not None and header.ignored == ("번호", "이름")


def test_labels_in_two_rows() -> None:
    found = columns(["학생", "학생", "학부모", "학부모"], ["이름", "연락처", "이름", "연락처"])
    assert list(found) == ["name", "student_phone", "parent_name", "parent_phone"]
    header = find_header([["이름", "연락처", "연락처"], ["이름", "학생", "학부모"]])
    assert header is not None and header.row == 1
    assert [column.field for column in header.columns] == ["name", "student_phone", "parent_phone"]


def test_no_header() -> None:
    assert find_header([["김철수", "01012345678"], ["안내", ""]]) is None


def test_our_own_labels_are_understood() -> None:
    assert set(columns(list(FIELDS.values()))) == set(FIELDS)
