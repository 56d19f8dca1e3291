"""Which column of a sheet is what, by the labels that Korean academies write over them. Pure."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

HEADER_WITHIN = 30  # rows; above the header stand titles, dates and notes

# What is known of a student, with the label that our own files give it. The order is that of columns.
FIELDS = {
    "name": "이름",
    "parent_phone": "학부모 전화번호",
    "other_parent_phone": "학부모 전화번호 2",
    "parent_name": "학부모 이름",
    "student_phone": "학생 전화번호",
    "school": "학교",
    "grade": "학년",
    "class_name": "반",
    "gender": "성별",
    "birth_date": "생년월일",
    "enrolled_on": "등록일",
    "address": "주소",
    "memo": "비고",
}
REQUIRED = ("name", "parent_phone")

_PARENTS = (
    ("학부모", "보호자", "부모", "부모님", "parent"),
    ("모", "어머니", "어머님", "엄마"),
    ("부", "아버지", "아버님", "아빠"),
)
_STUDENT = ("학생", "원생", "수강생", "본인", "자녀", "student")
_NAME = ("이름", "성명", "성함", "명", "name")
_DEVICES = ("전화", "폰", "휴대폰", "휴대전화", "핸드폰")
_PHONE = ("연락처", *_DEVICES, *(f"{each}번호" for each in _DEVICES), "hp", "mobile", "phone", "tel")
_OTHERS = {
    "school": ("학교", "학교명", "학교이름", "재학학교", "재학교", "소속학교", "출신학교", "school"),
    "grade": ("학년", "현재학년", "학생학년", "grade"),
    "class_name": ("반", "반명", "반이름", "수강반", "소속반", "클래스", "강좌", "강좌명", "class"),
    "gender": ("성별", "남녀", "학생성별", "gender", "sex"),
    "birth_date": ("생년월일", "생일", "출생일", "학생생년월일", "birthday", "birthdate", "dateofbirth"),
    "enrolled_on": ("등록일", "등록일자", "등원일", "등원시작일", "입학일", "입학일자", "입회일", "첫등원일"),
    "address": ("주소", "집주소", "거주지", "address"),
    "memo": ("비고", "메모", "특이사항", "참고", "참고사항", "기타", "note", "memo"),
}


def _aliases() -> dict[str, tuple[str, int]]:
    """Label → field, and its rank among labels of the same field: the one that says whose it is comes first.
    A telephone number without an owner is the student's: it is never taken for a parent's."""
    found: dict[str, tuple[str, int]] = {}

    def add(field: str, rank: int, labels: Iterable[str]) -> None:
        found.update(dict.fromkeys(labels, (field, rank)))

    for field, labels in _OTHERS.items():
        add(field, 0, labels)
    add("name", 2, ("학생", "원생", "수강생"))
    add("name", 1, ("이름", "성명", "성함", "name"))
    add("name", 0, _either_order(_STUDENT, _NAME))
    add("student_phone", 1, _PHONE)
    add("student_phone", 0, _either_order(_STUDENT, _PHONE))
    for rank, words in enumerate(_PARENTS):
        add("parent_phone", rank, _either_order(words, (*_PHONE, "번호")))
        add("parent_name", rank, _either_order(words, _NAME))
    # A second number of the same owner, as our own files label it.
    add("parent_phone", len(_PARENTS), (label + "2" for label in _either_order(_PARENTS[0], _PHONE)))
    return found


def _either_order(owners: Iterable[str], things: Iterable[str]) -> list[str]:
    """ "학부모연락처", and "연락처학부모" of 연락처(학부모) or of a label in two rows."""
    return [label for owner, thing in product(owners, things) for label in (owner + thing, thing + owner)]


_ALIASES = _aliases()
_BRACKETS = re.compile(r"[(\[<{].*?[)\]>}]")
_NOISE = re.compile(r"[\W_]+|필수|선택|입력|정보")


@lru_cache(maxsize=4096)
def _readings(label: str) -> tuple[str, ...]:
    """The label as letters and digits; with what stands in brackets, and without it."""
    written = unicodedata.normalize("NFKC", label).casefold()
    readings = (_NOISE.sub("", each) for each in (written, _BRACKETS.sub("", written)))
    return tuple(dict.fromkeys(each for each in readings if each))


@dataclass(frozen=True)
class Column:
    index: int
    field: str
    label: str


@dataclass(frozen=True)
class Header:
    """`row` counts from 0 in what was searched; `missing` names required fields without a column."""

    row: int
    columns: tuple[Column, ...]
    ignored: tuple[str, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        found = {column.field for column in self.columns}
        return tuple(field for field in REQUIRED if field not in found)


def find_header(rows: Sequence[Sequence[str]]) -> Header | None:
    """The first row that names a student's name and a parent's phone; failing that the one with most known
    labels, of at least two. `rows` are a sheet's first ones, merged cells filled in all their cells."""
    best: Header | None = None
    for number in range(min(len(rows), HEADER_WITHIN)):
        header = _match(rows, number)
        if not header.missing:
            return header
        if len(header.columns) >= 2 and (best is None or len(header.columns) > len(best.columns)):
            best = header
    return best


def _match(rows: Sequence[Sequence[str]], number: int) -> Header:
    above = rows[number - 1] if number else ()
    named: list[tuple[str, int, Column]] = []
    ignored: list[str] = []
    for index, label in enumerate(rows[number]):
        group = above[index] if index < len(above) else ""
        known = ranked_field(label, group)
        if known:
            named.append((*known, Column(index, known[0], label)))
        elif label:
            ignored.append(label)
    columns: dict[str, Column] = {}
    for field, _, column in sorted(named, key=lambda each: (each[1], each[2].index)):
        if field in columns and field == "parent_phone":
            field = "other_parent_phone"
        if field in columns:
            ignored.append(column.label)
        else:
            columns[field] = Column(column.index, field, column.label)
    return Header(number, tuple(sorted(columns.values(), key=lambda each: each.index)), tuple(ignored))


def ranked_field(label: str, group: str = "") -> tuple[str, int] | None:
    """The field of a label under a group's (연락처 under 학부모 is the parents'), and its rank among them."""
    own = _readings(label)
    grouped = [upper + each for upper in _readings(group) for each in own]
    turned = [each + upper for upper in _readings(group) for each in own]
    return next((_ALIASES[each] for each in (*grouped, *turned, *own) if each in _ALIASES), None)
