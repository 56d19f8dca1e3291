"""Which column of a sheet is what, by the labels that Korean academies write over them. Pure."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from types import MappingProxyType

from rules.roster.signs import FILLERS
from rules.roster.values import looks_like_phone

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
    ("모", "모친", "어머니", "어머님", "엄마", "mother"),
    ("부", "부친", "아버지", "아버님", "아빠", "father"),
)
_EMERGENCY = ("비상", "긴급", "비상시", "emergency")
_STUDENT = ("학생", "원생", "수강생", "회원", "아동", "원아", "유아", "교육생", "본인", "자녀", "student")
_NUMBERS = frozenset(("번호", "순번", "연번", "순", "no", "구분", "관계"))
_FAMILY_NAME = frozenset(("성", "성씨", "lastname", "familyname", "surname"))
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

_CHOSEN, _LAST = -1, 99  # rank of a column that somebody has named, and of a number that anybody may answer


def _aliases() -> dict[str, tuple[str, int]]:
    """Label → field, and its rank among labels of the same field: the one that says whose it is comes first.
    A telephone number without an owner is the student's: it is never taken for a parent's."""
    found: dict[str, tuple[str, int]] = {}

    def add(field: str, rank: int, labels: Iterable[str]) -> None:
        found.update(dict.fromkeys(labels, (field, rank)))

    for field, labels in _OTHERS.items():
        add(field, 0, labels)
    add("name", 2, ("학생", "원생", "수강생", "회원", "아동", "원아"))
    add("name", 1, ("이름", "성명", "성함", "name"))
    add("name", 0, _either_order(_STUDENT, _NAME))
    add("student_phone", 1, _PHONE)
    add("student_phone", 0, _either_order(_STUDENT, _PHONE))
    for rank, words in enumerate(_PARENTS):
        add("parent_phone", rank, _either_order(words, (*_PHONE, "번호")))
        add("parent_name", rank, _either_order(words, _NAME))
    add("parent_phone", _LAST, _either_order(_EMERGENCY, (*_PHONE, "연락망", "contact")))
    return found


def _either_order(owners: Iterable[str], things: Iterable[str]) -> list[str]:
    """ "학부모연락처", and "연락처학부모" of 연락처(학부모) or of a label in two rows."""
    return [label for owner, thing in product(owners, things) for label in (owner + thing, thing + owner)]


_ALIASES = _aliases()
_ALONE = {word: rank for rank, words in enumerate(_PARENTS) for word in words}  # a name or a number
_NUMBERED = re.compile(r"(\D+)([1-9])(\D*)", re.ASCII)
STRANGERS = re.compile(
    r"담임|강사|교사|선생|담당|직원|원장|기사|형제|자매|조모|조부|조부모|친척|추천인|학원|기관|teacher|staff"
)
_STRANGE_GROUP = re.compile(rf"(학교|{STRANGERS.pattern})(님|교사|선생님)?")
# 학부모 연락처(구): a number of before, or one that nobody wants to be called at.
_FORMER = re.compile(
    "구|전|옛|이전|예전|기존|종전|변경전|수정전|사용안함|사용중지|해지|삭제|수신거부|old|previous|former"
)
_OTHER_SCRIPT = re.compile("영문|영어|한자|english", re.IGNORECASE)  # 이름(영문): the name once more
_OWNERS = re.compile("학생|원생|본인|자녀"), re.compile("부모|보호자|어머니|아버지|모친|부친|엄마|아빠")
_BRACKETS = re.compile(r"[(\[<{].*?[)\]>}]")
_NOISE = re.compile(r"[\W_]+|필수|선택|입력|정보")


@lru_cache(maxsize=4096)
def _readings(label: str) -> tuple[str, ...]:
    """The label as letters and digits; with what stands in brackets, and without it."""
    written = unicodedata.normalize("NFKC", FILLERS.sub("", label)).casefold()
    readings = (_NOISE.sub("", each) for each in (written, _BRACKETS.sub("", written)))
    return tuple(dict.fromkeys(each for each in readings if each))


@dataclass(frozen=True)
class Column:
    index: int
    field: str
    label: str


@dataclass(frozen=True)
class Header:
    """`row` counts from 0 in what was searched; `missing` names required fields without a column. `repeated`
    are columns that say again what another one of `columns` says; `family` holds a part of the name.
    `names` are the columns of names that nothing tells apart, if several. No label is right of `width`."""

    row: int
    columns: tuple[Column, ...]
    ignored: tuple[str, ...]
    repeated: tuple[Column, ...] = ()
    family: Column | None = None
    names: tuple[str, ...] = ()
    width: int = 0

    @property
    def missing(self) -> tuple[str, ...]:
        found = {column.field for column in self.columns}
        return tuple(field for field in REQUIRED if field not in found)


Chosen = Mapping[str, str | None]  # label, as `plain` has it → field, or None for one not to be read


def plain(label: str) -> str:
    """A label as letters and digits: spaces, signs and case tell nobody apart."""
    return next(iter(_readings(label)), "")


def find_header(
    rows: Sequence[Sequence[str]],
    groups: Sequence[Sequence[str]] = (),
    chosen: Chosen = MappingProxyType({}),
) -> Header | None:
    """The first row that names a student's name and a parent's phone, or the one under it if that names more;
    failing that the one with most known labels, of at least two. `rows` are a sheet's first ones, `groups`
    the same with merged cells filled. What somebody has `chosen` a column to be comes before all labels."""
    best: Header | None = None
    for number in range(min(len(rows), HEADER_WITHIN)):
        header = match(rows, number, groups, chosen)
        if not header.missing:
            below = match(rows, number + 1, groups, chosen) if number + 1 < len(rows) else header
            finer = not below.missing and len(below.columns) > len(header.columns)
            return below if finer else header
        if len(header.columns) >= 2 and (best is None or len(header.columns) > len(best.columns)):
            best = header
    return best


def match(
    rows: Sequence[Sequence[str]],
    number: int,
    groups: Sequence[Sequence[str]] = (),
    chosen: Chosen = MappingProxyType({}),
) -> Header:
    """Row `number` as a header, whatever it is."""
    groups = groups or rows
    above = groups[number - 1] if number else ()
    named: list[tuple[str, int, Column]] = []
    ignored: list[str] = []
    family: Column | None = None
    stranger = False  # whether the last person named is not the student
    for index, label in enumerate(rows[number]):
        group = above[index] if index < len(above) else ""
        known = ranked_field(label, group) or _alone(label, rows[number + 1 :], index)
        if known == ("student_phone", 1) and stranger:
            known = None  # nobody says that it is the student's
        if (said := plain(label)) in chosen:
            known = (field, _CHOSEN) if (field := chosen[said]) else None
        if known:
            named.append((*known, Column(index, known[0], label)))
        elif _FAMILY_NAME.intersection(_readings(label)) and family is None:
            family = Column(index, "name", label)
        elif label:
            ignored.append(label)
        if known and known[0] in ("name", "parent_name"):
            stranger = known[0] != "name"
        elif STRANGERS.search(label):
            stranger = True
    columns: dict[str, Column] = {}
    ranks: dict[str, int] = {}
    repeated: list[Column] = []
    for field, rank, column in sorted(named, key=lambda each: (each[1], each[2].index)):
        again = field in columns and _readings(columns[field].label) == _readings(column.label)
        if field in columns and field == "parent_phone" and not again:
            field = "other_parent_phone"
        if field not in columns:
            columns[field], ranks[field] = Column(column.index, field, column.label), rank
            continue
        ignored.append(column.label)
        unsure = ranks[field] != _CHOSEN and (
            field == "name" or (field.endswith("phone") and ranks[field] == rank)
        )
        if again or unsure:
            repeated.append(Column(column.index, field, column.label))
    same = [column for field, rank, column in named if field == "name" and rank == ranks["name"]]
    labelled = [index for index, label in enumerate(groups[number]) if label]
    return Header(
        number,
        tuple(sorted(columns.values(), key=lambda each: each.index)),
        tuple(ignored),
        tuple(repeated),
        family if "name" in columns else None,
        tuple(column.label for column in same) if len(same) > 1 else (),
        max(labelled, default=-1) + 1,
    )


def ranked_field(label: str, group: str = "") -> tuple[str, int] | None:
    """The field of a label under a group's (연락처 under 학부모 is the parents'), and its rank among them."""
    own = _readings(label)
    remarks = [_NOISE.sub("", each) for each in _BRACKETS.findall(label)]
    if any(owner.fullmatch(each) for owner in _OWNERS for each in remarks) and (
        all(owner.search(own[0]) for owner in _OWNERS)
    ):
        own = own[:1]  # 학부모 연락처(학생): of both, or of neither
    upper = () if group == label else _readings(group)  # one cell that reaches over both rows
    grouped = [above + each for above in upper for each in own]
    turned = [each + above for above in upper for each in own]
    if any(_STRANGE_GROUP.fullmatch(each) for each in upper):
        own = ()
    found = next((found for each in (*grouped, *turned, *own) if (found := _known(each))), None)
    if found is None or not found[0].endswith(("name", "phone")):
        return None if any(each in _ALONE for each in upper) else found  # 생년월일 under 학부모
    others = any(_FORMER.fullmatch(each) or _STRANGE_GROUP.fullmatch(each) for each in remarks)
    return None if others or (found[0] == "name" and _OTHER_SCRIPT.search(label)) else found


def is_label(written: str) -> bool:
    """Whether it is surely a heading, and nobody's name."""
    return ranked_field(written) is not None or any(
        each in _NUMBERS or each in _ALONE or each in _FAMILY_NAME for each in _readings(written)
    )


def _known(reading: str) -> tuple[str, int] | None:
    """보호자1 연락처 comes before 보호자 연락처 2, and both before 보호자 연락처 3."""
    if found := _ALIASES.get(reading):
        return found
    if numbered := _NUMBERED.fullmatch(reading):
        field, rank = _ALIASES.get(numbered[1] + numbered[3], ("", 0))
        if field in ("parent_phone", "parent_name"):
            return field, rank + len(_PARENTS) * (int(numbered[2]) - 1)
    return None


def _alone(label: str, below: Sequence[Sequence[str]], index: int) -> tuple[str, int] | None:
    """모친 says whose and not what: a number if one stands first below it, else a name."""
    rank = next((_ALONE[each] for each in _readings(label) if each in _ALONE), None)
    if rank is None:
        return None
    first = next((row[index] for row in below if index < len(row) and row[index]), "")
    return "parent_phone" if looks_like_phone(first) else "parent_name", rank
